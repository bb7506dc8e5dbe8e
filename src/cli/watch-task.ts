import { stripVTControlCharacters } from 'node:util';
import type { LogLevel } from '#generated/gql/graphql.ts';
import type { GatewayClient } from './client.ts';
import { UsageError, type Typed } from './command.ts';
import { followTask, type LogLine, type TaskEvent } from './follow-task.ts';
import { onceAPress } from './once-a-press.ts';
import { printTask } from './task-printer.ts';
import { exitCodeOf, type TaskView } from './task-view.ts';

/** Which lines of the log are shown; null for none. */
export type LogChoice = LogLevel | null;

const levels: readonly LogLevel[] = ['DEBUG', 'INFO', 'WARN', 'ERROR'];

/** Fails with UsageError for a level that there is not. */
export function logChoiceOf(flags: Typed['flags']): LogChoice {
  const { logs, level } = flags;
  if (level === undefined) return logs === true ? 'INFO' : null;
  const chosen = levels.find((one) => one === String(level).toUpperCase());
  if (chosen !== undefined) return chosen;
  throw new UsageError(`There is no level "${level}".`, 'The levels are debug, info, warn and error.');
}

/**
 * Shows a task until it has ended, and gives the exit code: 0, 1 or 130 as the task ended, 130 too when the watcher
 * left. The first Ctrl-C calls `onInterrupt`, when there is one, and goes on watching; without one it leaves.
 */
export async function watchTask(
  client: GatewayClient,
  taskId: string,
  choice: LogChoice,
  onInterrupt?: () => Promise<void>,
): Promise<number> {
  const printer = printTask(process.stdout);
  const leaving = new AbortController();
  let failure: unknown;
  let interrupts = 0;
  const interrupt = onceAPress(() => {
    interrupts += 1;
    if (onInterrupt === undefined || interrupts > 1) return leaving.abort();
    printer.line('Canceling the task. Ctrl-C once more leaves without waiting for it.');
    onInterrupt().catch((error: unknown) => {
      failure = error;
      leaving.abort();
    });
  });
  process.on('SIGINT', interrupt);
  try {
    const logs = choice && { minLevel: choice, line: (line: LogLine) => printer.line(logText(line)) };
    const lost = (reason: string) => printer.line(`${reason} Trying again.`);
    const changed = (task: TaskEvent) => printer.show(viewOf(task));
    const last = await followTask(client, taskId, { changed, logs, lost }, leaving.signal);
    printer.end();
    if (failure !== undefined) throw failure;
    return last === null ? leave(taskId) : conclude(last);
  } finally {
    process.off('SIGINT', interrupt);
  }
}

function leave(taskId: string): number {
  process.stderr.write(`The task goes on without being watched. To come back: sluice watch ${taskId}\n`);
  return 130;
}

function conclude(task: TaskEvent): number {
  if (task.error !== null && task.status === 'FAILED') {
    process.stderr.write(
      `${plain(task.error.message)}\n${task.error.fix === null ? '' : `${plain(task.error.fix)}\n`}`,
    );
  }
  return exitCodeOf(task.status);
}

/** What the bars show of the API's task. A transformation reads inside its engine, so that only what it writes is known. */
export function viewOf(task: TaskEvent): TaskView {
  const moved = task.kind === 'TRANSFORM' ? 'rowsWritten' : 'rowsRead';
  return {
    status: task.status,
    rowsRead: Number(task[moved]),
    rowsWritten: Number(task.rowsWritten),
    bytesRead: Number(task.bytesRead),
    runtimeMs: Number(task.runtimeMs ?? 0),
    error: task.error,
    streams: task.streams.map((stream) => ({
      name: plain(stream.namespace === null ? stream.name : `${stream.namespace}.${stream.name}`),
      status: stream.status,
      rowsRead: Number(stream[moved]),
      estimatedRows: stream.estimatedRows === null ? null : Number(stream.estimatedRows),
    })),
  };
}

function logText(line: LogLine): string {
  const at = line.at.slice(11, 23);
  const stream = line.stream === null ? '' : ` ${line.stream}:`;
  return plain(`${at} ${line.level.padEnd(5)}${stream} ${line.message}`);
}

/** Names and messages come from other systems: none of their control characters reach the terminal. */
export function plain(text: string): string {
  return stripVTControlCharacters(text).replaceAll(/\p{Cc}/gu, ' ');
}
