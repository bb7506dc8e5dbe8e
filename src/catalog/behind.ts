import type { Db } from '#store/open-store.ts';
import type { TableName } from '#warehouse/warehouse.ts';

/** A table whose rows an answer shows: the table that was asked, or one behind it. */
export interface Behind {
  asked: string;
  id: string;
  /** A view that a transformation made: its rows are those of what the transformation reads. */
  computed: boolean;
  syncedAt: Date | null;
  taskId: string | null;
  originalSyncedAt: Date | null;
}

/** When something was last written, and by which task; both null when no task wrote it. */
export interface Written {
  syncedAt: Date | null;
  taskId: string | null;
  /** Of a copy of tables of the project: when the oldest of them had been written as it was copied. Left out where unknown. */
  originalSyncedAt?: Date;
}

/**
 * The ids of these tables and of all that stand behind the views among them, however far: an answer over the ones changes
 * when one of the others is written. Ids of another project give nothing. One statement.
 */
export async function tablesBehind(
  db: Db,
  projectId: string,
  tableIds: readonly string[],
): Promise<string[]> {
  return (await lookBehind(db, projectId, tableIds)).ids;
}

/**
 * tablesBehind, and when the oldest of what these tables show was written: null as soon as a part of it was never written
 * by a task. A view shows what stands behind it. One statement.
 */
export async function lookBehind(
  db: Db,
  projectId: string,
  tableIds: readonly string[],
): Promise<{ ids: string[]; oldest: Written }> {
  const behind = await readBehind(db, projectId, tableIds);
  return { ids: [...new Set(behind.map(({ id }) => id))], oldest: oldestOf(behind) };
}

/** When the oldest of what each table shows was written, by its id. One statement. */
export async function oldestWrites(
  db: Db,
  projectId: string,
  tableIds: readonly string[],
): Promise<Map<string, Written>> {
  const byAsked = Map.groupBy(await readBehind(db, projectId, tableIds), ({ asked }) => asked);
  return new Map([...byAsked].map(([asked, behind]) => [asked, oldestOf(behind)]));
}

/** When the oldest of these tables of a datastore was written; null as soon as one of them never was by a task. Two statements. */
export async function oldestWriteOf(
  db: Db,
  projectId: string,
  { datastore, tables }: { datastore: string; tables: readonly TableName[] },
): Promise<Date | null> {
  const known = await db.catalogTable.findMany({
    where: {
      projectId,
      goneAt: null,
      datastore: { name: datastore, deletedAt: null },
      OR: tables.map(({ database, schema, name }) => ({ database, schema, name })),
    },
    select: { id: true },
  });
  if (known.length < tables.length || tables.length === 0) return null;
  const ids = known.map(({ id }) => id);
  return (await lookBehind(db, projectId, ids)).oldest.syncedAt;
}

/** When the oldest of these was written; null as soon as one of them never was by a task. */
export function oldestOf(behind: readonly Behind[]): Written {
  let oldest: Written = { syncedAt: null, taskId: null };
  for (const { computed, syncedAt, taskId, originalSyncedAt } of behind) {
    if (computed) continue;
    if (syncedAt === null) return { syncedAt: null, taskId: null };
    if (oldest.syncedAt !== null && syncedAt >= oldest.syncedAt) continue;
    oldest = { syncedAt, taskId, ...(originalSyncedAt && { originalSyncedAt }) };
  }
  return oldest;
}

/**
 * What stands behind the tables $2 of the project $1, a row of Behind each, as `behind` for what follows. UNION drops what was found
 * before, so that views which stand behind each other end too.
 */
export const withBehind = `WITH RECURSIVE found(asked, id) AS (
    SELECT id, id FROM catalog_table
    WHERE project_id = $1::uuid AND id = ANY($2::uuid[])
    UNION
    SELECT found.asked, i.table_id
    FROM found JOIN catalog_table t ON t.id = found.id AND t.kind = 'VIEW',
      table_feed f JOIN transformation_input i ON i.transformation_id = f.transformation_id
    WHERE f.table_id = found.id
  ), behind AS (
    SELECT found.asked::text AS asked, t.id::text AS id, t.synced_at AS "syncedAt", t.task_id::text AS "taskId",
      t.kind = 'VIEW' AND EXISTS (
        SELECT 1 FROM table_feed f JOIN transformation_input i ON i.transformation_id = f.transformation_id WHERE f.table_id = t.id
      ) AS computed,
      (SELECT f.original_synced_at FROM table_feed f WHERE f.table_id = t.id AND f.task_id = t.task_id LIMIT 1) AS "originalSyncedAt"
    FROM found JOIN catalog_table t ON t.id = found.id AND t.project_id = $1::uuid
  )`;

function readBehind(db: Db, projectId: string, tableIds: readonly string[]): Promise<Behind[]> {
  const text = `/* prepared: tables_behind */ ${withBehind} SELECT * FROM behind`;
  return db.$queryRawUnsafe<Behind[]>(text, projectId, [...tableIds]);
}
