import { expect, test } from 'vitest';
import { lookBehind } from '#catalog/behind.ts';
import { runAfterInputs } from '#pipelines/run-after-inputs.ts';
import { runSchedules } from '#pipelines/run-schedules.ts';
import { runTransformation } from '#pipelines/start-task.ts';
import { logOf } from '../../support/pipelines.ts';
import { type Ended, openTransformations } from './open-transformations.ts';

const after = { runAfterInputs: true };
const names = (ended: readonly Ended[]) => ended.map(({ transformation }) => transformation?.name);

test('a job sets off the transformations that read its table, and they those that read theirs, each once', async () => {
  await using all = await openTransformations();
  const { deps, viewer } = all;
  const { db } = deps.store;
  const job = await all.job('users');
  await job.sync();
  const first = {
    name: 'first',
    sql: 'SELECT id * 10 AS id FROM raw.users',
    target: { schema: 'made', table: 'one' },
  };
  await all.run(await all.upsert({ ...first, ...after }));
  const second = {
    name: 'second',
    sql: 'SELECT sum(id) AS total FROM made.one',
    target: { schema: 'made', table: 'two' },
  };
  await all.upsert({ ...second, ...after });
  expect(await runAfterInputs(deps)).toBe(0);

  const sync = await job.sync();
  expect(await runAfterInputs(deps)).toBe(1);
  expect(await runAfterInputs(deps)).toBe(0);
  const [one] = await all.runWaiting();
  expect(one).toMatchObject({ transformation: { name: 'first' }, trigger: 'UPSTREAM', status: 'SUCCEEDED' });
  expect(await runAfterInputs(deps)).toBe(1);
  const [two] = await all.runWaiting();
  expect(two).toMatchObject({ transformation: { name: 'second' }, trigger: 'UPSTREAM', status: 'SUCCEEDED' });
  expect(await runAfterInputs(deps)).toBe(0);

  expect(await all.sql('SELECT total::INTEGER FROM made.two')).toEqual([[60]]);
  expect((await logOf(deps, two!.id))[0]).toContain('Queued after what it reads was written');
  const tables = await db.catalogTable.findMany({
    where: { projectId: viewer.projectId, name: { in: ['users', 'one', 'two'] } },
    include: { feeds: { include: { job: true, transformation: { include: { inputs: true } } } } },
  });
  const byName = new Map(tables.map((table) => [table.name, table]));
  expect(byName.get('users')).toMatchObject({ taskId: sync.id, feeds: [{ job: { name: 'daily sync' } }] });
  expect(byName.get('one')).toMatchObject({
    taskId: one!.id,
    feeds: [{ transformation: { name: 'first', inputs: [{ tableId: byName.get('users')!.id }] } }],
  });
  expect(byName.get('two')).toMatchObject({
    taskId: two!.id,
    feeds: [{ transformation: { name: 'second', inputs: [{ tableId: byName.get('one')!.id }] } }],
  });
  expect((await lookBehind(db, viewer.projectId, [byName.get('two')!.id])).oldest.taskId).toBe(two!.id);
});

test('several tables that one task wrote set off one task, and only once that task has ended', async () => {
  await using all = await openTransformations();
  const { deps } = all;
  const { db } = deps.store;
  const job = await all.job('users', 'visits');
  const { id } = await job.sync();
  await all.upsert({
    name: 'both',
    sql: 'SELECT u.id FROM raw.users u JOIN raw.visits v ON v.id = u.id',
    target: { schema: 'made', table: 'both' },
    ...after,
  });
  await job.sync();
  const [writer] = await db.task.findMany({ where: { jobId: job.id, id: { not: id } } });
  // As it is between the writes of the two streams and the end of the task.
  await db.task.update({ where: { id: writer!.id }, data: { status: 'RUNNING', heartbeatAt: new Date() } });
  expect(await runAfterInputs(deps)).toBe(0);
  await db.task.update({ where: { id: writer!.id }, data: { status: 'SUCCEEDED' } });
  expect(await runAfterInputs(deps)).toBe(1);
  expect(await all.runWaiting()).toMatchObject([{ status: 'SUCCEEDED', rowsWritten: 3n }]);
  expect(await runAfterInputs(deps)).toBe(0);
});

test('inputs that are written while a task of the transformation lives are caught up with when it has ended', async () => {
  await using all = await openTransformations();
  const { deps, viewer } = all;
  const job = await all.job('users');
  await job.sync();
  const { id } = await all.upsert({
    name: 'copy',
    sql: 'SELECT id FROM raw.users',
    target: { schema: 'made', table: 'copy' },
    ...after,
  });
  const { task } = await runTransformation(deps, viewer, { id });
  await deps.store.db.task.update({
    where: { id: task.id },
    data: { status: 'RUNNING', heartbeatAt: new Date() },
  });
  await job.sync();
  expect(await runAfterInputs(deps)).toBe(0);
  await deps.store.db.task.update({ where: { id: task.id }, data: { status: 'SUCCEEDED' } });
  expect(await runAfterInputs(deps)).toBe(1);
});

