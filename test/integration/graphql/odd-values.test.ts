import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Viewer } from '#accounts/viewer.ts';
import { fillWarehouse, mapEntity } from '../../support/entities.ts';
import { openTestGraphql, type TestGraphql } from '../../support/graphql.ts';

let gql: TestGraphql;
let ada: Viewer;
beforeAll(async () => {
  gql = await openTestGraphql();
  ada = await gql.signUp('ada');
  await fillWarehouse(gql, ada, [
    'CREATE SCHEMA raw',
    `CREATE TABLE raw.odd AS SELECT * FROM (VALUES
       ('a', TIMESTAMP '12345-06-07 08:09:10.123456', 'NaN'::DOUBLE, DATE '2026-01-01'),
       ('b', TIMESTAMP '12345-06-07 08:09:10.123457', 'Infinity', DATE '2026-01-02'),
       ('c', TIMESTAMP '2000-01-01 (BC)', 1.5, DATE '2026-01-03'),
       ('d', 'infinity', NULL, DATE '2026-01-04'), ('e', '-infinity', NULL, NULL), ('f', NULL, NULL, NULL)
     ) AS t(id, made, amount, day)`,
    `CREATE TABLE raw.days AS SELECT id, day FROM (VALUES ('a', DATE '12345-01-01'), ('b', DATE '12345-01-02'),
       ('c', DATE '2000-01-01 (BC)')) AS t(id, day)`,
  ]);
});
afterAll(() => gql[Symbol.asyncDispose]());

async function pagedKeys(list: 'users' | 'organizations', direction: string): Promise<string[]> {
  const keys: string[] = [];
  const query = `query ($after: String) { list: ${list}(first: 1, after: $after, orderBy: { field: CREATED_AT, direction: ${direction} }) {
    nodes { key } pageInfo { endCursor hasNextPage } } }`;
  for (let after: string | null = null; keys.length < 10;) {
    const { list: page } = await gql.ask(ada, query, { after });
    keys.push(page.nodes[0].key);
    if (!page.pageInfo.hasNextPage) break;
    after = page.pageInfo.endCursor;
  }
  return keys;
}

test('pages by moments go through years that have no four digits, to the microsecond', async () => {
  await mapEntity(gql, ada, { kind: 'USER', table: 'raw.odd', key: 'id', createdAt: 'made' });
  expect(await pagedKeys('users', 'ASC')).toEqual(['e', 'c', 'a', 'b', 'd', 'f']);
  expect(await pagedKeys('users', 'DESC')).toEqual(['d', 'b', 'a', 'c', 'e', 'f']);
  await mapEntity(gql, ada, { kind: 'ORGANIZATION', table: 'raw.days', key: 'id', createdAt: 'day' });
  expect(await pagedKeys('organizations', 'ASC')).toEqual(['c', 'a', 'b']);
});

test('a filter of too many filters is refused, and fails nothing else', async () => {
  await mapEntity(gql, ada, { kind: 'USER', table: 'raw.odd', key: 'id', createdAt: 'made' });
  const totalOf = (filter: object) =>
    gql.answer(
      ada,
      'query ($filter: UserFilter) { viewer { id: __typename } users(filter: $filter) { totalCount } }',
      {
        filter,
      },
    );
  const each = (count: number) => Array.from({ length: count }, (_, at) => ({ key: { eq: String(at) } }));
  expect((await totalOf({ or: each(999) })).data.users.totalCount).toBe(0);
  for (const filter of [
    { or: each(20_000) },
    { and: [{ or: each(600) }, { not: { or: each(600) } }] },
    { properties: Array.from({ length: 1_001 }, () => ({ property: 'amount', isNull: true })) },
  ]) {
    const { data, errors } = await totalOf(filter);
    expect(errors.map((error) => error.extensions.code)).toEqual(['BAD_USER_INPUT']);
    expect(errors[0]?.message).toContain('more than 1000 filters');
    expect(data).toEqual({ viewer: { id: 'Viewer' }, users: { totalCount: null } });
  }
});

test('a sum that is no finite number is null, and not the 0 of no rows', async () => {
  const definition = {
    simple: { table: 'raw.odd', time: 'day', measure: { aggregation: 'SUM', column: 'amount' } },
  };
  const create =
    'mutation ($input: CreateMetricInput!) { createMetric(input: $input) { userErrors { message } } }';
  await gql.ask(ada, create, { input: { name: 'amount', definition } });
  const query = `{ metric(name: "amount") { series(grain: DAY, from: "2026-01-01T00:00:00Z", to: "2026-01-06T00:00:00Z") {
    points { value } } } }`;
  const { points } = (await gql.ask(ada, query)).metric.series;
  expect(points.map(({ value }: { value: number | null }) => value)).toEqual([null, null, 1.5, 0, 0]);
});

test('a metric that names others over and over is refused before it is worked out', async () => {
  const create =
    'mutation ($input: CreateMetricInput!) { createMetric(input: $input) { userErrors { code message } } }';
  const make = async (name: string, definition: object) =>
    (await gql.ask(ada, create, { input: { name, definition } })).createMetric.userErrors;
  const measure = { aggregation: 'COUNT' };
  expect(await make('d0', { simple: { table: 'raw.odd', time: 'day', measure } })).toEqual([]);
  const manyOf = (name: string) => Array.from({ length: 200 }, () => name).join('+');
  expect(await make('d1', { derived: { expression: manyOf('d0') } })).toEqual([]);
  const asked = '{ metric(name: "d1") { value(from: "2026-01-01T00:00:00Z", to: "2026-01-06T00:00:00Z") } }';
  expect((await gql.ask(ada, asked)).metric.value).toBe(800);
  expect(await make('d2', { derived: { expression: manyOf('d1') } })).toEqual([]);
  expect(await make('d3', { derived: { expression: manyOf('d2') } })).toEqual([]);
  const { data, errors } = await gql.answer(
    ada,
    '{ viewer { id: __typename } metrics { nodes { name tables { fqn } freshness { syncedAt } } } metric(name: "d3") { value } }',
  );
  expect(errors.map(({ extensions }) => extensions.code)).toEqual(['BAD_USER_INPUT']);
  expect(errors[0]?.message).toContain('more than 1000 times');
  expect(data).toMatchObject({ viewer: { id: 'Viewer' }, metric: { value: null } });
});
