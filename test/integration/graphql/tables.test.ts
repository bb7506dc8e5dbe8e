import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Viewer } from '#accounts/viewer.ts';
import { newId } from '#base/id.ts';
import {
  type Data,
  expectStatements,
  openTestGraphql,
  type TestGraphql,
  type Variables,
} from '../../support/graphql.ts';

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

test('a table is found by its whole fqn alone, and what is none is said to be none', async () => {
  const refused = await gql.answer(ada, '{ table(fqn: "raw.orders") { fqn } }');
  expect(refused).toMatchObject({
    data: { table: null },
    errors: [
      {
        message: '"raw.orders" is not the fqn of a table.',
        extensions: {
          code: 'BAD_USER_INPUT',
          fix: 'Write datastore.database.schema.table, as the field fqn of a table gives it.',
        },
      },
    ],
  });
  const long = Array.from({ length: 12 }, () => 'raw').join('.');
  const { other, tooLong, column } = await gql.ask(
    ada,
    `{ other: table(fqn: "warehouse.warehouse.raw.order") { fqn } tooLong: table(fqn: "${long}") { fqn } column(fqn: "${long}") { fqn } }`,
  );
  expect({ other, tooLong, column }).toEqual({ other: null, tooLong: null, column: null });
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
  const write = `mutation ($input: UpdateTableInput!) { updateTable(input: $input) { table { description tags } userErrors { code path } } }`;
  const said = { description: 'What was bought', tags: ['shop', 'daily'] };
  expect(await gql.ask(ada, write, { input: { id: table.id, ...said } })).toEqual({
    updateTable: { table: said, userErrors: [] },
  });
  await gql.ask(ada, 'mutation { refreshCatalog(input: {}) { tables } }');
  expect(await gql.ask(ada, write, { input: { id: table.id, description: null } })).toEqual({
    updateTable: { table: { description: null, tags: said.tags }, userErrors: [] },
  });
  const refused = await gql.ask(ada, write, { input: { id: table.id, tags: [''] } });
  expect(refused.updateTable).toEqual({ table: null, userErrors: [{ code: 'INVALID', path: ['tags'] }] });
});

const update = `mutation ($input: UpdateTableInput!) { updateTable(input: $input) {
  table { description tags columns { name description } } userErrors { code path message fix } } }`;

test('what is said of a table and its columns outlives refreshes, and the table when it vanishes and comes back', async () => {
  const { warehouse } = await gql.app.catalog.datastores.open(ada.projectId);
  await warehouse.run({ sql: 'CREATE TABLE raw.people (id BIGINT, mail VARCHAR)' });
  const refresh = () => gql.ask(ada, 'mutation { refreshCatalog(input: {}) { tables } }');
  await refresh();
  const query =
    '{ table(fqn: "warehouse.warehouse.raw.people") { id description tags columns { name description } } }';
  const { table } = await gql.ask(ada, query);
  const columns = [{ name: 'mail', description: 'Where to write to' }];
  const said = { description: 'Who buys', tags: ['gold'] };
  const { updateTable } = await gql.ask(ada, update, { input: { id: table.id, ...said, columns } });
  const kept = {
    ...said,
    columns: [
      { name: 'id', description: null },
      { name: 'mail', description: 'Where to write to' },
    ],
  };
  expect(updateTable).toEqual({ table: kept, userErrors: [] });

  await warehouse.run({ sql: 'ALTER TABLE raw.people ADD COLUMN age INTEGER' });
  await refresh();
  const grown = { ...kept, columns: [...kept.columns, { name: 'age', description: null }] };
  expect((await gql.ask(ada, query)).table).toEqual({ id: table.id, ...grown });

  await warehouse.run({ sql: 'ALTER TABLE raw.people RENAME TO hidden' });
  await refresh();
  const everywhere = `query ($id: ID!) { node(id: $id) { id } tables(search: "people") { totalCount } columns(search: "raw.people") { totalCount }
    table(fqn: "warehouse.warehouse.raw.people") { id } column(fqn: "warehouse.warehouse.raw.people.mail") { name }
    datastores { nodes { tables(search: "people") { totalCount } } } }`;
  expect(await gql.ask(ada, everywhere, { id: table.id })).toEqual({
    node: null,
    tables: { totalCount: 0 },
    columns: { totalCount: 0 },
    table: null,
    column: null,
    datastores: { nodes: [{ tables: { totalCount: 0 } }] },
  });
  const gone = await gql.ask(ada, update, { input: { id: table.id, tags: [] } });
  expect(gone.updateTable.userErrors).toMatchObject([{ code: 'NOT_FOUND', path: ['id'] }]);

  await warehouse.run({ sql: 'ALTER TABLE raw.hidden RENAME TO people' });
  await refresh();
  expect((await gql.ask(ada, query)).table).toEqual({ id: table.id, ...grown });
  const cleared = await gql.ask(ada, update, { input: { id: table.id, columns: [{ name: 'mail' }] } });
  expect(cleared.updateTable.table.columns[1]).toEqual({ name: 'mail', description: null });
});

