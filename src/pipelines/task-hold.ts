import { setTimeout as delay } from 'node:timers/promises';
import { v4 } from 'uuid';
import type { LogLevel, TaskStatus } from '#generated/prisma/enums.ts';
import type { Tx } from '#store/open-store.ts';
import { canceled, setOpenStreams } from './canceled.ts';
import type { PipelineDeps } from './deps.ts';
import { lockStatus } from './lock-status.ts';
import { nextStatus } from './task-state.ts';
import {
  writeTask,
  type LogLine,
  type StreamChange,
  type TaskChange,
  type TaskWrite,
  type WrittenTask,
} from './write-task.ts';

/** After so long without a sign of life a task's worker counts as gone, and another may take the task. */
export const leaseMs = 10_000;
const beatMs = 2_500;
const linesWithinMs = 50;
const linesMax = 500;
const countersWithinMs = 500;

/** Why a run has to stop before its end. */
export class RunStopped extends Error {
  readonly reason: 'CANCEL' | 'SHUTDOWN' | 'LEASE_LOST';

  constructor(reason: 'CANCEL' | 'SHUTDOWN' | 'LEASE_LOST', options?: ErrorOptions) {
    super(`The run was stopped: ${reason}`, options);
    this.name = 'RunStopped';
    this.reason = reason;
  }
}

/**
 * One run's hold on its task: the lease, the sign of life, and all that the run writes about the task. Lines and counters
 * are gathered and written together, each time in one statement under the lease; a write that the lease refuses stops
 * the run.
 */
export class TaskHold implements AsyncDisposable {
  readonly task: WrittenTask;
  private readonly deps: PipelineDeps;
  private readonly lease: string;
  private readonly stopping = new AbortController();
  private readonly cleanup = new DisposableStack();
  private lines: LogLine[] = [];
  private readonly changed = new Map<number, StreamChange>();
  private readonly streams = new Map<number, StreamChange>();
  private due: { at: number; timer: NodeJS.Timeout } | undefined;
  private writing: Promise<void> = Promise.resolve();
  private lastWriteAt = Date.now();

  /** Takes the task for this run; null when it is not waiting for a worker (any more). `signal` asks the run to hand it back. */
  static async claim(deps: PipelineDeps, taskId: string, signal: AbortSignal): Promise<TaskHold | null> {
    const lease = v4();
    const claimed = await writeTask(deps.store.db, {
      taskId,
      from: ['QUEUED'],
      set: { status: 'RUNNING', lease, startedAt: deps.now(), beat: true },
    });
    return claimed && new TaskHold(deps, claimed, lease, signal);
  }

  private constructor(deps: PipelineDeps, task: WrittenTask, lease: string, signal: AbortSignal) {
    this.deps = deps;
    this.task = task;
    this.lease = lease;
    const beat = setInterval(() => this.inBackground(), beatMs);
    this.cleanup.defer(() => clearInterval(beat));
    this.cleanup.use(
      deps.feed.on(task.id, (news) => {
        if (news === 'missed') this.inBackground();
        else if (news.status === 'CANCELING') this.stop(new RunStopped('CANCEL'));
      }),
    );
    const handBack = (): void => this.stop(new RunStopped('SHUTDOWN'));
    if (signal.aborted) handBack();
    signal.addEventListener('abort', handBack);
    this.cleanup.defer(() => signal.removeEventListener('abort', handBack));
  }

  /** Aborts with RunStopped when the run has to stop. */
  get signal(): AbortSignal {
    return this.stopping.signal;
  }

  /** Adds a line to the task's log; it is written within 50 ms. */
  log(level: LogLevel, stream: string | null, message: string): void {
    this.lines.push({ at: this.deps.now(), level, stream, message });
    this.writeWithin(this.lines.length >= linesMax ? 0 : linesWithinMs);
  }

  /** How a stream stands now. Counters are written within 500 ms; `flush` writes them at once. */
  setStream(change: StreamChange): void {
    const pending = this.changed.get(change.position);
    const merged = pending?.checkpoint === undefined ? change : { checkpoint: pending.checkpoint, ...change };
    this.changed.set(change.position, merged);
    const { checkpoint: _, ...counters } = change;
    this.streams.set(change.position, counters);
    this.writeWithin(countersWithinMs);
  }

  /** As setStream, with nothing changed but the status. */
  setStreamStatus(position: number, status: TaskStatus): void {
    const known = this.streams.get(position);
    if (known) this.setStream({ ...known, status });
  }

