import type { Problem } from '#base/errors.ts';
import type { Db, Store } from '#store/open-store.ts';
import type { RunOptions, TableName, Warehouse } from '#warehouse/warehouse.ts';
import { saveTables } from './save-tables.ts';

/** A table of the catalog that a SELECT reads. */
export interface ReadTable extends TableName {
  id: string;
}

/** What a SELECT on a datastore reads, as the catalog knows it: tables that it did not know are taken into it. */
export async function takeReads(
  deps: { store: Store; now(): Date },
  { projectId, datastore }: { projectId: string; datastore: { id: string } },
  warehouse: Warehouse,
  reads: readonly TableName[],
  options: RunOptions,
): Promise<ReadTable[]> {
  const { db } = deps.store;
  const datastoreId = datastore.id;
  const known = await findTables(db, projectId, datastoreId, reads);
  const keys = new Set(known.map(keyOfTable));
  const unknown = reads.filter((table) => !keys.has(keyOfTable(table)));
  if (unknown.length === 0) return known;
  const tables = await warehouse.tables(unknown, options);
  await saveTables(db, { projectId, datastoreId, tables, at: deps.now() });
  return findTables(db, projectId, datastoreId, reads);
}

/** A problem at the path for each table that the catalog does not hold. */
export function unknownReads(
  reads: readonly TableName[],
  known: readonly ReadTable[],
  path: readonly string[],
): Problem[] {
  const keys = new Set(known.map(keyOfTable));
  return reads
    .filter((table) => !keys.has(keyOfTable(table)))
    .map((table) => ({
      code: 'INVALID',
      path,
      message: `${nameOf(table)} is the engine's own: the catalog does not hold it, and cannot say when it changes.`,
      fix: 'Read tables that the query tables lists.',
    }));
}

function findTables(
  db: Db,
  projectId: string,
  datastoreId: string,
  tables: readonly TableName[],
): Promise<ReadTable[]> {
  return db.catalogTable.findMany({
    where: {
      projectId,
      datastoreId,
      goneAt: null,
      OR: tables.map(({ database, schema, name }) => ({ database, schema, name })),
    },
    select: { id: true, database: true, schema: true, name: true },
    orderBy: [{ schema: 'asc' }, { name: 'asc' }],
  });
}

/** Equal for the names of one table, as the engine and the catalog write them. */
export function keyOfTable({ database, schema, name }: TableName): string {
  return JSON.stringify([database, schema, name]);
}

/** "raw.orders", as logs and problems call a table. */
export function nameOf({ schema, name }: Pick<TableName, 'schema' | 'name'>): string {
  return `${schema}.${name}`;
}
