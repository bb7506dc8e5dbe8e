import { expect, test } from 'vitest';
import { newId } from '#base/id.ts';
import type { LogLevel } from '#generated/prisma/enums.ts';
import type { PipelineDeps } from '#pipelines/deps.ts';
import { followLog } from '#pipelines/follow-log.ts';
import { logCursor } from '#pipelines/log-cursor.ts';
import type { TaskLogBatch } from '#pipelines/log-reader.ts';
import type { Db } from '#store/open-store.ts';
import type { TaskBell } from '#pipelines/task-feed.ts';
import { writeTask } from '#pipelines/write-task.ts';
import { createProject, openTestPipelines } from '../../support/pipelines.ts';
import { eventually } from '../../support/gateway.ts';

/** A task that a test writes the log of. */
async function openLog() {
  const pipelines = await openTestPipelines();
  const { deps, viewer } = pipelines;
  const { projectId } = viewer;
  const taskId = newId();
  await deps.store.db.task.create({
    data: {
      id: taskId,
      projectId,
      kind: 'SYNC',
      status: 'RUNNING',
      trigger: 'MANUAL',
      createdAt: new Date(),
    },
  });
  let number = 0;
  const write = async (
    count: number,
    level: LogLevel = 'INFO',
    stream: string | null = null,
  ): Promise<void> => {
    const lines = Array.from({ length: count }, () => {
      number += 1;
      return { at: new Date(), level, stream, message: `line ${number}` };
    });
    await writeTask(deps.store.db, { taskId, lines });
  };
  const end = () => writeTask(deps.store.db, { taskId, set: { status: 'SUCCEEDED' } });
  return {
    deps,
    databaseUrl: pipelines.databaseUrl,
    projectId,
    taskId,
    write,
    end,
    follow: (options: Partial<Parameters<typeof followLog>[1]> = {}, by: PipelineDeps = deps) =>
      followLog(by, {
        projectId,
        taskId,
        after: null,
        minLevel: null,
        stream: null,
        signal: new AbortController().signal,
        ...options,
      }),
    [Symbol.asyncDispose]: () => pipelines[Symbol.asyncDispose](),
  };
}

async function seqs(batches: AsyncIterable<TaskLogBatch>): Promise<number[]> {
  const all: number[] = [];
  for await (const batch of batches) all.push(...batch.lines.map((line) => line.seq));
  return all;
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, at) => at + 1);

/** The same process, counting the statements that its followers make. */
function counting(deps: PipelineDeps): { deps: PipelineDeps; count(): number } {
  let made = 0;
  const db = deps.store.db.$extends({
    query: {
      $allOperations({ args, query }) {
        made += 1;
        return query(args);
      },
    },
  });
  return { deps: { ...deps, store: { ...deps.store, db: db as unknown as Db } }, count: () => made };
}

test('the past is sent in pages that say it is not caught up, then the rest live until the task ends', async () => {
  await using log = await openLog();
  await log.write(1_200);
  const batches: TaskLogBatch[] = [];
  const following = (async () => {
    for await (const batch of log.follow()) batches.push(batch);
  })();
  await eventually('the past', async () => batches.length === 3 || undefined);
  expect(batches.map((batch) => [batch.lines.length, batch.caughtUp])).toEqual([
    [500, false],
    [500, false],
    [200, true],
  ]);
  await log.write(3);
  await eventually('the live lines', async () => batches.length === 4 || undefined);
  expect(batches[3]).toMatchObject({ caughtUp: true });
  await log.write(2);
  await log.end();
  await following;
  expect(batches.flatMap((batch) => batch.lines.map((line) => line.seq))).toEqual(upTo(1_205));
});

test('a log without lines is said to be caught up', async () => {
  await using log = await openLog();
  const batches = log.follow();
  expect((await batches.next()).value).toMatchObject({ lines: [], caughtUp: true });
  await batches.return();
});

test('the log of a task that has ended is sent whole, and ends', async () => {
  await using log = await openLog();
  await log.write(7);
  await log.end();
  expect(await seqs(log.follow())).toEqual(upTo(7));
});

test('no line is lost or sent twice to followers that drop and resume with their cursor while the log is written', async () => {
  await using log = await openLog();
  // A second process follows too: its own reader, its own notifications.
  await using other = await openTestPipelines({ databaseUrl: log.databaseUrl });
  const total = 3_000;
  let random = 42;
  const next = (max: number): number => (random = (random * 1_103_515_245 + 12_345) % 2_147_483_648) % max;
  const follower = async (deps: PipelineDeps): Promise<number[]> => {
    const got: number[] = [];
    let after: string | null = null;
    for (;;) {
      let left = 1 + next(5);
      let dropped = false;
      for await (const batch of log.follow({ after }, deps)) {
        got.push(...batch.lines.map((line) => line.seq));
        // A client resumes with the cursor of a batch, or of the last line it took.
        const last = batch.lines.at(-1);
        after = last && next(2) ? logCursor(last) : batch.cursor;
        dropped = --left === 0;
        if (dropped) break;
      }
      if (!dropped) return got;
    }
  };
  const followers = Array.from({ length: 8 }, (_, at) => follower(at % 2 ? other.deps : log.deps));
  for (let written = 0; written < total;) {
    const count = Math.min(1 + next(40), total - written);
    await log.write(count);
    written += count;
  }
  await log.end();
  for (const got of await Promise.all(followers)) expect(got).toEqual(upTo(total));
});

