import { expect, test } from 'vitest';
import { NotHere } from '#catalog/datastores.ts';
import { cancelTask } from '#pipelines/cancel-task.ts';
import { reviveTasks } from '#pipelines/revive-tasks.ts';
import { startTask } from '#pipelines/start-task.ts';
import { startWorkers } from '#pipelines/start-workers.ts';
import { memoryDestination, memoryTables, type MemoryHooks } from '../../support/memory-destination.ts';
import { createSlowJob, logOf, openTestPipelines } from '../../support/pipelines.ts';
import { gate, rowsSql, slowSource, type SlowStream, stuckStream } from '../../support/slow-source.ts';
import { eventually } from '../../support/gateway.ts';

/** Two processes on one database, with one source and destination. */
async function openTwo(streams: SlowStream[], hooks: MemoryHooks = {}) {
  const tables = memoryTables();
  const ends = { source: slowSource(() => streams), destination: memoryDestination(tables, hooks) };
  const one = await openTestPipelines(ends);
  const other = await openTestPipelines({ ...ends, databaseUrl: one.databaseUrl });
  const statusOf = async (id: string) =>
    (await one.deps.store.db.task.findUniqueOrThrow({ where: { id } })).status;
  return {
    one,
    other,
    tables,
    statusOf,
    ended: (id: string) =>
      eventually('the task to end', async () => {
        const status = await statusOf(id);
        return ['SUCCEEDED', 'FAILED', 'CANCELED'].includes(status) ? status : undefined;
      }),
    async [Symbol.asyncDispose]() {
      await other[Symbol.asyncDispose]();
      await one[Symbol.asyncDispose]();
    },
  };
}

const users = { name: 'users', syncMode: 'FULL_REFRESH' } as const;

test('two workers on one database run each of many tasks once', async () => {
  await using two = await openTwo([{ name: 'users', parts: () => [{ id: 'a', sql: rowsSql(1, 3) }] }]);
  const { deps, viewer } = two.one;
  await using _one = await startWorkers(deps, { workers: 2, role: 'worker' });
  await using _other = await startWorkers(two.other.deps, { workers: 2, role: 'worker' });
  const jobs = await Promise.all(
    Array.from({ length: 10 }, () => createSlowJob(two.one, { streams: [users] })),
  );
  const tasks = await Promise.all(jobs.map(({ id }) => startTask(deps, viewer, { jobId: id })));
  for (const { task } of tasks) {
    expect(await two.ended(task.id)).toBe('SUCCEEDED');
    expect((await logOf(deps, task.id)).filter((line) => line.includes('Started:'))).toHaveLength(1);
  }
  expect(two.tables.stagedTimes.get('users a')).toBe(10);
});

test('a task whose worker is gone goes on in another, its attempt counted and its parts kept', async () => {
  const blocked = gate();
  let stuck = true;
  await using two = await openTwo([stuckStream(blocked, () => stuck)]);
  const { deps, viewer } = two.one;
  deps.parallel = 1;
  const { id } = await createSlowJob(two.one, { streams: [users] });
  const { task } = await startTask(deps, viewer, { jobId: id });
  await using _one = await startWorkers(deps, { workers: 1, role: 'worker' });
  await blocked.reached;
  stuck = false;
  // What is left of a process that was killed: a lease that nobody holds, and a sign of life that grows old.
  await deps.store.db.task.update({
    where: { id: task.id },
    data: { lease: '00000000-0000-4000-8000-000000000000', heartbeatAt: new Date(Date.now() - 11_000) },
  });
  const noticedWithin = Date.now() + 15_000;
  await using _other = await startWorkers(two.other.deps, { workers: 1, role: 'worker' });
  expect(await two.ended(task.id)).toBe('SUCCEEDED');
  expect(Date.now()).toBeLessThan(noticedWithin);
  expect(await deps.store.db.task.findUniqueOrThrow({ where: { id: task.id } })).toMatchObject({
    attempt: 2,
    rowsWritten: 6n,
  });
  expect(two.tables.stagedTimes).toEqual(
    new Map([
      ['users a', 1],
      ['users b', 1],
    ]),
  );
  expect((await logOf(deps, task.id)).filter((line) => line.startsWith('WARN'))).toEqual([
    'WARN The worker that ran this task has given no sign of life for 10 s: attempt 2 of 3 goes on from what is safely written.',
  ]);
});

test('a task that lost its worker in its last attempt fails as WORKER_LOST, one that was to be canceled is canceled', async () => {
  await using two = await openTwo([{ name: 'users', parts: () => [] }]);
  const { deps, viewer } = two.one;
  const { db } = deps.store;
  const lost = { lease: '00000000-0000-4000-8000-000000000000', heartbeatAt: new Date(Date.now() - 11_000) };
  const start = async () =>
    (await startTask(deps, viewer, { jobId: (await createSlowJob(two.one, { streams: [users] })).id })).task
      .id;
  const [last, canceling, alive] = [await start(), await start(), await start()];
  await db.task.update({ where: { id: last }, data: { ...lost, status: 'RUNNING', attempt: 3 } });
  await db.task.update({ where: { id: canceling }, data: { ...lost, status: 'CANCELING' } });
  await db.task.update({
    where: { id: alive },
    data: { ...lost, status: 'RUNNING', heartbeatAt: new Date(Date.now() - 5_000) },
  });
  const found = await Promise.all([reviveTasks(deps), reviveTasks(two.other.deps)]);
  expect(found.reduce((sum, each) => sum + each, 0)).toBe(2);
  const tasks = await db.task.findMany({ orderBy: { createdAt: 'asc' }, include: { streams: true } });
  expect(tasks).toMatchObject([
    { status: 'FAILED', errorKind: 'WORKER_LOST', lease: null, streams: [{ status: 'FAILED' }] },
    { status: 'CANCELED', errorKind: 'CANCELED', lease: null, streams: [{ status: 'CANCELED' }] },
    { status: 'RUNNING', lease: lost.lease },
  ]);
});

