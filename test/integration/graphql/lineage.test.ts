import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Viewer } from '#accounts/viewer.ts';
import { newId } from '#base/id.ts';
import { markWritten } from '#catalog/mark-written.ts';
import type { Feed } from '#catalog/save-tables.ts';
import { globalId } from '#graphql/global-id.ts';
import { type Data, openTestGraphql, statementsOf, type TestGraphql } from '../../support/graphql.ts';
import { insertDestination, insertJob, insertSource, insertTask } from '../../support/rows.ts';

let gql: TestGraphql;
let ada: Viewer;
let jobId: string;

beforeAll(async () => {
  gql = await openTestGraphql();
  ada = await gql.signUp('ada');
  jobId = await insertJobOf(ada);
});
afterAll(() => gql[Symbol.asyncDispose]());

async function insertJobOf(owner: Viewer): Promise<string> {
  const { db } = gql.app.store;
  const [sourceId, destinationId] = [
    await insertSource(db, owner, 's'),
    await insertDestination(db, owner, 'd'),
  ];
  return insertJob(db, owner, { name: 'shop to warehouse', sourceId, destinationId });
}

/** A table or view of the warehouse, written by a task at that hour. */
async function written(
  owner: Viewer,
  target: { name: string; select: string; hour: number; feed: Feed; kind?: 'TABLE' | 'VIEW' },
) {
  const { catalog, store } = gql.app;
  const { projectId } = owner;
  const { name, select, hour, feed, kind = 'TABLE' } = target;
  const { warehouse } = await catalog.datastores.open(projectId);
  await warehouse.run({ sql: `CREATE OR REPLACE ${kind} ${name} AS ${select}` });
  const job = 'jobId' in feed ? feed.jobId : await anyJob(owner);
  const taskId = await insertTask(store.db, owner, job);
  const table = { datastore: 'warehouse', database: 'warehouse', schema: 'main', name };
  const at = new Date(Date.UTC(2026, 10, 1, hour));
  await markWritten(store.db, catalog.datastores, { projectId, taskId, table, at, feed });
  const { id } = await store.db.catalogTable.findFirstOrThrow({ where: { projectId, name } });
  return { id, taskId, at };
}

async function anyJob(owner: Viewer): Promise<string> {
  const { id } = await gql.app.store.db.job.findFirstOrThrow({ where: { projectId: owner.projectId } });
  return id;
}

async function transformation(
  owner: Viewer,
  name: string,
  inputs: readonly string[],
): Promise<{ transformationId: string }> {
  const { db } = gql.app.store;
  const id = newId();
  const { projectId } = owner;
  const datastore = await db.datastore.findFirstOrThrow({ where: { projectId } });
  const at = new Date();
  await db.transformation.create({
    data: {
      id,
      projectId,
      name,
      datastoreId: datastore.id,
      sql: 'SELECT 1',
      targetKind: 'VIEW',
      targetSchema: 'main',
      targetTable: name,
      runAfterInputs: false,
      active: true,
      createdAt: at,
      updatedAt: at,
      inputs: { create: inputs.map((tableId) => ({ tableId })) },
    },
  });
  return { transformationId: id };
}

const lineageOf = async (name: string, viewer = ada): Promise<Data> => {
  const edges = '{ table { name } job { id } stream transformation { name } task { id } writtenAt }';
  const query = `query ($fqn: String!) { table(fqn: $fqn) { freshness { syncedAt task { id } } upstream ${edges} downstream ${edges} } }`;
  const { data } = await gql.answer(viewer, query, { fqn: `warehouse.warehouse.main.${name}` });
  return data?.table;
};

test('lineage leads from a stream to a table and on to what transformations made of it, and back', async () => {
  const orders = await written(ada, {
    name: 'orders',
    select: 'SELECT 1 AS id',
    hour: 8,
    feed: { jobId, stream: 'public.orders' },
  });
  const users = await written(ada, {
    name: 'users',
    select: 'SELECT 1 AS id',
    hour: 9,
    feed: { jobId, stream: 'public.users' },
  });
  const feed = await transformation(ada, 'buyers', [orders.id, users.id]);
  await transformation(ada, 'not_run_yet', [orders.id]);
  const buyers = await written(ada, { name: 'buyers', select: 'FROM orders', hour: 10, feed, kind: 'VIEW' });
  const taskOf = (taskId: string) => ({ id: globalId('Task', taskId) });
  const step = {
    job: null,
    stream: null,
    transformation: { name: 'buyers' },
    task: taskOf(buyers.taskId),
    writtenAt: '2026-11-01T10:00:00.000Z',
  };

  const up = await lineageOf('buyers');
  expect(up.upstream.map((edge: Data) => edge.table.name).sort()).toEqual(['orders', 'users']);
  for (const edge of up.upstream) expect(edge).toMatchObject(step);
  expect(up.downstream).toEqual([]);
  // Of the two behind it the older says how fresh the view is.
  expect(up.freshness).toEqual({ syncedAt: orders.at.toISOString(), task: taskOf(orders.taskId) });

  expect(await lineageOf('orders')).toEqual({
    freshness: { syncedAt: orders.at.toISOString(), task: taskOf(orders.taskId) },
    upstream: [
      {
        table: null,
        job: { id: globalId('Job', jobId) },
        stream: 'public.orders',
        transformation: null,
        task: taskOf(orders.taskId),
        writtenAt: orders.at.toISOString(),
      },
    ],
    downstream: [
      { ...step, table: { name: 'buyers' } },
      {
        table: null,
        job: null,
        stream: null,
        transformation: { name: 'not_run_yet' },
        task: null,
        writtenAt: null,
      },
    ],
  });
});

