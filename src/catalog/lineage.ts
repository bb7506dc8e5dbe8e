import type { Db } from '#store/open-store.ts';

/**
 * One step between two tables, or between a table and what fills it from outside: a stream of a job, or a transformation,
 * with one of the tables that it reads or makes.
 */
export interface LineageStep {
  /** The table at the other end; null where there is none in the catalog. */
  tableId: string | null;
  jobId: string | null;
  stream: string | null;
  transformationId: string | null;
  /** The last task that went this way, and when; null when none has. */
  taskId: string | null;
  writtenAt: Date | null;
}

export type Direction = 'upstream' | 'downstream';

/** The steps up to what each table is made from, or down to what is made from it, newest write first. One statement. */
export async function readLineage(
  db: Db,
  projectId: string,
  direction: Direction,
  tableIds: readonly string[],
): Promise<Map<string, LineageStep[]>> {
  const read = direction === 'upstream' ? readUpstream : readDownstream;
  const steps = await read(db, projectId, [...tableIds]);
  return Map.groupBy(steps, ({ asked }) => asked);
}

type AskedStep = LineageStep & { asked: string };

function readUpstream(db: Db, projectId: string, tableIds: string[]): Promise<AskedStep[]> {
  return db.$queryRaw<AskedStep[]>`
    SELECT f.table_id::text AS asked, coalesce(i.table_id, r.table_id)::text AS "tableId", f.job_id::text AS "jobId", f.stream,
      f.transformation_id::text AS "transformationId", f.task_id::text AS "taskId", f.written_at AS "writtenAt"
    FROM table_feed f LEFT JOIN transformation_input i ON i.transformation_id = f.transformation_id
      LEFT JOIN feed_input r ON r.feed_id = f.id
    WHERE f.project_id = ${projectId}::uuid AND f.table_id = ANY(${tableIds}::uuid[])
    ORDER BY f.written_at DESC, f.id, i.table_id, r.table_id`;
}

/** A deleted transformation makes nothing more, but what it made is still there. */
function readDownstream(db: Db, projectId: string, tableIds: string[]): Promise<AskedStep[]> {
  return db.$queryRaw<AskedStep[]>`
    SELECT i.table_id::text AS asked, f.table_id::text AS "tableId", NULL AS "jobId", NULL AS stream,
      t.id::text AS "transformationId", f.task_id::text AS "taskId", f.written_at AS "writtenAt", f.id AS feed
    FROM transformation_input i JOIN transformation t ON t.id = i.transformation_id
      LEFT JOIN table_feed f ON f.transformation_id = t.id
    WHERE t.project_id = ${projectId}::uuid AND i.table_id = ANY(${tableIds}::uuid[])
      AND (t.deleted_at IS NULL OR f.id IS NOT NULL)
    UNION ALL
    SELECT r.table_id::text, f.table_id::text, f.job_id::text, f.stream, NULL, f.task_id::text, f.written_at, f.id
    FROM feed_input r JOIN table_feed f ON f.id = r.feed_id
    WHERE f.project_id = ${projectId}::uuid AND r.table_id = ANY(${tableIds}::uuid[])
    ORDER BY "writtenAt" DESC NULLS LAST, "transformationId", feed`;
}
