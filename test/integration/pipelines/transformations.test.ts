import { expect, test } from 'vitest';
import { lookBehind } from '#catalog/behind.ts';
import { cancelTask } from '#pipelines/cancel-task.ts';
import { reviveTasks } from '#pipelines/revive-tasks.ts';
import { runTask } from '#pipelines/run-task.ts';
import { runTransformation } from '#pipelines/start-task.ts';
import { deleteTransformation } from '#pipelines/transformations.ts';
import { eventually } from '../../support/gateway.ts';
import { logOf, openTestPipelines, problemsOf } from '../../support/pipelines.ts';
import { openTransformations, type TestTransformations } from './open-transformations.ts';

const forever = new AbortController().signal;
const daily = {
  name: 'daily',
  sql: 'SELECT id, upper(note) AS note FROM raw.orders WHERE id > 1',
  target: { schema: 'made', table: 'daily' },
};
/** Would take days while raw.orders has a hundred thousand rows, and no time while it has few. */
const endless =
  'SELECT count(*) AS n FROM raw.orders a, raw.orders b, raw.orders c, raw.orders d WHERE a.id > 1';
const manyOrders = `CREATE OR REPLACE TABLE raw.orders AS SELECT range AS id, 'x' AS note FROM range(100000)`;
const fewOrders = `CREATE OR REPLACE TABLE raw.orders AS SELECT range AS id, 'x' AS note FROM range(4)`;

async function catalogTable({ deps, viewer }: TestTransformations, schema: string, name: string) {
  return deps.store.db.catalogTable.findFirstOrThrow({
    where: { projectId: viewer.projectId, schema, name },
    include: { feeds: true, readBy: { include: { transformation: { select: { name: true } } } } },
  });
}

test('a run makes the table of its SELECT, counts its rows, and is its freshness and its way up', async () => {
  await using all = await openTransformations();
  const { deps, viewer } = all;
  const transformation = await all.upsert({
    ...daily,
    sql: `${daily.sql} ORDER BY id DESC -- all but one\n;`,
  });
  expect(transformation).toMatchObject({
    revision: 1,
    targetKind: 'TABLE',
    active: true,
    runAfterInputs: false,
  });
  const task = await all.run(transformation);
  expect(task).toMatchObject({
    kind: 'TRANSFORM',
    status: 'SUCCEEDED',
    trigger: 'MANUAL',
    jobId: null,
    transformationId: transformation.id,
    rowsRead: 0n,
    rowsWritten: 2n,
    streams: [{ namespace: 'made', name: 'daily', status: 'SUCCEEDED', rowsWritten: 2n }],
  });
  expect(await all.sql('SELECT * FROM made.daily ORDER BY id')).toEqual([
    [2n, 'ORDER 2'],
    [3n, 'ORDER 3'],
  ]);
  const made = await catalogTable(all, 'made', 'daily');
  expect(made).toMatchObject({ taskId: task.id, rowCount: 2n, kind: 'TABLE' });
  expect(made.feeds).toMatchObject([{ transformationId: transformation.id, jobId: null, taskId: task.id }]);
  const read = await catalogTable(all, 'raw', 'orders');
  expect(read.readBy.map((each) => each.transformation.name)).toEqual(['daily']);
  const log = await logOf(deps, task.id);
  expect(log.map((line) => line.replace(/\d+\.\d s/, 'T'))).toEqual([
    'INFO Queued by hand: transformation "daily", which makes made.daily in datastore "warehouse".',
    'INFO Started: making made.daily of datastore "warehouse" by transformation "daily".',
    'INFO made.daily: Reading raw.orders for 2 columns (id, note).',
    'INFO made.daily: Wrote 2 rows to made.daily in T.',
    'INFO Succeeded: wrote 2 rows in T.',
  ]);
  expect((await lookBehind(deps.store.db, viewer.projectId, [made.id])).oldest.taskId).toBe(task.id);
});

test('a view is computed when it is read, and made anew by a run', async () => {
  await using all = await openTransformations();
  const transformation = await all.upsert({ ...daily, target: { ...daily.target, kind: 'VIEW' } });
  expect(await all.run(transformation)).toMatchObject({ status: 'SUCCEEDED', rowsWritten: 0n });
  await all.sql(`INSERT INTO raw.orders VALUES (4, 'late')`);
  expect(await all.sql('SELECT note FROM made.daily ORDER BY id DESC LIMIT 1')).toEqual([['LATE']]);
  expect(await catalogTable(all, 'made', 'daily')).toMatchObject({ kind: 'VIEW' });
  await all.upsert({ name: 'daily', sql: 'SELECT 1 AS one' });
  expect(await all.run(transformation)).toMatchObject({ status: 'SUCCEEDED' });
  expect(await all.sql('SELECT * FROM made.daily')).toEqual([[1]]);
});

