import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Viewer } from '#accounts/viewer.ts';
import { newId } from '#base/id.ts';
import { createLog } from '#base/log.ts';
import { type Asker, askWarehouse, type WarehouseQuestion } from '#catalog/ask.ts';
import { type CatalogedTable, loadTable } from '#catalog/mappings.ts';
import { markWritten } from '#catalog/mark-written.ts';
import { createMeter } from '#catalog/meter.ts';
import { refreshCatalog } from '#catalog/refresh.ts';
import { announceWritten, followWrites } from '#catalog/written.ts';
import { openStore } from '#store/open-store.ts';
import { ResultCache } from '#warehouse/result-cache.ts';
import { rawSql, sql, tableSql } from '#warehouse/sql.ts';
import { eventually, temporaryFolder } from '../../support/gateway.ts';
import { expectStatements } from '../../support/graphql.ts';
import { insertDestination, insertJob, insertSource, insertTask } from '../../support/rows.ts';
import {
  expectWarehouseStatements,
  warehouseStatementsDuring,
  warehouseStatementsOf,
} from '../../support/warehouse.ts';
import { openTestCatalog, type TestCatalog } from './open-catalog.ts';

let catalog: TestCatalog;
let viewer: Viewer;
let jobId: string;
beforeAll(async () => {
  catalog = await openTestCatalog();
  viewer = await catalog.makeProject();
  const { db } = catalog.deps.store;
  const sourceId = await insertSource(db, viewer, 's');
  const destinationId = await insertDestination(db, viewer, 'd');
  jobId = await insertJob(db, viewer, { name: 'j', sourceId, destinationId });
  await catalog.run(
    viewer,
    'CREATE SCHEMA raw',
    'CREATE TABLE raw.orders AS SELECT range AS id FROM range(10)',
    'CREATE TABLE raw.users AS SELECT range AS id FROM range(5)',
    'CREATE VIEW raw.recent AS SELECT id FROM raw.orders WHERE id > 4',
  );
  await refreshCatalog(catalog.deps, { projectId: viewer.projectId });
});
afterAll(() => catalog[Symbol.asyncDispose]());
beforeEach(() => catalog.deps.datastores.cache.clear());

function asker(more: Partial<Asker> = {}): Asker {
  return { projectId: viewer.projectId, requestId: newId(), signal: new AbortController().signal, ...more };
}

async function tableOf(name: string, of = viewer): Promise<CatalogedTable> {
  return (await loadTable(catalog.deps.store.db, of.projectId, { name }))!;
}

async function countOf(name: string, of = viewer): Promise<WarehouseQuestion> {
  const table = await tableOf(name, of);
  return {
    datastore: table.datastore,
    sql: sql`SELECT count(*) FROM ${tableSql(table)}`,
    tableIds: [table.id],
  };
}

const ask = async (question: WarehouseQuestion, as = asker()) => {
  const { cache, rows } = await askWarehouse(catalog.deps, as, question);
  return [cache, rows[0]![0]];
};

/** What a task does that has written a table. */
async function write(name: string, ...statements: string[]): Promise<void> {
  await catalog.run(viewer, ...statements);
  const { db } = catalog.deps.store;
  await markWritten(db, catalog.deps.datastores, {
    projectId: viewer.projectId,
    taskId: await insertTask(db, viewer, jobId),
    table: { datastore: 'warehouse', database: 'warehouse', schema: 'raw', name },
    at: new Date(),
    feed: { jobId, stream: name },
  });
}

