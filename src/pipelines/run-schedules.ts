import { nextRunAfter } from '#base/schedule.ts';
import type { PipelineDeps } from './deps.ts';
import { insertTask, liveTask } from './start-task.ts';
import { queueOf } from './work-item.ts';
import { writeTask } from './write-task.ts';

/**
 * Starts a task for each job whose time has come, and sets its next time: together, so that of several processes one
 * starts it. However many times were missed, one task makes up for them. A job whose last task still runs is passed
 * over. Returns how many jobs were due.
 */
export async function runSchedules(deps: PipelineDeps): Promise<number> {
  const due = await deps.store.db.job.findMany({
    where: { active: true, deletedAt: null, nextRunAt: { lte: deps.now() } },
    select: { id: true },
    orderBy: { nextRunAt: 'asc' },
    take: 100,
  });
  let run = 0;
  for (const { id } of due) {
    try {
      if (await runJob(deps, id)) run += 1;
    } catch (error) {
      deps.log.error('A job could not be started by its schedule, and is tried again.', { jobId: id, error });
    }
  }
  return run;
}

async function runJob(deps: PipelineDeps, jobId: string): Promise<boolean> {
  const { db } = deps.store;
  return db.$transaction(async (tx) => {
    const now = deps.now();
    // Another process that is at it is let alone; the row it has left is not due any more.
    const mine = await tx.$queryRaw<unknown[]>`
      SELECT 1 FROM job
      WHERE id = ${jobId}::uuid AND active AND deleted_at IS NULL AND next_run_at <= ${now}::timestamptz
      FOR UPDATE SKIP LOCKED`;
    if (mine.length === 0) return false;
    const job = await tx.job.findUniqueOrThrow({
      where: { id: jobId },
      include: { source: true, destination: true },
    });
    const live = await liveTask(tx, jobId);
    if (live) {
      const message =
        'The job was due by its schedule; this task of it still runs, so that time is passed over.';
      await writeTask(tx, { taskId: live.id, lines: [{ at: now, level: 'WARN', stream: null, message }] });
    } else {
      await insertTask(deps, tx, { job, queue: await queueOf(deps, job.destination), trigger: 'SCHEDULE' });
    }
    const { cron, timeZone } = job;
    const nextRunAt = cron !== null && timeZone !== null ? nextRunAfter({ cron, timeZone }, now) : null;
    await tx.job.update({ where: { id: jobId }, data: { nextRunAt } });
    return true;
  });
}
