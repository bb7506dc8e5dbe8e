import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Viewer } from '#accounts/viewer.ts';
import { newId } from '#base/id.ts';
import { askWarehouse } from '#catalog/ask.ts';
import { readGlobalId } from '#graphql/global-id.ts';
import { sql } from '#warehouse/sql.ts';
import { type Data, openTestGraphql, type TestGraphql, type Variables } from '../../support/graphql.ts';

let gql: TestGraphql;
let ada: Viewer;

beforeAll(async () => {
  gql = await openTestGraphql({ workers: 1 });
  ada = await gql.signUp('ada');
  await mkdir(join(gql.filesRoot, 'shop'), { recursive: true });
  await writeFile(join(gql.filesRoot, 'shop', 'orders.csv'), 'id,total\n1,2.50\n2,3.00\n3,4.25\n');
});
afterAll(() => gql[Symbol.asyncDispose]());

/** Runs a mutation with its input; fails when it answers with errors at the top. */
async function run(mutation: string, input: Variables, fields: string, viewer = ada): Promise<Data> {
  const type = `${mutation[0]?.toUpperCase()}${mutation.slice(1)}Input`;
  const query = `mutation ($input: ${type}!) { ${mutation}(input: $input) { ${fields} userErrors { code path message } } }`;
  return (await gql.ask(viewer, query, { input }))[mutation];
}

const create = (input: Variables, viewer = ada) =>
  run(
    'createDatastore',
    { engine: 'DUCKDB', config: {}, ...input },
    'datastore { id name engine role isDefault config revision }',
    viewer,
  );
const defaultsOf = async (viewer: Viewer) => {
  const { datastores } = await gql.ask(viewer, '{ datastores { nodes { name isDefault revision } } }');
  return datastores.nodes;
};

/** Runs the job and waits for its end. */
async function sync(jobId: string): Promise<string> {
  const { task } = await run('syncJob', { id: jobId }, 'task { id }');
  let status = '';
  const query = 'subscription ($taskId: ID!) { taskUpdated(taskId: $taskId) { status error { message } } }';
  for await (const { data } of gql.follow(ada, query, { taskId: task.id })) status = data.taskUpdated.status;
  expect(status).toBe('SUCCEEDED');
  return task.id as string;
}

test('a second datastore is made, written by a job, read by its fqn, and kept apart from the first', async () => {
  const { datastore, userErrors } = await create({
    name: 'lake_2',
    config: { cache: { maxAgeSeconds: 60, staleSeconds: 0 } },
  });
  expect(userErrors).toEqual([]);
  expect(datastore).toMatchObject({
    name: 'lake_2',
    engine: 'DUCKDB',
    role: 'WAREHOUSE',
    isDefault: false,
    revision: 1,
    config: { cache: { maxAgeSeconds: 60, staleSeconds: 0 } },
  });

  const { source } = await run(
    'createSource',
    { name: 'shop', type: 'files', config: { path: 'shop' } },
    'source { id }',
  );
  const { destination } = await run(
    'createDestination',
    { name: 'lake', type: 'datastore', config: { datastore: 'lake_2' } },
    'destination { id }',
  );
  const { job } = await run(
    'createJob',
    {
      name: 'to the lake',
      sourceId: source.id,
      destinationId: destination.id,
      streams: [{ name: 'orders', syncMode: 'FULL_REFRESH' }],
    },
    'job { id }',
  );
  const taskId = await sync(job.id);

  const found = await gql.ask(
    ada,
    `{ table(fqn: "lake_2.lake_2.raw.orders") {
         rowCount datastore { id } freshness { task { id } } sample { rows } upstream { job { id } stream task { id } table { id } }
       }
       warehouse: table(fqn: "warehouse.warehouse.raw.orders") { id }
       datastores { nodes { name schemas { database schema tables } tables { nodes { name } } } } }`,
  );
  expect(found).toEqual({
    table: {
      rowCount: 3,
      datastore: { id: datastore.id },
      freshness: { task: { id: taskId } },
      sample: { rows: expect.any(Array) },
      upstream: [{ job: { id: job.id }, stream: 'orders', task: { id: taskId }, table: null }],
    },
    warehouse: null,
    datastores: {
      nodes: [
        {
          name: 'warehouse',
          schemas: [{ database: 'warehouse', schema: 'main', tables: 0 }],
          tables: { nodes: [] },
        },
        {
          name: 'lake_2',
          schemas: [
            { database: 'lake_2', schema: 'main', tables: 0 },
            { database: 'lake_2', schema: 'raw', tables: 1 },
          ],
          tables: { nodes: [{ name: 'orders' }] },
        },
      ],
    },
  });
  expect(found.table.sample.rows.length).toBe(3);
  expect(await run('refreshCatalog', { datastoreId: datastore.id }, 'tables')).toEqual({
    tables: 1,
    userErrors: [],
  });

  const used = await run('deleteDatastore', { id: datastore.id }, 'deletedId');
  expect(used.deletedId).toBe(null);
  expect(used.userErrors).toEqual([
    {
      code: 'IN_USE',
      path: ['id'],
      message: 'The datastore "lake_2" is used by the destination "lake", the job "to the lake".',
    },
  ]);
});

