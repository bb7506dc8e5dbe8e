import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Viewer } from '#accounts/viewer.ts';
import { answerOfMapping, fillWarehouse, mapEntity } from '../../support/entities.ts';
import { change, defineMetric, ofEvents } from '../../support/shop.ts';
import { openTestGraphql, type TestGraphql } from '../../support/graphql.ts';

let gql: TestGraphql;
let ada: Viewer;

beforeAll(async () => {
  gql = await openTestGraphql();
  ada = await gql.signUp('ada');
  await fillWarehouse(gql, ada, [
    'CREATE SCHEMA raw',
    'CREATE SCHEMA old',
    `CREATE TABLE raw.people AS SELECT 1 AS id, 'Ann' AS full_name, 'a@b.c' AS email, now() AS created_at, '{"plan": "team"}' AS props, 'x' AS plan`,
    `CREATE TABLE raw.clicks AS SELECT 1 AS id, 1 AS person_id, 'click' AS what, now() AS clicked_at, '{"a":1,"b":{"c":2}}'::JSON AS details`,
    `INSERT INTO raw.clicks SELECT 2, 1, 'click', now(), '{"d":1}'::JSON`,
    'CREATE TABLE raw.orders AS SELECT 1 AS id',
    'CREATE TABLE old.orders AS SELECT 1 AS id',
    "CREATE TABLE raw.merged AS SELECT 'anon' AS alias, 1 AS person",
  ]);
});
afterAll(() => gql[Symbol.asyncDispose]());

test('a key that may map tables and not read them is not told what they hold', async () => {
  const key = await gql.apiKey(ada, ['CONTROL_READ', 'CONTROL_WRITE']);
  const query = 'mutation ($input: MapEntityInput!) { mapEntity(input: $input) { userErrors { message } } }';
  const input = { kind: 'USER', table: 'raw.people', key: 'id', propertiesColumn: 'plan' };
  expect((await gql.ask(key, query, { input })).mapEntity.userErrors).toEqual([
    { message: 'The column "plan" holds a text, which is no JSON.' },
  ]);
});

const answer = (input: object) => answerOfMapping(gql, ada, { ...input });

test('a mapping names a table by its end, by its whole name or by its id, and says what it maps', async () => {
  const { table } = await gql.ask(ada, '{ table(fqn: "warehouse.warehouse.raw.people") { id entity } }');
  for (const name of [
    'people',
    'raw.people',
    'warehouse.raw.people',
    'warehouse.warehouse.raw.people',
    table.id,
  ]) {
    const { mapping, userErrors } = await answer({ kind: 'USER', table: name, key: 'id', name: 'full_name' });
    expect(userErrors).toEqual([]);
    expect(mapping).toEqual({
      kind: 'USER',
      table: { fqn: 'warehouse.warehouse.raw.people' },
      key: 'id',
      columns: { name: 'full_name' },
      properties: ['email', 'created_at', 'props', 'plan'],
      propertiesColumn: null,
      aliasTable: null,
      aliasKey: null,
      canonicalKey: null,
      servedFrom: null,
      aliasServedFrom: null,
    });
  }
});

test('mapping again replaces what was mapped, and entityMapping tells it', async () => {
  await mapEntity(gql, ada, {
    kind: 'USER',
    table: 'raw.people',
    key: 'id',
    name: 'full_name',
    properties: ['plan'],
  });
  await mapEntity(gql, ada, {
    kind: 'USER',
    table: 'raw.people',
    key: 'email',
    createdAt: 'created_at',
    propertiesColumn: 'props',
    aliasTable: 'merged',
    aliasKey: 'alias',
    canonicalKey: 'person',
  });
  const { entityMapping, users } = await gql.ask(
    ada,
    '{ entityMapping(kind: USER) { key columns properties propertiesColumn aliasTable { name } aliasKey canonicalKey } users { nodes { key name properties } } }',
  );
  expect(entityMapping).toEqual({
    key: 'email',
    columns: { createdAt: 'created_at' },
    properties: ['plan'],
    propertiesColumn: 'props',
    aliasTable: { name: 'merged' },
    aliasKey: 'alias',
    canonicalKey: 'person',
  });
  expect(users.nodes).toEqual([{ key: 'a@b.c', name: null, properties: { plan: 'team' } }]);
});

