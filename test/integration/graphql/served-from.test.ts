import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { Viewer } from '#accounts/viewer.ts';
import { PostgresWarehouse } from '#warehouse/postgres.ts';
import {
  answerOfMapping,
  copyEntities,
  entityMappings,
  fillEntities,
  fillWarehouse,
  mapEntities,
  mapEntity,
} from '../../support/entities.ts';
import { type Data, openTestGraphql, type TestGraphql } from '../../support/graphql.ts';
import { openPostgresWarehouse, type TestPostgresWarehouse } from '../../support/postgres-warehouse.ts';
import { change, defineMetric, ofEvents } from '../../support/shop.ts';
import { warehouseStatementsOf } from '../../support/warehouse.ts';

let gql: TestGraphql;
let ada: Viewer;
let postgres: TestPostgresWarehouse;

const copies = {
  USER: { servedFrom: 'live.users', aliasServedFrom: 'live.identities' },
  ORGANIZATION: { servedFrom: 'live.organizations' },
  EVENT: { servedFrom: 'live.events' },
} as const;

beforeAll(async () => {
  gql = await openTestGraphql({ workers: 1 });
  ada = await gql.signUp('ada');
  postgres = await openPostgresWarehouse();
  await fillEntities(gql, ada);
  await copyEntities(gql, ada, postgres);
});
afterEach(async () => {
  await gql.app.store.db.entityMapping.deleteMany();
});
afterAll(async () => {
  await gql[Symbol.asyncDispose]();
  await postgres[Symbol.asyncDispose]();
});

/** How many statements were made in the warehouse and in the operational store. */
async function madeBy(run: () => Promise<unknown>): Promise<{ warehouse: number; ops: number }> {
  gql.app.catalog.datastores.cache.clear();
  let ops = 0;
  const proto = PostgresWarehouse.prototype;
  // It is called on the warehouse that it is read from.
  // oxlint-disable-next-line typescript/unbound-method
  const { run: runs } = proto;
  proto.run = function counted(this: PostgresWarehouse, ...args) {
    ops += 1;
    return Reflect.apply(runs, this, args);
  };
  try {
    const all = await warehouseStatementsOf(run);
    return { warehouse: all.length - ops, ops };
  } finally {
    proto.run = runs;
  }
}

const user = 'key name email createdAt properties';
const organization = 'key name createdAt properties';
const event = 'key name at properties';
const questions = [
  `{ users { totalCount nodes { ${user} } } }`,
  `{ users(last: 3, orderBy: { field: NAME, direction: DESC }) { edges { cursor node { key } } pageInfo { hasNextPage hasPreviousPage } } }`,
  `{ users(filter: { email: { contains: "U3" }, properties: [{ property: "logins", gte: 20 }] }) { nodes { key } } }`,
  `{ users(filter: { createdAt: { gt: "2025-06-03T00:00:00Z" }, properties: [{ property: "theme", eq: "dark" }] }) { nodes { key } } }`,
  `{ users(filter: { properties: [{ property: "organization.plan", eq: "team" }] }) { nodes { key } } }`,
  `{ organizations(orderBy: { field: CREATED_AT, direction: DESC }) { edges { cursor node { ${organization} } } } }`,
  `{ organizations { nodes { key userCount eventCount users(first: 1) { nodes { key } } events(last: 2) { nodes { key } } } } }`,
  `{ events(first: 5, filter: { userKey: { eq: "1" } }) { edges { cursor node { ${event} user { key } } } } }`,
  `{ events(first: 50, orderBy: { field: NAME, direction: ASC }) { nodes { key organization { name } } } }`,
  `{ events(filter: { properties: [{ property: "user.theme", eq: "light" }] }) { totalCount } }`,
  `{ users { nodes { key firstSeenAt lastSeenAt eventCount events(first: 2) { totalCount nodes { key } } organization { ${organization} } } } }`,
  `{ user(key: "anon-2") { ${user} } other: user(key: "5") { key } none: user(key: "anon-9") { key } }`,
  `{ organization(key: "blue") { ${organization} } }`,
];

