import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Viewer } from '#accounts/viewer.ts';
import { newId } from '#base/id.ts';
import { type Datastores, NotHere, openDatastores } from '#catalog/datastores.ts';
import type { CatalogDeps } from '#catalog/deps.ts';
import { markWritten } from '#catalog/mark-written.ts';
import { refreshCatalog } from '#catalog/refresh.ts';
import { saveTables } from '#catalog/save-tables.ts';
import { createMeter } from '#catalog/meter.ts';
import { sampleTable } from '#catalog/tables.ts';
import { testDatastore } from '#catalog/test-datastore.ts';
import { updateTable } from '#catalog/update-table.ts';
import type { Store } from '#store/open-store.ts';
import { insertDestination, insertJob, insertSource, insertTask } from '../../support/rows.ts';
import { openTestCatalog, type TestCatalog } from './open-catalog.ts';

let catalog: TestCatalog;
let store: Store;
let datastores: Datastores;
let deps: CatalogDeps;
const makeProject = () => catalog.makeProject();
const run = (viewer: Viewer, ...statements: string[]) => catalog.run(viewer, ...statements);

beforeAll(async () => {
  catalog = await openTestCatalog();
  ({ deps } = catalog);
  ({ store, datastores } = deps);
});

afterAll(() => catalog[Symbol.asyncDispose]());

const readTables = (viewer: Viewer) =>
  store.db.catalogTable.findMany({
    where: { projectId: viewer.projectId, goneAt: null },
    include: { datastore: true },
    orderBy: { name: 'asc' },
  });

/** A job and a task of it, as if it had run. */
async function insertRun(viewer: Viewer): Promise<{ jobId: string; taskId: string }> {
  const { db } = store;
  const [sourceId, destinationId] = [
    await insertSource(db, viewer, `s ${newId()}`),
    await insertDestination(db, viewer, `d ${newId()}`),
  ];
  const jobId = await insertJob(db, viewer, { name: `j ${newId()}`, sourceId, destinationId });
  return { jobId, taskId: await insertTask(db, viewer, jobId) };
}

test('a refresh finds new tables and views, forgets dropped ones, and keeps what people wrote about the others', async () => {
  const viewer = await makeProject();
  await run(
    viewer,
    'CREATE TABLE kept AS SELECT range AS id FROM range(3)',
    'CREATE VIEW gone AS SELECT 1 AS one',
  );
  expect(await refreshCatalog(deps, viewer)).toBe(2);
  const [gone, kept] = await readTables(viewer);
  expect(gone).toMatchObject({ name: 'gone', kind: 'VIEW', rowCount: null, syncedAt: null });
  expect(kept).toMatchObject({
    name: 'kept',
    kind: 'TABLE',
    database: 'warehouse',
    schema: 'main',
    rowCount: 3n,
  });
  expect(kept?.columns).toEqual([
    { name: 'id', dataType: 'BIGINT', nullable: true, ordinal: 1, description: null },
  ]);

  await updateTable(deps, viewer, {
    id: kept?.id as string,
    description: 'three rows',
    tags: [' gold ', 'gold'],
  });
  await run(viewer, 'DROP VIEW gone', 'INSERT INTO kept VALUES (4)');
  expect(await refreshCatalog(deps, viewer)).toBe(1);
  expect(await readTables(viewer)).toMatchObject([
    { id: kept?.id, description: 'three rows', tags: ['gold'], rowCount: 4n },
  ]);
});

test('a written table carries the task and the time of its write through later refreshes', async () => {
  const viewer = await makeProject();
  await run(viewer, 'CREATE TABLE orders AS SELECT 1 AS id');
  const { jobId, taskId } = await insertRun(viewer);
  const at = new Date('2026-11-01T10:00:00.000Z');
  const table = { datastore: 'warehouse', database: 'warehouse', schema: 'main', name: 'orders' };
  const feed = { jobId, stream: 'public.orders' };
  await markWritten(store.db, datastores, { projectId: viewer.projectId, taskId, table, at, feed });
  await refreshCatalog(deps, viewer);
  expect(await readTables(viewer)).toMatchObject([{ name: 'orders', taskId, syncedAt: at, rowCount: 1n }]);
});

test('a sample gives the first rows and says when there are more; a dropped table is NOT_FOUND', async () => {
  const viewer = await makeProject();
  await run(viewer, `CREATE TABLE "we""ird" AS SELECT range AS id FROM range(5)`);
  await refreshCatalog(deps, viewer);
  const [table] = await readTables(viewer);
  if (!table) throw new Error('no table');
  const [signal, meter] = [AbortSignal.timeout(10_000), createMeter()];
  expect(await sampleTable(deps, table, { rowsMax: 2, signal, meter })).toMatchObject({
    rows: [[0n], [1n]],
    truncated: true,
  });
  expect(await sampleTable(deps, table, { rowsMax: 5, signal, meter })).toMatchObject({ truncated: false });
  expect(meter).toMatchObject({ statements: 2, rows: 7 });
  await run(viewer, `DROP TABLE "we""ird"`);
  await expect(sampleTable(deps, table, { rowsMax: 2, signal, meter })).rejects.toMatchObject({
    code: 'NOT_FOUND',
  });
});

