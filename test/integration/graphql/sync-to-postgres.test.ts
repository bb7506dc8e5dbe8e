import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Viewer } from '#accounts/viewer.ts';
import { type Data, openTestGraphql, type TestGraphql, type Variables } from '../../support/graphql.ts';
import { openPostgresWarehouse, type TestPostgresWarehouse } from '../../support/postgres-warehouse.ts';

let gql: TestGraphql;
let ada: Viewer;
let postgres: TestPostgresWarehouse;

beforeAll(async () => {
  gql = await openTestGraphql({ workers: 1 });
  ada = await gql.signUp('ada');
  postgres = await openPostgresWarehouse();
  await mkdir(join(gql.filesRoot, 'shop'), { recursive: true });
});
afterAll(async () => {
  await gql[Symbol.asyncDispose]();
  await postgres[Symbol.asyncDispose]();
});

async function run(mutation: string, input: Variables, fields: string): Promise<Data> {
  const type = `${mutation[0]?.toUpperCase()}${mutation.slice(1)}Input`;
  const query = `mutation ($input: ${type}!) { ${mutation}(input: $input) { ${fields} userErrors { code path message fix } } }`;
  const answer = (await gql.ask(ada, query, { input }))[mutation];
  expect(answer.userErrors).toEqual([]);
  return answer;
}

/** Runs the job to its end. */
async function sync(jobId: string): Promise<Data> {
  const { task } = await run('syncJob', { id: jobId }, 'task { id }');
  const query = `subscription ($taskId: ID!) { taskUpdated(taskId: $taskId) { id status rowsWritten error { kind message fix } } }`;
  let last: Data;
  for await (const { data } of gql.follow(ada, query, { taskId: task.id })) last = data.taskUpdated;
  return last!;
}

const orders = (totals: readonly string[]) =>
  writeFile(
    join(gql.filesRoot, 'shop', 'orders.csv'),
    `id,total,at\n${totals.map((total, at) => `${at + 1},${total},2026-01-02 03:04:05`).join('\n')}\n`,
  );

test('a job into a PostgreSQL datastore: its table is in the catalog, fresh and with its lineage, and answers are dropped', async () => {
  const { server } = postgres;
  await run(
    'createDatastore',
    { name: 'hot', engine: 'POSTGRES', role: 'OPERATIONAL', config: { ...server } },
    'datastore { id }',
  );
  const { source } = await run(
    'createSource',
    { name: 'shop', type: 'files', config: { path: 'shop' } },
    'source { id }',
  );
  const config = { datastore: 'hot', schema: 'served' };
  const { destination } = await run(
    'createDestination',
    { name: 'hot', type: 'datastore', config },
    'destination { id }',
  );
  const stream = { name: 'orders', syncMode: 'FULL_REFRESH', writeMode: 'OVERWRITE', primaryKey: ['id'] };
  await orders(['2.50', '3.00', '4.25']);
  const ends = { sourceId: source.id, destinationId: destination.id };
  const { job } = await run('createJob', { name: 'orders', ...ends, streams: [stream] }, 'job { id }');
  const first = await sync(job.id);
  expect(first).toMatchObject({ status: 'SUCCEEDED', rowsWritten: 3, error: null });

  const fqn = `hot.${server.database}.served.orders`;
  const tableQuery = `query ($fqn: String!) { table(fqn: $fqn) {
    rowCount datastore { name role } freshness { task { id } } upstream { job { name } stream } sample { rows } } }`;
  const { table } = await gql.ask(ada, tableQuery, { fqn });
  expect(table).toMatchObject({
    rowCount: 3,
    datastore: { name: 'hot', role: 'OPERATIONAL' },
    freshness: { task: { id: first['id'] } },
    upstream: [{ job: { name: 'orders' }, stream: 'orders' }],
    sample: { rows: expect.arrayContaining([[1, 2.5, expect.stringContaining('2026-01-02')]]) },
  });
  const { tables } = await gql.ask(ada, '{ tables(first: 50) { nodes { fqn } } }');
  expect(tables.nodes.map((each: Data) => each.fqn)).toEqual([fqn]);
  expect(
    (
      await postgres.warehouse.run({
        sql: "SELECT indexname::text FROM pg_indexes WHERE schemaname = 'served'",
      })
    ).rows,
  ).toEqual([['orders_key']]);

  const definition = {
    simple: { table: 'served.orders', time: 'at', measure: { aggregation: 'SUM', column: 'total' } },
  };
  await run('createMetric', { name: 'revenue', definition }, 'metric { id }');
  const series = `{ metric(name: "revenue") {
    series(grain: YEAR, from: "2026-01-01T00:00:00Z", to: "2027-01-01T00:00:00Z") { points { value } cache } } }`;
  const asked = async () => (await gql.ask(ada, series)).metric.series;
  expect(await asked()).toMatchObject({ cache: 'MISS', points: [{ value: 9.75 }] });
  expect(await asked()).toMatchObject({ cache: 'HIT', points: [{ value: 9.75 }] });
  await orders(['9.00']);
  expect(await sync(job.id)).toMatchObject({ status: 'SUCCEEDED', rowsWritten: 1 });
  expect(await asked()).toMatchObject({ cache: 'MISS', points: [{ value: 9 }] });
});
