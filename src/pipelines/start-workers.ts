import { every } from '#base/every.ts';
import type { PipelineDeps } from './deps.ts';
import { reviveTasks } from './revive-tasks.ts';
import { runAfterInputs } from './run-after-inputs.ts';
import { runSchedules } from './run-schedules.ts';
import { runTask } from './run-task.ts';
import { commonQueue, queueOfHome, taskOfItem } from './work-item.ts';

const dueEveryMs = 1_000;
const reviveEveryMs = 2_500;

/**
 * Runs tasks, at most `workers` at once, keeps the schedules, and lets lost tasks go on. Disposing takes no new work and
 * hands back what runs, within ten seconds.
 */
export async function startWorkers(
  deps: PipelineDeps,
  options: { workers: number; role: 'serve' | 'worker' },
): Promise<AsyncDisposable> {
  await using starting = new AsyncDisposableStack();
  // A run that was given up waiting for may still be at its end: the task's next run in this process waits for it.
  const running = new Map<string, Promise<void>>();
  const run = async (data: object, signal: AbortSignal): Promise<void> => {
    const taskId = taskOfItem(data);
    if (taskId === undefined) return;
    await running.get(taskId)?.catch(() => {});
    const work = runTask(deps, taskId, signal);
    running.set(taskId, work);
    try {
      await work;
    } finally {
      if (running.get(taskId) === work) running.delete(taskId);
    }
  };
  if (options.workers > 0) {
    const home = options.role === 'serve' ? [queueOfHome(deps.homeId)] : [];
    starting.use(await deps.queue.work([...home, commonQueue], { concurrency: options.workers }, run));
  }
  starting.use(every(deps.log, reviveEveryMs, 'looking for tasks without a worker', () => reviveTasks(deps)));
  starting.use(every(deps.log, dueEveryMs, 'looking for schedules that are due', () => runSchedules(deps)));
  starting.use(
    every(deps.log, dueEveryMs, 'looking for inputs that were written', () => runAfterInputs(deps)),
  );
  return starting.move();
}