test('an unknown column is refused with the names that exist and the one that was meant', async () => {
  const { table } = await gql.ask(ada, '{ table(fqn: "warehouse.warehouse.raw.orders") { id } }');
  const columns = [
    { name: 'totl', description: 'x' },
    { name: 'id', description: 'x' },
    { name: 'id', description: 'y' },
  ];
  const { updateTable } = await gql.ask(ada, update, { input: { id: table.id, columns, tags: [''] } });
  expect(updateTable.userErrors).toEqual([
    { code: 'INVALID', path: ['tags'], message: expect.any(String), fix: null },
    {
      code: 'NOT_FOUND',
      path: ['columns', '0', 'name'],
      message: 'The table orders has no column "totl". It has: id, big, total, at, nothing, list.',
      fix: 'Did you mean "total"?',
    },
    {
      code: 'INVALID',
      path: ['columns', '2', 'name'],
      message: 'The column "id" is named twice.',
      fix: null,
    },
  ]);
});

test('tables are found by fqn, description, tag and column, in any case, and wildcards mean themselves', async () => {
  const { table } = await gql.ask(ada, '{ table(fqn: "warehouse.warehouse.raw.recent") { id } }');
  await gql.ask(ada, update, {
    input: { id: table.id, description: 'The newest 100% of it', tags: ['Hot'] },
  });
  const found = async (search: string) => {
    const { tables } = await gql.ask(
      ada,
      'query ($search: String) { tables(search: $search, first: 100) { totalCount nodes { name } pageInfo { hasNextPage } } }',
      { search },
    );
    expect(tables.totalCount).toBe(tables.nodes.length);
    return tables.nodes.map(({ name }: { name: string }) => name);
  };
  expect(await found('RECENT')).toEqual(['recent']);
  expect(await found('house.raw.rec')).toEqual(['recent']);
  expect(await found('newest 100%')).toEqual(['recent']);
  expect(await found('hot')).toEqual(['recent']);
  expect(await found('PRICE')).toEqual(['exact']);
  expect(await found('newest_100')).toEqual([]);
  expect(await found('DECIMAL(10,2)')).toEqual([]);
});

test('a search goes on where its page ends', async () => {
  const query = `query ($after: String) { tables(search: "raw.", first: 1, after: $after) { totalCount nodes { name } pageInfo { hasNextPage endCursor } } }`;
  const names: string[] = [];
  for (let after: string | null = null, more = true; more;) {
    const { tables }: Data = await gql.ask(ada, query, { after });
    names.push(tables.nodes[0].name);
    more = tables.pageInfo.hasNextPage;
    after = tables.pageInfo.endCursor;
    expect(names.length).toBeLessThanOrEqual(tables.totalCount);
  }
  const { tables } = await gql.ask(ada, '{ tables(search: "raw.") { nodes { name } } }');
  expect(names).toEqual(tables.nodes.map(({ name }: { name: string }) => name));
});

