import type { Viewer } from '#accounts/viewer.ts';
import { InputError, inputError } from '#base/errors.ts';
import { newId } from '#base/id.ts';
import { Prisma } from '#generated/prisma/client.ts';
import type { EntityKind } from '#generated/prisma/enums.ts';
import type { Tx } from '#store/open-store.ts';
import {
  columnProblems,
  fieldProblems,
  findAlias,
  type MapEntityInput,
  mappedFields,
} from './check-mapping.ts';
import type { CatalogDeps } from './deps.ts';
import { findCopies } from './find-copies.ts';
import { findTable, listed } from './find-table.ts';
import { type CatalogedTable, loadMappings, type Mapping } from './mappings.ts';
import { servingProblems } from './served-from.ts';

export type { MapEntityInput } from './check-mapping.ts';

/**
 * Says which table holds the entities of a kind and which columns are what, in place of what was said before. Fails with
 * InputError, with every problem at once.
 */
export async function mapEntity(deps: CatalogDeps, viewer: Viewer, input: MapEntityInput): Promise<Mapping> {
  const { db } = deps.store;
  const { projectId } = viewer;
  const found = await findTable(db, projectId, input.table, ['table']);
  const table = 'table' in found ? found.table : null;
  const alias = await findAlias(deps, viewer, input, table);
  const problems = [
    ...('problem' in found ? [found.problem] : []),
    ...fieldProblems(input),
    ...(table ? await columnProblems(deps, viewer, input, table) : []),
    ...alias.problems,
  ];
  const asked = table && mappingOfInput(input, table, alias.table);
  const copies = await findCopies(deps, viewer, input, problems.length === 0 ? asked : null);
  problems.push(...copies.problems);
  if (asked === null || problems.length > 0) throw new InputError(problems);
  const mapping: Mapping = {
    ...asked,
    alias: asked.alias && { ...asked.alias, servedFrom: copies.aliasTable },
    servedFrom: copies.table,
  };
  await db.$transaction(async (tx) => {
    // What is said of one kind is checked with what is said of the others.
    await tx.$queryRaw`SELECT 1 FROM pg_advisory_xact_lock(hashtextextended(${`mappings/${projectId}`}, 0))`;
    const others = await loadMappings(tx, projectId);
    const unanswerable = servingProblems({ ...others, [input.kind]: mapping }, input.kind);
    if (unanswerable.length > 0) throw new InputError(unanswerable);
    await saveMapping(tx, projectId, mapping, deps.now());
  });
  return mapping;
}

function mappingOfInput(
  input: MapEntityInput,
  table: CatalogedTable,
  aliasTable: CatalogedTable | null,
): Mapping {
  const { kind, key, aliasKey, canonicalKey, properties } = input;
  return {
    kind,
    table,
    key,
    columns: Object.fromEntries(
      mappedFields.flatMap((field) => (input[field] == null ? [] : [[field, input[field]]])),
    ),
    propertiesColumn: input.propertiesColumn ?? null,
    properties: properties == null ? null : [...new Set(properties)],
    alias:
      aliasTable && aliasKey != null && canonicalKey != null
        ? { table: aliasTable, aliasKey, canonicalKey }
        : null,
  };
}

async function saveMapping(tx: Tx, projectId: string, mapping: Mapping, at: Date): Promise<void> {
  const { kind, alias } = mapping;
  const data = {
    tableId: mapping.table.id,
    key: mapping.key,
    columns: { ...mapping.columns },
    propertiesColumn: mapping.propertiesColumn,
    properties: mapping.properties === null ? Prisma.DbNull : [...mapping.properties],
    aliasTableId: alias?.table.id ?? null,
    aliasKey: alias?.aliasKey ?? null,
    canonicalKey: alias?.canonicalKey ?? null,
    servedFromId: mapping.servedFrom?.id ?? null,
    aliasServedFromId: alias?.servedFrom?.id ?? null,
    updatedAt: at,
  };
  await tx.entityMapping.upsert({
    where: { projectId_kind: { projectId, kind } },
    create: { ...data, id: newId(), projectId, kind, createdAt: at },
    update: data,
  });
}

/** Forgets which table holds the entities of a kind. Fails with InputError: nothing is mapped, or something needs it. */
export async function unmapEntity(deps: CatalogDeps, viewer: Viewer, kind: EntityKind): Promise<EntityKind> {
  const { db } = deps.store;
  const { projectId } = viewer;
  const made = [
    ...(await metricsOver(deps, projectId, kind)),
    ...(await formulasOver(deps, projectId, kind)),
  ];
  if (made.length > 0) {
    const message = `Of ${kind} are made: ${listed(made)}.`;
    throw inputError('IN_USE', ['kind'], message, 'Change or delete them first.');
  }
  const { count } = await db.entityMapping.deleteMany({ where: { projectId, kind } });
  if (count > 0) return kind;
  throw inputError('NOT_FOUND', ['kind'], `No table is mapped to ${kind} in this project.`);
}

async function metricsOver({ store }: CatalogDeps, projectId: string, kind: EntityKind): Promise<string[]> {
  const metrics = await store.db.metric.findMany({
    where: { projectId, deletedAt: null, kind: { in: ['SIMPLE', 'CONVERSION'] } },
    select: { name: true, kind: true, definition: true },
    orderBy: { name: 'asc' },
  });
  const isOver = ({ kind: metricKind, definition }: (typeof metrics)[number]) =>
    metricKind === 'CONVERSION'
      ? kind === 'EVENT'
      : (definition as { simple?: { entity?: unknown } }).simple?.entity === kind;
  return metrics.filter(isOver).map(({ name }) => `the metric "${name}"`);
}

async function formulasOver({ store }: CatalogDeps, projectId: string, kind: EntityKind): Promise<string[]> {
  const transformations = await store.db.transformation.findMany({
    where: { projectId, deletedAt: null, formula: { path: ['entity'], equals: kind } },
    select: { name: true },
    orderBy: { name: 'asc' },
  });
  return transformations.map(({ name }) => `the transformation "${name}"`);
}