test('a task that waits gets its work item again when it was lost with a process that had taken it', async () => {
  await using two = await openTwo([{ name: 'users', parts: () => [{ id: 'a', sql: rowsSql(1, 3) }] }]);
  const { deps, viewer } = two.one;
  const { id } = await createSlowJob(two.one, { streams: [users] });
  const { task } = await startTask(deps, viewer, { jobId: id });
  await deps.store.db.$executeRaw`DELETE FROM pgboss.job`;
  await deps.store.db.task.update({
    where: { id: task.id },
    data: { createdAt: new Date(Date.now() - 31_000) },
  });
  await using _other = await startWorkers(two.other.deps, { workers: 1, role: 'worker' });
  expect(await two.ended(task.id)).toBe('SUCCEEDED');
});

test('a worker that shuts down hands its task to another, which goes on at once', async () => {
  const blocked = gate();
  let stuck = true;
  await using two = await openTwo([stuckStream(blocked, () => stuck)]);
  const { deps, viewer } = two.one;
  deps.parallel = 1;
  const { id } = await createSlowJob(two.one, { streams: [users] });
  const one = await startWorkers(deps, { workers: 1, role: 'worker' });
  const { task } = await startTask(deps, viewer, { jobId: id });
  await blocked.reached;
  stuck = false;
  await using _other = await startWorkers(two.other.deps, { workers: 1, role: 'worker' });
  const startedAt = Date.now();
  await one[Symbol.asyncDispose]();
  expect(Date.now() - startedAt).toBeLessThan(10_000);
  expect(await two.ended(task.id)).toBe('SUCCEEDED');
  expect(Date.now() - startedAt).toBeLessThan(10_000);
  expect(await deps.store.db.task.findUniqueOrThrow({ where: { id: task.id } })).toMatchObject({
    attempt: 1,
  });
  expect(two.tables.stagedTimes).toEqual(
    new Map([
      ['users a', 1],
      ['users b', 1],
    ]),
  );
});

test('shutting down takes less than ten seconds even when a connector does not stop', async () => {
  const reached = Promise.withResolvers<void>();
  const never = Promise.withResolvers<void>();
  await using two = await openTwo([
    {
      name: 'users',
      parts: () => [{ id: 'a', sql: rowsSql(1, 3), before: () => (reached.resolve(), never.promise) }],
    },
  ]);
  const { deps, viewer } = two.one;
  const { id } = await createSlowJob(two.one, { streams: [users] });
  const one = await startWorkers(deps, { workers: 1, role: 'worker' });
  const { task } = await startTask(deps, viewer, { jobId: id });
  await reached.promise;
  const startedAt = Date.now();
  await one[Symbol.asyncDispose]();
  expect(Date.now() - startedAt).toBeLessThan(10_000);
  expect(await two.statusOf(task.id)).toBe('QUEUED');
  never.resolve();
});

test('a task canceled in another process than the one that runs it ends within five seconds', async () => {
  const blocked = gate();
  await using two = await openTwo([
    {
      name: 'users',
      parts: () => [{ id: 'a', sql: rowsSql(1, 3), before: (signal) => blocked.wait(signal) }],
    },
  ]);
  const { deps, viewer } = two.one;
  const { id } = await createSlowJob(two.one, { streams: [users] });
  await using _other = await startWorkers(two.other.deps, { workers: 1, role: 'worker' });
  const { task } = await startTask(deps, viewer, { jobId: id });
  await blocked.reached;
  const startedAt = Date.now();
  await cancelTask(deps, viewer, { id: task.id });
  expect(await two.ended(task.id)).toBe('CANCELED');
  expect(Date.now() - startedAt).toBeLessThan(5_000);
});

test('a worker that may not open the datastore says so, and leaves the task to the process that serves its home', async () => {
  let mayOpen = false;
  const home = 'home-of-the-other';
  await using two = await openTwo([{ name: 'users', parts: () => [{ id: 'a', sql: rowsSql(1, 3) }] }], {
    open: () => {
      if (!mayOpen) throw new NotHere('warehouse', home);
    },
  });
  const { deps, viewer } = two.one;
  // When the task was queued any process could run it: since then its datastore has found a home.
  const { id } = await createSlowJob(two.one, { streams: [users] });
  const { task } = await startTask(deps, viewer, { jobId: id });
  const homed = {
    ...deps,
    connectors: {
      ...deps.connectors,
      destination: (...asked: Parameters<typeof deps.connectors.destination>) => {
        const found = deps.connectors.destination(...asked);
        return found && { ...found, datastoreOf: () => ({}) };
      },
    },
    datastores: { ...deps.datastores, homeOf: async () => home },
  };
  await using _worker = await startWorkers(homed, { workers: 1, role: 'worker' });
  const warning = await eventually('the warning', async () =>
    (await logOf(deps, task.id)).find((line) => line.startsWith('WARN')),
  );
  expect(warning).toContain('This worker leaves it to the process that serves home home-of-the-other.');
  expect(await two.statusOf(task.id)).toBe('QUEUED');
  mayOpen = true;
  await using _server = await startWorkers(
    { ...two.other.deps, homeId: home },
    { workers: 1, role: 'serve' },
  );
  expect(await two.ended(task.id)).toBe('SUCCEEDED');
  expect(await deps.store.db.task.findUniqueOrThrow({ where: { id: task.id } })).toMatchObject({
    attempt: 1,
  });
});