const answers = () => Promise.all(questions.map((question) => gql.ask(ada, question)));

test('lists, filters, orders, cursors and what belongs together are the same on the copies as on the tables', async () => {
  await mapEntities(gql, ada);
  const { events } = await gql.ask(ada, '{ events(first: 7) { pageInfo { endCursor } } }');
  const next = `query ($after: String) { events(first: 7, after: $after) { nodes { key } } }`;
  const ofTables = [...(await answers()), await gql.ask(ada, next, { after: events.pageInfo.endCursor })];
  await mapEntities(gql, ada, copies);
  const made = await madeBy(async () => {
    const ofCopies = [...(await answers()), await gql.ask(ada, next, { after: events.pageInfo.endCursor })];
    expect(ofCopies).toEqual(ofTables);
  });
  expect(made.warehouse).toBe(0);
  expect(made.ops).toBeGreaterThan(questions.length);
  const ids = (ofTables[0]!.users.nodes as Data[]).map(({ key }) => key as string);
  expect(ids).toEqual(['1', '2', '3', '4', '5', '6', '7']);
});

test.each([
  ['users', { USER: copies.USER }],
  ['organizations', { ORGANIZATION: copies.ORGANIZATION }],
  ['events, and what they reach,', { USER: copies.USER, EVENT: copies.EVENT }],
  ['users and organizations', { USER: copies.USER, ORGANIZATION: copies.ORGANIZATION }],
])(
  'with %s alone from copies, all that one statement need not join is answered the same',
  async (_, some) => {
    await mapEntities(gql, ada);
    const ofTables = await answers();
    await mapEntities(gql, ada, some);
    const ofSome = await Promise.all(questions.map((question) => gql.answer(ada, question)));
    for (const [at, { data, errors }] of ofSome.entries()) {
      if (errors.length === 0) expect(data, questions[at]).toEqual(ofTables[at]);
      else expect(errors[0], questions[at]).toMatchObject({ message: /one statement cannot read both/ });
    }
    const refused = ofSome.flatMap(({ errors }, at) => (errors.length === 0 ? [] : [questions[at]]));
    expect(refused.filter((question) => !question!.includes('property: "'))).toEqual([]);
  },
);

test('what lies in two datastores costs one statement a field and level, whatever the number of rows', async () => {
  await mapEntities(gql, ada, { USER: copies.USER, ORGANIZATION: copies.ORGANIZATION });
  const ask = (first: number) => () =>
    gql.ask(
      ada,
      `{ events(first: ${first}) { nodes { key user { name organization { name userCount } eventCount } } } }`,
    );
  expect(await madeBy(ask(1))).toEqual({ warehouse: 2, ops: 3 });
  expect(await madeBy(ask(50))).toEqual({ warehouse: 2, ops: 3 });
  const { users } = await gql.ask(ada, '{ users(first: 50) { nodes { id } } }');
  const ids = users.nodes.map(({ id }: Data) => id as string);
  const nodes = () => gql.ask(ada, 'query ($ids: [ID!]!) { nodes(ids: $ids) { id } }', { ids });
  expect(await madeBy(nodes)).toEqual({ warehouse: 0, ops: 1 });
  expect(await madeBy(() => gql.ask(ada, '{ user(key: "anon-1") { key } }'))).toEqual({
    warehouse: 0,
    ops: 1,
  });
});

test('metrics are measured on the table, while its entities are read from the copy', async () => {
  await postgres.load(["CREATE TABLE live.few AS SELECT * FROM live.events WHERE user_id = '3'"]);
  await fillWarehouse(gql, ada, []);
  await mapEntities(gql, ada, { ...copies, EVENT: { servedFrom: 'live.few' } });
  await defineMetric(gql, ada, 'events', ofEvents({ aggregation: 'COUNT' }));
  const question = `{ events { totalCount nodes { name } } metric(name: "events") { value(from: "2026-01-01T00:00:00Z", to: "2027-01-01T00:00:00Z") } }`;
  const { events, metric } = await gql.ask(ada, question);
  expect([events.totalCount, metric.value]).toEqual([events.nodes.length, 60]);
  expect(events.totalCount).toBeLessThan(60);
});

