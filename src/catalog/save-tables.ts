import { newId } from '#base/id.ts';
import type { Db } from '#store/open-store.ts';
import type { DescribedTable } from '#warehouse/warehouse.ts';

interface SeenTables {
  projectId: string;
  datastoreId: string;
  tables: readonly DescribedTable[];
  /** When they were seen, and when they were written if a task did. */
  at: Date;
  /** The task that has just written them. */
  writtenBy?: string;
}

/** One statement whatever the number of tables; descriptions, tags and, without `writtenBy`, the last write stay. */
export async function saveTables(db: Db, seen: SeenTables): Promise<void> {
  const { projectId, datastoreId, tables, at } = seen;
  const writtenBy = seen.writtenBy ?? null;
  const rows = tables.map((table) => ({
    id: newId(),
    database: table.database,
    schema: table.schema,
    name: table.name,
    kind: table.kind,
    columns: table.columns.map((column) => ({ ...column, description: null })),
    row_count: table.rowCount === null ? null : String(table.rowCount),
  }));
  await db.$executeRaw`
    INSERT INTO catalog_table AS known
      (id, project_id, datastore_id, database, schema, name, kind, columns, row_count, task_id, synced_at, created_at, updated_at)
    SELECT id, ${projectId}::uuid, ${datastoreId}::uuid, database, schema, name, kind::"TableKind", columns, row_count,
      ${writtenBy}::uuid, ${writtenBy && at}::timestamptz, ${at}, ${at}
    FROM jsonb_to_recordset(${JSON.stringify(rows)}::jsonb)
      AS seen(id uuid, database text, schema text, name text, kind text, columns jsonb, row_count bigint)
    ON CONFLICT (datastore_id, database, schema, name) DO UPDATE SET
      kind = excluded.kind, columns = excluded.columns, row_count = excluded.row_count, updated_at = excluded.updated_at,
      task_id = coalesce(excluded.task_id, known.task_id), synced_at = coalesce(excluded.synced_at, known.synced_at)`;
}