test('a key that reads data sees which tables a table is made from, and not the settings in between', async () => {
  const key = await gql.apiKey(ada, ['DATA_READ']);
  const { upstream, downstream } = await lineageOf('orders', key);
  expect(upstream).toMatchObject([{ table: null, job: null, task: null, stream: 'public.orders' }]);
  expect(downstream[0]).toMatchObject({ table: { name: 'buyers' }, task: null });
});

test('what a deleted transformation made is still known to be made of what it read', async () => {
  const base = await written(ada, {
    name: 'base',
    select: 'SELECT 1 AS id',
    hour: 8,
    feed: { jobId, stream: 'base' },
  });
  const made = await transformation(ada, 'made', [base.id]);
  const never = await transformation(ada, 'never', [base.id]);
  await written(ada, { name: 'made', select: 'FROM base', hour: 9, feed: made });
  const ids = [made.transformationId, never.transformationId];
  await gql.app.store.db.transformation.updateMany({
    where: { id: { in: ids } },
    data: { deletedAt: new Date() },
  });
  expect((await lineageOf('base')).downstream).toMatchObject([
    { table: { name: 'made' }, transformation: null },
  ]);
  expect((await lineageOf('made')).upstream).toMatchObject([{ table: { name: 'base' } }]);
});

test('a table that is gone is no end of a step any more', async () => {
  const { warehouse } = await gql.app.catalog.datastores.open(ada.projectId);
  const source = await written(ada, {
    name: 'passing',
    select: 'SELECT 1 AS id',
    hour: 8,
    feed: { jobId, stream: 'passing' },
  });
  const feed = await transformation(ada, 'kept', [source.id]);
  await written(ada, { name: 'kept', select: 'SELECT 1 AS id', hour: 9, feed });
  await warehouse.run({ sql: 'DROP TABLE passing' });
  await gql.ask(ada, 'mutation { refreshCatalog(input: {}) { tables } }');
  expect((await lineageOf('kept')).upstream).toMatchObject([{ table: null }]);
});

test('freshness and lineage of 1, 10 and 100 tables cost the same statements', async () => {
  const ivy = await gql.signUp('ivy');
  const job = await insertJobOf(ivy);
  const { db } = gql.app.store;
  const base = await written(ivy, {
    name: 'base',
    select: 'SELECT 1 AS id',
    hour: 8,
    feed: { jobId: job, stream: 'base' },
  });
  const { projectId } = ivy;
  const { datastoreId } = await db.catalogTable.findUniqueOrThrow({ where: { id: base.id } });
  for (let n = 0; n < 100; n += 1) {
    const at = new Date(Date.UTC(2026, 0, 1, 0, n));
    const { transformationId } = await transformation(ivy, `view_${n}`, [base.id]);
    const taskId = await insertTask(db, ivy, job);
    const place = { datastoreId, database: 'warehouse', schema: 'main', name: `view_${n}` };
    await db.catalogTable.create({
      data: {
        ...place,
        id: newId(),
        projectId,
        kind: 'VIEW',
        columns: [],
        taskId,
        syncedAt: at,
        createdAt: at,
        updatedAt: at,
        feeds: { create: { id: newId(), projectId, transformationId, taskId, writtenAt: at } },
      },
    });
  }
  const edges = '{ table { fqn entity } job { name } stream transformation { name } task { id } writtenAt }';
  const query = `query ($first: Int!) { tables(first: $first, search: "view") { nodes {
    fqn freshness { syncedAt task { id } } upstream ${edges} downstream { table { name } } } } }`;
  const counts: number[] = [];
  for (const first of [1, 10, 100]) {
    const made = await statementsOf(async () => {
      const { tables } = await gql.ask(ivy, query, { first });
      expect(tables.nodes.length).toBe(first);
      for (const { freshness, upstream } of tables.nodes) {
        expect(freshness.syncedAt).toBe(base.at.toISOString());
        expect(upstream).toMatchObject([{ table: { fqn: 'warehouse.warehouse.main.base' } }]);
      }
    });
    counts.push(made.length);
  }
  // Ids of the page, its rows; freshness and its task; the steps each way; their tables, transformations and tasks.
  expect(counts).toEqual([9, 9, 9]);
});
