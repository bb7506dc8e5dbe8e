import { setTimeout as delay } from 'node:timers/promises';
import { NotHere } from '#catalog/datastores.ts';
import { canceled } from './canceled.ts';
import type { TaskFailure } from './classify-error.ts';
import type { PipelineDeps } from './deps.ts';
import { counted, duration, throughput } from './log-words.ts';
import { runJob } from './run-job.ts';
import { attemptsMax, classified, type Run, setStatus, triesAgain } from './run.ts';
import { streamChange } from './stream-progress.ts';
import { RunStopped, TaskHold } from './task-hold.ts';
import { ownerInclude, ownerOf } from './task-owner.ts';
import { isEnded } from './task-state.ts';
import { transform } from './transform.ts';
import { enqueueTask, queueOf } from './work-item.ts';

/** How long the second and the third attempt wait. */
const backoffMs = [5_000, 20_000];
/** A connector that is told to stop gets so long; then the task goes on without it. */
const stopWithinMs = 3_500;

/**
 * Runs a task from wherever its last attempt left it, if it waits for a worker; else does nothing. Whatever happens is
 * written in the task and its log: what is thrown is a fault of the program. When `signal` aborts, the task is handed
 * back for another worker to go on with, within five seconds and without counting an attempt.
 */
export async function runTask(deps: PipelineDeps, taskId: string, signal: AbortSignal): Promise<void> {
  await using hold = await TaskHold.claim(deps, taskId, signal);
  if (!hold) return;
  const { streams: rows, ...task } = await deps.store.db.task.findUniqueOrThrow({
    where: { id: taskId },
    include: { ...ownerInclude, streams: { orderBy: { position: 'asc' } } },
  });
  for (const row of rows) hold.setStream(streamChange(row));
  const failedBefore = rows.some((row) => row.status === 'FAILED');
  const owner = ownerOf(task);
  const run: Run = { deps, hold, owner, rows, failedBefore, startedAt: performance.now(), failures: [] };
  const work = owner.job ? runJob(run, owner.job) : transform(run, owner.transformation);
  try {
    await runToEnd(run, work);
  } catch (error) {
    if (!(error instanceof RunStopped)) throw error;
    deps.log.warn('A run lost its task, which another worker goes on with.', { taskId, cause: error.cause });
  }
  // A connector that did not stop in time still uses what it uses: its place is not given to another, but the process
  // may end.
  await Promise.race([work.catch(() => {}), aborted(signal)]);
}

/** Fails with RunStopped when the lease is lost: the task is not this run's to write any more. */
async function runToEnd(run: Run, work: Promise<void>): Promise<void> {
  try {
    await untilStopped(run.hold.signal, work);
    await end(run);
  } catch (error) {
    if (error instanceof RunStopped) await endStopped(run, error);
    else if (error instanceof NotHere) await leaveTo(run, error);
    else await endFailed(run, error);
  }
}

/** After the last stream: succeeded, failed, or once more for what may succeed then. */
async function end(run: Run): Promise<void> {
  const { deps, hold, failures } = run;
  const passing = failures.find((failure) => failure.row.status !== 'FAILED');
  const lasting = failures.find((failure) => failure.row.status === 'FAILED');
  if (passing) {
    await tryAgain(run, passing, lasting ?? passing);
    return;
  }
  if (!run.rows.some((row) => row.status === 'FAILED')) {
    hold.log('INFO', null, `Succeeded: ${summary(run)}.`);
    await hold.release('succeed', { finishedAt: deps.now(), error: null });
    return;
  }
  const failed = run.rows.filter((row) => row.status === 'FAILED').length;
  const what = run.owner.transformation
    ? 'readers have what was there before'
    : `${counted(failed, 'stream')} of ${run.rows.length}; ${summary(run)}`;
  hold.log('ERROR', null, `Failed: ${what}.`);
  await hold.release('fail', { finishedAt: deps.now(), ...firstError(run, lasting) });
}