  /** The sums over all streams. */
  counters(): { rowsRead: bigint; rowsWritten: bigint; bytesRead: bigint } {
    const sums = { rowsRead: 0n, rowsWritten: 0n, bytesRead: 0n };
    for (const stream of this.streams.values()) {
      sums.rowsRead += stream.rowsRead;
      sums.rowsWritten += stream.rowsWritten;
      sums.bytesRead += stream.bytesRead;
    }
    return sums;
  }

  /** Writes all that is gathered in one transaction. Fails with RunStopped when the lease is lost. */
  async flush(): Promise<void> {
    await this.inTurn(() => this.write((write) => writeTask(this.deps.store.db, write)));
  }

  /** As flush, with `also` in the same transaction. */
  async flushWith(also: (tx: Tx) => Promise<void>): Promise<void> {
    await this.inTurn(() =>
      this.write((write) =>
        this.deps.store.db.$transaction(async (tx) => {
          const written = await writeTask(tx, write);
          if (written) await also(tx);
          return written;
        }),
      ),
    );
  }

  /** Writes the last of the run and lets the task go, into the status that the event leads to. Fails as flush does. */
  async release(
    event: 'succeed' | 'fail' | 'retry' | 'handBack' | 'stop',
    set: TaskChange,
    also: (tx: Tx) => Promise<void> = async () => {},
  ): Promise<void> {
    this.cleanup.dispose();
    await this.inTurn(() =>
      this.write((write) =>
        this.deps.store.db.$transaction(async (tx) => {
          const status = nextStatus(await lockStatus(tx, this.task.id), event);
          if (!status) return null;
          // A cancel may have come between the run's end and this: then the task is canceled, however the run ended.
          const end = status === 'CANCELED' ? { finishedAt: this.deps.now(), error: canceled } : {};
          const written = await writeTask(tx, {
            ...write,
            set: { ...write.set, ...set, ...end, status, lease: null },
          });
          if (written?.status === 'CANCELED') await setOpenStreams(tx, written.id, 'CANCELED');
          if (written?.status === 'QUEUED') await also(tx);
          return written;
        }),
      ),
    );
  }

  /** Stops the sign of life; what is gathered and not written is dropped. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.cleanup.dispose();
    clearTimeout(this.due?.timer);
    await this.writing;
  }

  private stop(reason: RunStopped): void {
    if (!this.stopping.signal.aborted) this.stopping.abort(reason);
  }

  private writeWithin(ms: number): void {
    const at = Date.now() + ms;
    if (this.cleanup.disposed || (this.due && this.due.at <= at)) return;
    clearTimeout(this.due?.timer);
    this.due = { at, timer: setTimeout(() => this.inBackground(), ms) };
  }

  private inBackground(): void {
    this.flush().catch((error: unknown) => {
      if (!(error instanceof RunStopped)) this.deps.log.error('A task could not be written.', { error });
    });
  }

  /** One write after the other, so that lines keep their order; the failure of one is not the next one's. */
  private inTurn(run: () => Promise<void>): Promise<void> {
    const turn = this.writing.then(run);
    this.writing = turn.catch(() => {});
    return turn;
  }

  /** Tries again while the store does not answer, for as long as the lease is sure to hold. */
  private async write(send: (write: TaskWrite) => Promise<WrittenTask | null>): Promise<void> {
    clearTimeout(this.due?.timer);
    this.due = undefined;
    const lines = this.lines;
    const streams = [...this.changed.values()];
    this.lines = [];
    this.changed.clear();
    // Before the streams are known, what an earlier attempt counted stands.
    const sums = this.streams.size > 0 ? this.counters() : {};
    const write = {
      taskId: this.task.id,
      lease: this.lease,
      set: { ...sums, beat: true as const },
      streams,
      lines,
    };
    for (;;) {
      try {
        const startedAt = Date.now();
        const written = await send(write);
        if (!written) throw new RunStopped('LEASE_LOST');
        this.lastWriteAt = startedAt;
        if (written.status === 'CANCELING') this.stop(new RunStopped('CANCEL'));
        return;
      } catch (error) {
        if (error instanceof RunStopped) {
          this.stop(error);
          throw error;
        }
        if (Date.now() - this.lastWriteAt > leaseMs) {
          const lost = new RunStopped('LEASE_LOST', { cause: error });
          this.stop(lost);
          throw lost;
        }
        this.deps.log.warn('A task could not be written, and is tried again.', {
          taskId: this.task.id,
          error,
        });
        await delay(500);
      }
    }
  }
}
