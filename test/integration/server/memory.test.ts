import { Client } from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createApiKey } from '#accounts/api-keys.ts';
import type { Viewer } from '#accounts/viewer.ts';
import { serve, type Serving } from '#server/serve.ts';
import { askOverHttp } from '../../support/ask-over-http.ts';
import { fillWarehouse, mapEntity } from '../../support/entities.ts';
import { openTestGraphql, type TestGraphql } from '../../support/graphql.ts';
import { defineMetric, ofEvents } from '../../support/shop.ts';

/* What questions are made from is remembered, over HTTP, where each request looks up its viewer. Other processes are
 * other connections to the store: they write what a process of Sluice writes. */

let gql: TestGraphql;
let serving: Serving;
let ada: Viewer;
let token: string;
let other: Client;

beforeAll(async () => {
  gql = await openTestGraphql();
  serving = await serve(gql.app, { host: '127.0.0.1', port: 0 });
  ada = await gql.signUp('ada');
  const scopes = ['CONTROL_READ', 'CONTROL_WRITE', 'DATA_READ'] as const;
  token = (await createApiKey(gql.app.accounts, ada, { name: 'memory', scopes: [...scopes] })).secret;
  await fillWarehouse(gql, ada, [
    'CREATE SCHEMA raw',
    `CREATE TABLE raw.events AS SELECT n AS id, 'a' AS name, 'b' AS label, TIMESTAMPTZ '2026-01-01 00:00:00Z' AS at FROM range(7) t(n)`,
    'CREATE TABLE raw.few AS SELECT * FROM raw.events LIMIT 2',
  ]);
  await mapEntity(gql, ada, { kind: 'EVENT', table: 'raw.events', key: 'id', name: 'name', at: 'at' });
  await defineMetric(gql, ada, 'events', ofEvents({ aggregation: 'COUNT' }));
  other = new Client({ connectionString: gql.app.config.databaseUrl });
  await other.connect();
});
afterAll(async () => {
  await other?.end();
  await serving?.[Symbol.asyncDispose]();
  await gql?.[Symbol.asyncDispose]();
});

const ask = (query: string) => askOverHttp(serving, token, query);

const value = async () =>
  (
    await ask(
      '{ metric(name: "events") { value(from: "2026-01-01T00:00:00Z", to: "2026-02-01T00:00:00Z") } }',
    )
  ).metric.value as number;
const name = async () =>
  (await ask('{ events(first: 1) { nodes { name } } }')).events.nodes[0].name as string;

/** The statements that `run` makes on the store. */
async function storeStatements(run: () => Promise<unknown>): Promise<string[]> {
  const { query } = Client.prototype;
  const made: string[] = [];
  Client.prototype.query = function counted(this: Client, ...args: unknown[]) {
    const [first] = args as [string | { text?: string }];
    made.push(typeof first === 'string' ? first : (first.text ?? ''));
    return Reflect.apply(query, this, args) as never;
  };
  try {
    await run();
  } finally {
    Client.prototype.query = query;
  }
  // Which transformations are due is looked for all the time, whoever asks what.
  const asked = made.filter((text) => !/^\s*WITH due AS/.test(text));
  return asked.filter((text) => /api_key|"?metric"?|entity_mapping|catalog_table/.test(text));
}

const aggregationTo = (aggregation: string, column: string | null) =>
  other.query(
    `UPDATE metric SET definition = jsonb_set(definition, '{simple,measure}', $1::jsonb) WHERE name = 'events'`,
    [JSON.stringify({ aggregation, column })],
  );

test('a kept answer asks the store who asks, and neither for the metric nor for what it is made of', async () => {
  expect(await value()).toBe(7);
  const made = await storeStatements(value);
  expect(made.length, made.join('\n')).toBe(1);
  await name();
  expect((await storeStatements(name)).length).toBe(1);
});

test('a definition that any process changes counts for the very next request, once it is committed', async () => {
  expect(await value()).toBe(7);
  await other.query('BEGIN');
  await aggregationTo('MAX', 'key');
  expect(await value()).toBe(7);
  await other.query('COMMIT');
  expect(await value()).toBe(6);
  await other.query('BEGIN');
  await aggregationTo('MIN', 'key');
  await other.query('ROLLBACK');
  expect(await value()).toBe(6);
  await aggregationTo('COUNT', null);
  expect(await value()).toBe(7);
});

