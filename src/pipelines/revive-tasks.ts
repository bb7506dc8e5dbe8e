import type { TaskStatus } from '#generated/prisma/enums.ts';
import { canceled, setOpenStreams } from './canceled.ts';
import type { PipelineDeps } from './deps.ts';
import { lockStatus } from './lock-status.ts';
import { attemptsMax } from './run.ts';
import { leaseMs } from './task-hold.ts';
import { ownerInclude, ownerOf } from './task-owner.ts';
import { nextStatus } from './task-state.ts';
import { enqueueTask, queueOf } from './work-item.ts';
import { silentFor, writeTask, type TaskChange } from './write-task.ts';

/** A task that waits for so long gets its work item again, in case it was lost with a process that had just taken it. */
const waitsMs = 30_000;

/**
 * Finds the running tasks whose worker has given no sign of life, and lets others go on with them; also wishes anew for
 * a worker for tasks that wait. Every process does this, and each task is found by one of them. Returns how many were
 * found.
 */
export async function reviveTasks(deps: PipelineDeps): Promise<number> {
  const { db } = deps.store;
  const silent = await db.$queryRaw<{ id: string }[]>`
    SELECT id FROM task
    WHERE (status IN ('RUNNING', 'CANCELING') AND ${silentFor(leaseMs)}) OR (status = 'QUEUED' AND ${silentFor(waitsMs)})
    ORDER BY created_at LIMIT 100`;
  let found = 0;
  for (const { id } of silent) {
    try {
      if (await reviveTask(deps, id)) found += 1;
    } catch (error) {
      deps.log.error('A task without a worker could not be taken care of.', { taskId: id, error });
    }
  }
  return found;
}

async function reviveTask(deps: PipelineDeps, taskId: string): Promise<boolean> {
  const { db } = deps.store;
  const task = await db.task.findUniqueOrThrow({ where: { id: taskId }, include: ownerInclude });
  const queue = await queueOf(deps, ownerOf(task));
  return db.$transaction(async (tx) => {
    const status = await lockStatus(tx, taskId);
    if (status === 'QUEUED') {
      // The sign of life says that the item has been seen to: nobody else has to for a while.
      const waits = await writeTask(tx, { taskId, from: [status], silentMs: waitsMs, set: { beat: true } });
      if (waits) await enqueueTask(deps, tx, { taskId, queue });
      return waits !== null;
    }
    const next = nextStatus(status, task.attempt < attemptsMax ? 'lose' : 'loseLast');
    if (!next) return false;
    const at = deps.now();
    const { set, message } = afterLoss(next, task.attempt, at);
    const lost = await writeTask(tx, {
      taskId,
      from: [status],
      silentMs: leaseMs,
      set: { ...set, status: next, lease: null, beat: true },
      lines: [{ at, level: 'WARN', stream: null, message }],
    });
    if (!lost) return false;
    await setOpenStreams(tx, taskId, next);
    if (next === 'QUEUED') await enqueueTask(deps, tx, { taskId, queue });
    deps.log.warn('A task lost its worker.', { taskId, attempt: task.attempt, status: next });
    return true;
  });
}

function afterLoss(next: TaskStatus, attempt: number, at: Date): { set: TaskChange; message: string } {
  const gone = `The worker that ran this task has given no sign of life for ${leaseMs / 1000} s`;
  if (next === 'QUEUED') {
    const message = `${gone}: attempt ${attempt + 1} of ${attemptsMax} goes on from what is safely written.`;
    return { set: { attempt: attempt + 1 }, message };
  }
  if (next === 'CANCELED') {
    return {
      set: { finishedAt: at, error: canceled },
      message: `${gone}, and the task was to be canceled: it is.`,
    };
  }
  const message = `${gone}, in the last of ${attemptsMax} attempts.`;
  const fix = "Look in the server's log for why its processes end, then start the job again.";
  return { set: { finishedAt: at, error: { kind: 'WORKER_LOST', message, fix, retryable: true } }, message };
}
