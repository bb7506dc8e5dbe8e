import { nextRun } from '#base/schedule.ts';
import { Prisma } from '#generated/prisma/client.ts';
import type { PipelineDeps } from './deps.ts';
import { insertTask, liveTask } from './start-task.ts';
import { loadOwner } from './task-owner.ts';
import { queueOf } from './work-item.ts';
import { writeTask } from './write-task.ts';

/** What has a schedule that starts tasks: also the name of its table. */
const kinds = ['job', 'transformation'] as const;
type Kind = (typeof kinds)[number];

/**
 * Starts a task for each job and transformation whose time has come, and sets its next time: together, so that of several
 * processes one starts it. However many times were missed, one task makes up for them. One whose last task still runs is
 * passed over. Returns how many were due.
 */
export async function runSchedules(deps: PipelineDeps): Promise<number> {
  let run = 0;
  for (const kind of kinds) {
    for (const id of await dueOf(deps, kind)) {
      try {
        if (await startDue(deps, kind, id)) run += 1;
      } catch (error) {
        const message = `A ${kind} could not be started by its schedule, and is tried again.`;
        deps.log.error(message, { id, error });
      }
    }
  }
  return run;
}

async function dueOf(deps: PipelineDeps, kind: Kind): Promise<string[]> {
  const due = await deps.store.db.$queryRaw<{ id: string }[]>`
    SELECT id::text AS id FROM ${Prisma.raw(kind)} WHERE ${isDue(deps.now())} ORDER BY next_run_at LIMIT 100`;
  return due.map(({ id }) => id);
}

function isDue(now: Date): Prisma.Sql {
  return Prisma.sql`active AND deleted_at IS NULL AND next_run_at <= ${now}::timestamptz`;
}

async function startDue(deps: PipelineDeps, kind: Kind, id: string): Promise<boolean> {
  const table = Prisma.raw(kind);
  return deps.store.db.$transaction(async (tx) => {
    const now = deps.now();
    // Another process that is at it is let alone; the row it has left is not due any more.
    const mine = await tx.$queryRaw<unknown[]>`
      SELECT 1 FROM ${table} WHERE id = ${id}::uuid AND ${isDue(now)} FOR UPDATE SKIP LOCKED`;
    if (mine.length === 0) return false;
    const owner = await loadOwner(tx, kind, id);
    const live = await liveTask(tx, owner);
    if (live) {
      const message = `The ${kind} was due by its schedule; this task of it still runs, so that time is passed over.`;
      await writeTask(tx, { taskId: live.id, lines: [{ at: now, level: 'WARN', stream: null, message }] });
    } else {
      await insertTask(deps, tx, { owner, queue: await queueOf(deps, owner), trigger: 'SCHEDULE' });
    }
    const next = nextRun(owner.job ?? owner.transformation, now);
    await tx.$executeRaw`
      UPDATE ${table} SET next_run_at = ${next}::timestamptz WHERE id = ${id}::uuid`;
    return true;
  });
}