test('what a metric is called, that it is gone, and who made it count for the very next request', async () => {
  const shown = async () => (await ask('{ metric(name: "events") { title } }')).metric;
  const maker = async () =>
    (await ask('{ metric(name: "events") { createdBy { username } } }')).metric.createdBy.username as string;
  expect([await shown(), await maker()]).toEqual([{ title: 'events' }, 'ada']);
  await other.query(`UPDATE metric SET title = 'All events' WHERE name = 'events'`);
  await other.query(`UPDATE member SET username = 'lovelace' WHERE username = 'ada'`);
  expect([await shown(), await maker()]).toEqual([{ title: 'All events' }, 'lovelace']);
  await other.query(`UPDATE metric SET deleted_at = now() WHERE name = 'events'`);
  expect(await shown()).toBeNull();
  await other.query(`UPDATE metric SET deleted_at = NULL WHERE name = 'events'`);
  await other.query(`UPDATE member SET username = 'ada' WHERE username = 'lovelace'`);
  expect([await shown(), await maker()]).toEqual([{ title: 'All events' }, 'ada']);
});

test('a mapping that any process changes counts for the very next request, for entities and for metrics', async () => {
  expect(await name()).toBe('a');
  await other.query(`UPDATE entity_mapping SET columns = jsonb_set(columns, '{name}', '"label"')`);
  expect(await name()).toBe('b');
  await other.query(
    `UPDATE entity_mapping SET table_id = (SELECT id FROM catalog_table WHERE name = 'few' LIMIT 1)`,
  );
  expect(await value()).toBe(2);
  await other.query('DELETE FROM entity_mapping');
  expect(
    await ask('{ node(id: "eA") { id } entityMapping(kind: EVENT) { key } }').catch(() => null),
  ).toBeNull();
  await mapEntity(gql, ada, { kind: 'EVENT', table: 'raw.events', key: 'id', name: 'name', at: 'at' });
  expect([await name(), await value()]).toEqual(['a', 7]);
});

test('columns that a refresh finds count for the very next request', async () => {
  const properties = async () => (await ask('{ events(first: 1) { nodes { properties } } }')).events.nodes[0];
  expect(await properties()).toEqual({ properties: { label: 'b' } });
  await fillWarehouse(gql, ada, ['ALTER TABLE raw.events ADD COLUMN size INTEGER DEFAULT 3']);
  expect(await properties()).toEqual({ properties: { label: 'b', size: 3 } });
});

test('a mutation shows what it has changed, and so does what follows it', async () => {
  expect(await name()).toBe('a');
  const map = `mapEntity(input: { kind: EVENT, table: "raw.events", key: "id", name: "label", at: "at" }) { mapping { columns properties } }`;
  const { mapEntity: mapped } = await ask(`mutation { ${map} }`);
  expect(mapped.mapping).toEqual({ columns: { name: 'label', at: 'at' }, properties: ['name', 'size'] });
  expect(await name()).toBe('b');
});

test('changes of one project do not wait for each other before they are committed', async () => {
  await defineMetric(gql, ada, 'others', ofEvents({ aggregation: 'COUNT' }));
  await other.query('BEGIN');
  await aggregationTo('MAX', 'key');
  const { db } = gql.app.store;
  await db.metric.updateMany({ where: { name: 'others' }, data: { title: 'changed meanwhile' } });
  await other.query('COMMIT');
  const { rows } = await other.query('SELECT count(*)::int AS count FROM project_revision');
  expect(rows).toEqual([{ count: 1 }]);
  expect(await value()).toBe(6);
});

test('one project does not forget for another, and none is told what another remembers', async () => {
  const bob = await gql.signUp('bob');
  await mapEntity(gql, bob, { kind: 'EVENT', table: 'raw.events', key: 'id', at: 'at' }).catch(
    () => undefined,
  );
  await value();
  await fillWarehouse(gql, bob, [
    'CREATE SCHEMA raw',
    "CREATE TABLE raw.events AS SELECT 1 AS id, TIMESTAMPTZ '2026-01-01 00:00:00Z' AS at",
  ]);
  await mapEntity(gql, bob, { kind: 'EVENT', table: 'raw.events', key: 'id', at: 'at' });
  expect((await storeStatements(value)).length).toBe(1);
});
