import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Viewer } from '#accounts/viewer.ts';
import { expectStatements, openTestGraphql, type TestGraphql } from '../../support/graphql.ts';
import { change, defineMetric, fillShop, ofEvents } from '../../support/shop.ts';

let gql: TestGraphql;
let ada: Viewer;

const january = 'from: "2026-01-01T00:00:00Z", to: "2026-01-29T00:00:00Z"';
const count = ofEvents({ aggregation: 'COUNT' });

beforeAll(async () => {
  gql = await openTestGraphql();
  ada = await gql.signUp('ada');
  await fillShop(gql, ada);
  await defineMetric(gql, ada, 'actions', count);
  await defineMetric(gql, ada, 'people', ofEvents({ aggregation: 'COUNT_DISTINCT', column: 'userKey' }));
  await defineMetric(gql, ada, 'ratio', { ratio: { numerator: 'actions', denominator: 'people' } });
  for (let n = 0; n < 20; n += 1) {
    const [table, time] = n % 2 === 0 ? ['raw.users', 'created_at'] : ['raw.events', 'at'];
    const rows = { simple: { table, time, measure: { aggregation: 'COUNT' } } };
    await defineMetric(
      gql,
      ada,
      `rows_${n}`,
      n % 3 === 0 ? rows : { derived: { expression: 'actions + 1' } },
    );
  }
});
afterAll(() => gql[Symbol.asyncDispose]());

test('dimensions are what a question may group by, and what all parts of a metric have', async () => {
  await defineMetric(
    gql,
    ada,
    'few',
    ofEvents({ aggregation: 'COUNT' }, { dimensions: ['organization.plan', 'name'] }),
  );
  await defineMetric(gql, ada, 'shared', { ratio: { numerator: 'few', denominator: 'people' } });
  const {
    people: all,
    few,
    shared,
  } = await gql.ask(
    ada,
    `{ people: metric(name: "people") { dimensions } few: metric(name: "few") { dimensions } shared: metric(name: "shared") { dimensions } }`,
  );
  expect(few.dimensions).toEqual(['organization.plan', 'name']);
  expect(shared.dimensions).toEqual(['organization.plan', 'name']);
  expect(all.dimensions).toEqual(
    expect.arrayContaining(['key', 'name', 'at', 'userKey', 'amount', 'user.email', 'organization.plan']),
  );
  for (const path of all.dimensions) {
    const query = `query ($by: [String!]) { metric(name: "people") { series(grain: MONTH, ${january}, by: $by) { points { value } } } }`;
    const { metric } = await gql.ask(ada, query, { by: [path] });
    expect(metric.series.points.length, path).toBeGreaterThan(0);
  }
});

test('the tables and the freshness of a metric are those that it reads', async () => {
  const { db } = gql.app.store;
  const syncedAt = new Date('2026-02-01T00:00:00Z');
  await db.catalogTable.updateMany({
    where: { projectId: ada.projectId, name: 'events' },
    data: { syncedAt },
  });
  const { metric } = await gql.ask(
    ada,
    '{ metric(name: "ratio") { tables { name } freshness { syncedAt task { id } } } }',
  );
  expect(metric).toEqual({
    tables: [{ name: 'events' }],
    freshness: { syncedAt: syncedAt.toISOString(), task: null },
  });
});

test('a metric whose table is gone says so when it is asked, and can still be listed and deleted', async () => {
  const { warehouse } = await gql.app.catalog.datastores.open(ada.projectId);
  await warehouse.run({ sql: 'CREATE TABLE raw.passing AS SELECT now() AS at' });
  const refresh = () => gql.ask(ada, 'mutation { refreshCatalog(input: {}) { tables } }');
  await refresh();
  const measure = { aggregation: 'COUNT' };
  const id = await defineMetric(gql, ada, 'passing', {
    simple: { table: 'raw.passing', time: 'at', measure },
  });
  await warehouse.run({ sql: 'DROP TABLE raw.passing' });
  await refresh();
  const { data, errors } = await gql.answer(
    ada,
    '{ metric(name: "passing") { dimensions tables { name } freshness { syncedAt } value } }',
  );
  expect(data.metric).toEqual({ dimensions: [], tables: [], freshness: { syncedAt: null }, value: null });
  expect(errors.map(({ extensions, path }) => [path?.at(-1), extensions.code])).toEqual([
    ['value', 'BAD_USER_INPUT'],
  ]);
  const gone = await change(gql, ada, 'deleteMetric', { id }, 'deletedId');
  expect(gone).toEqual({ deletedId: id, userErrors: [] });
});

test('a page of metrics with all that is known of them costs as many statements as one of them', async () => {
  const query = (first: number) =>
    `{ metrics(first: ${first}) { nodes { name title dimensions definition tables { name } usedBy { name } freshness { syncedAt } problems { message } } } }`;
  const statements = 7;
  await expectStatements(statements, () => gql.ask(ada, query(8)));
  await expectStatements(statements, () => gql.ask(ada, query(20)));
});

test('whoever may only read data asks metrics and defines none; whoever may only read settings does not see them', async () => {
  const reader = await gql.apiKey(ada, ['DATA_READ']);
  const watcher = await gql.apiKey(ada, ['CONTROL_READ']);
  const viewer = await gql.member(ada, 'VIEWER');
  const query = `{ metric(name: "actions") { value(${january}) } metricTable(metrics: ["actions"], ${january}) { rows } }`;
  for (const who of [reader, viewer]) {
    expect(await gql.ask(who, query)).toEqual({ metric: { value: 59 }, metricTable: { rows: [[59]] } });
    const { errors } = await gql.answer(
      who,
      'mutation ($input: CreateMetricInput!) { createMetric(input: $input) { metric { id } } }',
      { input: { name: 'sneaky', definition: count } },
    );
    expect(errors.map(({ extensions }) => extensions.code)).toEqual(['FORBIDDEN']);
  }
  const { errors } = await gql.answer(watcher, '{ metrics { nodes { name } } }');
  expect(errors.map(({ extensions }) => extensions.code)).toEqual(['FORBIDDEN']);
});

test('the metrics of another project cannot be seen, used, asked or named', async () => {
  const eve = await gql.signUp('eve');
  await fillShop(gql, eve);
  const { metric, metrics } = await gql.ask(eve, '{ metric(name: "actions") { id } metrics { totalCount } }');
  expect({ metric, metrics }).toEqual({ metric: null, metrics: { totalCount: 0 } });
  const { userErrors } = await change(
    gql,
    eve,
    'createMetric',
    { name: 'mine', definition: { derived: { expression: 'actions * 2' } } },
    'metric { id }',
  );
  expect(userErrors).toMatchObject([{ path: ['definition', 'derived', 'expression'] }]);
  expect(JSON.stringify(userErrors)).not.toContain('Did you mean');
  const { errors } = await gql.answer(eve, '{ metricTable(metrics: ["actions"]) { rows } }');
  expect(errors.map(({ extensions }) => extensions.code)).toEqual(['BAD_USER_INPUT']);
  expect(
    (await change(gql, eve, 'createMetric', { name: 'actions', definition: count }, 'metric { id }'))
      .userErrors,
  ).toEqual([]);
});
