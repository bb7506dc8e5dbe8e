import { Prisma } from '#generated/prisma/client.ts';
import type { PipelineDeps } from './deps.ts';
import { insertTask } from './start-task.ts';
import { loadOwner } from './task-owner.ts';
import { liveStatuses } from './task-state.ts';
import { queueOf } from './work-item.ts';

/**
 * Starts a task for each transformation that runs after its inputs and of which one was written since, once the task that
 * wrote it has ended: one task for all of them. One whose own task runs, or of which an input is just being made anew by
 * another transformation, is passed over and found again. Returns how many were started.
 */
export async function runAfterInputs(deps: PipelineDeps): Promise<number> {
  const due = await deps.store.db.$queryRaw<{ id: string }[]>`
    WITH due AS (SELECT t.id, t.created_at ${written} GROUP BY t.id)
    SELECT id::text AS id FROM due
    WHERE NOT EXISTS (
      SELECT 1 FROM transformation_input i JOIN table_feed f ON f.table_id = i.table_id
      JOIN due first ON first.id = f.transformation_id
      WHERE i.transformation_id = due.id
    )
    ORDER BY created_at LIMIT 100`;
  let started = 0;
  for (const { id } of due) {
    try {
      if (await startDue(deps, id)) started += 1;
    } catch (error) {
      const message = 'A transformation could not be started after its inputs, and is tried again.';
      deps.log.error(message, { id, error });
    }
  }
  return started;
}

const isLive = Prisma.sql`l.status::text = ANY(${[...liveStatuses]}::text[])`;

/** Transformations t that are due, with each input c that makes them so. */
const written = Prisma.sql`
  FROM transformation t
  JOIN transformation_input i ON i.transformation_id = t.id
  JOIN catalog_table c ON c.id = i.table_id
  WHERE t.active AND t.run_after_inputs AND t.deleted_at IS NULL
    AND c.synced_at > coalesce(t.inputs_seen_at, t.created_at)
    AND NOT EXISTS (SELECT 1 FROM task l WHERE l.id = c.task_id AND ${isLive})
    AND NOT EXISTS (SELECT 1 FROM task l WHERE l.transformation_id = t.id AND ${isLive})
    AND NOT EXISTS (
      SELECT 1 FROM transformation_input o JOIN table_feed f ON f.table_id = o.table_id
      JOIN task l ON l.transformation_id = f.transformation_id
      WHERE o.transformation_id = t.id AND ${isLive}
    )`;

/** The run begins after this commits, so that it reads all that was written by then: that much has been seen. */
async function startDue(deps: PipelineDeps, id: string): Promise<boolean> {
  return deps.store.db.$transaction(async (tx) => {
    const mine = await tx.$queryRaw<unknown[]>`
      SELECT 1 FROM transformation WHERE id = ${id}::uuid FOR UPDATE SKIP LOCKED`;
    if (mine.length === 0) return false;
    // Looked at again under the lock: another process may have started it by now.
    const [seen] = await tx.$queryRaw<{ at: Date | null }[]>`
      SELECT max(c.synced_at) AS at ${written} AND t.id = ${id}::uuid`;
    if (!seen?.at) return false;
    const owner = await loadOwner(tx, 'transformation', id);
    await insertTask(deps, tx, { owner, queue: await queueOf(deps, owner), trigger: 'UPSTREAM' });
    await tx.transformation.update({ where: { id }, data: { inputsSeenAt: seen.at } });
    return true;
  });
}
