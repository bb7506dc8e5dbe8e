import { AppError, type Problem } from '#base/errors.ts';
import { findTables, shortNames } from '#catalog/find-table.ts';
import { type CatalogedTable, loadMappings, loadTables, type Mappings } from '#catalog/mappings.ts';
import { entitySource, mappingOf, type RowSource, tableSource } from '#catalog/row-source.ts';
import { fqnOf } from '#catalog/tables.ts';
import type { Prisma } from '#generated/prisma/client.ts';
import type { EntityKind } from '#generated/prisma/enums.ts';
import type { Db, Tx } from '#store/open-store.ts';
import { dialectOf } from '#warehouse/dialects.ts';
import type { KnownDefinition, SimpleDefinition } from './definition.ts';

/** More words than this between dots are no whole name: there would be too many ways to cut it. */
const wordsMax = 10;

/** Where the rows of a measure are: two of the same key are the same rows. */
export interface Rows {
  key: string;
  /** Null for the rows of a table. */
  entity: EntityKind | null;
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

/** Reads the mappings, unless they are given, and the tables that definitions name: one statement each, and one more where a name is not that of one table. */
export async function loadGround(
  { store: { db } }: { store: { db: Db | Tx } },
  projectId: string,
  definitions: readonly KnownDefinition[],
  given?: Promise<Mappings>,
): Promise<Ground> {
  const mappings = await (given ?? loadMappings(db, projectId));
  const named = definitions.flatMap((each) => (each.kind === 'SIMPLE' ? (each.simple.table ?? []) : []));
  const names = [...new Set(named)];
  const near = names.length === 0 ? [] : await loadTables(db, projectId, { OR: names.flatMap(cutsOf) });
  const tables = new Map<string, CatalogedTable>();
  const missing = new Map<string, Problem>();
  for (const name of names) {
    const exact = near.filter((table) => fqnOf(table, table.datastore.name) === name);
    const meant = exact.length > 0 ? exact : near.filter((table) => shortNames(table).includes(name));
    if (meant.length === 1) tables.set(name, meant[0]!);
  }
  const others = names.filter((name) => !tables.has(name));
  const path = ['definition', 'simple', 'table'];
  for (const [at, found] of (await findTables(db, projectId, others, path)).entries()) {
    if ('problem' in found) missing.set(others[at]!, found.problem);
    else tables.set(others[at]!, found.table);
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
    entity: null,
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
    entity,
    datastore,
    time,
    open: () => entitySource(ground.mappings, entity, dialect),
  };
}

const columnsFromEnd = ['name', 'schema', 'database', 'datastore'] as const;

/** What a name may mean, whole or the end of one: names of tables, schemas and databases may have dots in them too. */
function cutsOf(name: string): Prisma.CatalogTableWhereInput[] {
  const words = name.split('.');
  return words.length > wordsMax ? [] : cutsBy(words, columnsFromEnd);
}

/** The words as the values of the columns: the last words are the first column's, all words are taken. */
function cutsBy(
  words: readonly string[],
  [column, ...others]: readonly (typeof columnsFromEnd)[number][],
): Prisma.CatalogTableWhereInput[] {
  if (column === undefined) return [];
  return words.flatMap((_, at): Prisma.CatalogTableWhereInput[] => {
    const value = words.slice(at).join('.');
    const own =
      column === 'datastore' ? { datastore: { name: value, deletedAt: null } } : { [column]: value };
    return at === 0 ? [own] : cutsBy(words.slice(0, at), others).map((rest) => ({ ...rest, ...own }));
  });
}