describe('what is asked again', () => {
  test('is answered without a statement', async () => {
    const question = await countOf('orders');
    expect(await ask(question)).toEqual(['MISS', 10n]);
    await expectWarehouseStatements(0, async () => expect(await ask(question)).toEqual(['HIT', 10n]));
  });

  test('by 500 at once is one statement', async () => {
    const question = await countOf('orders');
    const statements = await warehouseStatementsDuring(async () => {
      const answers = await Promise.all(Array.from({ length: 500 }, () => ask(question)));
      expect(answers.filter(([status]) => status === 'MISS')).toHaveLength(1);
      expect(answers.filter(([status]) => status === 'SHARED')).toHaveLength(499);
    });
    expect(statements).toHaveLength(1);
  });

  test('after a write of its table is asked of the warehouse, what reads other tables is not', async () => {
    const [orders, users] = [await countOf('orders'), await countOf('users')];
    await ask(orders);
    await ask(users);
    await write('users', 'INSERT INTO raw.users VALUES (100)');
    expect(await ask(orders)).toEqual(['HIT', 10n]);
    expect(await ask(users)).toEqual(['MISS', 6n]);
    await write('orders', 'INSERT INTO raw.orders VALUES (100)');
    expect(await ask(orders)).toEqual(['MISS', 11n]);
    expect(await ask(users)).toEqual(['HIT', 6n]);
    await write('orders', 'DELETE FROM raw.orders WHERE id = 100');
  });

  test('of a view is asked of the warehouse after a write of the table behind it', async () => {
    const { db } = catalog.deps.store;
    const [view, orders] = [await tableOf('recent'), await tableOf('orders')];
    const [at, id] = [new Date(), newId()];
    await db.transformation.create({
      data: {
        id,
        projectId: viewer.projectId,
        name: 'recent',
        datastoreId: view.datastore.id,
        sql: 'SELECT 1',
        targetKind: 'VIEW',
        targetSchema: 'raw',
        targetTable: 'recent',
        runAfterInputs: false,
        active: true,
        createdAt: at,
        updatedAt: at,
        inputs: { create: [{ tableId: orders.id }] },
        feeds: { create: [{ id: newId(), projectId: viewer.projectId, tableId: view.id, writtenAt: at }] },
      },
    });
    const question = await countOf('recent');
    expect(await ask(question)).toEqual(['MISS', 5n]);
    await write('users', 'INSERT INTO raw.users VALUES (101)');
    expect(await ask(question)).toEqual(['HIT', 5n]);
    await write('orders', 'INSERT INTO raw.orders VALUES (100)');
    expect(await ask(question)).toEqual(['MISS', 6n]);
    await write('orders', 'DELETE FROM raw.orders WHERE id = 100');
  });

  test('is as fresh as what was read for it, and asks the store nothing', async () => {
    const question = await countOf('orders');
    await write('orders', 'INSERT INTO raw.orders VALUES (100)');
    const first = await askWarehouse(catalog.deps, asker(), question);
    const { syncedAt, taskId } = await catalog.deps.store.db.catalogTable.findFirstOrThrow({
      where: { id: question.tableIds[0]! },
    });
    expect(first.freshness).toEqual({ syncedAt, taskId });
    await expectStatements(0, async () => {
      expect((await askWarehouse(catalog.deps, asker(), question)).freshness).toEqual(first.freshness);
    });
    await write('orders', 'DELETE FROM raw.orders WHERE id = 100');
    const again = await askWarehouse(catalog.deps, asker(), question);
    expect(again.freshness.syncedAt!.getTime()).toBeGreaterThanOrEqual(syncedAt!.getTime());
    expect(again.freshness.taskId).not.toBe(taskId);
  });

  test('in another project is asked of its own warehouse', async () => {
    const stranger = await catalog.makeProject();
    await catalog.run(
      stranger,
      'CREATE SCHEMA raw',
      'CREATE TABLE raw.orders AS SELECT range AS id FROM range(3)',
    );
    await refreshCatalog(catalog.deps, { projectId: stranger.projectId });
    expect(await ask(await countOf('orders'))).toEqual(['MISS', 10n]);
    const theirs = await countOf('orders', stranger);
    expect(await ask(theirs, asker({ projectId: stranger.projectId }))).toEqual(['MISS', 3n]);
  });

  test('with the datastore of another project is refused', async () => {
    const stranger = await catalog.makeProject();
    const question = await countOf('orders');
    await expect(ask(question, asker({ projectId: stranger.projectId }))).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
  });
});

describe('where tables change without Sluice', () => {
  async function withCache(cache: object | undefined, run: () => Promise<void>): Promise<void> {
    const { db } = catalog.deps.store;
    const where = { projectId: viewer.projectId, name: 'warehouse' };
    const { id, config } = await db.datastore.findFirstOrThrow({ where });
    await db.datastore.update({ where: { id }, data: { config: { ...(config as object), cache } } });
    try {
      await run();
    } finally {
      await db.datastore.update({ where: { id }, data: { config: config as object } });
    }
  }

  test('an answer is kept as long as the datastore says', () =>
    withCache({ maxAgeSeconds: 0 }, async () => {
      const question = await countOf('orders');
      await ask(question);
      expect(await ask(question)).toEqual(['MISS', 10n]);
    }));

  test('an answer that is too old is served once more while it is renewed, where the datastore allows it', () =>
    withCache({ maxAgeSeconds: 0, staleSeconds: 3600 }, async () => {
      const question = await countOf('users');
      const [, before] = await ask(question);
      await catalog.run(viewer, 'INSERT INTO raw.users VALUES (200)');
      const stale = await Promise.all(Array.from({ length: 10 }, () => ask(question)));
      expect(stale).toEqual(Array.from({ length: 10 }, () => ['STALE', before]));
      const after = (before as bigint) + 1n;
      await eventually('the renewed answer', async () => (await ask(question))[1] === after || undefined);
    }));

  test('new settings of a datastore drop what was kept under the old ones', async () => {
    const question = await countOf('orders');
    await ask(question);
    const { datastores, store } = catalog.deps;
    await announceWritten(store.db, datastores.cache, [question.datastore.id]);
    expect((await ask(question))[0]).toBe('MISS');
  });
});