test('properties may be a few by name, of columns and of JSON, and tell their names otherwise', async () => {
  const event = { kind: 'EVENT', table: 'raw.clicks', key: 'id', at: 'clicked_at' };
  const read = async (more: object) => {
    const { mapping } = await answer({ ...event, ...more });
    const { events } = await gql.ask(ada, '{ events(last: 1) { nodes { name properties } } }');
    return { names: mapping.properties, ...events.nodes[0] };
  };
  expect(await read({ propertiesColumn: 'details' })).toEqual({
    names: ['a', 'b', 'd'],
    // Without a column of names, an event is what its table says.
    name: 'clicks',
    properties: { a: 1, b: { c: 2 } },
  });
  expect(await read({ propertiesColumn: 'details', properties: ['b', 'z'] })).toMatchObject({
    names: ['b', 'z'],
    properties: { b: { c: 2 } },
  });
  expect(await read({ name: 'what', properties: ['details', 'person_id'] })).toEqual({
    names: ['details', 'person_id'],
    name: 'click',
    properties: { details: { a: 1, b: { c: 2 } }, person_id: 1 },
  });
});

test.each<[string, object, { code: string; path: string[]; message: RegExp }[]]>([
  [
    'a table that is not there',
    { kind: 'USER', table: 'raw.peopel', key: 'id' },
    [
      {
        code: 'NOT_FOUND',
        path: ['table'],
        message: /Did you mean "raw\.people"\? There are: old\.orders, raw\.clicks/,
      },
    ],
  ],
  [
    'a name that two tables have',
    { kind: 'USER', table: 'orders', key: 'id' },
    [
      {
        code: 'INVALID',
        path: ['table'],
        message: /2 tables: warehouse\.warehouse\.old\.orders, warehouse\.warehouse\.raw\.orders/,
      },
    ],
  ],
  [
    'every wrong column at once',
    {
      kind: 'USER',
      table: 'raw.people',
      key: 'idd',
      name: 'fullname',
      createdAt: 'email',
      properties: ['plan', 'x'],
    },
    [
      {
        code: 'NOT_FOUND',
        path: ['key'],
        message: /no column "idd"\. Did you mean "id"\? It has: id, full_name/,
      },
      { code: 'NOT_FOUND', path: ['name'], message: /Did you mean "full_name"/ },
      { code: 'INVALID', path: ['createdAt'], message: /"email" is of type VARCHAR; createdAt takes a date/ },
      { code: 'NOT_FOUND', path: ['properties', '1'], message: /no column "x"/ },
    ],
  ],
  [
    'fields of other kinds, and events without a moment',
    { kind: 'EVENT', table: 'raw.clicks', key: 'id', email: 'what' },
    [
      {
        code: 'INVALID',
        path: ['email'],
        message: /EVENT has no email; it has: key, name, at, userKey, organizationKey/,
      },
      { code: 'REQUIRED', path: ['at'], message: /which column/ },
    ],
  ],
  [
    'properties that are no JSON',
    { kind: 'USER', table: 'raw.people', key: 'id', propertiesColumn: 'plan' },
    [{ code: 'INVALID', path: ['propertiesColumn'], message: /holds "x", which is no JSON/ }],
  ],
  [
    'properties of another type',
    { kind: 'USER', table: 'raw.people', key: 'id', propertiesColumn: 'created_at' },
    [
      {
        code: 'INVALID',
        path: ['propertiesColumn'],
        message: /TIMESTAMP WITH TIME ZONE; propertiesColumn takes JSON/,
      },
    ],
  ],
  [
    'aliases that are said in part, of a table that is not there',
    { kind: 'USER', table: 'raw.people', key: 'id', aliasTable: 'raw.merge', aliasKey: 'alias' },
    [
      { code: 'REQUIRED', path: ['canonicalKey'], message: /together; canonicalKey is missing/ },
      { code: 'NOT_FOUND', path: ['aliasTable'], message: /Did you mean "raw\.merged"/ },
    ],
  ],
  [
    'columns of aliases',
    {
      kind: 'USER',
      table: 'raw.people',
      key: 'id',
      aliasTable: 'raw.merged',
      aliasKey: 'alais',
      canonicalKey: 'person',
    },
    [
      {
        code: 'NOT_FOUND',
        path: ['aliasKey'],
        message: /raw\.merged has no column "alais"\. Did you mean "alias"/,
      },
    ],
  ],
  [
    'aliases of organizations',
    {
      kind: 'ORGANIZATION',
      table: 'raw.people',
      key: 'id',
      aliasTable: 'raw.merged',
      aliasKey: 'alias',
      canonicalKey: 'person',
    },
    ['aliasTable', 'aliasKey', 'canonicalKey'].map((path) => ({
      code: 'INVALID',
      path: [path],
      message: /only USER has/,
    })),
  ],
])('%s is refused where it stands, and nothing is changed', async (_what, input, problems) => {
  const before = await gql.app.store.db.entityMapping.findMany({ orderBy: { id: 'asc' } });
  const { mapping, userErrors } = await answer(input);
  expect(mapping).toBeNull();
  expect(userErrors).toEqual(
    problems.map((problem) => ({
      ...problem,
      message: expect.stringMatching(problem.message),
      fix: expect.toSatisfy(isFix),
    })),
  );
  expect(await gql.app.store.db.entityMapping.findMany({ orderBy: { id: 'asc' } })).toEqual(before);
});