test('events without a name are called as their table, and not as its copy', async () => {
  const { name: _, ...unnamed } = entityMappings.EVENT;
  await mapEntity(gql, ada, { ...unnamed, servedFrom: 'live.events' });
  const { events } = await gql.ask(ada, '{ events(first: 1) { nodes { name } } }');
  expect(events.nodes).toEqual([{ name: 'events' }]);
});

test('texts are sorted by their bytes on a copy, whatever its collation', async () => {
  await fillWarehouse(gql, ada, [
    "CREATE TABLE raw.words AS SELECT * FROM (VALUES ('b'), ('B'), ('a'), ('ä'), ('Z'), ('_')) AS t(word)",
  ]);
  await postgres.load([
    'CREATE TABLE live.words (word text COLLATE "und-x-icu")',
    "INSERT INTO live.words VALUES ('b'), ('B'), ('a'), ('ä'), ('Z'), ('_')",
  ]);
  await fillWarehouse(gql, ada, []);
  await mapEntity(gql, ada, { kind: 'USER', table: 'raw.words', key: 'word', servedFrom: 'live.words' });
  const all = ['B', 'Z', '_', 'a', 'b', 'ä'];
  const { users } = await gql.ask(ada, '{ users { edges { cursor node { key } } } }');
  expect(users.edges.map(({ node }: Data) => node.key as string)).toEqual(all);
  const after = users.edges[1].cursor as string;
  const rest = await gql.ask(ada, 'query ($after: String) { users(after: $after) { nodes { key } } }', {
    after,
  });
  expect(rest.users.nodes.map(({ key }: Data) => key as string)).toEqual(all.slice(2));
});

test('a column that the table has got and the copy not yet is no property until the copy has it', async () => {
  await fillWarehouse(gql, ada, ["CREATE TABLE raw.plans AS SELECT 1 AS id, 'a' AS label"]);
  await postgres.load(["CREATE TABLE live.plans AS SELECT 1 AS id, 'a'::text AS label, 7 AS of_copy_alone"]);
  await fillWarehouse(gql, ada, []);
  const mapping = { kind: 'ORGANIZATION', table: 'raw.plans', key: 'id', servedFrom: 'live.plans' };
  await mapEntity(gql, ada, mapping);
  const properties = async () =>
    (await gql.ask(ada, '{ organizations { nodes { properties } } }')).organizations.nodes[0].properties;
  expect(await properties()).toEqual({ label: 'a' });
  await fillWarehouse(gql, ada, ['ALTER TABLE raw.plans ADD COLUMN size INTEGER']);
  expect(await properties()).toEqual({ label: 'a' });
  const { userErrors } = await answerOfMapping(gql, ada, mapping);
  expect(userErrors).toMatchObject([
    { code: 'NOT_FOUND', path: ['servedFrom'], message: /no column "size"/ },
  ]);
  await postgres.load(['ALTER TABLE live.plans ADD COLUMN size int DEFAULT 3']);
  await fillWarehouse(gql, ada, []);
  expect(await properties()).toEqual({ label: 'a', size: 3 });
});

test('mapping again without a copy reads from the table again, and a store with copies is in use', async () => {
  await mapEntities(gql, ada, copies);
  const { datastores } = await gql.ask(ada, '{ datastores { nodes { id name } } }');
  const { id } = datastores.nodes.find(({ name }: Data) => name === 'ops');
  const { userErrors } = await change(gql, ada, 'deleteDatastore', { id }, 'deletedId');
  expect(userErrors).toMatchObject([{ code: 'IN_USE', message: /the mapping of EVENT/ }]);
  await mapEntity(gql, ada, { ...entityMappings.ORGANIZATION });
  expect(await madeBy(() => gql.ask(ada, '{ organizations { nodes { key } } }'))).toEqual({
    warehouse: 1,
    ops: 0,
  });
});