test('a SELECT that fails leaves the old table, and the task says why and what to do', async () => {
  await using all = await openTransformations();
  const transformation = await all.upsert({
    ...daily,
    sql: 'SELECT CAST(note AS INTEGER) AS n FROM raw.orders',
  });
  await all.sql('CREATE SCHEMA made', 'CREATE TABLE made.daily AS SELECT 7 AS old');
  const failed = await all.run(transformation);
  expect(failed).toMatchObject({
    status: 'FAILED',
    attempt: 1,
    errorKind: 'SCHEMA',
    errorRetryable: false,
    streams: [{ status: 'FAILED' }],
  });
  expect(failed.errorMessage).toContain("Could not convert string 'order 1' to INT32");
  expect(failed.errorFix).toContain('change the transformation');
  expect((await logOf(all.deps, failed.id)).at(-1)).toBe('ERROR Failed: readers have what was there before.');
  expect(await all.sql('SELECT * FROM made.daily')).toEqual([[7]]);
  await all.sql('ALTER TABLE raw.orders DROP note');
  expect(await all.run(transformation)).toMatchObject({ status: 'FAILED', errorKind: 'SCHEMA' });
  expect(await all.sql('SELECT * FROM made.daily')).toEqual([[7]]);
});

test('a run that is canceled ends within five seconds and leaves the old table', async () => {
  await using all = await openTransformations();
  const { deps, viewer } = all;
  const transformation = await all.upsert({ ...daily, sql: endless });
  await all.run(transformation);
  await all.sql(manyOrders);
  const { task } = await runTransformation(deps, viewer, { id: transformation.id });
  const running = runTask(deps, task.id, forever);
  await eventually(
    'the SELECT to run',
    async () => (await logOf(deps, task.id)).some((line) => line.includes('Reading')) || undefined,
  );
  const startedAt = Date.now();
  await cancelTask(deps, viewer, { id: task.id });
  await running;
  expect(Date.now() - startedAt).toBeLessThan(5_000);
  expect(await deps.store.db.task.findUniqueOrThrow({ where: { id: task.id } })).toMatchObject({
    status: 'CANCELED',
    errorKind: 'CANCELED',
    lease: null,
  });
  expect(await all.sql('SELECT * FROM made.daily')).toEqual([[54n]]);
});

test('a run whose worker is gone leaves the old table, and a second attempt makes the new one', async () => {
  await using all = await openTransformations();
  const { deps, viewer } = all;
  const { db } = deps.store;
  const transformation = await all.upsert({ ...daily, sql: endless });
  await all.run(transformation);
  await all.sql(manyOrders);
  const { task } = await runTransformation(deps, viewer, { id: transformation.id });
  const gone = runTask(deps, task.id, forever);
  await eventually(
    'the SELECT to run',
    async () => (await logOf(deps, task.id)).some((line) => line.includes('Reading')) || undefined,
  );
  // As if its process had died: nobody has heard of it for long, and another lets it go on. Since it lives, it may say so
  // in between.
  await eventually('the task to be lost', async () => {
    await db.task.update({ where: { id: task.id }, data: { heartbeatAt: new Date(Date.now() - 60_000) } });
    return (await reviveTasks(deps)) === 1 || undefined;
  });
  await gone;
  expect(await db.task.findUniqueOrThrow({ where: { id: task.id } })).toMatchObject({
    status: 'QUEUED',
    attempt: 2,
  });
  expect(await all.sql('SELECT * FROM made.daily')).toEqual([[54n]]);
  await all.sql(fewOrders);
  await runTask(deps, task.id, forever);
  expect(await db.task.findUniqueOrThrow({ where: { id: task.id } })).toMatchObject({
    status: 'SUCCEEDED',
    attempt: 2,
  });
  expect(await all.sql('SELECT * FROM made.daily')).toEqual([[128n]]);
});

test('a worker that shuts down hands the run back, and it is done again from the beginning', async () => {
  await using all = await openTransformations();
  const { deps, viewer } = all;
  const transformation = await all.upsert({ ...daily, sql: endless });
  await all.sql(manyOrders);
  const { task } = await runTransformation(deps, viewer, { id: transformation.id });
  const shutdown = new AbortController();
  const running = runTask(deps, task.id, shutdown.signal);
  await eventually(
    'the SELECT to run',
    async () => (await logOf(deps, task.id)).some((line) => line.includes('Reading')) || undefined,
  );
  shutdown.abort();
  await running;
  await all.sql(fewOrders);
  expect(await all.runWaiting()).toMatchObject([{ status: 'SUCCEEDED', attempt: 1, rowsWritten: 1n }]);
});

