import { newId } from '#base/id.ts';
import type { WrittenTable } from '#connectors/contract.ts';
import type { DescribedTable, TableName } from '#warehouse/warehouse.ts';
import type { CatalogDeps } from './deps.ts';

/** Reads all tables of the project's datastores, or of one, into the catalog; forgets those that are gone. Returns how many there are. */
export async function refreshCatalog(
  deps: CatalogDeps,
  options: { projectId: string; datastoreId?: string | undefined; signal?: AbortSignal },
): Promise<number> {
  const datastores = await deps.store.db.datastore.findMany({
    where: {
      projectId: options.projectId,
      deletedAt: null,
      ...(options.datastoreId && { id: options.datastoreId }),
    },
    select: { id: true, name: true },
  });
  let count = 0;
  for (const datastore of datastores) {
    const { warehouse } = await deps.datastores.open(options.projectId, datastore.name);
    const startedAt = deps.now();
    const tables = await warehouse.tables(undefined, { signal: options.signal });
    await saveTables(deps, options.projectId, datastore.id, tables, null);
    await deps.store.db.catalogTable.deleteMany({
      where: { projectId: options.projectId, datastoreId: datastore.id, updatedAt: { lt: startedAt } },
    });
    count += tables.length;
  }
  return count;
}

/** Marks a table as written by a task at a time, with its columns and row count of now. */
export async function markWritten(
  deps: CatalogDeps,
  written: { projectId: string; taskId: string; table: WrittenTable; at: Date },
): Promise<void> {
  const { projectId, table } = written;
  const { warehouse } = await deps.datastores.open(projectId, table.datastore);
  const { id: datastoreId } = await deps.store.db.datastore.findFirstOrThrow({
    where: { projectId, name: table.datastore, deletedAt: null },
    select: { id: true },
  });
  const only: TableName = { database: table.database, schema: table.schema, name: table.name };
  const tables = await warehouse.tables([only]);
  await saveTables(deps, projectId, datastoreId, tables, { taskId: written.taskId, syncedAt: written.at });
}

async function saveTables(
  deps: CatalogDeps,
  projectId: string,
  datastoreId: string,
  tables: readonly DescribedTable[],
  freshness: { taskId: string; syncedAt: Date } | null,
): Promise<void> {
  const at = deps.now();
  for (const table of tables) {
    const seen = {
      kind: table.kind,
      columns: table.columns.map((column) => ({ ...column, description: null })),
      rowCount: table.rowCount,
      updatedAt: at,
      ...freshness,
    };
    const name = { datastoreId, database: table.database, schema: table.schema, name: table.name };
    await deps.store.db.catalogTable.upsert({
      where: { datastoreId_database_schema_name: name },
      create: { id: newId(), projectId, ...name, ...seen, createdAt: at },
      update: seen,
    });
  }
}
