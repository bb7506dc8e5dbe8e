import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Viewer } from '#accounts/viewer.ts';
import { openTestGraphql, expectStatements, type TestGraphql } from '../../support/graphql.ts';

let gql: TestGraphql;
let ada: Viewer;

beforeAll(async () => {
  gql = await openTestGraphql();
  ada = await gql.signUp('ada');
  const { warehouse } = await gql.app.catalog.datastores.open(ada.projectId);
  const statements = [
    'CREATE SCHEMA raw',
    `CREATE TABLE raw.orders AS SELECT i::BIGINT AS id, i * 9007199254740993::HUGEINT::DECIMAL(38,0) AS big, (i / 4)::DECIMAL(10,2) AS total,
       TIMESTAMPTZ '2026-01-01 00:00:00+00' + to_hours(i::INT) AS at, NULL AS nothing, [i, i + 1] AS list FROM range(250) t(i)`,
    "CREATE TABLE raw.exact AS SELECT 9223372036854775807::BIGINT AS most, 1.10::DECIMAL(10,2) AS price, true AS yes, 'NaN'::DOUBLE AS nan",
    'CREATE VIEW raw.recent AS SELECT * FROM raw.orders WHERE id > 200',
  ];
  for (const sql of statements) await warehouse.run({ sql });
});
afterAll(() => gql[Symbol.asyncDispose]());

test('refreshCatalog finds tables and views, with columns in order and no job behind them', async () => {
  const { refreshCatalog } = await gql.ask(
    ada,
    'mutation { refreshCatalog(input: {}) { tables userErrors { code } } }',
  );
  expect(refreshCatalog).toEqual({ tables: 3, userErrors: [] });
  const { table } = await gql.ask(
    ada,
    `{ table(fqn: "warehouse.warehouse.raw.orders") { fqn name schema database kind description tags entity rowCount
       columns { fqn name dataType nullable ordinal description } datastore { name engine } freshness { syncedAt task { id } } } }`,
  );
  expect(table).toMatchObject({
    fqn: 'warehouse.warehouse.raw.orders',
    kind: 'TABLE',
    rowCount: 250,
    entity: null,
    datastore: { name: 'warehouse', engine: 'DUCKDB' },
    freshness: { syncedAt: null, task: null },
  });
  expect(table.columns[0]).toEqual({
    fqn: 'warehouse.warehouse.raw.orders.id',
    name: 'id',
    dataType: 'BIGINT',
    nullable: expect.any(Boolean),
    ordinal: 1,
    description: null,
  });
  expect(table.columns.map((column: { ordinal: number }) => column.ordinal)).toEqual([1, 2, 3, 4, 5, 6]);
});

test('tables are listed for the project and for a datastore, searched by name, and mapped to no entity', async () => {
  const { all, found, mapped, datastores } = await gql.ask(
    ada,
    `{ all: tables { totalCount nodes { name kind } } found: tables(search: "ORD") { nodes { name } } mapped: tables(entity: USER) { totalCount }
       datastores { nodes { tables(search: "ec", first: 1) { totalCount nodes { fqn } } } } }`,
  );
  expect(all.totalCount).toBe(3);
  expect(all.nodes.map(({ name }: { name: string }) => name).sort()).toEqual(['exact', 'orders', 'recent']);
  expect(found.nodes).toEqual([{ name: 'orders' }]);
  expect(mapped.totalCount).toBe(0);
  expect(datastores.nodes).toEqual([
    { tables: { totalCount: 1, nodes: [{ fqn: 'warehouse.warehouse.raw.recent' }] } },
  ]);
});

test('a list of tables with names and freshness costs one statement, and one for the views among them', async () => {
  await expectStatements(2, () =>
    gql.ask(
      ada,
      '{ tables { nodes { fqn name columns { fqn } freshness { syncedAt } datastore { name } } } }',
    ),
  );
});