test('a worker that may not open the datastore leaves the task to the process that does', async () => {
  await using all = await openTransformations();
  await using other = await openTestPipelines({ databaseUrl: all.databaseUrl, role: 'worker' });
  const { id } = await all.upsert(daily);
  const { task } = await runTransformation(other.deps, all.viewer, { id });
  await runTask(other.deps, task.id, forever);
  expect((await logOf(all.deps, task.id)).at(-1)).toContain('leaves it to the process that serves home');
  expect(await all.runWaiting()).toMatchObject([{ status: 'SUCCEEDED', attempt: 1, rowsWritten: 2n }]);
});

test('a transformation runs one task at a time, and an idempotency key starts one task', async () => {
  await using all = await openTransformations();
  const { deps, viewer } = all;
  const { id } = await all.upsert(daily);
  const key = { id, idempotencyKey: 'k' };
  const first = await runTransformation(deps, viewer, key);
  expect((await runTransformation(deps, viewer, key)).task.id).toBe(first.task.id);
  const again = await runTransformation(deps, viewer, { id });
  expect(again.problems.map(({ code }) => code)).toEqual(['ALREADY_RUNNING']);
  expect(again.problems[0]?.message).toContain('The transformation "daily" runs one task at a time');
  expect(again.task.id).toBe(first.task.id);
});

test('deleting a transformation cancels its task, frees its name and its table, and leaves what it made', async () => {
  await using all = await openTransformations();
  const { deps, viewer } = all;
  const transformation = await all.upsert(daily);
  await all.run(transformation);
  const { task } = await runTransformation(deps, viewer, { id: transformation.id });
  await deleteTransformation(deps, viewer, { id: transformation.id });
  expect(await deps.store.db.task.findUniqueOrThrow({ where: { id: task.id } })).toMatchObject({
    status: 'CANCELED',
  });
  expect(await all.sql('SELECT count(*) FROM made.daily')).toEqual([[2n]]);
  expect((await all.upsert(daily)).id).not.toBe(transformation.id);
  expect(await problemsOf(deleteTransformation(deps, viewer, { id: transformation.id }))).toEqual([
    'NOT_FOUND id',
  ]);
  expect(await problemsOf(runTransformation(deps, viewer, { id: transformation.id }))).toEqual([
    'NOT_FOUND id',
  ]);
});

test('a table that is not made by a transformation any more has it no more as its way up', async () => {
  await using all = await openTransformations();
  const transformation = await all.upsert(daily);
  await all.run(transformation);
  await all.upsert({ name: 'daily', target: { schema: 'made', table: 'weekly' } });
  expect((await catalogTable(all, 'made', 'daily')).feeds).toEqual([]);
  await all.run(transformation);
  expect((await catalogTable(all, 'made', 'weekly')).feeds).toHaveLength(1);
});

test('what a transformation reads is what its engine understands at each run', async () => {
  await using all = await openTransformations();
  await all.sql(
    'CREATE TABLE raw.more AS SELECT 9 AS id',
    'CREATE VIEW raw.some AS SELECT id FROM raw.orders',
  );
  const transformation = await all.upsert({ ...daily, sql: 'SELECT id FROM raw.some' });
  const inputs = async () => {
    const rows = await all.deps.store.db.transformationInput.findMany({ include: { table: true } });
    return rows.map(({ table }) => `${table.schema}.${table.name}`).toSorted();
  };
  expect(await inputs()).toEqual(['raw.orders', 'raw.some']);
  await all.sql('CREATE OR REPLACE VIEW raw.some AS SELECT id FROM raw.more');
  expect(await all.run(transformation)).toMatchObject({ status: 'SUCCEEDED' });
  expect(await inputs()).toEqual(['raw.more', 'raw.some']);
  expect(await all.sql('SELECT * FROM made.daily')).toEqual([[9]]);
});

test('a table that a job was made to write after all is not overwritten', async () => {
  await using all = await openTransformations();
  const { db } = all.deps.store;
  const transformation = await all.upsert(daily);
  await all.job('users');
  // As a destination that is given another schema moves the tables of its jobs.
  const streams = [{ namespace: null, name: 'users', syncMode: 'FULL_REFRESH', destinationTable: 'daily' }];
  await db.job.updateMany({ data: { streams } });
  await db.destination.updateMany({ data: { config: { schema: 'made' } } });
  const task = await all.run(transformation);
  expect(task).toMatchObject({ status: 'FAILED', errorKind: 'CONFIG' });
  expect(task.errorMessage).toBe('The table made.daily is written by the job "daily sync".');
});