/** The error of the stream that failed first, which may be one of an earlier attempt. */
function firstError(run: Run, error: TaskFailure | undefined): { error?: TaskFailure } {
  return run.failedBefore || !error ? {} : { error };
}

/** A failure that is of no single stream: neither end could be opened, or the program is at fault. */
async function endFailed(run: Run, error: unknown): Promise<void> {
  const { deps, hold } = run;
  const failure = classified(run, error);
  if (triesAgain(run, error)) {
    await tryAgain(run, failure, failure);
    return;
  }
  for (const row of run.rows) {
    if (!isEnded(row.status)) setStatus(run, row, 'FAILED');
  }
  hold.log('ERROR', null, `Failed: ${failure.message}${failure.fix ? ` ${failure.fix}` : ''}`);
  await hold.release('fail', { finishedAt: deps.now(), error: failure });
}

async function tryAgain(run: Run, why: TaskFailure, error: TaskFailure): Promise<void> {
  const { deps, hold, owner } = run;
  const attempt = hold.task.attempt + 1;
  const waitMs = backoffMs[hold.task.attempt - 1] ?? backoffMs.at(-1) ?? 0;
  const queue = await queueOf(deps, owner);
  requeueStreams(run);
  hold.log(
    'WARN',
    null,
    `${why.message} Attempt ${attempt} of ${attemptsMax} follows in ${duration(waitMs)}.`,
  );
  await hold.release('retry', { attempt, ...firstError(run, error) }, (tx) =>
    enqueueTask(deps, tx, { taskId: hold.task.id, queue, notBefore: new Date(Date.now() + waitMs) }),
  );
}

async function endStopped(run: Run, stopped: RunStopped): Promise<void> {
  const { deps, hold } = run;
  if (stopped.reason === 'LEASE_LOST') throw stopped;
  if (stopped.reason === 'CANCEL') {
    hold.log('INFO', null, `Canceled: ${summary(run)}. What was published stays; nothing is half-written.`);
    await hold.release('stop', { finishedAt: deps.now(), error: canceled });
  } else {
    hold.log('INFO', null, 'This worker is shutting down and hands the task back; another goes on with it.');
    await handBack(run);
  }
}

/** The destination's datastore is another process's to open. */
async function leaveTo(run: Run, error: NotHere): Promise<void> {
  const message = `${error.message} This worker leaves it to the process that serves home ${error.homeId}.`;
  run.hold.log('WARN', null, message);
  await handBack(run);
}

async function handBack(run: Run): Promise<void> {
  const { deps, hold, owner } = run;
  requeueStreams(run);
  const queue = await queueOf(deps, owner);
  await hold.release('handBack', {}, (tx) => enqueueTask(deps, tx, { taskId: hold.task.id, queue }));
}

function requeueStreams(run: Run): void {
  for (const row of run.rows) if (!isEnded(row.status)) setStatus(run, row, 'QUEUED');
}

function summary({ hold, owner, rows, startedAt }: Run): string {
  const done = rows.filter((row) => row.status === 'SUCCEEDED').length;
  const { rowsRead, rowsWritten, bytesRead } = hold.counters();
  const ms = performance.now() - startedAt;
  if (owner.transformation) return `wrote ${counted(rowsWritten, 'row')} in ${duration(ms)}`;
  return `${done} of ${counted(rows.length, 'stream')} published; read ${throughput(rowsRead, bytesRead, ms)}; wrote ${counted(rowsWritten, 'row')}`;
}

/** The work's result; when the run is to stop and the work does not within its time, the reason to stop. */
async function untilStopped(signal: AbortSignal, work: Promise<void>): Promise<void> {
  const late = aborted(signal).then(() => delay(stopWithinMs, undefined, { ref: false }));
  try {
    const isDone = await Promise.race([work.then(() => true), late.then(() => false)]);
    if (!isDone) throw signal.reason;
  } catch (error) {
    // Whatever a connector makes of being stopped: the run knows why.
    throw signal.aborted ? signal.reason : error;
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