test('a mapped column that is gone is named as such, and all else of the entity is answered', async () => {
  const bob = await gql.signUp('bob');
  await fillWarehouse(gql, bob, [
    'CREATE SCHEMA raw',
    "CREATE TABLE raw.firms AS SELECT 1 AS id, 'A' AS label",
  ]);
  await mapEntity(gql, bob, { kind: 'ORGANIZATION', table: 'raw.firms', key: 'id', name: 'label' });
  const { warehouse } = await gql.app.catalog.datastores.open(bob.projectId);
  await warehouse.run({ sql: 'ALTER TABLE raw.firms RENAME label TO title' });
  await gql.ask(bob, 'mutation { refreshCatalog(input: {}) { tables } }');
  const { organizations } = await gql.ask(bob, '{ organizations { nodes { key properties } } }');
  expect(organizations.nodes).toEqual([{ key: '1', properties: { title: 'A' } }]);
  const { errors } = await gql.answer(bob, '{ organizations { nodes { name } } }');
  expect(errors).toMatchObject([
    {
      message: 'ORGANIZATION is mapped to the column "label" of raw.firms, which is gone. It has: id, title.',
      extensions: { code: 'BAD_USER_INPUT', fix: expect.stringContaining('mapEntity') },
    },
  ]);
});

test('unmapEntity forgets a mapping, once', async () => {
  await mapEntity(gql, ada, { kind: 'ORGANIZATION', table: 'raw.orders', key: 'id' });
  const unmap = 'mutation { unmapEntity(input: { kind: ORGANIZATION }) { kind userErrors { code path } } }';
  expect(await gql.ask(ada, unmap)).toEqual({ unmapEntity: { kind: 'ORGANIZATION', userErrors: [] } });
  expect(await gql.ask(ada, '{ entityMapping(kind: ORGANIZATION) { key } }')).toEqual({
    entityMapping: null,
  });
  expect(await gql.ask(ada, unmap)).toEqual({
    unmapEntity: { kind: null, userErrors: [{ code: 'NOT_FOUND', path: ['kind'] }] },
  });
});

test('a kind that metrics and formulas are made of stays mapped', async () => {
  await mapEntity(gql, ada, { kind: 'EVENT', table: 'raw.clicks', key: 'id', at: 'clicked_at' });
  await defineMetric(gql, ada, 'clicks', ofEvents({ aggregation: 'COUNT' }));
  const formula = { entity: 'EVENT', columns: [{ name: 'twice', expression: 'key * 2' }] };
  const input = {
    name: 'doubled',
    formula,
    target: { schema: 'made', table: 'doubled', kind: 'VIEW' },
  };
  const made = await change(gql, ada, 'upsertTransformation', input, 'transformation { id }');
  expect(made.userErrors).toEqual([]);
  const { unmapEntity } = await gql.ask(
    ada,
    'mutation { unmapEntity(input: { kind: EVENT }) { kind userErrors { code message } } }',
  );
  const why = 'would not work any more: No table is mapped to EVENT in this project.';
  const messages = [`The metric "clicks" ${why}`, `The transformation "doubled" ${why}`];
  expect(unmapEntity).toEqual({
    kind: null,
    userErrors: messages.map((message) => ({ code: 'IN_USE', message })),
  });
});

function isFix(fix: unknown): boolean {
  return fix === null || typeof fix === 'string';
}