test("another project's tables and datastores behave as unknown", async () => {
  const [viewer, stranger] = [await makeProject(), await makeProject()];
  await run(viewer, 'CREATE TABLE mine AS SELECT 1 AS id');
  await refreshCatalog(deps, viewer);
  const [table] = await readTables(viewer);
  const notFound = { problems: [{ code: 'NOT_FOUND' }] };
  await expect(updateTable(deps, stranger, { id: table?.id as string, tags: ['x'] })).rejects.toMatchObject(
    notFound,
  );
  const datastoreId = table?.datastoreId as string;
  await expect(
    testDatastore(deps, stranger, { id: datastoreId, signal: AbortSignal.timeout(1000) }),
  ).rejects.toMatchObject(notFound);
  await expect(refreshCatalog(deps, { projectId: stranger.projectId, datastoreId })).rejects.toMatchObject(
    notFound,
  );
  await run(stranger, 'CREATE TABLE other AS SELECT 1 AS id');
  const { warehouse } = await datastores.open(stranger.projectId);
  expect((await warehouse.tables()).map((each) => each.name)).toEqual(['other']);
});

test('an unknown datastore is answered with the names of those that exist', async () => {
  const viewer = await makeProject();
  await expect(datastores.open(viewer.projectId, 'warehuose')).rejects.toMatchObject({
    kind: 'CONFIG',
    message: 'There is no datastore named "warehuose". The project has: "warehouse".',
  });
});

test('a worker beside the serving process does not open an embedded warehouse, and knows whose it is', async () => {
  const viewer = await makeProject();
  const { home } = catalog;
  const { db, homeId } = store;
  const { secrets } = deps;
  await using worker = openDatastores({
    db,
    home,
    homeId,
    secrets,
    opensEmbedded: false,
    scanDirectories: [],
  });
  await expect(worker.open(viewer.projectId)).rejects.toBeInstanceOf(NotHere);
  expect(await worker.homeOf(viewer.projectId)).toBe(store.homeId);
});

test('tags and descriptions out of bounds are refused with the bound', async () => {
  const viewer = await makeProject();
  await expect(updateTable(deps, viewer, { id: newId(), tags: [''] })).rejects.toThrow(/1 to 100 characters/);
  await expect(updateTable(deps, viewer, { id: newId(), description: 'x'.repeat(10_001) })).rejects.toThrow(
    /at most 10000/,
  );
});

test('what people say while a task writes the table is lost neither way', async () => {
  const viewer = await makeProject();
  await run(viewer, 'CREATE TABLE busy AS SELECT 1 AS a, 2 AS b');
  await refreshCatalog(deps, viewer);
  const [known] = await readTables(viewer);
  const id = known?.id as string;
  const { jobId, taskId } = await insertRun(viewer);
  const table = { datastore: 'warehouse', database: 'warehouse', schema: 'main', name: 'busy' };
  const { projectId } = viewer;
  const at = new Date('2026-11-01T10:00:00.000Z');
  await Promise.all(
    ['a', 'b'].flatMap((name) =>
      Array.from({ length: 10 }, (_, n) => [
        updateTable(deps, viewer, { id, columns: [{ name, description: `${name} ${n}` }] }),
        markWritten(store.db, datastores, { projectId, taskId, table, at, feed: { jobId, stream: 'busy' } }),
        refreshCatalog(deps, viewer),
      ]).flat(),
    ),
  );
  const [after] = await readTables(viewer);
  expect(after).toMatchObject({ taskId, syncedAt: at, goneAt: null });
  expect(after?.columns).toMatchObject([
    { name: 'a', description: expect.stringMatching(/^a \d$/) },
    { name: 'b', description: expect.stringMatching(/^b \d$/) },
  ]);
});

test('of refreshes at the same time none takes for gone what another one has seen', async () => {
  const viewer = await makeProject();
  await run(viewer, 'CREATE TABLE here AS SELECT 1 AS a');
  await refreshCatalog(deps, viewer);
  // The one that began last saves first, and then looks for what has not been seen since.
  const moments = [3, 1, 2].map((minute) => new Date(Date.now() + minute * 60_000));
  const { id: datastoreId } = await store.db.datastore.findFirstOrThrow({
    where: { projectId: viewer.projectId },
  });
  const { warehouse } = await datastores.open(viewer.projectId);
  const tables = await warehouse.tables();
  for (const at of moments)
    await saveTables(store.db, { projectId: viewer.projectId, datastoreId, tables, at });
  expect(await readTables(viewer)).toMatchObject([{ updatedAt: moments[0] }]);
});

test('a refresh forgets nothing that is written while it runs', async () => {
  const viewer = await makeProject();
  const { jobId, taskId } = await insertRun(viewer);
  const { projectId } = viewer;
  const { warehouse } = await datastores.open(projectId);
  await run(viewer, 'CREATE TABLE early AS SELECT 1 AS a');
  // The refresh has seen what there is, and the task writes before the refresh has saved it.
  const seen = { ...deps, datastores: { ...datastores, open: slowly } };
  async function slowly(id: string, name?: string) {
    const opened = await datastores.open(id, name);
    const tables = async () => {
      const found = await warehouse.tables();
      await run(viewer, 'CREATE TABLE late AS SELECT 1 AS a');
      const table = { datastore: 'warehouse', database: 'warehouse', schema: 'main', name: 'late' };
      const feed = { jobId, stream: 'late' };
      await markWritten(store.db, datastores, { projectId, taskId, table, at: deps.now(), feed });
      return found;
    };
    return { ...opened, warehouse: Object.create(opened.warehouse, { tables: { value: tables } }) };
  }
  await refreshCatalog(seen, viewer);
  expect((await readTables(viewer)).map(({ name }) => name)).toEqual(['early', 'late']);
});
