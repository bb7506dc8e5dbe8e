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
import { type Break, BreakingError, lockDefinitions } from './breaks.ts';
import type { CatalogDeps } from './deps.ts';
import { findCopies } from './find-copies.ts';
import { findTable } from './find-table.ts';
import { type CatalogedTable, loadMappings, type Mapping, type Mappings } from './mappings.ts';
import { servingProblems } from './served-from.ts';

export type { MapEntityInput } from './check-mapping.ts';

/** A mapping that was changed, and what does not work any more with it. */
export interface Mapped {
  mapping: Mapping;
  breaks: Break[];
}

/** A kind that is mapped no more, and what does not work any more without it. */
export interface Unmapped {
  kind: EntityKind;
  breaks: Break[];
}

/**
 * Says which table holds the entities of a kind and which columns are what, in place of what was said before. Fails with
 * InputError, with every problem at once; with BreakingError for what would not work any more, unless that is allowed.
 */
export async function mapEntity(deps: CatalogDeps, viewer: Viewer, input: MapEntityInput): Promise<Mapped> {
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
  return db.$transaction(async (tx) => {
    const before = await lockMappings(tx, projectId);
    const after = { ...before, [input.kind]: mapping };
    const unanswerable = servingProblems(after, input.kind);
    if (unanswerable.length > 0) throw new InputError(unanswerable);
    const breaks = await checkBreaks(deps, tx, viewer, { before, after, allowed: input.allowBreaking });
    await saveMapping(tx, projectId, mapping, deps.now());
    return { mapping, breaks };
  });
}

/** The mappings of the project. What is said of one kind is checked with what is said of the others, and with what is made of them. */
async function lockMappings(tx: Tx, projectId: string): Promise<Mappings> {
  await tx.$queryRaw`SELECT 1 FROM pg_advisory_xact_lock(hashtextextended(${`mappings/${projectId}`}, 0))`;
  await lockDefinitions(tx, projectId);
  return loadMappings(tx, projectId);
}

async function checkBreaks(
  deps: CatalogDeps,
  tx: Tx,
  { projectId }: Viewer,
  change: { before: Mappings; after: Mappings; allowed?: boolean | null | undefined },
): Promise<Break[]> {
  const { before, after, allowed } = change;
  const breaks = await deps.findBreaks(tx, projectId, { mappings: before }, { mappings: after });
  if (breaks.length > 0 && !allowed) throw new BreakingError(breaks, ['kind']);
  return breaks;
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

/**
 * Forgets which table holds the entities of a kind. Fails with InputError when nothing is mapped; with BreakingError for what
 * would not work any more, unless that is allowed.
 */
export async function unmapEntity(
  deps: CatalogDeps,
  viewer: Viewer,
  { kind, allowBreaking: allowed }: { kind: EntityKind; allowBreaking?: boolean | null | undefined },
): Promise<Unmapped> {
  const { projectId } = viewer;
  return deps.store.db.$transaction(async (tx) => {
    const before = await lockMappings(tx, projectId);
    if (!before[kind]) {
      throw inputError('NOT_FOUND', ['kind'], `No table is mapped to ${kind} in this project.`);
    }
    const { [kind]: _gone, ...after } = before;
    const breaks = await checkBreaks(deps, tx, viewer, { before, after, allowed });
    await tx.entityMapping.deleteMany({ where: { projectId, kind } });
    return { kind, breaks };
  });
}
