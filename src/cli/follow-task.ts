import { setTimeout as wait } from 'node:timers/promises';
import type { LogLevel, TaskLogsSubscription, TaskUpdatedSubscription } from '#generated/gql/graphql.ts';
import { ConnectionLost, type GatewayClient } from './client.ts';
import { taskLogs, taskUpdated } from './documents.ts';
import { isEnded } from './task-view.ts';

export type TaskEvent = TaskUpdatedSubscription['taskUpdated'];
export type LogLine = TaskLogsSubscription['taskLogs']['lines'][number];

/** What a follower is told. */
export interface TaskFollower {
  changed(task: TaskEvent): void;
  /** Null for no log. */
  logs: { minLevel: LogLevel; line(line: LogLine): void } | null;
  /** The connection broke; it is tried again. */
  lost(reason: string): void;
}

const retryMsMax = 5_000;
const giveUpMs = 5 * 60_000;

/**
 * Follows a task over the API's subscriptions to its end, through lost connections and restarts of the gateway: no log
 * line is told twice or left out. Resolves with the last state, or null when the signal aborted. Fails with AppError
 * when the gateway refuses, and with ConnectionLost after five minutes without one.
 */
export async function followTask(
  client: GatewayClient,
  taskId: string,
  follower: TaskFollower,
  signal: AbortSignal,
): Promise<TaskEvent | null> {
  const both = new AbortController();
  const stop = AbortSignal.any([signal, both.signal]);
  let last: TaskEvent | null = null;
  const task = persist(stop, follower, async (alive) => {
    for await (const { taskUpdated: event } of client.follow(taskUpdated, { taskId }, stop)) {
      alive();
      last = event;
      follower.changed(event);
    }
    return last !== null && isEnded(last.status);
  });
  try {
    await Promise.all([task, followLogs(client, taskId, follower, stop, task)]);
  } finally {
    both.abort();
  }
  return signal.aborted ? null : last;
}

async function followLogs(
  client: GatewayClient,
  taskId: string,
  follower: TaskFollower,
  stop: AbortSignal,
  task: Promise<void>,
): Promise<void> {
  const { logs } = follower;
  if (logs === null) return;
  let after: string | null = null;
  let isTaskOver = false;
  const over = task.then(() => void (isTaskOver = true));
  over.catch(() => {});
  await persist(stop, { lost: () => {} }, async (alive) => {
    const wasOver = isTaskOver;
    for await (const { taskLogs: batch } of client.follow(
      taskLogs,
      { taskId, after, minLevel: logs.minLevel },
      stop,
    )) {
      alive();
      for (const line of batch.lines) logs.line(line);
      after = batch.cursor;
    }
    // A log that was over before the task was is asked for once more: the gateway may have ended it to restart.
    if (!wasOver) await over;
    return wasOver;
  });
}

/** Runs until it says that all is done, again after each lost connection, with growing pauses between. */
async function persist(
  stop: AbortSignal,
  follower: Pick<TaskFollower, 'lost'>,
  run: (alive: () => void) => Promise<boolean>,
): Promise<void> {
  let failures = 0;
  let aliveAt = Date.now();
  const alive = () => {
    failures = 0;
    aliveAt = Date.now();
  };
  while (!stop.aborted) {
    try {
      if (await run(alive)) return;
    } catch (error) {
      if (stop.aborted) return;
      if (!(error instanceof ConnectionLost) || Date.now() - aliveAt > giveUpMs) throw error;
      if (failures === 0) follower.lost(error.message);
    }
    failures += 1;
    await wait(Math.min(retryMsMax, 100 * 2 ** failures), undefined, { signal: stop }).catch(() => {});
  }
}
