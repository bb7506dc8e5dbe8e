import { AppError, type Problem } from '#base/errors.ts';
import { findTable } from '#catalog/find-table.ts';
import { type CatalogedTable, loadMappings, loadTables, type Mappings } from '#catalog/mappings.ts';
import { entitySource, mappingOf, type RowSource, tableSource } from '#catalog/row-source.ts';
import { fqnOf } from '#catalog/tables.ts';
import type { Prisma } from '#generated/prisma/client.ts';
import type { EntityKind } from '#generated/prisma/enums.ts';
import { dialectOf } from '#warehouse/dialects.ts';
import type { KnownDefinition, SimpleDefinition } from './definition.ts';
import type { MetricDeps } from './deps.ts';

/** More words than this between dots are no whole name: there would be too many ways to cut it. */
const wordsMax = 10;

/** Where the rows of a measure are: two of the same key are the same rows. */
export interface Rows {
  key: string;
  datastore: CatalogedTable['datastore'];
  /** The path of the time that places a row in a period. */
  time: string;
  /** The rows, to ask columns of, for one statement. */
  open(): RowSource;
}

/** What definitions stand on: the mappings of a project, and the tables that they name. */
export interface Ground {
  mappings: Mappings;
  /** By the names that definitions give. */
  tables: ReadonlyMap<string, CatalogedTable>;
  /** What is wrong with the names of no table. */
  missing: ReadonlyMap<string, Problem>;
}

/** The times that entities have by themselves. */
const timeOf: Record<EntityKind, string> = { USER: 'createdAt', ORGANIZATION: 'createdAt', EVENT: 'at' };

/** Reads the mappings, and the tables that definitions name: one statement each, where the names are whole. */
export async function loadGround(
  { store: { db } }: Pick<MetricDeps, 'store'>,
  projectId: string,
  definitions: readonly KnownDefinition[],
): Promise<Ground> {
  const mappings = await loadMappings(db, projectId);
  const given = definitions.flatMap((each) => (each.kind === 'SIMPLE' ? (each.simple.table ?? []) : []));
  const names = [...new Set(given)];
  const whole = names.length === 0 ? [] : await loadTables(db, projectId, { OR: names.flatMap(cutsOf) });
  const tables = new Map(whole.map((table) => [fqnOf(table, table.datastore.name), table]));
  const missing = new Map<string, Problem>();
  for (const name of names) {
    if (tables.has(name)) continue;
    const found = await findTable(db, projectId, { name }, ['definition', 'simple', 'table']);
    if ('table' in found) tables.set(name, found.table);
    else missing.set(name, found.problem);
  }
  return { mappings, tables, missing };
}

/** The rows of a SIMPLE definition. Fails with BAD_USER_INPUT when its entity is not mapped, or its table is gone. */
export function rowsOf(ground: Ground, { entity, table, time }: SimpleDefinition): Rows {
  if (entity != null) return entityRows(ground, entity, time ?? timeOf[entity]);
  const found = ground.tables.get(table ?? '');
  if (!found) {
    const problem = ground.missing.get(table ?? '');
    throw new AppError('BAD_USER_INPUT', problem?.message ?? 'No table is given.', { fix: problem?.fix });
  }
  if (time == null) throw new AppError('BAD_USER_INPUT', `The time of the table "${table}" is missing.`);
  const dialect = dialectOf(found.datastore.engine);
  return {
    key: JSON.stringify([found.id, time]),
    datastore: found.datastore,
    time,
    open: () => tableSource(found, dialect),
  };
}

/** The rows of an entity. Fails with BAD_USER_INPUT when it is not mapped. */
export function entityRows(ground: Ground, entity: EntityKind, time: string = timeOf[entity]): Rows {
  const { datastore } = mappingOf(ground.mappings, entity).table;
  const dialect = dialectOf(datastore.engine);
  return {
    key: JSON.stringify([entity, time]),
    datastore,
    time,
    open: () => entitySource(ground.mappings, entity, dialect),
  };
}

/** The tables that a whole name could mean: a part of it may have dots itself. */
function cutsOf(fqn: string): Prisma.CatalogTableWhereInput[] {
  const words = fqn.split('.');
  const cuts: Prisma.CatalogTableWhereInput[] = [];
  if (words.length > wordsMax) return cuts;
  const part = (from: number, to?: number) => words.slice(from, to).join('.');
  for (let one = 1; one <= words.length - 3; one += 1) {
    for (let two = one + 1; two <= words.length - 2; two += 1) {
      for (let three = two + 1; three <= words.length - 1; three += 1) {
        const datastore = { name: part(0, one), deletedAt: null };
        cuts.push({ datastore, database: part(one, two), schema: part(two, three), name: part(three) });
      }
    }
  }
  return cuts;
}
