import { expect, test } from 'vitest';
import { refreshCatalog } from '#catalog/refresh.ts';
import { eventually } from '../../support/gateway.ts';
import { type Data, openTestGraphql, type Variables } from '../../support/graphql.ts';

const types: Record<string, string> = {
  createMetric: 'CreateMetricInput',
  createSource: 'CreateSourceInput',
  createDestination: 'CreateDestinationInput',
  createJob: 'CreateJobInput',
  syncJob: 'SyncJobInput',
};

/** A project with orders of three days in its warehouse, metrics over them, and a destination for copies. */
async function openShop() {
  await using opening = new AsyncDisposableStack();
  const gql = opening.use(await openTestGraphql({ workers: 1 }));
  const ada = await gql.signUp('ada');
  const { catalog } = gql.app;
  const { warehouse } = await catalog.datastores.open(ada.projectId);
  const sql = async (text: string) => (await warehouse.run({ sql: text })).rows;
  const change = async (field: string, input: Variables, what: string): Promise<Data> => {
    const answer = await gql.ask(
      ada,
      `mutation ($input: ${types[field]}!) { ${field}(input: $input) { ${what} userErrors { code message fix path } } }`,
      { input },
    );
    return answer[field];
  };
  const done = async (field: string, thing: string, input: Variables): Promise<string> => {
    const answer = await change(field, input, `${thing} { id }`);
    expect(answer.userErrors).toEqual([]);
    return answer[thing].id;
  };
  await sql('CREATE SCHEMA raw');
  await sql(`CREATE TABLE raw.orders AS SELECT * FROM (VALUES
    (TIMESTAMPTZ '2026-03-01 08:00:00Z', 10.25, 'web'), ('2026-03-01 09:00:00Z', 5, NULL),
    ('2026-03-02 08:00:00Z', 20, 'web'), ('2026-03-03 08:00:00Z', 30, 'app')) AS t (bought_at, amount, channel)`);
  await refreshCatalog(catalog, { projectId: ada.projectId });
  const simple = { table: 'raw.orders', time: 'bought_at', dimensions: ['channel'] };
  for (const [name, measure] of [
    ['orders', { aggregation: 'COUNT' }],
    ['sales', { aggregation: 'SUM', column: 'amount' }],
    ['largest', { aggregation: 'MAX', column: 'amount' }],
  ] as const) {
    await done('createMetric', 'metric', { name, definition: { simple: { ...simple, measure } } });
  }
  const destinationId = await done('createDestination', 'destination', {
    name: 'served',
    type: 'datastore',
    config: { schema: 'served' },
  });
  const source = (name: string, series: Variables[]) =>
    change(
      'createSource',
      { name, type: 'datastore', config: { series } },
      'source { id streams { name jsonSchema primaryKey comparable } }',
    );
  const job = async (name: string, sourceId: string, stream: Variables, more: Variables = {}) =>
    done('createJob', 'job', { name, sourceId, destinationId, streams: [stream], ...more });
  const sync = async (id: string): Promise<Data> => {
    const taskId = await done('syncJob', 'task', { id });
    let last: Data;
    const watch = `subscription ($id: ID!) { taskUpdated(taskId: $id) {
      status error { kind message fix } streams { rowsRead rowsAdded rowsChanged rowsRemoved } } }`;
    for await (const { data } of gql.follow(ada, watch, { id: taskId })) last = data.taskUpdated;
    return last;
  };
  const opened = opening.move();
  return { gql, ada, sql, source, job, sync, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}

const march = { from: '2026-03-01T00:00:00Z', to: '2026-03-04T00:00:00Z', grain: 'DAY' };
const daily = { name: 'daily', metrics: ['orders', 'sales', 'largest'], by: ['channel'], ...march };
const all = `SELECT strftime(period_start AT TIME ZONE 'UTC', '%d'), channel, orders, sales, largest FROM served.daily ORDER BY 1, 2`;

test('a series of metrics is copied as a table, and by difference only points that changed are moved', async () => {
  await using shop = await openShop();
  const { source } = await shop.source('metrics', [daily]);
  const offered = source.streams.find(({ name }: Data) => name === 'daily');
  expect(offered).toMatchObject({ primaryKey: ['period_start', 'channel'], comparable: true });
  const names = ['period_start', 'channel', 'orders', 'sales', 'largest'];
  expect(Object.keys(offered.jsonSchema.properties)).toEqual(names);
  const stream = { name: 'daily', syncMode: 'INCREMENTAL', difference: { mirrorRemovals: true } };
  const id = await shop.job('daily to served', source.id, stream);
  expect(await shop.sync(id)).toMatchObject({
    status: 'SUCCEEDED',
    error: null,
    streams: [{ rowsRead: 9, rowsAdded: 9, rowsChanged: 0, rowsRemoved: 0 }],
  });
  expect(await shop.sql(all)).toEqual([
    ['01', '(none)', 1, 5, 5],
    ['01', 'app', 0, 0, null],
    ['01', 'web', 1, 10.25, 10.25],
    ['02', '(none)', 0, 0, null],
    ['02', 'app', 0, 0, null],
    ['02', 'web', 1, 20, 20],
    ['03', '(none)', 0, 0, null],
    ['03', 'app', 1, 30, 30],
    ['03', 'web', 0, 0, null],
  ]);
  // Not written by a task: what is kept of the answer would not show it.
  await shop.sql(`INSERT INTO raw.orders VALUES ('2026-03-02 10:00:00Z', 1.5, 'web')`);
  expect(await shop.sync(id)).toMatchObject({
    streams: [{ rowsRead: 1, rowsAdded: 0, rowsChanged: 1, rowsRemoved: 0 }],
  });
  expect((await shop.sql(all))[5]).toEqual(['02', 'web', 2, 21.5, 20]);
  await shop.sql('DELETE FROM raw.orders WHERE channel IS NULL');
  expect(await shop.sync(id)).toMatchObject({
    streams: [{ rowsRead: 3, rowsAdded: 0, rowsChanged: 0, rowsRemoved: 3 }],
  });
  expect(await shop.sql('SELECT count(*) FROM served.daily')).toEqual([[6n]]);
  expect(await shop.sync(id)).toMatchObject({
    status: 'SUCCEEDED',
    streams: [{ rowsRead: 0, rowsRemoved: 0 }],
  });
  const { tables } = await shop.gql.ask(
    shop.ada,
    '{ tables(first: 5, search: ".served.") { nodes { upstream { table { fqn } } } } }',
  );
  expect(tables.nodes).toEqual([{ upstream: [{ table: { fqn: 'warehouse.warehouse.raw.orders' } }] }]);
});

test('a series is read whole by FULL_REFRESH, and from the last period on by its cursor', async () => {
  await using shop = await openShop();
  const { source } = await shop.source('metrics', [
    { ...daily, name: 'whole', by: [] },
    { ...daily, name: 'latest', by: [] },
  ]);
  const whole = await shop.job('whole', source.id, { name: 'whole', syncMode: 'FULL_REFRESH' });
  const latest = await shop.job('latest', source.id, {
    name: 'latest',
    syncMode: 'INCREMENTAL',
    cursorField: 'period_start',
  });
  for (const id of [whole, latest]) expect(await shop.sync(id)).toMatchObject({ streams: [{ rowsRead: 3 }] });
  await shop.sql(`INSERT INTO raw.orders VALUES ('2026-03-03 23:00:00Z', 2, 'web')`);
  expect(await shop.sync(whole)).toMatchObject({ streams: [{ rowsRead: 3 }] });
  expect(await shop.sync(latest)).toMatchObject({ streams: [{ rowsRead: 1 }] });
  for (const table of ['whole', 'latest']) {
    expect(await shop.sql(`SELECT orders, sales FROM served.${table} ORDER BY period_start`)).toEqual([
      [2, 15.25],
      [1, 20],
      [2, 32],
    ]);
  }
});

test('a series that cannot be asked is refused by name: its metric, its dimension, its range, its columns', async () => {
  await using shop = await openShop();
  const refused = async (more: Variables): Promise<string> => {
    const input = { type: 'datastore', config: { series: [{ ...daily, ...more }] } };
    const ask = 'mutation ($input: TestSourceInput!) { testSource(input: $input) { ok message } }';
    const { testSource } = await shop.gql.ask(shop.ada, ask, { input });
    expect(testSource.ok).toBe(false);
    return testSource.message;
  };
  expect(await refused({ metrics: ['salse'] })).toContain(
    'There is no metric "salse". Did you mean "sales"? The project has: largest, orders, sales.',
  );
  expect(await refused({ by: ['country'] })).toContain('"country" is no dimension of the metric "orders"');
  expect(await refused({ to: '2026-02-01T00:00:00Z' })).toContain('The range is empty');
  expect(await refused({ timeZone: 'Mars' })).toContain('Mars');
  expect(await refused({ periods: 3 })).toContain('both "from" and "periods"');
});

test('groups that have one text fail the stream instead of becoming one row', async () => {
  await using shop = await openShop();
  await shop.sql(`INSERT INTO raw.orders VALUES ('2026-03-02 10:00:00Z', 1, '(none)')`);
  const { source } = await shop.source('metrics', [daily, { ...daily, name: 'told', nullAs: 'unknown' }]);
  const id = await shop.job('daily', source.id, { name: 'daily', syncMode: 'FULL_REFRESH' });
  expect(await shop.sync(id)).toMatchObject({
    status: 'FAILED',
    error: {
      kind: 'SCHEMA',
      message: expect.stringContaining('Two points of the series "daily" have one key'),
    },
  });
  const told = await shop.job('told', source.id, { name: 'told', syncMode: 'FULL_REFRESH' });
  expect(await shop.sync(told)).toMatchObject({ status: 'SUCCEEDED', streams: [{ rowsRead: 12 }] });
});

test('a job over a series that runs after its inputs begins by itself', async () => {
  await using shop = await openShop();
  const { source } = await shop.source('metrics', [daily]);
  const stream = { name: 'daily', syncMode: 'INCREMENTAL', difference: {} };
  const id = await shop.job('daily to served', source.id, stream, { runAfterInputs: true });
  const task = await eventually('a task to end', async () => {
    const ask =
      'query ($id: ID!) { job(id: $id) { runAfterInputs tasks(first: 1) { nodes { trigger status rowsWritten } } } }';
    const { job } = await shop.gql.ask(shop.ada, ask, { id });
    expect(job.runAfterInputs).toBe(true);
    return job.tasks.nodes.find(({ status }: Data) => status !== 'QUEUED' && status !== 'RUNNING');
  });
  expect(task).toEqual({ trigger: 'UPSTREAM', status: 'SUCCEEDED', rowsWritten: 9 });
});