test('a filter by level and stream leaves the others out, live and in the past', async () => {
  await using log = await openLog();
  await log.write(2, 'INFO', 'users');
  await log.write(1, 'WARN', 'users');
  await log.write(1, 'WARN', 'orders');
  const got = seqs(log.follow({ minLevel: 'WARN', stream: 'users' }));
  const all = seqs(log.follow());
  await log.write(1, 'DEBUG', 'users');
  await log.write(1, 'ERROR', 'users');
  await log.write(1, 'ERROR');
  await log.end();
  expect(await got).toEqual([3, 6]);
  expect(await all).toEqual(upTo(7));
});

test('at the live edge a thousand followers are given the very same batches, read once', async () => {
  await using log = await openLog();
  const taken: TaskLogBatch[][] = [];
  const stop = new AbortController();
  const counted = counting(log.deps);
  const following = Array.from({ length: 1_000 }, async () => {
    const mine: TaskLogBatch[] = [];
    taken.push(mine);
    for await (const batch of log.follow({ signal: stop.signal }, counted.deps)) mine.push(batch);
  });
  await eventually('all to be caught up', async () => taken.every((mine) => mine.length === 1) || undefined);
  // The reader's first turn waits for no bell.
  await log.write(1);
  await eventually('the first line', async () => taken.every((mine) => mine.length === 2) || undefined);
  const before = counted.count();
  for (let seq = 11; seq <= 51; seq += 10) {
    await log.write(10);
    await eventually(
      'the lines',
      async () => taken.every((mine) => mine.at(-1)?.lines.at(-1)?.seq === seq) || undefined,
    );
  }
  expect(counted.count() - before).toBeLessThanOrEqual(10);
  const batches = taken[0]?.slice(1) ?? [];
  for (const mine of taken) {
    expect(mine.length).toBe(batches.length + 1);
    mine.slice(1).forEach((batch, at) => expect(batch === batches[at]).toBe(true));
  }
  stop.abort();
  await Promise.all(following);
});

test('batches at the live edge come at most twenty times a second', async () => {
  await using log = await openLog();
  const times: number[] = [];
  const following = (async () => {
    for await (const _ of log.follow()) times.push(performance.now());
  })();
  const endAt = Date.now() + 1_000;
  while (Date.now() < endAt) await log.write(1);
  await log.end();
  await following;
  expect(times.length).toBeGreaterThan(3);
  expect(times.length).toBeLessThan(26);
});

test('a follower that does not read is kept a bounded number of batches, and is sent the rest from the table', async () => {
  await using log = await openLog();
  const slow = log.follow();
  await slow.next();
  const other = seqs(log.follow());
  for (let at = 0; at < 60; at += 1) await log.write(400);
  await log.end();
  expect(await other).toEqual(upTo(24_000));
  const flags: boolean[] = [];
  const got: number[] = [];
  for await (const batch of slow) {
    flags.push(batch.caughtUp);
    got.push(...batch.lines.map((line) => line.seq));
  }
  expect(got).toEqual(upTo(24_000));
  // Pages of the table, and not only what a buffer held.
  expect(flags.filter((caughtUp) => !caughtUp).length).toBeGreaterThan(20);
});

test('a notification that is lost costs time, never a line', async () => {
  await using log = await openLog();
  const deaf = { ...log.deps, feed: { ...log.deps.feed, on: () => ({ [Symbol.dispose]() {} }) } };
  const got = seqs(log.follow({}, deaf));
  await log.write(5);
  await log.end();
  expect(await got).toEqual(upTo(5));
}, 15_000);

test('a follower that resumes beyond what this process has read so far is not sent those lines again', async () => {
  await using log = await openLog();
  const bells: TaskBell[] = [];
  const feed = {
    ...log.deps.feed,
    on: (_id: string, bell: TaskBell) => (bells.push(bell), { [Symbol.dispose]() {} }),
  };
  const deaf = { ...log.deps, feed };
  const got: number[] = [];
  const first = (async () => {
    for await (const batch of log.follow({}, deaf)) got.push(...batch.lines.map((line) => line.seq));
  })();
  await log.write(1);
  await eventually('the first line', async () => {
    for (const bell of bells) bell('missed');
    return got.length === 1 || undefined;
  });
  await log.write(5);
  const resumed = log.follow({ after: logCursor({ taskId: log.taskId, seq: 4 }) }, deaf);
  expect((await resumed.next()).value).toMatchObject({ lines: [] });
  await log.end();
  for (const bell of bells) bell('missed');
  expect(await seqs(resumed)).toEqual([5, 6]);
  await first;
  expect(got).toEqual(upTo(6));
});

test('a signal that aborts ends following at once, and the last follower ends the reading', async () => {
  await using log = await openLog();
  const stop = new AbortController();
  const got = seqs(log.follow({ signal: stop.signal }));
  await log.write(1);
  stop.abort();
  await got;
});

test('a task of another project is NOT_FOUND, and a cursor of another log or of no log BAD_USER_INPUT', async () => {
  await using log = await openLog();
  await log.write(3);
  const foreign = await createProject(log.deps);
  await expect(log.follow({ projectId: foreign.projectId }).next()).rejects.toMatchObject({
    code: 'NOT_FOUND',
  });
  const cursors = [
    '',
    'garbage',
    logCursor({ taskId: newId(), seq: 1 }),
    logCursor({ taskId: log.taskId, seq: 4 }),
  ];
  for (const after of cursors) {
    await expect(log.follow({ after }).next()).rejects.toMatchObject({ code: 'BAD_USER_INPUT' });
  }
  const rest = log.follow({ after: logCursor({ taskId: log.taskId, seq: 2 }) });
  expect((await rest.next()).value?.lines.map((line) => line.seq)).toEqual([3]);
  await rest.return();
});