test('sample gives as many rows as asked, says whether there are more, and keeps values exact', async () => {
  const sample = async (name: string, args: string) => {
    const query = `{ table(fqn: "warehouse.warehouse.raw.${name}") { sample${args} { columns { name dataType } rows truncated } } }`;
    return (await gql.ask(ada, query)).table.sample;
  };
  const few = await sample('orders', '');
  expect(few.rows.length).toBe(10);
  expect(few.truncated).toBe(true);
  expect((await sample('orders', '(first: 100)')).rows.length).toBe(100);
  expect(few.columns[0]).toEqual({ name: 'id', dataType: 'BIGINT' });
  expect(few.rows[1]).toEqual([
    1,
    '9007199254740993',
    '0.25',
    '2026-01-01T01:00:00.000000Z',
    null,
    expect.anything(),
  ]);
  expect(await sample('exact', '(first: 5)')).toMatchObject({
    rows: [['9223372036854775807', '1.10', true, 'NaN']],
    truncated: false,
  });
});

test.each([0, -1, 101])('a sample of %d rows is refused', async (first) => {
  const { data, errors } = await gql.answer(
    ada,
    `{ table(fqn: "warehouse.warehouse.raw.orders") { name sample(first: ${first}) { rows } } }`,
  );
  expect(data?.table).toEqual({ name: 'orders', sample: null });
  expect(errors.map((error) => error.extensions.code)).toEqual(['BAD_USER_INPUT']);
});

test('a sample of a table that is gone says so, and the rest of the answer comes', async () => {
  const { warehouse } = await gql.app.catalog.datastores.open(ada.projectId);
  await warehouse.run({ sql: 'CREATE TABLE raw.passing AS SELECT 1 AS one' });
  await gql.ask(ada, 'mutation { refreshCatalog(input: {}) { tables } }');
  await warehouse.run({ sql: 'DROP TABLE raw.passing' });
  const { data, errors } = await gql.answer(
    ada,
    '{ table(fqn: "warehouse.warehouse.raw.passing") { name sample { rows } } }',
  );
  expect(data?.table).toEqual({ name: 'passing', sample: null });
  expect(errors.map((error) => error.extensions.code)).toEqual(['NOT_FOUND']);
});

test('updateTable says what a table holds, and a refresh keeps it', async () => {
  const { table } = await gql.ask(ada, '{ table(fqn: "warehouse.warehouse.raw.orders") { id } }');
  const update = `mutation ($input: UpdateTableInput!) { updateTable(input: $input) { table { description tags } userErrors { code path } } }`;
  const said = { description: 'What was bought', tags: ['shop', 'daily'] };
  expect(await gql.ask(ada, update, { input: { id: table.id, ...said } })).toEqual({
    updateTable: { table: said, userErrors: [] },
  });
  await gql.ask(ada, 'mutation { refreshCatalog(input: {}) { tables } }');
  expect(await gql.ask(ada, update, { input: { id: table.id, description: null } })).toEqual({
    updateTable: { table: { description: null, tags: said.tags }, userErrors: [] },
  });
  const refused = await gql.ask(ada, update, { input: { id: table.id, tags: [''] } });
  expect(refused.updateTable).toEqual({ table: null, userErrors: [{ code: 'INVALID', path: ['tags'] }] });
});

test('a saved datastore is tested; one on an engine that cannot be added yet is UNSUPPORTED', async () => {
  const { datastores } = await gql.ask(ada, '{ datastores { nodes { id } } }');
  const query = `mutation ($input: TestDatastoreInput!) { testDatastore(input: $input) { ok message userErrors { code path } } }`;
  const { testDatastore } = await gql.ask(ada, query, { input: { id: datastores.nodes[0].id } });
  expect(testDatastore).toMatchObject({ ok: true, userErrors: [] });
  const other = await gql.ask(ada, query, { input: { engine: 'SNOWFLAKE', config: {} } });
  expect(other.testDatastore).toMatchObject({
    ok: false,
    userErrors: [{ code: 'UNSUPPORTED', path: ['engine'] }],
  });
  expect((await gql.ask(ada, query, { input: {} })).testDatastore.userErrors).toMatchObject([
    { code: 'REQUIRED' },
  ]);
});
