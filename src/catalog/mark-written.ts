import type { WrittenTable } from '#connectors/contract.ts';
import type { Db } from '#store/open-store.ts';
import type { Datastores } from './datastores.ts';
import { keyOfTable } from './reads.ts';
import { type Feed, saveTables } from './save-tables.ts';
import { announceWritten } from './written.ts';
import type { DescribedColumn, DescribedTable, TableName } from '#warehouse/warehouse.ts';

interface Written {
  projectId: string;
  taskId: string;
  table: WrittenTable;
  at: Date;
  /** What the task ran for: the way up from the table in its lineage. */
  feed: Feed;
  /** What a stream of a job reads of a datastore of the project, and how old that was as the task began; left out where nobody knows. */
  reads?: { datastore: string; tables: readonly TableName[]; syncedAt?: Date | null } | null;
}

/** The columns that tables had before they were written, by the tables' ids: of those that have lost some, or have others of a name. */
export type ColumnsBefore = ReadonlyMap<string, readonly DescribedColumn[]>;

/**
 * Marks a table as written by a task at a time, with its columns and row count of now, and drops the answers that were made
 * from it. Returns what columns it had where it has lost any. Fails as Datastores.open does; all answers are then dropped.
 */
export async function markWritten(db: Db, datastores: Datastores, written: Written): Promise<ColumnsBefore> {
  try {
    const { ids, before } = await saveWritten(db, datastores, written);
    await announceWritten(db, datastores.cache, ids);
    return before;
  } catch (error) {
    datastores.cache.clear();
    throw error;
  }
}

async function saveWritten(
  db: Db,
  datastores: Datastores,
  written: Written,
): Promise<{ ids: string[]; before: ColumnsBefore }> {
  const { projectId, taskId, table, at, feed } = written;
  const { warehouse } = await datastores.open(projectId, table.datastore);
  const { id: datastoreId } = await db.datastore.findFirstOrThrow({
    where: { projectId, name: table.datastore, deletedAt: null },
    select: { id: true },
  });
  const tables = await warehouse.tables([table]);
  const before = await columnsBefore(db, datastoreId, tables);
  const ids = await saveTables(db, { projectId, datastoreId, tables, at, writtenBy: { taskId, feed } });
  if (written.reads && 'jobId' in feed)
    await saveReads(db, { ...feed, projectId, reads: written.reads, ids });
  return { ids, before };
}

async function columnsBefore(
  db: Db,
  datastoreId: string,
  tables: readonly DescribedTable[],
): Promise<ColumnsBefore> {
  const known = await db.catalogTable.findMany({
    where: {
      datastoreId,
      goneAt: null,
      OR: tables.map(({ database, schema, name }) => ({ database, schema, name })),
    },
    select: { id: true, database: true, schema: true, name: true, columns: true },
  });
  const before = known.map((row): [string, DescribedColumn[], DescribedTable | undefined] => [
    row.id,
    // Written by the catalog alone, in this shape.
    row.columns as unknown as DescribedColumn[],
    tables.find((table) => keyOfTable(table) === keyOfTable(row)),
  ]);
  return new Map(
    before.flatMap(([id, had, now]) =>
      had.every((column) => now?.columns.some((each) => isSame(each, column))) ? [] : [[id, had]],
    ),
  );
}

function isSame(one: DescribedColumn, other: DescribedColumn): boolean {
  return one.name === other.name && one.dataType === other.dataType;
}

/** What the stream of the job reads from now on; tables that the catalog has not met yet are left out. */
async function saveReads(
  db: Db,
  of: {
    projectId: string;
    jobId: string;
    stream: string;
    ids: readonly string[];
    reads: NonNullable<Written['reads']>;
  },
): Promise<void> {
  const { projectId, jobId, stream, ids, reads } = of;
  if (reads.syncedAt !== undefined) {
    await db.tableFeed.updateMany({
      where: { tableId: { in: [...ids] }, jobId, stream },
      data: { originalSyncedAt: reads.syncedAt },
    });
  }
  await db.$executeRaw`
    WITH feed AS (
      SELECT id FROM table_feed
      WHERE table_id = ANY(${[...ids]}::uuid[]) AND job_id = ${jobId}::uuid AND stream = ${stream}
    ), read AS (
      SELECT t.id FROM catalog_table t JOIN datastore d ON d.id = t.datastore_id
      JOIN jsonb_to_recordset(${JSON.stringify(reads.tables)}::jsonb) AS r(database text, schema text, name text)
        ON (r.database, r.schema, r.name) = (t.database, t.schema, t.name)
      WHERE d.project_id = ${projectId}::uuid AND d.name = ${reads.datastore} AND d.deleted_at IS NULL
    ), gone AS (
      DELETE FROM feed_input i USING feed
      WHERE i.feed_id = feed.id AND i.table_id NOT IN (SELECT id FROM read)
    )
    INSERT INTO feed_input (feed_id, table_id) SELECT feed.id, read.id FROM feed, read ON CONFLICT DO NOTHING`;
}
