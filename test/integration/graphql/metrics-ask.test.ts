import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Viewer } from '#accounts/viewer.ts';
import { newId } from '#base/id.ts';
import { markWritten } from '#catalog/mark-written.ts';
import { type Data, openTestGraphql, type TestGraphql } from '../../support/graphql.ts';
import { insertProject } from '../../support/rows.ts';
import { defineMetric, fillShop, ofEvents } from '../../support/shop.ts';
import { expectWarehouseStatements, warehouseStatementsOf } from '../../support/warehouse.ts';

let gql: TestGraphql;
let ada: Viewer;

/** Twenty measures over the same rows. */
const names = Array.from({ length: 20 }, (_, n) => `m${n}`);
/** No two tests ask for the same range, so that none is answered from what another has asked. */
let days = 0;

function range(): string {
  days += 1;
  const from = new Date(Date.UTC(2026, 0, 1) - days * 86_400_000).toISOString();
  return `from: "${from}", to: "2026-01-29T00:00:00Z"`;
}

beforeAll(async () => {
  gql = await openTestGraphql();
  ada = await gql.signUp('ada');
  await fillShop(gql, ada);
  for (const [n, name] of names.entries()) {
    const filter = [{ property: 'amount', gt: n }];
    await defineMetric(gql, ada, name, ofEvents({ aggregation: 'SUM', column: 'amount' }, { filter }));
  }
  await defineMetric(gql, ada, 'actions', ofEvents({ aggregation: 'COUNT' }));
  await defineMetric(gql, ada, 'people', ofEvents({ aggregation: 'COUNT_DISTINCT', column: 'userKey' }));
  await defineMetric(gql, ada, 'signed_up', {
    simple: { entity: 'USER', measure: { aggregation: 'COUNT' } },
  });
});
afterAll(() => gql[Symbol.asyncDispose]());

const january = 'from: "2026-01-01T00:00:00Z", to: "2026-01-29T00:00:00Z"';

test('a series has a point for each period and group, with what it is compared with', async () => {
  const { metric } = await gql.ask(
    ada,
    `{ metric(name: "people") { series(grain: WEEK, from: "2026-01-05T00:00:00Z", to: "2026-01-19T00:00:00Z",
       by: ["organization.plan"], compareTo: PREVIOUS_PERIOD) { points { at dimensions value previousValue change } } } }`,
  );
  const point = (at: string, plan: string, value: number, previousValue: number) => ({
    at: `${at}T00:00:00.000Z`,
    dimensions: { 'organization.plan': plan },
    value,
    previousValue,
    change: value / previousValue - 1,
  });
  expect(metric.series.points).toEqual([
    point('2026-01-05', 'free', 2, 2),
    point('2026-01-05', 'team', 2, 2),
    point('2026-01-12', 'free', 2, 2),
    point('2026-01-12', 'team', 2, 2),
  ]);
});

test('periods are those of the time zone that is asked for', async () => {
  const query = `{ metric(name: "actions") { series(grain: DAY, timeZone: "Asia/Tokyo", from: "2026-01-01T15:00:00Z", to: "2026-01-03T15:00:00Z") { points { at value } } } }`;
  const { metric } = await gql.ask(ada, query);
  expect(metric.series.points).toEqual([
    { at: '2026-01-01T15:00:00.000Z', value: 1 },
    { at: '2026-01-02T15:00:00.000Z', value: 2 },
  ]);
});

test('a limit keeps the largest groups and makes one of the rest', async () => {
  const { metric } = await gql.ask(
    ada,
    `{ metric(name: "actions") { series(grain: YEAR, ${january}, by: ["userKey"], limit: 1) { points { dimensions value } } } }`,
  );
  expect(metric.series.points).toEqual([
    { dimensions: { userKey: expect.anything() }, value: 28 },
    { dimensions: { userKey: 'other' }, value: 31 },
  ]);
});

test('twenty metrics by twenty aliases cost one statement of the warehouse', async () => {
  const fields = `series(grain: DAY, ${range()}) { points { value } sql }`;
  const query = `{ ${names.map((name) => `${name}: metric(name: "${name}") { ${fields} }`).join('\n')} }`;
  let data: Data;
  await expectWarehouseStatements(1, async () => {
    data = await gql.ask(ada, query);
  });
  const totals = names.map((name) =>
    data[name].series.points.reduce((sum: number, { value }: { value: number }) => sum + value, 0),
  );
  expect(totals[0]).toBe(406 + 196 + 145 + 91);
  expect(totals[19]).toBeLessThan(totals[0]);
  expect(new Set(names.map((name) => data[name].series.sql)).size).toBe(1);
});