describe('a client that leaves', () => {
  const endless = async (): Promise<WarehouseQuestion> => ({
    ...(await countOf('orders')),
    sql: rawSql('SELECT count(*) FROM range(100000000000) r (n) WHERE n % 7 = 3'),
  });

  test('stops its statement', async () => {
    const client = new AbortController();
    const asked = ask(await endless(), asker({ signal: client.signal }));
    setTimeout(() => client.abort(), 100);
    const startedAt = performance.now();
    await expect(asked).rejects.toMatchObject({ code: 'WAREHOUSE_TIMEOUT' });
    expect(performance.now() - startedAt).toBeLessThan(2_000);
    // The engine is free again, which it would not be with eight such statements left running.
    const all = Array.from({ length: 8 }, async (_, at) => {
      const other = new AbortController();
      const question = { ...(await endless()), rowsMax: at + 1 };
      const asking = ask(question, asker({ signal: other.signal })).catch(() => undefined);
      setTimeout(() => other.abort(), 50);
      await asking;
    });
    await Promise.all(all);
    expect((await ask(await countOf('orders')))[1]).toBe(10n);
  });

  test('leaves a statement to those who share it', async () => {
    const question: WarehouseQuestion = {
      ...(await countOf('orders')),
      sql: rawSql('SELECT count(*) FROM range(30000000) r (n) WHERE n % 7 = 3'),
    };
    const client = new AbortController();
    const left = ask(question, asker({ signal: client.signal }));
    const stays = ask(question);
    client.abort();
    await expect(left).rejects.toMatchObject({ code: 'WAREHOUSE_TIMEOUT' });
    expect(await stays).toEqual(['SHARED', 4285714n]);
  });
});

describe('across processes', () => {
  test('a write drops the answers of all, and only those that read the table', async () => {
    const { store, datastores, log } = catalog.deps;
    await using _here = await followWrites(store, datastores.cache, log);
    await using folder = await temporaryFolder();
    const { databaseUrl } = store;
    await using elsewhere = await openStore({
      databaseUrl,
      home: folder.path,
      role: 'worker',
      log: createLog('silent'),
    });
    const [orders, users] = [await countOf('orders'), await countOf('users')];
    await ask(orders);
    await ask(users);
    await announceWritten(elsewhere.db, new ResultCache({ bytesMax: 0 }), orders.tableIds);
    await eventually('the news', async () => (await ask(orders))[0] === 'MISS' || undefined);
    expect((await ask(users))[0]).toBe('HIT');
  });

  test('news that may have been missed drops everything', async () => {
    const { store, datastores, log } = catalog.deps;
    await using _here = await followWrites(store, datastores.cache, log);
    const question = await countOf('orders');
    await ask(question);
    await store.pool.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE datname = current_database() AND application_name LIKE 'sluice % listen'`);
    await eventually('the reconnection', async () => (await ask(question))[0] === 'MISS' || undefined);
  });
});

describe('what is counted', () => {
  test('are the statements of a request, what they took and gave, and where its answers came from', async () => {
    const [meter, other] = [createMeter(), createMeter()];
    const question = await countOf('orders');
    await Promise.all([ask(question, asker({ meter })), ask(question, asker({ meter: other }))]);
    await ask(question, asker({ meter }));
    await ask(await countOf('users'), asker({ meter }));
    expect(meter).toMatchObject({ statements: 2, rows: 2, cache: { hit: 1, miss: 2, shared: 0, stale: 0 } });
    expect(meter.milliseconds).toBeGreaterThan(0);
    expect(meter.bytes).toBeGreaterThan(4);
    expect(other).toMatchObject({ statements: 0, rows: 0, cache: { shared: 1, miss: 0 } });
  });

  test('is also a statement that failed', async () => {
    const meter = createMeter();
    const question = { ...(await countOf('orders')), sql: rawSql('SELECT nothing') };
    const statements = await warehouseStatementsOf(() =>
      ask(question, asker({ meter })).catch((error: unknown) =>
        expect(error).toMatchObject({ code: 'BAD_USER_INPUT' }),
      ),
    );
    expect(statements).toHaveLength(1);
    expect(meter).toMatchObject({ statements: 1, rows: 0, cache: { miss: 0 } });
  });
});
