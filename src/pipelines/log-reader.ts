import { setTimeout as delay } from 'node:timers/promises';
import type { TaskLog } from '#generated/prisma/client.ts';
import { LogLevel, type TaskStatus } from '#generated/prisma/enums.ts';
import type { PipelineDeps } from './deps.ts';
import { logCursor } from './log-cursor.ts';
import type { TaskFeed } from './task-feed.ts';
import { isEnded } from './task-state.ts';

/** Lines of a task's log in their order, and where the log goes on after them. */
export interface TaskLogBatch {
  lines: TaskLog[];
  cursor: string;
  /** False while history is still being replayed. */
  caughtUp: boolean;
}

export interface LogFilter {
  /** Lines below it are left out. */
  minLevel: LogLevel;
  /** Only lines of this stream; null for all lines. */
  stream: string | null;
}

/** One follower's place at the live edge. */
export interface LogFollower extends Disposable {
  /** Lines up to this one were there before it joined, and are its own to read. */
  readonly joinedAt: number;
  /** The next batch; undefined when the log has ended, the follower fell behind, or the signal aborted. */
  next(signal: AbortSignal): Promise<TaskLogBatch | undefined>;
  /** Whether nothing more will be written. */
  hasEnded(): boolean;
  /** Whether batches were left out since its buffer was full: the table has them. */
  isBehind(): boolean;
}

type ReaderDeps = Pick<PipelineDeps, 'store' | 'feed' | 'log'>;

/** At most 20 batches a second: a follower's cost is by the batch. */
const batchEveryMs = 50;
const batchMax = 500;
/** A notification may be lost without the connection: the table is looked at this often in any case. */
const pollMs = 5_000;
const retryMs = 1_000;
/** Lines that wait for one follower. Followers with one filter share them, so that this is no memory for each. */
const bufferedMax = 5_000;

const readers = new WeakMap<TaskFeed, Map<string, LogReader>>();

/** Joins the live batches of a task's log. One reader a process and task reads the table for all its followers. */
export async function joinLog(deps: ReaderDeps, taskId: string, filter: LogFilter): Promise<LogFollower> {
  const ofProcess = readers.get(deps.feed) ?? new Map<string, LogReader>();
  readers.set(deps.feed, ofProcess);
  const known = ofProcess.get(taskId);
  const reader = known ?? new LogReader(deps, taskId, () => ofProcess.delete(taskId));
  if (!known) ofProcess.set(taskId, reader);
  return reader.join(filter);
}

/** That level and those above it. */
export function levelsFrom(minLevel: LogLevel): LogLevel[] {
  const levels = Object.values(LogLevel);
  return levels.slice(levels.indexOf(minLevel));
}

class Follower implements LogFollower {
  joinedAt = 0;
  private readonly buffer: TaskLogBatch[] = [];
  private buffered = 0;
  private behind = false;
  private ended = false;
  private wake = Promise.withResolvers<void>();
  private readonly leave: (follower: Follower) => void;

  constructor(leave: (follower: Follower) => void) {
    this.leave = leave;
  }

  give(batch: TaskLogBatch): void {
    if (this.behind || this.buffered + batch.lines.length > bufferedMax) {
      this.behind = true;
      // It leaves at once, so that nothing is kept for it; what it has is still in order.
      this.leave(this);
    } else {
      this.buffer.push(batch);
      this.buffered += batch.lines.length;
    }
    this.wake.resolve();
  }

  end(): void {
    this.ended = true;
    this.wake.resolve();
  }

  async next(signal: AbortSignal): Promise<TaskLogBatch | undefined> {
    const onAbort = (): void => this.wake.resolve();
    signal.addEventListener('abort', onAbort);
    try {
      while (this.buffer.length === 0 && !this.behind && !this.ended && !signal.aborted) {
        await this.wake.promise;
        this.wake = Promise.withResolvers();
      }
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
    if (signal.aborted) return undefined;
    const batch = this.buffer.shift();
    if (batch) this.buffered -= batch.lines.length;
    return batch;
  }

  hasEnded(): boolean {
    return this.ended && !this.behind && this.buffer.length === 0;
  }

  isBehind(): boolean {
    return this.behind;
  }

  [Symbol.dispose](): void {
    this.leave(this);
  }
}

class LogReader {
  private readonly deps: ReaderDeps;
  private readonly taskId: string;
  private readonly close: () => void;
  /** Followers by their filter: those of one group get one batch object. */
  private readonly groups = new Map<string, { filter: LogFilter; followers: Set<Follower> }>();
  private readonly started: Promise<void>;
  private members = 0;
  private tail = 0;
  private ended = false;
  private closed = false;
  private wake = Promise.withResolvers<void>();

