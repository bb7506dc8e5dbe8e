import { expect, test } from 'vitest';
import { cancelTask } from '#pipelines/cancel-task.ts';
import { runTask } from '#pipelines/run-task.ts';
import { eventually } from '../../support/gateway.ts';
import { gate, idAndName, rowsSql, stuckStream } from '../../support/slow-source.ts';
import { ids, numbers, started } from '../../support/slow-task.ts';

const forever = new AbortController().signal;

test('a running task that is canceled ends within five seconds with nothing half-written, even if its source hangs', async () => {
  const blocked = gate();
  await using run = await started([
    {
      name: 'users',
      parts: () => [{ id: 'a', sql: rowsSql(1, 3), before: (signal) => blocked.wait(signal) }],
    },
    { name: 'hangs', parts: () => [] },
  ]);
  const running = runTask(run.deps, run.task.id, forever);
  await blocked.reached;
  const startedAt = Date.now();
  expect(await cancelTask(run.deps, run.viewer, { id: run.task.id })).toMatchObject({ status: 'CANCELING' });
  await running;
  expect(Date.now() - startedAt).toBeLessThan(5_000);
  const task = await run.now();
  expect(task).toMatchObject({ status: 'CANCELED', errorKind: 'CANCELED', lease: null });
  expect(task.finishedAt).not.toBeNull();
  expect(task.streams.map((stream) => stream.status)).toEqual(['CANCELED', 'CANCELED']);
  expect(run.tables.tables.size).toBe(0);
  expect(run.tables.abandoned).toEqual(['users']);
});

test('a connector that does not stop when told to does not keep the task from being canceled in time', async () => {
  const reached = Promise.withResolvers<void>();
  const never = Promise.withResolvers<void>();
  await using run = await started([
    {
      name: 'users',
      parts: () => [
        {
          id: 'a',
          sql: rowsSql(1, 3),
          before: () => {
            reached.resolve();
            return never.promise;
          },
        },
      ],
    },
  ]);
  const running = runTask(run.deps, run.task.id, forever);
  await reached.promise;
  const startedAt = Date.now();
  await cancelTask(run.deps, run.viewer, { id: run.task.id });
  await eventually('the cancel', async () => (await run.now()).status === 'CANCELED' || undefined);
  expect(Date.now() - startedAt).toBeLessThan(5_000);
  never.resolve();
  await running;
});

test('a worker that shuts down hands its task back: parts that are done stay, no attempt is counted', async () => {
  const blocked = gate();
  await using run = await started([stuckStream(blocked)]);
  run.deps.parallel = 1;
  const shutdown = new AbortController();
  const running = runTask(run.deps, run.task.id, shutdown.signal);
  await blocked.reached;
  shutdown.abort();
  await running;
  const between = await run.now();
  expect(between).toMatchObject({ status: 'QUEUED', attempt: 1, lease: null, rowsRead: 3n });
  expect(run.tables.abandoned).toEqual([]);
  blocked.open();
  await runTask(run.deps, run.task.id, forever);
  expect(await run.now()).toMatchObject({ status: 'SUCCEEDED', attempt: 1, rowsRead: 6n, rowsWritten: 6n });
  expect(run.tables.stagedTimes).toEqual(
    new Map([
      ['users a', 1],
      ['users b', 1],
    ]),
  );
  expect(ids(run.tables.tables.get('users'))).toEqual(numbers(1, 6));
});

test('parts of a plan that cannot be resumed are staged again, none of them twice in the table', async () => {
  const blocked = gate();
  await using run = await started([stuckStream(blocked, undefined, { resumable: false })]);
  run.deps.parallel = 1;
  const shutdown = new AbortController();
  const running = runTask(run.deps, run.task.id, shutdown.signal);
  await blocked.reached;
  shutdown.abort();
  await running;
  blocked.open();
  await runTask(run.deps, run.task.id, forever);
  expect(run.tables.stagedTimes.get('users a')).toBe(2);
  expect(ids(run.tables.tables.get('users'))).toEqual(numbers(1, 6));
});

test('parts that the destination cannot keep, since its table changed meanwhile, are staged again', async () => {
  const blocked = gate();
  let changed = false;
  await using run = await started([stuckStream(blocked)], { dropsStaged: () => changed });
  run.deps.parallel = 1;
  const shutdown = new AbortController();
  const running = runTask(run.deps, run.task.id, shutdown.signal);
  await blocked.reached;
  shutdown.abort();
  await running;
  blocked.open();
  changed = true;
  await runTask(run.deps, run.task.id, forever);
  expect(ids(run.tables.tables.get('users'))).toEqual(numbers(1, 6));
  expect(await run.now()).toMatchObject({ status: 'SUCCEEDED', rowsRead: 6n, rowsWritten: 6n });
});

test('parts that were staged with other columns are staged again', async () => {
  const blocked = gate();
  const columns = [...idAndName];
  await using run = await started([stuckStream(blocked, undefined, { columns })]);
  run.deps.parallel = 1;
  const shutdown = new AbortController();
  const running = runTask(run.deps, run.task.id, shutdown.signal);
  await blocked.reached;
  shutdown.abort();
  await running;
  blocked.open();
  columns.splice(1, 1);
  await runTask(run.deps, run.task.id, forever);
  expect(run.tables.stagedTimes.get('users a')).toBe(2);
  expect(ids(run.tables.tables.get('users'))).toEqual(numbers(1, 6));
});

test('a run whose lease was taken stops before it publishes, and changes nothing of the task any more', async () => {
  const blocked = gate();
  await using run = await started([
    {
      name: 'users',
      parts: () => [{ id: 'a', sql: rowsSql(1, 3), before: (signal) => blocked.wait(signal) }],
    },
  ]);
  const running = runTask(run.deps, run.task.id, forever);
  await blocked.reached;
  const lease = '00000000-0000-4000-8000-000000000000';
  const taken = await run.deps.store.db.task.update({
    where: { id: run.task.id },
    data: { lease, attempt: 2 },
  });
  blocked.open();
  await running;
  expect(run.tables.tables.size).toBe(0);
  expect(await run.now()).toMatchObject({ status: 'RUNNING', lease, attempt: 2, lastSeq: taken.lastSeq });
});

test('a run asks right before it publishes whether it still holds its task', async () => {
  const lease = '00000000-0000-4000-8000-000000000000';
  let take = async (): Promise<void> => {};
  await using run = await started([{ name: 'users', parts: () => [] }], { begin: () => take() });
  take = async () => {
    await run.deps.store.db.task.update({ where: { id: run.task.id }, data: { lease, attempt: 2 } });
  };
  await runTask(run.deps, run.task.id, forever);
  expect(run.tables.markers.size).toBe(0);
  expect(await run.now()).toMatchObject({ status: 'RUNNING', lease, attempt: 2 });
});