test('answers carry the freshness of the copy, and are asked anew once a task has written it', async () => {
  const { datastores } = await gql.ask(ada, '{ datastores { nodes { id name } } }');
  const { id: datastoreId } = datastores.nodes.find(({ name }: Data) => name === 'ops');
  await postgres.load([
    "CREATE TABLE live.origin AS SELECT 'acme'::text AS slug, 'Copied'::text AS name, now()::timestamp AS since",
  ]);
  await fillWarehouse(gql, ada, [
    "CREATE TABLE raw.firms AS SELECT 'acme' AS slug, 'Original' AS name, TIMESTAMP '2025-01-01' AS since",
  ]);
  const made = await change(
    gql,
    ada,
    'upsertTransformation',
    {
      name: 'copy',
      datastoreId,
      sql: 'SELECT slug, name, since FROM live.origin',
      target: { schema: 'made', table: 'firms', kind: 'TABLE' },
    },
    'transformation { id }',
  );
  expect(made.userErrors).toEqual([]);
  const copy = async () => {
    const input = { id: made.transformation.id as string };
    const { task } = await change(gql, ada, 'runTransformation', input, 'task { id }');
    const query = 'subscription ($taskId: ID!) { taskUpdated(taskId: $taskId) { status } }';
    let status = '';
    for await (const { data } of gql.follow(ada, query, { taskId: task.id }))
      status = data.taskUpdated.status;
    expect(status).toBe('SUCCEEDED');
    return task.id as string;
  };
  const first = await copy();
  await mapEntity(gql, ada, { ...entityMappings.ORGANIZATION, table: 'raw.firms', servedFrom: 'made.firms' });
  const read = async () =>
    (await gql.ask(ada, '{ organization(key: "acme") { name freshness { syncedAt task { id } } } }'))
      .organization;
  const before = await read();
  expect(before).toMatchObject({ name: 'Copied', freshness: { task: { id: first } } });
  await postgres.load(["UPDATE live.origin SET name = 'Newer'"]);
  // Kept: nobody has written the copy.
  const [again, statements] = await Promise.all([read(), warehouseStatementsOf(read)]);
  expect([again, statements]).toEqual([before, []]);
  const second = await copy();
  const after = await read();
  expect(after).toMatchObject({ name: 'Newer', freshness: { task: { id: second } } });
  expect(Date.parse(after.freshness.syncedAt)).toBeGreaterThan(Date.parse(before.freshness.syncedAt));
});

test('a copy that is not reached is not answered for by the table, and names no address', async () => {
  await mapEntities(gql, ada, { USER: copies.USER });
  const { datastores } = await gql.ask(ada, '{ datastores { nodes { id name } } }');
  const { id } = datastores.nodes.find(({ name }: Data) => name === 'ops');
  const kept = await gql.ask(ada, '{ user(key: "2") { name } }');
  const config = { ...postgres.server };
  await change(gql, ada, 'updateDatastore', { id, config: { ...config, port: 1 } }, 'datastore { id }');
  try {
    const { data, errors } = await gql.answer(
      ada,
      '{ user(key: "2") { name } organizations { totalCount } }',
    );
    expect(data.user ?? null).toBeNull();
    expect(errors).toMatchObject([
      { message: 'The datastore "ops" cannot be reached.', extensions: { code: 'WAREHOUSE_UNAVAILABLE' } },
    ]);
    expect((await gql.ask(ada, '{ organizations { totalCount } }')).organizations).toEqual({
      totalCount: 3,
    });
  } finally {
    await change(gql, ada, 'updateDatastore', { id, config }, 'datastore { id }');
  }
  expect(await gql.ask(ada, '{ user(key: "2") { name } }')).toEqual(kept);
});