test('a table that is mapped to an entity says so, and is found by it', async () => {
  const { db } = gql.app.store;
  const { projectId } = ada;
  const { id: tableId } = await db.catalogTable.findFirstOrThrow({ where: { projectId, name: 'orders' } });
  const at = new Date();
  await db.entityMapping.create({
    data: {
      id: newId(),
      projectId,
      kind: 'EVENT',
      tableId,
      key: 'id',
      columns: {},
      createdAt: at,
      updatedAt: at,
    },
  });
  const query = `{ events: tables(entity: EVENT) { totalCount nodes { name entity } } users: tables(entity: USER) { totalCount }
    none: tables(entity: EVENT, search: "exact") { totalCount } both: tables(entity: EVENT, search: "ord") { totalCount } }`;
  expect(await gql.ask(ada, query)).toEqual({
    events: { totalCount: 1, nodes: [{ name: 'orders', entity: 'EVENT' }] },
    users: { totalCount: 0 },
    none: { totalCount: 0 },
    both: { totalCount: 1 },
  });
  await expectStatements(1, () => gql.ask(ada, '{ tables { nodes { name entity } } }'));
});

test('columns are found by fqn and in words, and paged in both directions', async () => {
  const { column, unknown } = await gql.ask(
    ada,
    `{ column(fqn: "warehouse.warehouse.raw.exact.price") { fqn dataType } unknown: column(fqn: "warehouse.warehouse.raw.exact.prize") { fqn } }`,
  );
  expect(column).toEqual({ fqn: 'warehouse.warehouse.raw.exact.price', dataType: 'DECIMAL(10,2)' });
  expect(unknown).toBe(null);
  const short = await gql.answer(ada, '{ column(fqn: "exact.price") { fqn } }');
  expect(short.errors.map(({ extensions }) => extensions.code)).toEqual(['BAD_USER_INPUT']);

  const query = `query ($first: Int, $after: String, $last: Int, $before: String) {
    columns(search: "RAW.orders", first: $first, after: $after, last: $last, before: $before) {
      totalCount nodes { name } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }`;
  const page = async (variables: Variables) => (await gql.ask(ada, query, variables)).columns;
  const names = ({ nodes }: Data) => nodes.map(({ name }: { name: string }) => name);
  const first = await page({ first: 4 });
  expect(first).toMatchObject({ totalCount: 6, pageInfo: { hasNextPage: true, hasPreviousPage: false } });
  expect(names(first)).toEqual(['id', 'big', 'total', 'at']);
  const rest = await page({ first: 4, after: first.pageInfo.endCursor });
  expect(names(rest)).toEqual(['nothing', 'list']);
  expect(rest.pageInfo).toMatchObject({ hasNextPage: false, hasPreviousPage: true });
  const back = await page({ last: 2, before: rest.pageInfo.startCursor });
  expect(names(back)).toEqual(['total', 'at']);
  expect(back.pageInfo).toMatchObject({ hasNextPage: true, hasPreviousPage: true });
  const wrong = await gql.answer(ada, query, { first: 1, after: 'bm90aGluZw' });
  expect(wrong.errors.map(({ extensions }) => extensions.code)).toEqual(['BAD_USER_INPUT']);
});

test('a name with dots in it is found by its fqn all the same', async () => {
  const { warehouse } = await gql.app.catalog.datastores.open(ada.projectId);
  await warehouse.run({ sql: 'CREATE TABLE raw."a.b" AS SELECT 1 AS "c.d"' });
  await gql.ask(ada, 'mutation { refreshCatalog(input: {}) { tables } }');
  const { table, column } = await gql.ask(
    ada,
    '{ table(fqn: "warehouse.warehouse.raw.a.b") { name } column(fqn: "warehouse.warehouse.raw.a.b.c.d") { name } }',
  );
  expect([table.name, column.name]).toEqual(['a.b', 'c.d']);
});
