import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { createDatastore } from '#catalog/create-datastore.ts';
import { Memory } from '#catalog/memory.ts';
import { createDestination, updateDestination } from '#pipelines/destinations.ts';
import type { JobStreamInput } from '#pipelines/check-streams.ts';
import { createJob, deleteJob, updateJob } from '#pipelines/jobs.ts';
import { reviveTasks } from '#pipelines/revive-tasks.ts';
import { runTask } from '#pipelines/run-task.ts';
import { createSource } from '#pipelines/sources.ts';
import { readsTarget } from '#pipelines/stream-ways.ts';
import { upsertTransformation } from '#pipelines/transformations.ts';
import { datastoreSource } from '#connectors/datastore-source/source.ts';
import { runTransformation, startTask } from '#pipelines/start-task.ts';
import { selectionOf } from '../../support/move-stream.ts';
import { openReverseLab } from '../../support/reverse-lab.ts';
import { openTestPipelines, problemsOf } from '../../support/pipelines.ts';
import { openPostgresWarehouse } from '../../support/postgres-warehouse.ts';

const forever = new AbortController().signal;

/** A warehouse and an operational store, both PostgreSQL, and jobs by difference between them. */
async function open() {
  await using opening = new AsyncDisposableStack();
  const far = opening.use(await openPostgresWarehouse());
  const near = opening.use(await openPostgresWarehouse());
  const pipelines = opening.use(await openTestPipelines());
  const { deps, viewer } = pipelines;
  const catalog = { ...deps, memory: new Memory() };
  for (const [name, { server }] of [
    ['far', far],
    ['near', near],
  ] as const) {
    await createDatastore(catalog, viewer, { name, engine: 'POSTGRES', config: { ...server } });
  }
  await far.load([
    'CREATE SCHEMA raw',
    `CREATE TABLE raw.users AS SELECT n AS id, 'name ' || n AS name FROM generate_series(1::int8, 3000) n`,
    'CREATE VIEW raw.all_users AS SELECT * FROM raw.users',
  ]);
  const source = await createSource(deps, viewer, {
    name: 'far',
    type: 'datastore',
    config: { datastore: 'far' },
  });
  const into = (name: string, datastore: string, schema: string) =>
    createDestination(deps, viewer, { name, type: 'datastore', config: { datastore, schema } });
  const job = (name: string, destinationId: string, stream: string, destinationTable: string) =>
    createJob(deps, viewer, {
      name,
      sourceId: source.id,
      destinationId,
      streams: [
        {
          namespace: 'raw',
          name: stream,
          syncMode: 'INCREMENTAL',
          primaryKey: ['id'],
          destinationTable,
          difference: { mirrorRemovals: true },
        },
      ],
    });
  const run = async (jobId: string) => {
    const { task } = await startTask(deps, viewer, { jobId });
    await runTask(deps, task.id, forever);
    return taskOf(task.id);
  };
  const taskOf = (id: string) =>
    deps.store.db.task.findUniqueOrThrow({ where: { id }, include: { streams: true } });
  const served = async (table: string) =>
    (await near.warehouse.run({ sql: `SELECT count(*), sum(id)::int8, min(name) FROM served.${table}` }))
      .rows[0];
  const generations = async () =>
    (await far.warehouse.ownTables()).filter((name) => name.startsWith('diff_'));
  const all = opening.move();
  return {
    ...pipelines,
    sourceId: source.id,
    catalog,
    far,
    near,
    job,
    into,
    run,
    taskOf,
    served,
    generations,
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

test.each(['planned', 'read', 'staged', 'publishing', 'published', 'saved'])(
  'a process that is killed at "%s" leaves a difference that ends as if it had never stopped',
  async (seam) => {
    await using lab = await open();
    const { deps, viewer } = lab;
    const { id: destination } = await lab.into('near', 'near', 'served');
    const { id: jobId } = await lab.job('users', destination, 'users', 'users');
    expect(await lab.run(jobId)).toMatchObject({ status: 'SUCCEEDED', rowsWritten: 3_000n });
    await lab.far.load([
      'DELETE FROM raw.users WHERE id <= 2',
      `UPDATE raw.users SET name = 'a' WHERE id = 3`,
      `INSERT INTO raw.users VALUES (4001, 'new')`,
    ]);
    const { task } = await startTask(deps, viewer, { jobId });
    const worker = spawn(
      process.execPath,
      [
        fileURLToPath(new URL('./dying-worker.ts', import.meta.url)),
        lab.databaseUrl,
        join(deps.filesRoot, 'home-of-the-dying'),
        deps.filesRoot,
        task.id,
        seam,
      ],
      { stdio: ['ignore', 'inherit', 'inherit'] },
    );
    const [, signal] = await once(worker, 'exit');
    expect(signal).toBe('SIGKILL');
    // What changes meanwhile is not lost either.
    await lab.far.load([`UPDATE raw.users SET name = 'b' WHERE id = 5`]);
    await deps.store.db.task.update({
      where: { id: task.id },
      data: { heartbeatAt: new Date(Date.now() - 11_000) },
    });
    expect(await reviveTasks(deps)).toBe(1);
    await runTask(deps, task.id, forever);
    // What was not looked at before is found by the attempt that looks.
    const late = seam === 'planned' ? 1n : 0n;
    expect(await lab.taskOf(task.id)).toMatchObject({
      status: 'SUCCEEDED',
      attempt: 2,
      rowsWritten: 4n + late,
      streams: [{ rowsAdded: 1n, rowsChanged: 1n + late, rowsRemoved: 2n }],
    });
    expect(await lab.run(jobId)).toMatchObject({
      streams: [{ rowsAdded: 0n, rowsChanged: 1n - late, rowsRemoved: 0n }],
    });
    const source = await lab.far.warehouse.run({
      sql: 'SELECT count(*), sum(id)::int8, min(name) FROM raw.users',
    });
    expect(await lab.served('users')).toEqual(source.rows[0]);
    // A generation, and what has changed since.
    expect((await lab.generations()).map((name) => /_([a-z])[0-9a-f]{12}$/.exec(name)![1])).toEqual(
      expect.arrayContaining(['g', 's']),
    );
    expect(await lab.generations()).toHaveLength(2);
  },
);

test('what deleted jobs have remembered goes with the next difference, and what others remember stays', async () => {
  await using lab = await open();
  const { id: destination } = await lab.into('near', 'near', 'served');
  const first = await lab.job('first', destination, 'users', 'first');
  const second = await lab.job('second', destination, 'users', 'second');
  await lab.run(first.id);
  await lab.run(second.id);
  await lab.far.load([
    'CREATE TABLE _sluice.diff_00000000000000000000000000000000_00000000_g000000000000 (id int8)',
  ]);
  expect(await lab.generations()).toHaveLength(3);
  await deleteJob(lab.deps, lab.viewer, { id: first.id });
  await lab.run(second.id);
  expect(await lab.generations()).toHaveLength(2);
  expect(await lab.run(second.id)).toMatchObject({
    streams: [{ rowsAdded: 0n, rowsChanged: 0n, rowsRemoved: 0n }],
  });
});

test('a stream that would be made of the table it writes is refused, also behind a view, when the job is made or changed', async () => {
  await using lab = await open();
  const { deps, viewer } = lab;
  const { id: back } = await lab.into('back', 'far', 'raw');
  const { id: elsewhere } = await lab.into('elsewhere', 'near', 'raw');
  for (const stream of ['users', 'all_users']) {
    const loop = problemsOf(lab.job(`loop of ${stream}`, back, stream, 'users'));
    expect(await loop).toEqual(['INVALID streams.0.destinationTable']);
    const { id, streams } = await lab.job(`copy of ${stream}`, elsewhere, stream, `users_of_${stream}`);
    const moved = (destinationTable: string) => ({
      id,
      destinationId: back,
      streams: [{ ...(streams as unknown as [JobStreamInput])[0], destinationTable }],
    });
    const change = problemsOf(updateJob(deps, viewer, moved('users')));
    expect(await change).toEqual(['INVALID streams.0.destinationTable']);
    await updateJob(deps, viewer, moved(`users_of_${stream}`));
  }
});

test('names that differ in case alone are two tables where the engine says so, and one where it does not', async () => {
  await using lab = await open();
  const { deps, viewer } = lab;
  const { id: near } = await lab.into('near', 'near', 'served');
  const { id: back } = await lab.into('back', 'far', 'raw');
  const embedded = await createDestination(deps, viewer, { name: 'in', type: 'datastore', config: {} });
  const twins = (destinationId: string) =>
    createJob(deps, viewer, {
      name: `twins to ${destinationId}`,
      sourceId: lab.sourceId,
      destinationId,
      streams: ['users', 'all_users'].map((name, at) => ({
        namespace: 'raw',
        name,
        syncMode: 'FULL_REFRESH',
        destinationTable: ['Orders', 'orders'][at]!,
      })),
    });
  const job = await twins(near);
  expect(await lab.run(job.id)).toMatchObject({ status: 'SUCCEEDED' });
  expect((await lab.served('"Orders"'))![0]).toBe(3_000n);
  expect((await lab.served('orders'))![0]).toBe(3_000n);
  expect(await problemsOf(twins(embedded.id))).toEqual(['NOT_UNIQUE streams.1.destinationTable']);
  const { id: datastoreId } = await deps.store.db.datastore.findFirstOrThrow({ where: { name: 'near' } });
  const made = (table: string) =>
    upsertTransformation(deps, viewer, {
      name: table,
      datastoreId,
      sql: 'SELECT 1 AS one',
      target: { schema: 'served', table },
    });
  expect(await problemsOf(made('orders'))).toEqual(['IN_USE target']);
  await made('ORDERS');
  expect(await problemsOf(lab.job('taken', near, 'users', 'ORDERS'))).toEqual([
    'IN_USE streams.0.destinationTable',
  ]);
  await lab.job('free', near, 'users', 'oRDERS');
  // No loop: another table.
  const copy = await lab.job('copy', back, 'users', 'USERS');
  expect(await lab.run(copy.id)).toMatchObject({ status: 'SUCCEEDED', rowsWritten: 3_000n });
  await using warehouse = await openReverseLab('DuckDB');
  await warehouse.fill('users', 'SELECT 1 AS id');
  await using session = await datastoreSource.open(warehouse.config, warehouse.context());
  const reads = await session.reads!(selectionOf('users', { namespace: 'src' }));
  const table = { datastore: 'source', database: 'source', schema: 'SRC', name: 'Users' };
  expect(readsTarget(reads, table)).toBe(true);
  expect(readsTarget({ ...reads, ignoresCase: false }, table)).toBe(false);
});

test('a table that somebody has dropped, or that is written to another schema now, gets all rows again', async () => {
  await using lab = await open();
  const { deps, viewer } = lab;
  const { id: destination } = await lab.into('near', 'near', 'served');
  const { id: jobId } = await lab.job('users', destination, 'users', 'users');
  const whole = [3_000n, 4_501_500n, 'name 1'];
  await lab.run(jobId);
  await lab.near.load(['DROP TABLE served.users']);
  const again = await lab.run(jobId);
  expect(again).toMatchObject({ status: 'SUCCEEDED', rowsWritten: 3_000n });
  expect(await lab.served('users')).toEqual(whole);
  const lines = await deps.store.db.taskLog.findMany({ where: { taskId: again.id, level: 'WARN' } });
  expect(lines.map(({ message }) => message)).toEqual([
    'The table served.users, in which what was published before should be, is not there: the stream begins anew.',
  ]);
  await updateDestination(deps, viewer, { id: destination, config: { datastore: 'near', schema: 'moved' } });
  expect(await lab.run(jobId)).toMatchObject({ status: 'SUCCEEDED', rowsWritten: 3_000n });
  expect((await lab.near.warehouse.run({ sql: 'SELECT count(*) FROM moved.users' })).rows).toEqual([
    [3_000n],
  ]);
  expect(await lab.run(jobId)).toMatchObject({ status: 'SUCCEEDED', rowsWritten: 0n });
});

test('a stream that has become one of the table it writes fails its task, and the table stays', async () => {
  await using lab = await open();
  const { id: back } = await lab.into('back', 'far', 'raw');
  await lab.far.load(['CREATE VIEW raw.turning AS SELECT 1::int8 AS id, NULL AS name']);
  const { id } = await lab.job('turns', back, 'turning', 'users');
  await lab.far.load(['CREATE OR REPLACE VIEW raw.turning AS SELECT * FROM raw.users']);
  const task = await lab.run(id);
  expect(task).toMatchObject({ status: 'FAILED', errorKind: 'CONFIG' });
  expect(task.errorMessage).toContain('reads raw.users of the datastore "far", which it would write');
  expect((await lab.far.warehouse.run({ sql: 'SELECT count(*) FROM raw.users' })).rows).toEqual([[3_000n]]);
});

test('a role that may only read is told which grant a difference needs, and a transformation', async () => {
  await using lab = await open();
  await lab.far.load([
    `CREATE ROLE reader_${lab.far.server.database} LOGIN PASSWORD 'secret'`,
    `GRANT USAGE ON SCHEMA raw TO reader_${lab.far.server.database}`,
    `GRANT SELECT ON ALL TABLES IN SCHEMA raw TO reader_${lab.far.server.database}`,
  ]);
  const config = { ...lab.far.server, username: `reader_${lab.far.server.database}`, password: 'secret' };
  await createDatastore(lab.catalog, lab.viewer, { name: 'read', engine: 'POSTGRES', config });
  const source = await createSource(lab.deps, lab.viewer, {
    name: 'read',
    type: 'datastore',
    config: { datastore: 'read' },
  });
  const { id: destinationId } = await lab.into('near', 'near', 'served');
  const stream = { namespace: 'raw', name: 'users', primaryKey: ['id'] };
  const make = (name: string, more: object) =>
    createJob(lab.deps, lab.viewer, {
      name,
      sourceId: source.id,
      destinationId,
      streams: [{ ...stream, syncMode: 'INCREMENTAL', destinationTable: name, ...more }],
    });
  const task = await lab.run((await make('compared', { difference: {} })).id);
  expect(task).toMatchObject({ status: 'FAILED', errorKind: 'CONFIG' });
  expect(task.errorFix).toContain('CREATE SCHEMA _sluice AUTHORIZATION');
  expect(await lab.run((await make('followed', { cursorField: 'id' })).id)).toMatchObject({
    status: 'SUCCEEDED',
    rowsWritten: 3_000n,
  });
  const { id: datastoreId } = await lab.deps.store.db.datastore.findFirstOrThrow({ where: { name: 'read' } });
  const { id } = await upsertTransformation(lab.deps, lab.viewer, {
    name: 'made',
    datastoreId,
    sql: 'SELECT id FROM raw.users',
    target: { schema: 'made', table: 'users' },
  });
  const { task: making } = await runTransformation(lab.deps, lab.viewer, { id });
  await runTask(lab.deps, making.id, forever);
  expect(await lab.taskOf(making.id)).toMatchObject({
    status: 'FAILED',
    errorKind: 'CONFIG',
    errorFix: `GRANT CREATE ON DATABASE "${lab.far.server.database}" to the user of the datastore.`,
  });
});
