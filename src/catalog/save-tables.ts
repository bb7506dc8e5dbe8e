import { newId } from '#base/id.ts';
import { Prisma } from '#generated/prisma/client.ts';
import type { Db } from '#store/open-store.ts';
import type { DescribedColumn, DescribedTable } from '#warehouse/warehouse.ts';

/** What writes a table: a stream of a job, "namespace.name" or "name", or a transformation. */
export type Feed = { jobId: string; stream: string } | { transformationId: string };

/** A column as the catalog keeps it: as the datastore describes it, and in the words of people. */
export interface SaidColumn extends DescribedColumn {
  description: string | null;
}

interface SeenTables {
  projectId: string;
  datastoreId: string;
  tables: readonly DescribedTable[];
  /** When they were seen, and when they were written if a task did. */
  at: Date;
  /** The task that has just written them, and what it ran for. */
  writtenBy?: { taskId: string; feed: Feed };
}

/**
 * Saves tables as they are now, and how they are fed, and returns their ids. One statement whatever the number of tables.
 * What people said of a table and of its columns stays, and so does the last write, without `writtenBy`. When it was last
 * seen never goes back, so that no refresh takes for gone what another has seen later.
 */
export async function saveTables(db: Db, seen: SeenTables): Promise<string[]> {
  const { projectId, datastoreId, at } = seen;
  const taskId = seen.writtenBy?.taskId ?? null;
  const rows = seen.tables.map((table) => ({
    id: newId(),
    feed_id: newId(),
    database: table.database,
    schema: table.schema,
    name: table.name,
    kind: table.kind,
    columns: table.columns.map((column) => ({ ...column, description: null })),
    row_count: table.rowCount === null ? null : String(table.rowCount),
  }));
  const saved = await db.$queryRaw<{ id: string }[]>`
    WITH seen AS (
      SELECT * FROM jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) AS seen
        (id uuid, feed_id uuid, database text, schema text, name text, kind text, columns jsonb, row_count bigint)
    ), saved AS (
      INSERT INTO catalog_table AS known
        (id, project_id, datastore_id, database, schema, name, kind, columns, row_count, task_id, synced_at, created_at, updated_at)
      SELECT id, ${projectId}::uuid, ${datastoreId}::uuid, database, schema, name, kind::"TableKind", columns, row_count,
        ${taskId}::uuid, ${taskId && at}::timestamptz, ${at}, ${at}
      FROM seen
      ON CONFLICT (datastore_id, database, schema, name) DO UPDATE SET
        kind = excluded.kind, row_count = excluded.row_count, gone_at = NULL,
        updated_at = greatest(excluded.updated_at, known.updated_at),
        task_id = coalesce(excluded.task_id, known.task_id), synced_at = coalesce(excluded.synced_at, known.synced_at),
        columns = ${columnsWithWords}
      RETURNING id, database, schema, name
    )${seen.writtenBy ? feedsSql(projectId, at, seen.writtenBy) : Prisma.empty}
    SELECT id::text AS id FROM saved`;
  return saved.map(({ id }) => id);
}

/** The columns as they are now, each with what was said of the column of that name before. */
const columnsWithWords = Prisma.sql`coalesce((
  SELECT jsonb_agg(now.value || jsonb_build_object('description', said.value -> 'description') ORDER BY now.place)
  FROM jsonb_array_elements(excluded.columns) WITH ORDINALITY AS now(value, place)
  LEFT JOIN jsonb_array_elements(known.columns) AS said(value) ON said.value ->> 'name' = now.value ->> 'name'
), '[]'::jsonb)`;

function feedsSql(projectId: string, at: Date, { taskId, feed }: { taskId: string; feed: Feed }): Prisma.Sql {
  const insert = Prisma.sql`
    INSERT INTO table_feed (id, project_id, table_id, task_id, written_at, job_id, stream, transformation_id)
    SELECT seen.feed_id, ${projectId}::uuid, saved.id, ${taskId}::uuid, ${at}`;
  const from = Prisma.sql`FROM saved JOIN seen USING (database, schema, name)`;
  const update = Prisma.sql`DO UPDATE SET task_id = excluded.task_id, written_at = excluded.written_at`;
  if ('jobId' in feed) {
    return Prisma.sql`, fed AS (
      ${insert}, ${feed.jobId}::uuid, ${feed.stream}, NULL ${from}
      ON CONFLICT (table_id, job_id, stream) WHERE job_id IS NOT NULL ${update}
    )`;
  }
  // A transformation puts its rows in the place of all others: nothing of what fed the table before is in it any more.
  return Prisma.sql`, fed AS (
      ${insert}, NULL, NULL, ${feed.transformationId}::uuid ${from}
      ON CONFLICT (table_id, transformation_id) WHERE transformation_id IS NOT NULL ${update}
    ), replaced AS (
      DELETE FROM table_feed WHERE table_id IN (SELECT id FROM saved)
        AND transformation_id IS DISTINCT FROM ${feed.transformationId}::uuid
    )`;
}