test('twenty metrics in a table cost one statement of the warehouse', async () => {
  const query = `{ metricTable(metrics: ${JSON.stringify(names)}, grain: DAY, ${range()}) { columns { name } rows sql } }`;
  let data: Data;
  await expectWarehouseStatements(1, async () => {
    data = await gql.ask(ada, query);
  });
  expect(data.metricTable.columns.map(({ name }: { name: string }) => name)).toEqual(['at', ...names]);
  expect(data.metricTable.sql.length).toBe(1);
});

test('what is asked of one metric by several fields, of a list of metrics and in a table is one statement too', async () => {
  const asked = range();
  await expectWarehouseStatements(1, () =>
    gql.ask(
      ada,
      `{ metrics(first: 20) { nodes { series(grain: DAY, ${asked}) { points { value } } } }
         metric(name: "actions") { one: series(grain: DAY, ${asked}) { sql } two: series(grain: DAY, ${asked}) { cache } }
         metricTable(metrics: ["people", "m3"], grain: DAY, ${asked}) { rows } }`,
    ),
  );
  await expectWarehouseStatements(1, () =>
    gql.ask(
      ada,
      `{ metrics(first: 20) { nodes { value(${asked}) } } metricTable(metrics: ["people"], ${asked}) { rows } }`,
    ),
  );
});

test('what is asked over other rows, by another grain or with another filter is a statement of its own', async () => {
  const asked = range();
  const query = `{ a: metric(name: "actions") { series(grain: DAY, ${asked}) { sql } }
    b: metric(name: "people") { series(grain: WEEK, ${asked}) { sql } }
    c: metric(name: "m1") { series(grain: DAY, ${asked}, filter: [{ property: "name", eq: "query_run" }]) { sql } }
    d: metric(name: "signed_up") { series(grain: DAY, ${asked}) { sql } } }`;
  await expectWarehouseStatements(4, () => gql.ask(ada, query));
});

test('a wrong question beside right ones fails alone', async () => {
  const { data, errors } = await gql.answer(
    ada,
    `{ right: metric(name: "actions") { value(${january}) }
       wrong: metric(name: "people") { series(grain: DAY, ${january}, by: ["colour"]) { points { value } } }
       odd: metric(name: "m1") { value(${january}, filter: [{ property: "amount", gt: "a lot" }]) } }`,
  );
  expect(data).toEqual({ right: { value: 59 }, wrong: null, odd: { value: null } });
  expect(
    errors.map(({ path, extensions }) => `${path?.join('.')} ${String(extensions.code)}`).sort(),
  ).toEqual(['odd.value BAD_USER_INPUT', 'wrong.series BAD_USER_INPUT']);
});

test.each([
  ['an unknown metric', 'metricTable(metrics: ["actoins"]) { rows }', 'Did you mean "actions"'],
  ['no metric', 'metricTable(metrics: []) { rows }', ''],
  [
    'an unknown time zone',
    'metric(name: "actions") { series(grain: DAY, timeZone: "Mars/Olympus") { sql } }',
    'Mars',
  ],
  [
    'an empty range',
    'metric(name: "actions") { series(grain: DAY, from: "2026-01-02T00:00:00Z", to: "2026-01-01T00:00:00Z") { sql } }',
    '',
  ],
  [
    'a limit of nothing',
    'metric(name: "actions") { series(grain: DAY, by: ["name"], limit: 0) { sql } }',
    '0',
  ],
  [
    'more periods than an answer holds',
    'metric(name: "actions") { series(grain: MINUTE, from: "1990-01-01T00:00:00Z") { sql } }',
    '',
  ],
])('%s is BAD_USER_INPUT that says what is wrong', async (_what, field, words) => {
  const { errors } = await gql.answer(ada, `{ ${field} }`);
  expect(errors.map(({ extensions }) => extensions.code)).toEqual(['BAD_USER_INPUT']);
  expect(errors[0]?.message).toContain(words);
});

test('a table has the period, the dimensions and each metric with what it is compared with', async () => {
  const { metricTable } = await gql.ask(
    ada,
    `{ metricTable(metrics: ["actions", "people"], by: ["organization.plan"], grain: MONTH, ${january}, compareTo: PREVIOUS_YEAR) {
       columns { name dataType } rows } }`,
  );
  expect(metricTable.columns).toEqual([
    { name: 'at', dataType: 'TIMESTAMP WITH TIME ZONE' },
    { name: 'organization.plan', dataType: 'JSON' },
    { name: 'actions', dataType: 'DOUBLE' },
    { name: 'actions previous', dataType: 'DOUBLE' },
    { name: 'actions change', dataType: 'DOUBLE' },
    { name: 'people', dataType: 'DOUBLE' },
    { name: 'people previous', dataType: 'DOUBLE' },
    { name: 'people change', dataType: 'DOUBLE' },
  ]);
  expect(metricTable.rows).toEqual([
    ['2026-01-01T00:00:00.000Z', 'free', 17, 0, null, 2, 0, null],
    ['2026-01-01T00:00:00.000Z', 'team', 42, 0, null, 2, 0, null],
  ]);
});