  constructor(deps: ReaderDeps, taskId: string, close: () => void) {
    this.deps = deps;
    this.taskId = taskId;
    this.close = close;
    this.started = this.start();
    // Whoever joins hears of it.
    this.started.catch(() => this.shut());
  }

  async join(filter: LogFilter): Promise<LogFollower> {
    this.members += 1;
    const key = JSON.stringify([filter.minLevel, filter.stream]);
    let joined: Set<Follower> | undefined;
    const follower = new Follower((leaving) => {
      if (!joined?.delete(leaving)) return;
      if (joined.size === 0) this.groups.delete(key);
      this.left();
    });
    try {
      await this.started;
    } catch (error) {
      this.left();
      throw error;
    }
    // No await from here on: no batch can be given between the tail that is read and the joining.
    const group = this.groups.get(key) ?? { filter, followers: new Set<Follower>() };
    this.groups.set(key, group);
    joined = group.followers.add(follower);
    follower.joinedAt = this.tail;
    if (this.ended) follower.end();
    return follower;
  }

  private left(): void {
    this.members -= 1;
    if (this.members === 0) this.shut();
  }

  private shut(): void {
    if (this.closed) return;
    this.closed = true;
    this.close();
    this.wake.resolve();
  }

  private async start(): Promise<void> {
    const { lastSeq, status } = await this.deps.store.db.task.findUniqueOrThrow({
      where: { id: this.taskId },
      select: { lastSeq: true, status: true },
    });
    this.tail = lastSeq;
    this.ended = isEnded(status);
    if (!this.ended) void this.run();
  }

  private async run(): Promise<void> {
    using _bell = this.deps.feed.on(this.taskId, (news) => {
      if (news === 'missed' || news.lastSeq > this.tail || isEnded(news.status)) this.wake.resolve();
    });
    // What was written between the first look and the listening rings no bell: the first turn waits for none.
    let waitMs = 0;
    while (!this.closed && !this.ended) {
      const timer = setTimeout(() => this.wake.resolve(), waitMs);
      await this.wake.promise;
      clearTimeout(timer);
      this.wake = Promise.withResolvers();
      waitMs = await this.turn();
    }
  }

  /** Reads what is new and gives it out; returns how long the next turn may wait for a bell. */
  private async turn(): Promise<number> {
    try {
      while (!this.closed && !this.ended) {
        const count = await this.readOnce();
        await delay(batchEveryMs);
        if (count < batchMax) break;
      }
      return pollMs;
    } catch (error) {
      this.deps.log.warn("A task's log could not be read, and is tried again.", {
        taskId: this.taskId,
        error,
      });
      return retryMs;
    }
  }

  private async readOnce(): Promise<number> {
    // One statement, so that status and lines are of one moment.
    const rows = await this.deps.store.db.$queryRaw<(TaskLog & { status: TaskStatus; lastSeq: number })[]>`
      SELECT t.status::text AS status, t.last_seq AS "lastSeq", t.id AS "taskId", t.project_id AS "projectId",
        l.seq, l.at, l.level::text AS level, l.stream, l.message
      FROM task t LEFT JOIN task_log l ON l.task_id = t.id AND l.seq > ${this.tail}::int
      WHERE t.id = ${this.taskId}::uuid
      ORDER BY l.seq LIMIT ${batchMax}`;
    const head = rows[0];
    const lines = rows.filter((row) => row.seq !== null).map(lineOf);
    const last = lines.at(-1);
    if (last) {
      this.tail = last.seq;
      this.give(lines, last);
    }
    if (head && isEnded(head.status) && this.tail >= head.lastSeq) this.end();
    return lines.length;
  }

  private give(lines: TaskLog[], last: TaskLog): void {
    const cursor = logCursor(last);
    for (const { filter, followers } of this.groups.values()) {
      const levels = levelsFrom(filter.minLevel);
      const passing = lines.filter(
        (line) => levels.includes(line.level) && (filter.stream === null || filter.stream === line.stream),
      );
      if (passing.length === 0) continue;
      const batch = { lines: passing, cursor, caughtUp: true };
      for (const follower of followers) follower.give(batch);
    }
  }

  private end(): void {
    this.ended = true;
    for (const { followers } of this.groups.values()) for (const follower of followers) follower.end();
  }
}

function lineOf({ taskId, projectId, seq, at, level, stream, message }: TaskLog): TaskLog {
  return { taskId, projectId, seq, at, level, stream, message };
}
