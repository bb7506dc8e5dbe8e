import { NotHere } from '#catalog/datastores.ts';
import type { TaskStream } from '#generated/prisma/client.ts';
import { streamName } from './check-streams.ts';
import { classifyError, type TaskFailure } from './classify-error.ts';
import type { PipelineDeps } from './deps.ts';
import { RunStopped, type TaskHold } from './task-hold.ts';
import type { TaskOwner } from './task-owner.ts';

/** How often a task is begun, the first time counted: after a lost worker or a transient failure it begins again. */
export const attemptsMax = 3;

/** One run of a task, with the rows of its streams kept as they stand. */
export interface Run {
  deps: PipelineDeps;
  hold: TaskHold;
  owner: TaskOwner;
  rows: TaskStream[];
  /** Whether a stream has failed for good in an earlier attempt: the task has its error then. */
  failedBefore: boolean;
  startedAt: number;
  /** Of streams, in the order they failed. */
  failures: StreamFailure[];
}

interface StreamFailure extends TaskFailure {
  row: TaskStream;
}

/** Whether another attempt follows what failed so. */
export function triesAgain({ hold }: Run, error: unknown): boolean {
  const { reason } = hold.signal;
  if (reason instanceof RunStopped) return reason.reason !== 'CANCEL';
  return classifyError(error).retryable && hold.task.attempt < attemptsMax;
}

/** Runs one stream. What fails it is kept and logged, and the run goes on. Fails with what stops the whole run. */
export async function tryStream(run: Run, row: TaskStream, work: () => Promise<void>): Promise<void> {
  try {
    await work();
    row.status = 'SUCCEEDED';
  } catch (error) {
    run.hold.signal.throwIfAborted();
    if (error instanceof RunStopped || error instanceof NotHere) throw error;
    failStream(run, row, error);
  }
}

function failStream(run: Run, row: TaskStream, error: unknown): void {
  const failure = classified(run, error);
  run.failures.push({ ...failure, row });
  const again = triesAgain(run, error);
  const fix = failure.fix ? ` ${failure.fix}` : '';
  run.hold.log(again ? 'WARN' : 'ERROR', streamName(row), `${failure.message}${fix}`);
  if (!again) setStatus(run, row, 'FAILED');
}

/** The failure as users read it; what nobody expected is in the process's own log, whole. */
export function classified({ deps, hold }: Run, error: unknown): TaskFailure {
  const failure = classifyError(error);
  if (failure.kind === 'INTERNAL')
    deps.log.error('A task failed unexpectedly.', { taskId: hold.task.id, error });
  return failure;
}

/** How a stream stands, in the run's own row and in what the store will hold. */
export function setStatus(run: Run, row: TaskStream, status: TaskStream['status']): void {
  row.status = status;
  run.hold.setStreamStatus(row.position, status);
}

/** "Started" or "Attempt 2 of 3". */
export function begun({ hold }: Run): string {
  const { attempt } = hold.task;
  return attempt > 1 ? `Attempt ${attempt} of ${attemptsMax}` : 'Started';
}