test('a datastore that a mapping, a source, a transformation, a metric or an endpoint uses is not deleted, and each is named', async () => {
  const eve = await gql.signUp('eve');
  const { datastore } = await create({ name: 'used' }, eve);
  const { projectId } = eve;
  const datastoreId = readGlobalId(datastore.id)?.uuid as string;
  const at = new Date();
  const row = () => ({ id: newId(), projectId, createdAt: at, updatedAt: at });
  const { db } = gql.app.store;
  const { warehouse } = await gql.app.catalog.datastores.open(projectId, 'used');
  await warehouse.run({ sql: 'CREATE TABLE people AS SELECT 1 AS id' });
  await run('refreshCatalog', {}, 'tables', eve);
  const table = await db.catalogTable.findFirstOrThrow({ where: { projectId, name: 'people' } });
  await db.entityMapping.create({
    data: { ...row(), kind: 'USER', tableId: table.id, key: 'id', columns: {} },
  });
  await db.transformation.create({
    data: {
      ...row(),
      name: 'daily',
      datastoreId,
      targetKind: 'TABLE',
      targetSchema: 'main',
      targetTable: 'daily',
      runAfterInputs: false,
      active: true,
    },
  });
  await db.metric.create({
    data: {
      ...row(),
      name: 'people',
      title: 'People',
      kind: 'SIMPLE',
      definition: { simple: { table: 'used.used.main.people' } },
    },
  });
  // Begins alike, and is of another datastore.
  await db.metric.create({
    data: {
      ...row(),
      name: 'other',
      title: 'Other',
      kind: 'SIMPLE',
      definition: { simple: { table: 'used_2.a.b.c' } },
    },
  });
  const declaration = {
    metadata: { name: 'ones', version: 2 },
    route: '/ones',
    datastore: 'used',
    query: 'SELECT 1 AS one',
  };
  const { endpoint } = await run('upsertEndpoint', { declaration, publish: true }, 'endpoint { id }', eve);
  const source = { name: 'back', type: 'datastore', config: { datastore: 'used' } };
  await run('createSource', source, 'source { id }', eve);
  await run('createSource', { ...source, name: 'default', config: {} }, 'source { id }', eve);
  const { userErrors } = await run('deleteDatastore', { id: datastore.id }, 'deletedId', eve);
  expect(userErrors).toMatchObject([
    {
      code: 'IN_USE',
      message:
        'The datastore "used" is used by the mapping of USER, the source "back", the transformation "daily", the metric "people", version 2 of the endpoint "ones".',
    },
  ]);

  await db.entityMapping.deleteMany({ where: { projectId } });
  await db.transformation.updateMany({ where: { projectId }, data: { deletedAt: at } });
  await db.metric.updateMany({ where: { projectId }, data: { deletedAt: at } });
  await run('deleteEndpoint', { id: endpoint.id }, 'deletedId', eve);
  await db.source.updateMany({ where: { projectId, name: 'back' }, data: { deletedAt: at } });
  expect(await run('deleteDatastore', { id: datastore.id }, 'deletedId', eve)).toEqual({
    deletedId: datastore.id,
    userErrors: [],
  });
  expect(
    await gql.ask(
      eve,
      '{ tables { totalCount } datastores { totalCount } table(fqn: "used.used.main.people") { id } }',
    ),
  ).toEqual({ tables: { totalCount: 0 }, datastores: { totalCount: 1 }, table: null });

  // The name is free again, and what the other one held is not in it.
  expect((await create({ name: 'used' }, eve)).userErrors).toEqual([]);
  expect(await run('refreshCatalog', {}, 'tables', eve)).toEqual({ tables: 0, userErrors: [] });
});

