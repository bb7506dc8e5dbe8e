import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { askWarehouse } from '../support/ask-warehouse.ts';
import { createEmptyDatabase, createTestDatabase } from '../support/database.ts';
import { eventually, type Gateway, signUp, startGateway, temporaryFolder } from '../support/gateway.ts';
import {
  createPipeline,
  execute,
  postgresConfig,
  readTask,
  startSync,
  untilEnded,
  untilMoved,
} from '../support/pipeline.ts';

const rows = 2_000_000;

let source: Awaited<ReturnType<typeof createEmptyDatabase>>;

beforeAll(async () => {
  source = await createEmptyDatabase();
  await execute(
    source.url,
    `CREATE TABLE orders AS
       SELECT i::bigint AS id, (i::bigint * 7919 % 100003)::int AS customer, ((i % 99991) / 100.0)::numeric(12, 2) AS amount,
              'order ' || i AS title, timestamptz '2026-01-01' + i * interval '1 second' AS at
       FROM generate_series(1, ${rows}) i`,
    `ALTER TABLE orders ADD PRIMARY KEY (id)`,
    `CREATE TABLE visits AS SELECT md5(i::text) AS token, i AS n FROM generate_series(1, 600000) i`,
    `ANALYZE`,
  );
}, 120_000);

afterAll(async () => {
  await source[Symbol.asyncDispose]();
});

const sums = {
  orders:
    'SELECT count(*), count(DISTINCT id), sum(id), sum(customer), sum(amount), sum(length(title)), min("at"), max("at") FROM',
  visits: 'SELECT count(*), count(DISTINCT token), sum(n), min(token), max(token) FROM',
};

const duckdbJob = (prefix: string, writeMode: 'OVERWRITE' | 'APPEND') => ({
  source: { type: 'postgres', config: postgresConfig(source.url) },
  destination: { type: 'datastore', config: {} },
  streams: [
    { name: 'orders', syncMode: 'FULL_REFRESH' as const, writeMode, destinationTable: `${prefix}_orders` },
    { name: 'visits', syncMode: 'FULL_REFRESH' as const, writeMode, destinationTable: `${prefix}_visits` },
  ],
});

test.each(['OVERWRITE', 'APPEND'] as const)(
  'a sync killed in the middle goes on after a restart and leaves the same rows as an unbroken one: %s',
  async (writeMode) => {
    await using home = await temporaryFolder();
    let gateway = await startGateway({ home: home.path });
    await signUp(gateway);
    const { token } = gateway;
    const unbroken = await createPipeline(gateway, duckdbJob('unbroken', writeMode));
    const killed = await createPipeline(gateway, duckdbJob('killed', writeMode));

    expect(await untilEnded(gateway, await startSync(gateway, unbroken))).toMatchObject({
      status: 'SUCCEEDED',
      error: null,
    });
    const task = await startSync(gateway, killed);
    await untilMoved(gateway, task, 500_000);
    await gateway.kill();

    gateway = await startGateway({ home: home.path, token: token });
    const ended = await untilEnded(gateway, task);
    expect(ended).toMatchObject({ status: 'SUCCEEDED', error: null });
    expect(ended.attempt).toBe(2);
    await gateway.stop();

    const [a, b, c, d] = await askWarehouse(home.path, [
      `${sums.orders} raw.unbroken_orders`,
      `${sums.orders} raw.killed_orders`,
      `${sums.visits} raw.unbroken_visits`,
      `${sums.visits} raw.killed_visits`,
    ]);
    expect(b).toBe(a);
    expect(d).toBe(c);
    expect(a).toContain(`"${rows}"`);
  },
  180_000,
);

test('a cancelled sync ends within 5 s, and readers still see the table as it was', async () => {
  await using home = await temporaryFolder();
  await using gateway = await startGateway({ home: home.path });
  await signUp(gateway);
  const job = await createPipeline(gateway, duckdbJob('kept', 'OVERWRITE'));
  const task = await startSync(gateway, job);
  await untilMoved(gateway, task, 100_000);

  const startedAt = Date.now();
  await gateway.ask(
    `mutation ($input: CancelTaskInput!) { cancelTask(input: $input) { task { status } userErrors { message } } }`,
    {
      input: { id: task },
    },
  );
  expect((await untilEnded(gateway, task)).status).toBe('CANCELED');
  expect(Date.now() - startedAt).toBeLessThan(5_000);

  await gateway.stop();
  const [tables] = await askWarehouse(home.path, [
    `SELECT table_name FROM information_schema.tables WHERE table_schema IN ('raw', '_sluice_staging')`,
  ]);
  expect(tables).toBe('[]');
}, 120_000);

