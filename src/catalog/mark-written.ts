import type { WrittenTable } from '#connectors/contract.ts';
import type { Db } from '#store/open-store.ts';
import type { Datastores } from './datastores.ts';
import { saveTables } from './save-tables.ts';

/** Marks a table as written by a task at a time, with its columns and row count of now. Fails as Datastores.open does. */
export async function markWritten(
  db: Db,
  datastores: Datastores,
  written: { projectId: string; taskId: string; table: WrittenTable; at: Date },
): Promise<void> {
  const { projectId, taskId, table, at } = written;
  const { warehouse } = await datastores.open(projectId, table.datastore);
  const { id: datastoreId } = await db.datastore.findFirstOrThrow({
    where: { projectId, name: table.datastore, deletedAt: null },
    select: { id: true },
  });
  const tables = await warehouse.tables([table]);
  await saveTables(db, { projectId, datastoreId, tables, at, writtenBy: taskId });
}
