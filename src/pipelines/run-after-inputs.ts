import { Prisma } from '#generated/prisma/client.ts';
import type { Tx } from '#store/open-store.ts';
import type { PipelineDeps } from './deps.ts';
import { following, isCircle, tablesOfJob, unknownJobs } from './following.ts';
import { insertTask } from './start-task.ts';
import { loadOwner } from './task-owner.ts';
import { liveStatuses } from './task-state.ts';
import { queueOf } from './work-item.ts';

/** What may run after its inputs: also the name of its table. */
type Kind = 'job' | 'transformation';

/**
 * Starts a task for each transformation and job that runs after its inputs and of which one was written since, once the task
 * that wrote it has ended: one task for all of them. One whose own task runs, or of which an input is just being made anew by
 * another of them, is passed over and found again. A job that has written nothing yet is started too, once: what it reads is
 * known from then on. Jobs that would start themselves are not started. Returns how many were.
 */
export async function runAfterInputs(deps: PipelineDeps): Promise<number> {
  const found = await deps.store.db.$queryRaw<{ kind: Kind; id: string }[]>`
    WITH ${following}, ${due(deps.now())}
    SELECT kind, id::text AS id FROM due
    WHERE NOT EXISTS (
      SELECT 1 FROM following i JOIN table_feed f ON f.table_id = i.table_id
      JOIN due first ON first.id = coalesce(f.transformation_id, f.job_id)
      WHERE i.id = due.id
    )
    ORDER BY created_at LIMIT 100`;
  let started = 0;
  for (const { kind, id } of found) {
    try {
      if (await startDue(deps, kind, id)) started += 1;
    } catch (error) {
      deps.log.error(`A ${kind} could not be started after its inputs, and is tried again.`, { id, error });
    }
  }
  return started;
}

const isLive = Prisma.sql`l.status::text = ANY(${[...liveStatuses]}::text[])`;
const isIdle = (id: Prisma.Sql) =>
  Prisma.sql`NOT EXISTS (SELECT 1 FROM task l WHERE (l.transformation_id = ${id} OR l.job_id = ${id}) AND ${isLive})`;

/** Those that are due, or only the one of that id, with the newest write that makes them so. */
function due(now: Date, id: string | null = null): Prisma.Sql {
  const isAsked = (of: Prisma.Sql) => (id === null ? Prisma.sql`true` : Prisma.sql`${of} = ${id}::uuid`);
  return Prisma.sql`due AS (
    SELECT o.kind, o.id, o.created_at, max(c.synced_at) AS seen
    FROM following o JOIN catalog_table c ON c.id = o.table_id
    WHERE ${isAsked(Prisma.sql`o.id`)} AND c.synced_at > o.seen_at
      AND NOT EXISTS (SELECT 1 FROM task l WHERE l.id = c.task_id AND ${isLive})
      AND ${isIdle(Prisma.sql`o.id`)}
      AND NOT EXISTS (
        SELECT 1 FROM following i JOIN table_feed f ON f.table_id = i.table_id
        JOIN task l ON l.transformation_id = f.transformation_id
          OR l.job_id = f.job_id AND EXISTS (SELECT 1 FROM following m WHERE m.id = f.job_id)
        WHERE i.id = o.id AND ${isLive}
      )
    GROUP BY o.kind, o.id, o.created_at
    UNION ALL
    SELECT 'job', j.id, j.created_at, ${now}::timestamptz FROM ${unknownJobs} AND ${isAsked(Prisma.sql`j.id`)} AND ${isIdle(Prisma.sql`j.id`)}
  )`;
}

/** The run begins after this commits, so that it reads all that was written by then: that much has been seen. */
async function startDue(deps: PipelineDeps, kind: Kind, id: string): Promise<boolean> {
  const table = Prisma.raw(kind);
  return deps.store.db.$transaction(async (tx) => {
    const mine = await tx.$queryRaw<unknown[]>`
      SELECT 1 FROM ${table} WHERE id = ${id}::uuid FOR UPDATE SKIP LOCKED`;
    if (mine.length === 0) return false;
    // Looked at again under the lock: another process may have started it by now.
    const [found] = await tx.$queryRaw<{ seen: Date }[]>`
      WITH ${following}, ${due(deps.now(), id)} SELECT seen FROM due`;
    if (!found) return false;
    await tx.$executeRaw`
      UPDATE ${table} SET inputs_seen_at = ${found.seen}::timestamptz WHERE id = ${id}::uuid`;
    if (kind === 'job' && (await startsItself(deps, tx, id))) return false;
    const owner = await loadOwner(tx, kind, id);
    await insertTask(deps, tx, { owner, queue: await queueOf(deps, owner), trigger: 'UPSTREAM' });
    return true;
  });
}

/** Transformations cannot be made of each other: every circle goes through a job. */
async function startsItself(deps: PipelineDeps, tx: Tx, id: string): Promise<boolean> {
  if (!(await isCircle(tx, await tablesOfJob(tx, id)))) return false;
  const message =
    'A job was not started after its inputs: what it writes is made into what it reads, and it would start itself for ever.';
  deps.log.warn(message, { jobId: id });
  return true;
}
