import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Viewer } from '#accounts/viewer.ts';
import { newId } from '#base/id.ts';
import { lookBehind, oldestWrites, tablesBehind } from '#catalog/behind.ts';
import { markWritten } from '#catalog/mark-written.ts';
import type { Feed } from '#catalog/save-tables.ts';
import type { Db } from '#store/open-store.ts';
import { expectStatements } from '../../support/graphql.ts';
import { insertDestination, insertJob, insertSource, insertTask } from '../../support/rows.ts';
import { openTestCatalog, type TestCatalog } from './open-catalog.ts';

let catalog: TestCatalog;
let db: Db;
let viewer: Viewer;
let jobId: string;

beforeAll(async () => {
  catalog = await openTestCatalog();
  ({ db } = catalog.deps.store);
  viewer = await catalog.makeProject();
  const [sourceId, destinationId] = [
    await insertSource(db, viewer, 's'),
    await insertDestination(db, viewer, 'd'),
  ];
  jobId = await insertJob(db, viewer, { name: 'j', sourceId, destinationId });
});
afterAll(() => catalog[Symbol.asyncDispose]());

/** A table or view written by a task at that hour; its id and the task's. */
async function written(name: string, select: string, hour: number, feed: Feed, kind = 'TABLE') {
  await catalog.run(viewer, `CREATE OR REPLACE ${kind} ${name} AS ${select}`);
  const taskId = await insertTask(db, viewer, jobId);
  const { projectId } = viewer;
  const table = { datastore: 'warehouse', database: 'warehouse', schema: 'main', name };
  const at = new Date(Date.UTC(2026, 10, 1, hour));
  await markWritten(db, catalog.deps.datastores, { projectId, taskId, table, at, feed });
  const { id } = await db.catalogTable.findFirstOrThrow({ where: { projectId, name } });
  return { id, taskId, at };
}

async function oldestOf(tableIds: string[], of = viewer) {
  return (await lookBehind(db, of.projectId, tableIds)).oldest;
}

async function transformation(name: string, inputs: readonly string[]): Promise<Feed> {
  const id = newId();
  const { id: datastoreId } = await db.datastore.findFirstOrThrow({
    where: { projectId: viewer.projectId },
  });
  const at = new Date();
  await db.transformation.create({
    data: {
      id,
      projectId: viewer.projectId,
      name,
      datastoreId,
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

test('a view is as fresh as the oldest table behind it, through views of views, and names the task of that table', async () => {
  const early = await written('early', 'SELECT 1 AS a', 8, { jobId, stream: 'early' });
  const late = await written('late', 'SELECT 2 AS a', 9, { jobId, stream: 'late' });
  const inner = await written(
    'inner_view',
    'FROM early',
    10,
    await transformation('inner', [early.id]),
    'VIEW',
  );
  const reads = [inner.id, late.id];
  const outer = await written(
    'outer_view',
    'FROM inner_view UNION FROM late',
    11,
    await transformation('outer', reads),
    'VIEW',
  );

  await expectStatements(1, async () => {
    expect((await tablesBehind(db, viewer.projectId, [outer.id])).sort()).toEqual(
      [outer.id, inner.id, early.id, late.id].sort(),
    );
  });
  expect(await oldestOf([outer.id])).toEqual({
    syncedAt: early.at,
    taskId: early.taskId,
  });
  expect(await oldestOf([late.id])).toEqual({
    syncedAt: late.at,
    taskId: late.taskId,
  });
  const each = await oldestWrites(db, viewer.projectId, [outer.id, late.id]);
  expect(each.get(outer.id)?.taskId).toBe(early.taskId);
  expect(each.get(late.id)?.taskId).toBe(late.taskId);
});

test('views that stand behind each other end', async () => {
  const one = await written('one', 'SELECT 1 AS a', 8, await transformation('one', []), 'VIEW');
  const other = await written('other', 'FROM one', 9, await transformation('other', [one.id]), 'VIEW');
  const { transformationId } = await db.tableFeed.findFirstOrThrow({ where: { tableId: one.id } });
  await db.transformationInput.create({
    data: { transformationId: transformationId as string, tableId: other.id },
  });
  expect((await tablesBehind(db, viewer.projectId, [one.id])).sort()).toEqual([one.id, other.id].sort());
  expect(await oldestOf([one.id])).toEqual({ syncedAt: null, taskId: null });
});

test('one table that no task wrote makes the freshness of the whole unknown', async () => {
  const known = await written('known', 'SELECT 1 AS a', 8, { jobId, stream: 'known' });
  await db.catalogTable.update({ where: { id: known.id }, data: { syncedAt: null, taskId: null } });
  const other = await written('fresh', 'SELECT 1 AS a', 8, { jobId, stream: 'fresh' });
  expect(await oldestOf([known.id, other.id])).toEqual({
    syncedAt: null,
    taskId: null,
  });
});

test('tables of another project stand behind nothing', async () => {
  const mine = await written('mine', 'SELECT 1 AS a', 8, { jobId, stream: 'mine' });
  const stranger = await catalog.makeProject();
  expect(await tablesBehind(db, stranger.projectId, [mine.id])).toEqual([]);
  expect(await oldestOf([mine.id], stranger)).toEqual({ syncedAt: null, taskId: null });
});

test('what feeds a table is kept once a way; a transformation takes the place of all that fed it before', async () => {
  const table = await written('fed', 'SELECT 1 AS a', 8, { jobId, stream: 'a' });
  await written('fed', 'SELECT 1 AS a', 9, { jobId, stream: 'b' });
  const again = await written('fed', 'SELECT 1 AS a', 10, { jobId, stream: 'a' });
  const feeds = () => db.tableFeed.findMany({ where: { tableId: table.id }, orderBy: { writtenAt: 'asc' } });
  expect(await feeds()).toMatchObject([
    { stream: 'b' },
    { stream: 'a', taskId: again.taskId, writtenAt: again.at },
  ]);
  const feed = await transformation('fed', []);
  await written('fed', 'SELECT 1 AS a', 11, feed);
  expect(await feeds()).toMatchObject([{ ...feed, jobId: null, stream: null }]);
});