test('what reads a table and what another transformation makes of it runs once, after the other', async () => {
  await using all = await openTransformations();
  const { deps } = all;
  const job = await all.job('users');
  await job.sync();
  const sums = {
    name: 'sums',
    sql: 'SELECT sum(id) AS n FROM raw.users',
    target: { schema: 'made', table: 'sums' },
  };
  await all.run(await all.upsert({ ...sums, ...after }));
  const shares = 'SELECT u.id / s.n AS share FROM raw.users u CROSS JOIN made.sums s';
  await all.upsert({ name: 'shares', sql: shares, target: { schema: 'made', table: 'shares' }, ...after });
  await job.sync();
  expect(await runAfterInputs(deps)).toBe(1);
  expect(names(await all.runWaiting())).toEqual(['sums']);
  expect(await runAfterInputs(deps)).toBe(1);
  expect(names(await all.runWaiting())).toEqual(['shares']);
  expect(await runAfterInputs(deps)).toBe(0);
});

test('what reads a view runs when the tables behind the view were written', async () => {
  await using all = await openTransformations();
  const { deps } = all;
  const job = await all.job('users');
  await job.sync();
  const view = { schema: 'made', table: 'seen', kind: 'VIEW' as const };
  await all.run(await all.upsert({ name: 'seen', sql: 'SELECT id FROM raw.users', target: view }));
  const counted = {
    name: 'counted',
    sql: 'SELECT count(*) AS n FROM made.seen',
    target: { schema: 'made', table: 'n' },
  };
  await all.upsert({ ...counted, ...after });
  await job.sync();
  expect(await runAfterInputs(deps)).toBe(1);
  expect(names(await all.runWaiting())).toEqual(['counted']);
});

test('a transformation that is not active, or is deleted, or does not run after its inputs, is not set off', async () => {
  await using all = await openTransformations();
  const { deps } = all;
  const job = await all.job('users');
  await job.sync();
  const copy = (name: string) => ({
    name,
    sql: 'SELECT id FROM raw.users',
    target: { schema: 'made', table: name },
  });
  await all.upsert(copy('by_hand'));
  await all.upsert({ ...copy('off'), ...after, active: false });
  const gone = await all.upsert({ ...copy('gone'), ...after });
  await deps.store.db.transformation.update({ where: { id: gone.id }, data: { deletedAt: new Date() } });
  await job.sync();
  expect(await runAfterInputs(deps)).toBe(0);
  await all.upsert({ name: 'off', active: true });
  expect(await runAfterInputs(deps)).toBe(1);
});

test('of several processes that see an input written, one starts the task', async () => {
  await using all = await openTransformations();
  const { deps } = all;
  const job = await all.job('users');
  await job.sync();
  await all.upsert({
    name: 'copy',
    sql: 'SELECT id FROM raw.users',
    target: { schema: 'made', table: 'copy' },
    ...after,
  });
  await job.sync();
  const started = await Promise.all(Array.from({ length: 4 }, () => runAfterInputs(deps)));
  expect(started.reduce((sum, each) => sum + each, 0)).toBe(1);
  expect(await deps.store.db.task.count({ where: { kind: 'TRANSFORM' } })).toBe(1);
});

test('a transformation runs by its schedule, missed times made up by one task', async () => {
  let now = new Date('2026-11-21T09:00:00Z');
  await using all = await openTransformations({ now: () => now });
  const { deps } = all;
  const { id, nextRunAt } = await all.upsert({
    name: 'nightly',
    sql: 'SELECT id FROM raw.orders',
    target: { schema: 'made', table: 'nightly' },
    schedule: { cron: '30 2 * * *', timeZone: 'Europe/Berlin' },
  });
  expect(nextRunAt?.toISOString()).toBe('2026-11-22T01:30:00.000Z');
  expect(await runSchedules(deps)).toBe(0);
  now = new Date('2026-11-25T09:00:00Z');
  expect(await runSchedules(deps)).toBe(1);
  expect(await runSchedules(deps)).toBe(0);
  expect(await all.runWaiting()).toMatchObject([
    { trigger: 'SCHEDULE', status: 'SUCCEEDED', rowsWritten: 3n },
  ]);
  const row = await deps.store.db.transformation.findUniqueOrThrow({ where: { id } });
  expect(row.nextRunAt?.toISOString()).toBe('2026-11-26T01:30:00.000Z');
});
