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

/** One statement whatever the number of tables; descriptions, tags and, without `freshness`, the last write stay. */
async function saveTables(
  deps: CatalogDeps,
  projectId: string,
  datastoreId: string,
  tables: readonly DescribedTable[],
  freshness: { taskId: string; syncedAt: Date } | null,
): Promise<void> {
  const at = deps.now();
  const rows = tables.map((table) => ({
    id: newId(),
    database: table.database,
    schema: table.schema,
    name: table.name,
    kind: table.kind,
    columns: table.columns.map((column) => ({ ...column, description: null })),
    row_count: table.rowCount === null ? null : String(table.rowCount),
  }));
  await deps.store.db.$executeRaw`
    INSERT INTO catalog_table AS known
      (id, project_id, datastore_id, database, schema, name, kind, columns, row_count, task_id, synced_at, created_at, updated_at)
    SELECT id, ${projectId}::uuid, ${datastoreId}::uuid, database, schema, name, kind::"TableKind", columns, row_count,
      ${freshness?.taskId ?? null}::uuid, ${freshness?.syncedAt ?? null}::timestamptz, ${at}, ${at}
    FROM jsonb_to_recordset(${JSON.stringify(rows)}::jsonb)
      AS seen(id uuid, database text, schema text, name text, kind text, columns jsonb, row_count bigint)
    ON CONFLICT (datastore_id, database, schema, name) DO UPDATE SET
      kind = excluded.kind, columns = excluded.columns, row_count = excluded.row_count, updated_at = excluded.updated_at,
      task_id = coalesce(excluded.task_id, known.task_id), synced_at = coalesce(excluded.synced_at, known.synced_at)`;
}
