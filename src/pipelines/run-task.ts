import { setTimeout as delay } from 'node:timers/promises';
import { NotHere } from '#catalog/datastores.ts';
import type { DestinationSession, SourceSession } from '#connectors/contract.ts';
import type { TaskStream } from '#generated/prisma/client.ts';
import { canceled } from './canceled.ts';
import { streamName } from './check-streams.ts';
import { classifyError, type TaskFailure } from './classify-error.ts';
import { connectorContext } from './connector-context.ts';
import type { PipelineDeps } from './deps.ts';
import { configOfRow } from './end-config.ts';
import { counted, duration, throughput } from './log-words.ts';
import { runStream } from './run-stream.ts';
import type { JobWithEnds } from './start-task.ts';
import { streamChange } from './stream-progress.ts';
import { storedSelections } from './stream-state.ts';
import { RunStopped, TaskHold } from './task-hold.ts';
import { isEnded } from './task-state.ts';
import { enqueueTask, queueOf } from './work-item.ts';

/** How often a task is begun, the first time counted: after a lost worker or a transient failure it begins again. */
export const attemptsMax = 3;
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
  const job = await deps.store.db.job.findUniqueOrThrow({
    where: { id: hold.task.jobId ?? '' },
    include: { source: true, destination: true },
  });
  const rows = await deps.store.db.taskStream.findMany({ where: { taskId }, orderBy: { position: 'asc' } });
  for (const row of rows) hold.setStream(streamChange(row));
  const failedBefore = rows.some((row) => row.status === 'FAILED');
  const run: Run = { deps, hold, job, rows, failedBefore, startedAt: performance.now(), failures: [] };
  const work = runStreams(run);
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

/** One run of a task, with the rows of its streams kept as they stand. */
interface Run {
  deps: PipelineDeps;
  hold: TaskHold;
  job: JobWithEnds;
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

/** Runs every stream that is not done. What fails one of them is kept, and the next one runs. */
async function runStreams(run: Run): Promise<void> {
  const { deps, hold, job, rows } = run;
  const { attempt } = hold.task;
  const again = attempt > 1 ? `Attempt ${attempt} of ${attemptsMax}` : 'Started';
  hold.log(
    'INFO',
    null,
    `${again}: reading from source "${job.source.name}" into destination "${job.destination.name}".`,
  );
  await hold.flush();
  await using sessions = await openSessions(run);
  const { source, destination } = sessions;
  // What the task began with: its streams' names and order. What the job asks of each is what it asks now.
  const selections = new Map(storedSelections(job.streams).map((each) => [streamName(each), each]));
  for (const row of rows) {
    if (isEnded(row.status)) continue;
    hold.signal.throwIfAborted();
    const selection = selections.get(streamName(row));
    if (!selection) {
      hold.log('WARN', streamName(row), 'The job does not ask for this stream any more: it is left out.');
      setStatus(run, row, 'CANCELED');
      continue;
    }
    try {
      await runStream(
        { deps, hold, job, source, destination, triesAgain: (error) => triesAgain(run, error) },
        selection,
        row,
      );
      row.status = 'SUCCEEDED';
    } catch (error) {
      hold.signal.throwIfAborted();
      if (error instanceof RunStopped || error instanceof NotHere) throw error;
      failStream(run, row, error);
    }
  }
}

interface Sessions extends AsyncDisposable {
  source: SourceSession;
  destination: DestinationSession;
}

/** The destination first: a process that may not open it has not bothered the source. */
async function openSessions({ deps, hold, job }: Run): Promise<Sessions> {
  await using opening = new AsyncDisposableStack();
  const context = connectorContext(deps, job.projectId, {
    signal: hold.signal,
    log: (level, message) => hold.log(level, null, message),
  });
  const to = configOfRow(deps, 'destination', job.destination);
  const destination = opening.use(await to.connector.open(to.config, context));
  const from = configOfRow(deps, 'source', job.source);
  const source = opening.use(await from.connector.open(from.config, context));
  const open = opening.move();
  return { source, destination, [Symbol.asyncDispose]: () => open.disposeAsync() };
}

function triesAgain({ hold }: Run, error: unknown): boolean {
  const { reason } = hold.signal;
  if (reason instanceof RunStopped) return reason.reason !== 'CANCEL';
  return classifyError(error).retryable && hold.task.attempt < attemptsMax;
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
function classified({ deps, hold }: Run, error: unknown): TaskFailure {
  const failure = classifyError(error);
  if (failure.kind === 'INTERNAL')
    deps.log.error('A task failed unexpectedly.', { taskId: hold.task.id, error });
  return failure;
}

function setStatus(run: Run, row: TaskStream, status: TaskStream['status']): void {
  row.status = status;
  run.hold.setStreamStatus(row.position, status);
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
  hold.log('ERROR', null, `Failed: ${counted(failed, 'stream')} of ${run.rows.length}; ${summary(run)}.`);
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
  const { deps, hold, job } = run;
  const attempt = hold.task.attempt + 1;
  const waitMs = backoffMs[hold.task.attempt - 1] ?? backoffMs.at(-1) ?? 0;
  const queue = await queueOf(deps, job.destination);
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
  const { deps, hold, job } = run;
  requeueStreams(run);
  const queue = await queueOf(deps, job.destination);
  await hold.release('handBack', {}, (tx) => enqueueTask(deps, tx, { taskId: hold.task.id, queue }));
}

function requeueStreams(run: Run): void {
  for (const row of run.rows) if (!isEnded(row.status)) setStatus(run, row, 'QUEUED');
}

function summary({ hold, rows, startedAt }: Run): string {
  const done = rows.filter((row) => row.status === 'SUCCEEDED').length;
  const { rowsRead, rowsWritten, bytesRead } = hold.counters();
  const ms = performance.now() - startedAt;
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