test('there is one default at any time: another one takes its place, and it cannot be given up or deleted', async () => {
  const kim = await gql.signUp('kim');
  const { datastore } = await create({ name: 'second', isDefault: true }, kim);
  expect(datastore.isDefault).toBe(true);
  expect(await defaultsOf(kim)).toEqual([
    { name: 'warehouse', isDefault: false, revision: 2 },
    { name: 'second', isDefault: true, revision: 1 },
  ]);
  expect((await gql.app.catalog.datastores.open(kim.projectId)).name).toBe('second');

  const given = await run('updateDatastore', { id: datastore.id, isDefault: false }, 'datastore { id }', kim);
  expect(given.userErrors).toMatchObject([{ code: 'NOT_ALLOWED', path: ['isDefault'] }]);
  const deleted = await run('deleteDatastore', { id: datastore.id }, 'deletedId', kim);
  expect(deleted.userErrors).toMatchObject([{ code: 'NOT_ALLOWED', path: ['id'] }]);

  const { datastores } = await gql.ask(kim, '{ datastores { nodes { id } } }');
  const first = datastores.nodes[0].id;
  expect(
    await run('updateDatastore', { id: first, isDefault: true }, 'datastore { isDefault }', kim),
  ).toEqual({
    datastore: { isDefault: true },
    userErrors: [],
  });
  expect((await gql.app.catalog.datastores.open(kim.projectId)).name).toBe('warehouse');

  const both = ['one', 'other'].map((name) => create({ name, isDefault: true }, kim));
  for (const { userErrors } of await Promise.all(both)) expect(userErrors).toEqual([]);
  const now: { isDefault: boolean }[] = await defaultsOf(kim);
  expect(now.filter(({ isDefault }) => isDefault).length).toBe(1);
});

test('a datastore is changed under its revision, and its config whole; it stays where it is, and no answer is kept by the old one', async () => {
  const lea = await gql.signUp('lea');
  const { datastore } = await create({ name: 'mine', config: { cache: { staleSeconds: 5 } } }, lea);
  const { warehouse } = await gql.app.catalog.datastores.open(lea.projectId, 'mine');
  await warehouse.run({ sql: 'CREATE TABLE here AS SELECT 1 AS a' });
  const update = (input: Variables) =>
    run('updateDatastore', { id: datastore.id, ...input }, 'datastore { revision config }', lea);
  expect(await update({ config: { cache: { maxAgeSeconds: 1 } }, expectedRevision: 1 })).toEqual({
    datastore: { revision: 2, config: { cache: { maxAgeSeconds: 1 } } },
    userErrors: [],
  });
  expect((await update({ config: {}, expectedRevision: 1 })).userErrors).toMatchObject([
    { code: 'CONFLICT', path: ['expectedRevision'] },
  ]);
  expect((await update({ config: {} })).datastore.config).toEqual({});

  await run('refreshCatalog', {}, 'tables', lea);
  const { catalog, store } = gql.app;
  const { projectId } = lea;
  const table = await store.db.catalogTable.findFirstOrThrow({
    where: { projectId, name: 'here' },
    include: { datastore: true },
  });
  const asker = { projectId, requestId: 'r', signal: new AbortController().signal };
  const question = { datastore: table.datastore, sql: sql`SELECT a FROM here`, tableIds: [table.id] };
  const ask = async () => (await askWarehouse(catalog, asker, question)).cache;
  expect([await ask(), await ask()]).toEqual(['MISS', 'HIT']);
  await update({ config: { cache: { maxAgeSeconds: 1 } } });
  expect(await ask()).toBe('MISS');

  // Opened anew it finds its file again.
  await gql.app.catalog.datastores.forget(readGlobalId(datastore.id)?.uuid as string);
  const again = await gql.app.catalog.datastores.open(lea.projectId, 'mine');
  expect((await again.warehouse.tables()).map(({ name }) => name)).toEqual(['here']);
});

