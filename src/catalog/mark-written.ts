import type { WrittenTable } from '#connectors/contract.ts';
import type { Db } from '#store/open-store.ts';
import type { Datastores } from './datastores.ts';
import { type Feed, saveTables } from './save-tables.ts';
import { announceWritten } from './written.ts';

interface Written {
  projectId: string;
  taskId: string;
  table: WrittenTable;
  at: Date;
  /** What the task ran for: the way up from the table in its lineage. */
  feed: Feed;
}

/**
 * Marks a table as written by a task at a time, with its columns and row count of now, and drops the answers that were made
 * from it. Fails as Datastores.open does; all answers are then dropped.
 */
export async function markWritten(db: Db, datastores: Datastores, written: Written): Promise<void> {
  try {
    await announceWritten(db, datastores.cache, await saveWritten(db, datastores, written));
  } catch (error) {
    datastores.cache.clear();
    throw error;
  }
}

async function saveWritten(db: Db, datastores: Datastores, written: Written): Promise<string[]> {
  const { projectId, taskId, table, at, feed } = written;
  const { warehouse } = await datastores.open(projectId, table.datastore);
  const { id: datastoreId } = await db.datastore.findFirstOrThrow({
    where: { projectId, name: table.datastore, deletedAt: null },
    select: { id: true },
  });
  const tables = await warehouse.tables([table]);
  return saveTables(db, { projectId, datastoreId, tables, at, writtenBy: { taskId, feed } });
}
