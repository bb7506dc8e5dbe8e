import { AppError } from '#base/errors.ts';
import type { TaskLog } from '#generated/prisma/client.ts';
import type { LogLevel } from '#generated/prisma/enums.ts';
import type { PipelineDeps } from './deps.ts';
import { badLogCursor, logCursor, parseLogCursor } from './log-cursor.ts';
import { joinLog, levelsFrom, type LogFilter, type TaskLogBatch } from './log-reader.ts';

const pageMax = 500;

export interface LogAsk {
  projectId: string;
  taskId: string;
  /** The cursor of a line or batch to go on after; null begins with the first line. */
  after: string | null;
  minLevel: LogLevel | null;
  stream: string | null;
  signal: AbortSignal;
}

/**
 * The lines after the cursor, then those that come, in order, none lost and none twice; ends when the task has ended and
 * all is sent, or when the signal aborts. At the live edge all followers with one filter get the very same batch objects.
 * Whoever takes them too slowly is served from the table again. The first batch may be empty: it says that the log is
 * caught up. Fails with NOT_FOUND for a task of another project, and with BAD_USER_INPUT for a cursor of another log.
 */
export async function* followLog(
  deps: Pick<PipelineDeps, 'store' | 'feed' | 'log'>,
  ask: LogAsk,
): AsyncGenerator<TaskLogBatch, void, void> {
  const { taskId, signal } = ask;
  let position = await startOf(deps, ask);
  const filter: LogFilter = { minLevel: ask.minLevel ?? 'DEBUG', stream: ask.stream };
  let isFirst = true;
  for (;;) {
    // Past, cutover, live: live batches are gathered from here on, and the table is read up to where they begin.
    using follower = await joinLog(deps, taskId, filter);
    for (let isLast = false; !isLast; isFirst = false) {
      const page = await readPage(deps, taskId, filter, { after: position, upTo: follower.joinedAt });
      isLast = page.isLast;
      position = isLast ? Math.max(position, follower.joinedAt) : (page.lines.at(-1)?.seq ?? position);
      const { lines } = page;
      if (signal.aborted) return;
      const cursor = logCursor({ taskId, seq: position });
      if (lines.length > 0 || isFirst) yield { lines, cursor, caughtUp: isLast && !follower.isBehind() };
    }
    for (let batch = await follower.next(signal); batch; batch = await follower.next(signal)) {
      const last = batch.lines.at(-1);
      if (!last || last.seq <= position) continue;
      yield after(batch, position);
      position = last.seq;
    }
    if (signal.aborted || follower.hasEnded()) return;
  }
}

/** Where the client wants to begin, checked. */
async function startOf(deps: Pick<PipelineDeps, 'store'>, ask: LogAsk): Promise<number> {
  const { taskId, projectId, after: cursor } = ask;
  const task = await deps.store.db.task.findFirst({
    where: { id: taskId, projectId },
    select: { lastSeq: true },
  });
  if (!task) throw new AppError('NOT_FOUND', 'There is no such task.');
  if (cursor === null) return 0;
  const seq = parseLogCursor(taskId, cursor);
  if (seq > task.lastSeq) throw badLogCursor(cursor);
  return seq;
}

async function readPage(
  deps: Pick<PipelineDeps, 'store'>,
  taskId: string,
  { minLevel, stream }: LogFilter,
  range: { after: number; upTo: number },
): Promise<{ lines: TaskLog[]; isLast: boolean }> {
  if (range.after >= range.upTo) return { lines: [], isLast: true };
  const lines = await deps.store.db.taskLog.findMany({
    where: {
      taskId,
      seq: { gt: range.after, lte: range.upTo },
      ...(minLevel === 'DEBUG' ? {} : { level: { in: levelsFrom(minLevel) } }),
      ...(stream === null ? {} : { stream }),
    },
    orderBy: { seq: 'asc' },
    take: pageMax + 1,
  });
  return { lines: lines.slice(0, pageMax), isLast: lines.length <= pageMax };
}

/** The batch without lines that were sent; itself, to be shared with other followers, when there are none. */
function after(batch: TaskLogBatch, position: number): TaskLogBatch {
  const first = batch.lines[0];
  if (!first || first.seq > position) return batch;
  return { ...batch, lines: batch.lines.filter((line) => line.seq > position) };
}
