import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Viewer } from '#accounts/viewer.ts';
import { fillWarehouse, mapEntity } from '../../support/entities.ts';
import { type Data, openTestGraphql, type TestGraphql } from '../../support/graphql.ts';
import { openPostgresWarehouse, type TestPostgresWarehouse } from '../../support/postgres-warehouse.ts';
import { defineMetric } from '../../support/shop.ts';

/* What people call their tables on PostgreSQL, through the public API. */

let gql: TestGraphql;
let ada: Viewer;
let postgres: TestPostgresWarehouse;

beforeAll(async () => {
  gql = await openTestGraphql();
  ada = await gql.signUp('ada');
  postgres = await openPostgresWarehouse();
  await postgres.makeDefault(gql, ada);
  await postgres.load([
    'CREATE SCHEMA "Sales.EU"',
    `CREATE TABLE "Sales.EU"."Orders ""new""" ("ID" int PRIMARY KEY, "Customer Name" text, "at" timestamptz, "sélect" numeric(8, 2), tags text[], doc jsonb)`,
    `INSERT INTO "Sales.EU"."Orders ""new""" SELECT n, 'Customer ' || n, TIMESTAMPTZ '2026-01-01 12:00:00Z' + n * interval '1 day', n + 0.25,
      ARRAY['a', 'b"c'], '{"n": 1}' FROM generate_series(1, 5) AS n`,
    'CREATE TABLE "Sales.EU".orders AS SELECT 1 AS id',
    'CREATE VIEW "Sales.EU"."Late" AS SELECT "ID", "Customer Name" AS who FROM "Sales.EU"."Orders ""new""" WHERE "ID" > 3',
    'CREATE MATERIALIZED VIEW "Sales.EU"."Sums" AS SELECT count(*) AS orders FROM "Sales.EU"."Orders ""new"""',
    'COMMENT ON TABLE "Sales.EU".orders IS \'what nobody reads\'',
  ]);
  await fillWarehouse(gql, ada, []);
});
afterAll(async () => {
  await gql[Symbol.asyncDispose]();
  await postgres[Symbol.asyncDispose]();
});

const nameOf = (table: string) => `pg.${postgres.server.database}.Sales.EU.${table}`;

async function table(name: string, fields: string): Promise<Data> {
  const query = `query ($fqn: String) { table(fqn: $fqn) { ${fields} } }`;
  return (await gql.ask(ada, query, { fqn: nameOf(name) })).table;
}

test('tables with capitals, dots, quotes and spaces in their names are listed, found and shown', async () => {
  const { tables } = await gql.ask(ada, '{ tables(search: "sales.eu") { nodes { name kind } totalCount } }');
  expect(tables.nodes.map(({ name, kind }: Data) => `${name}: ${kind}`).toSorted()).toEqual([
    'Late: VIEW',
    'Orders "new": TABLE',
    'Sums: TABLE',
    'orders: TABLE',
  ]);
  const found = await gql.ask(ada, '{ tables(search: "customer name") { nodes { name } } }');
  expect(found.tables.nodes).toEqual([{ name: 'Orders "new"' }]);
  const shown = await table(
    'Orders "new"',
    'columns { name dataType nullable } freshness { syncedAt task { id } originalSyncedAt }',
  );
  expect(shown.columns.slice(0, 4)).toEqual([
    { name: 'ID', dataType: 'integer', nullable: false },
    { name: 'Customer Name', dataType: 'text', nullable: true },
    { name: 'at', dataType: 'timestamp with time zone', nullable: true },
    { name: 'sélect', dataType: 'numeric(8,2)', nullable: true },
  ]);
  expect(shown.freshness).toEqual({ syncedAt: null, task: null, originalSyncedAt: null });
});

test('samples of tables, views and materialized views hold their values exactly', async () => {
  const sample = 'sample(first: 1) { columns { name } rows truncated }';
  expect((await table('Orders "new"', sample)).sample).toEqual({
    columns: ['ID', 'Customer Name', 'at', 'sélect', 'tags', 'doc'].map((name) => ({ name })),
    rows: [[1, 'Customer 1', '2026-01-02T12:00:00.000000Z', '1.25', ['a', 'b"c'], '{"n": 1}']],
    truncated: true,
  });
  expect((await table('Late', sample)).sample.columns).toEqual([{ name: 'ID' }, { name: 'who' }]);
  expect((await table('Sums', sample)).sample).toMatchObject({ rows: [[5]], truncated: false });
});

test('they are mapped and measured by these names', async () => {
  await mapEntity(gql, ada, {
    kind: 'USER',
    table: nameOf('Orders "new"'),
    key: 'ID',
    name: 'Customer Name',
    createdAt: 'at',
  });
  const { user } = await gql.ask(ada, '{ user(key: "3") { name createdAt properties } }');
  expect(user).toEqual({
    name: 'Customer 3',
    createdAt: '2026-01-04T12:00:00.000Z',
    properties: { sélect: '3.25', tags: ['a', 'b"c'], doc: { n: 1 } },
  });
  const simple = {
    table: nameOf('Orders "new"'),
    time: 'at',
    measure: { aggregation: 'SUM', column: 'sélect' },
  };
  await defineMetric(gql, ada, 'ordered', { simple });
  const question =
    '{ metric(name: "ordered") { value(from: "2026-01-01T00:00:00Z", to: "2026-02-01T00:00:00Z") } }';
  expect((await gql.ask(ada, question)).metric.value).toBe(16.25);
});

test('a refresh finds the new columns of views, and what is gone', async () => {
  await postgres.load([
    'CREATE OR REPLACE VIEW "Sales.EU"."Late" AS SELECT "ID", "Customer Name" AS who, "sélect" AS price FROM "Sales.EU"."Orders ""new"""',
    'DROP MATERIALIZED VIEW "Sales.EU"."Sums"',
  ]);
  await fillWarehouse(gql, ada, []);
  const { columns } = await table('Late', 'columns { name }');
  expect(columns.map(({ name }: Data) => name as string)).toEqual(['ID', 'who', 'price']);
  expect(await table('Sums', 'id')).toBeNull();
});