test('a table without a grain has one row a group', async () => {
  const { metricTable } = await gql.ask(
    ada,
    `{ metricTable(metrics: ["actions"], by: ["name"], ${january}) { columns { name } rows } }`,
  );
  expect(metricTable).toEqual({
    columns: [{ name: 'name' }, { name: 'actions' }],
    rows: [
      ['query_run', 19],
      ['report_opened', 40],
    ],
  });
});

test('the statement that was run is shown, with its binds', async () => {
  const { metric } = await gql.ask(ada, `{ metric(name: "m1") { series(grain: DAY, ${range()}) { sql } } }`);
  expect(metric.series.sql).toMatch(/SELECT[\s\S]+"events"[\s\S]+-- binds: /);
});

const writeEvents = async (taskId: string, jobId: string, name = 'events') => {
  const { catalog } = gql.app;
  const table = { datastore: 'warehouse', database: 'warehouse', schema: 'raw', name };
  const { projectId } = ada;
  const feed = { jobId, stream: name };
  await markWritten(catalog.store.db, catalog.datastores, { projectId, taskId, table, at: new Date(), feed });
};

test('an answer is kept until a task writes a table that it reads, and only then; it then says by which task', async () => {
  await insertProject(gql.app.store.db, ada);
  const { id: taskId, jobId } = await gql.app.store.db.task.findFirstOrThrow({
    where: { projectId: ada.projectId },
  });
  const query = `{ metric(name: "m2") { series(grain: DAY, ${range()}) { cache freshness { syncedAt task { status } } } }
    metricTable(metrics: ["signed_up"], grain: DAY, ${range()}) { cache } }`;
  const ask = async () => {
    let answer: Data;
    const statements = await warehouseStatementsOf(async () => {
      answer = await gql.ask(ada, query);
    });
    const { series } = answer.metric;
    return { series, table: answer.metricTable.cache, statements: statements.length };
  };
  expect(await ask()).toMatchObject({ series: { cache: 'MISS' }, table: 'MISS', statements: 2 });
  expect(await ask()).toMatchObject({ series: { cache: 'HIT' }, table: 'HIT', statements: 0 });
  await writeEvents(taskId, jobId ?? newId(), 'organizations');
  expect(await ask()).toMatchObject({ series: { cache: 'HIT' }, table: 'HIT', statements: 0 });
  await writeEvents(taskId, jobId ?? newId());
  expect(await ask()).toMatchObject({
    series: { cache: 'MISS', freshness: { syncedAt: expect.any(String), task: { status: 'SUCCEEDED' } } },
    table: 'HIT',
    statements: 1,
  });
  expect(await ask()).toMatchObject({ series: { cache: 'HIT' }, table: 'HIT', statements: 0 });
});

test('a metric is live at once, changed at once and gone at once, whatever was kept before', async () => {
  const ask = async (name: string) =>
    (await gql.ask(ada, `{ metric(name: "${name}") { value(${january}) } }`)).metric;
  expect(await ask('fresh')).toBeNull();
  const id = await defineMetric(gql, ada, 'fresh', ofEvents({ aggregation: 'COUNT' }));
  expect(await ask('fresh')).toEqual({ value: 59 });
  await gql.ask(
    ada,
    `mutation ($id: ID!) { updateMetric(input: { id: $id, definition: { simple: { entity: EVENT, measure: { aggregation: MAX, column: "amount" } } } }) { userErrors { message } } }`,
    { id },
  );
  expect(await ask('fresh')).toEqual({ value: 28 });
  await gql.ask(ada, 'mutation ($id: ID!) { deleteMetric(input: { id: $id }) { userErrors { message } } }', {
    id,
  });
  expect(await ask('fresh')).toBeNull();
});

test('whoever is gone stops the statement that nobody else waits for', async () => {
  const leaving = new AbortController();
  leaving.abort();
  const { errors } = await gql.answer(
    ada,
    `{ metric(name: "actions") { value(${range()}) } }`,
    {},
    leaving.signal,
  );
  expect(errors.length).toBe(1);
});