test('a follower of the log loses no line and sees none twice when the server is killed and started again', async () => {
  await using home = await temporaryFolder();
  let gateway = await startGateway({ home: home.path });
  await signUp(gateway);
  const { token } = gateway;
  const job = await createPipeline(gateway, duckdbJob('watched', 'OVERWRITE'));
  const task = await startSync(gateway, job);

  const seen: number[] = [];
  let cursor: string | undefined;
  const follow = async () => {
    const batches = gateway.watch<{ taskLogs: { cursor: string; lines: { seq: number }[] } }>(
      `subscription ($taskId: ID!, $after: String) { taskLogs(taskId: $taskId, after: $after, minLevel: DEBUG) { cursor lines { seq } } }`,
      { taskId: task, after: cursor },
    );
    for await (const { taskLogs } of batches) {
      seen.push(...taskLogs.lines.map((line) => line.seq));
      cursor = taskLogs.cursor;
    }
  };

  const first = follow().catch(() => undefined);
  await untilMoved(gateway, task, 500_000);
  await gateway.kill();
  await first;
  expect(seen.length).toBeGreaterThan(0);

  gateway = await startGateway({ home: home.path, token: token });
  await follow();
  expect(seen).toEqual(seen.map((_, index) => index + 1));
  expect((await readTask(gateway, task)).logs.nodes.at(-1)?.seq).toBe(seen.at(-1));
  await gateway.stop();
}, 120_000);

test('two workers share the tasks of one store, and one takes over what a killed one leaves', async () => {
  await using database = await createTestDatabase();
  await using home = await temporaryFolder();
  await using firstHome = await temporaryFolder();
  await using secondHome = await temporaryFolder();
  const env = { DATABASE_URL: database.url, SLUICE_SECRET_KEY: Buffer.alloc(32, 7).toString('base64') };
  const filesRoot = { SLUICE_FILES_ROOT: join(home.path, 'files') };

  await using gateway = await startGateway({
    home: home.path,
    env: { ...env, ...filesRoot, SLUICE_WORKERS: '0' },
  });
  await signUp(gateway);
  await using first = await startGateway({
    home: firstHome.path,
    command: 'worker',
    env: { ...env, ...filesRoot, SLUICE_WORKERS: '1' },
  });
  await using second = await startGateway({
    home: secondHome.path,
    command: 'worker',
    env: { ...env, ...filesRoot, SLUICE_WORKERS: '1' },
  });

  const job = (path: string) =>
    createPipeline(gateway, {
      source: { type: 'postgres', config: postgresConfig(source.url) },
      destination: { type: 'parquet', config: { path } },
      streams: [{ name: 'orders', syncMode: 'FULL_REFRESH', writeMode: 'APPEND' }],
    });
  const tasks: string[] = [];
  for (const path of ['a', 'b']) tasks.push(await startSync(gateway, await job(path)));
  for (const task of tasks) await untilMoved(gateway, task, 200_000);

  await first.kill();
  const ended = await Promise.all(tasks.map((task) => untilEnded(gateway, task)));
  expect(ended.map((task) => task.status)).toEqual(['SUCCEEDED', 'SUCCEEDED']);
  expect(ended.map((task) => task.attempt).toSorted((a, b) => a - b)).toEqual([1, 2]);
  expect(second.output()).not.toContain('"level":"error"');

  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  for (const path of ['a', 'b']) {
    const files = join(home.path, 'files', path, 'orders', '*.parquet');
    const reader = await connection.runAndReadAll(
      `SELECT count(*), count(DISTINCT id), sum(id) FROM read_parquet('${files}')`,
    );
    expect(reader.getRowsJson()).toEqual([[String(rows), String(rows), String((rows * (rows + 1)) / 2)]]);
  }
  connection.closeSync();
  instance.closeSync();
}, 180_000);

test('SIGTERM ends the process within 10 s, and another goes on with the task without counting an attempt', async () => {
  await using home = await temporaryFolder();
  let gateway: Gateway = await startGateway({ home: home.path });
  await signUp(gateway);
  const { token } = gateway;
  const task = await startSync(gateway, await createPipeline(gateway, duckdbJob('handed', 'OVERWRITE')));
  await untilMoved(gateway, task, 200_000);

  const { code, ms } = await gateway.stop();
  expect(code).toBe(0);
  expect(ms).toBeLessThan(10_000);

  gateway = await startGateway({ home: home.path, token: token });
  expect(await untilEnded(gateway, task)).toMatchObject({ status: 'SUCCEEDED', attempt: 1 });
  await gateway.stop();
}, 120_000);

test('a schedule starts tasks by itself', async () => {
  await using home = await temporaryFolder();
  await using gateway = await startGateway({ home: home.path });
  await signUp(gateway);
  const job = await createPipeline(gateway, {
    ...duckdbJob('scheduled', 'OVERWRITE'),
    streams: [{ name: 'visits', syncMode: 'FULL_REFRESH' }],
    schedule: { cron: '* * * * *' },
  });
  const tasks = await eventually(
    'a task started by the schedule',
    async () => {
      const answer = await gateway.ask<{ job: { tasks: { nodes: { trigger: string; status: string }[] } } }>(
        `query ($id: ID!) { job(id: $id) { tasks(first: 5) { nodes { trigger status } } } }`,
        { id: job },
      );
      const { nodes } = answer.job.tasks;
      return nodes.some((task) => task.status === 'SUCCEEDED') ? nodes : undefined;
    },
    90_000,
  );
  expect(tasks.map((task) => task.trigger)).toContain('SCHEDULE');
}, 120_000);