test('what is wrong with a new datastore is said with its place', async () => {
  const problems = async (input: Variables) => (await create(input)).userErrors;
  expect(await problems({ name: 'snow', engine: 'SNOWFLAKE', role: 'OPERATIONAL' })).toMatchObject([
    { code: 'UNSUPPORTED', path: ['role'] },
  ]);
  expect(await problems({ name: 'oltp', role: 'OPERATIONAL' })).toMatchObject([
    { code: 'UNSUPPORTED', path: ['role'] },
  ]);
  for (const name of ['Lake', '2lake', 'a-b', 'a.b', '', 'x'.repeat(64), 'main', 'temp', 'system']) {
    expect(await problems({ name }), name).toMatchObject([{ code: 'INVALID', path: ['name'] }]);
  }
  expect(await problems({ name: 'warehouse' })).toMatchObject([{ code: 'NOT_UNIQUE', path: ['name'] }]);
  const config = { cache: { maxAgeSeconds: 0, staleSeconds: 1.5, age: 1 }, home: 'elsewhere' };
  const paths = (await problems({ name: 'a', config })).map(({ path }: { path: string[] }) => path.join('.'));
  expect(paths.sort()).toEqual([
    'config.cache.age',
    'config.cache.maxAgeSeconds',
    'config.cache.staleSeconds',
    'config.home',
  ]);
  expect(await problems({ name: 'a', config: 7 })).toMatchObject([{ code: 'INVALID', path: ['config'] }]);
});

test('a repeat with the same key makes nothing new', async () => {
  const input = { name: 'once', idempotencyKey: 'k1' };
  const first = await create(input);
  const second = await create(input);
  expect(second).toEqual(first);
  expect((await create({ ...input, name: 'twice' })).userErrors).toMatchObject([
    { code: 'IDEMPOTENCY_KEY_REUSED' },
  ]);
});

test('a saved datastore is tested, and so is one that is not made yet', async () => {
  const { datastores } = await gql.ask(ada, '{ datastores { nodes { id } } }');
  const tested = (input: Variables) => run('testDatastore', input, 'ok message');
  expect(await tested({ id: datastores.nodes[0].id })).toMatchObject({ ok: true, userErrors: [] });
  expect(await tested({ engine: 'DUCKDB', config: {} })).toMatchObject({ ok: true, userErrors: [] });
  expect(await tested({ engine: 'DUCKDB', config: { cache: 1 } })).toMatchObject({
    ok: false,
    userErrors: [{ code: 'INVALID', path: ['config', 'cache'] }],
  });
  expect(await tested({ engine: 'SNOWFLAKE', config: {} })).toMatchObject({
    ok: false,
    userErrors: ['account', 'username', 'warehouse', 'database'].map((field) => ({
      code: 'REQUIRED',
      path: ['config', field],
    })),
  });
  expect((await tested({})).userErrors).toMatchObject([{ code: 'REQUIRED' }]);
});

test('schemas of a datastore that cannot be asked are null, and the rest of the answer comes', async () => {
  const moe = await gql.signUp('moe');
  await create({ name: 'far' }, moe);
  await gql.app.store.db.datastore.updateMany({
    where: { projectId: moe.projectId, name: 'far' },
    data: { config: { home: newId() } },
  });
  const { data, errors } = await gql.answer(moe, '{ datastores { nodes { name schemas { schema } } } }');
  expect(data.datastores.nodes).toEqual([
    { name: 'warehouse', schemas: [{ schema: 'main' }] },
    { name: 'far', schemas: null },
  ]);
  expect(errors.map(({ path, extensions }) => [path?.join('.'), extensions.code])).toEqual([
    ['datastores.nodes.1.schemas', 'WAREHOUSE_UNAVAILABLE'],
  ]);
});