test('a job makes copies that answer as their tables do, and tells how fresh these were', async () => {
  await mapEntities(gql, ada);
  const ofTables = await answers();
  const { datastores } = await gql.ask(ada, '{ datastores { nodes { id name } } }');
  const { id: datastoreId } = datastores.nodes.find(({ name }: Data) => name === 'warehouse');
  // A table that a task has written: how fresh its copy is can be told.
  const { transformation } = await change(
    gql,
    ada,
    'upsertTransformation',
    {
      name: 'groups',
      datastoreId,
      sql: 'SELECT * FROM raw.organizations',
      target: { schema: 'made', table: 'groups', kind: 'TABLE' },
    },
    'transformation { id }',
  );
  await ended(change(gql, ada, 'runTransformation', { id: transformation.id }, 'task { id }'));
  const { source } = await change(
    gql,
    ada,
    'createSource',
    { name: 'warehouse', type: 'datastore', config: { datastore: 'warehouse' } },
    'source { id }',
  );
  const { destination } = await change(
    gql,
    ada,
    'createDestination',
    { name: 'ops', type: 'datastore', config: { datastore: 'ops', schema: 'copied' } },
    'destination { id }',
  );
  const streams = ['raw.users', 'raw.events', 'raw.identities', 'made.groups'].map((each) => {
    const [namespace, name] = each.split('.');
    return { namespace, name, syncMode: 'FULL_REFRESH' };
  });
  const input = { name: 'copy', sourceId: source.id, destinationId: destination.id, streams };
  const { job, userErrors } = await change(gql, ada, 'createJob', input, 'job { id }');
  expect(userErrors).toEqual([]);
  const copy = () => ended(change(gql, ada, 'syncJob', { id: job.id }, 'task { id }'));
  const first = await copy();
  expect(await gql.app.store.db.feedInput.count()).toBe(streams.length);
  const copied = {
    USER: { servedFrom: 'copied.users', aliasServedFrom: 'copied.identities' },
    ORGANIZATION: { table: 'made.groups', servedFrom: 'copied.groups' },
    EVENT: { servedFrom: 'copied.events' },
  };
  await mapEntities(gql, ada, copied);
  const made = await madeBy(async () => expect(await answers()).toEqual(ofTables));
  expect(made.warehouse).toBe(0);

  const freshness = 'freshness { syncedAt originalSyncedAt task { id } }';
  const read = async () =>
    (await gql.ask(ada, `{ organization(key: "acme") { name ${freshness} } }`)).organization;
  const { groups } = await gql.ask(
    ada,
    `{ groups: table(fqn: "warehouse.warehouse.made.groups") { ${freshness} } }`,
  );
  const before = await read();
  expect(before.freshness).toMatchObject({
    originalSyncedAt: groups.freshness.syncedAt,
    task: { id: first },
  });
  const { entityMapping } = await gql.ask(
    ada,
    `{ entityMapping(kind: ORGANIZATION) { servedFrom { ${freshness} } } }`,
  );
  expect(entityMapping.servedFrom.freshness).toEqual(before.freshness);

  await fillWarehouse(gql, ada, ["UPDATE raw.organizations SET name = 'Acme Inc.' WHERE slug = 'acme'"]);
  await ended(change(gql, ada, 'runTransformation', { id: transformation.id }, 'task { id }'));
  // The copy is what it was, and says so.
  expect(await read()).toEqual(before);
  const second = await copy();
  const after = await read();
  expect(after).toMatchObject({ name: 'Acme Inc.', freshness: { task: { id: second } } });
  expect(Date.parse(after.freshness.originalSyncedAt)).toBeGreaterThan(
    Date.parse(before.freshness.originalSyncedAt),
  );
});

/** Waits for a task that must succeed, and gives its id. */
async function ended(starting: Promise<Data>): Promise<string> {
  const { task, userErrors } = await starting;
  expect(userErrors).toEqual([]);
  const query = 'subscription ($taskId: ID!) { taskUpdated(taskId: $taskId) { status error { message } } }';
  let last: Data;
  for await (const { data } of gql.follow(ada, query, { taskId: task.id })) last = data.taskUpdated;
  expect(last).toEqual({ status: 'SUCCEEDED', error: null });
  return task.id as string;
}
