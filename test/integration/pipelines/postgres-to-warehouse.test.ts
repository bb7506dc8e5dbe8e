import { expect, test } from 'vitest';
import { createDestination } from '#pipelines/destinations.ts';
import { createJob } from '#pipelines/jobs.ts';
import { createSource } from '#pipelines/sources.ts';
import { startTask } from '#pipelines/start-task.ts';
import { startWorkers } from '#pipelines/start-workers.ts';
import { createEmptyDatabase } from '../../support/database.ts';
import { eventually } from '../../support/gateway.ts';
import { execute, postgresConfig } from '../../support/pipeline.ts';
import { logOf, openTestPipelines } from '../../support/pipelines.ts';

test('a table of PostgreSQL arrives in the warehouse, is marked fresh, and goes on with what is new', async () => {
  await using database = await createEmptyDatabase();
  await execute(
    database.url,
    `CREATE TABLE orders (id bigint PRIMARY KEY, note text, total numeric(12,2), updated_at timestamptz NOT NULL)`,
    `INSERT INTO orders SELECT n, 'order ' || n, n * 1.25, '2026-01-01'::timestamptz + n * interval '1 second'
      FROM generate_series(1, 50000) n`,
    `ANALYZE orders`,
  );
  await using pipelines = await openTestPipelines({ role: 'serve' });
  const { deps, viewer } = pipelines;
  await using _workers = await startWorkers(deps, { workers: 2, role: 'serve' });
  const source = await createSource(deps, viewer, {
    name: 'shop',
    type: 'postgres',
    config: postgresConfig(database.url),
  });
  const destination = await createDestination(deps, viewer, {
    name: 'warehouse',
    type: 'datastore',
    config: {},
  });
  const job = await createJob(deps, viewer, {
    name: 'orders',
    sourceId: source.id,
    destinationId: destination.id,
    streams: [{ name: 'orders', syncMode: 'INCREMENTAL', cursorField: 'updated_at' }],
  });
  const sync = async () => {
    const { task } = await startTask(deps, viewer, { jobId: job.id });
    return eventually('the task to end', async () => {
      const now = await deps.store.db.task.findUniqueOrThrow({
        where: { id: task.id },
        include: { streams: true },
      });
      return now.finishedAt === null ? undefined : now;
    });
  };
  const inWarehouse = async (): Promise<unknown[]> => {
    const { warehouse } = await deps.datastores.open(viewer.projectId);
    const answer = await warehouse.run({
      sql: 'SELECT count(*), count(DISTINCT id), sum(total)::VARCHAR FROM raw.orders',
    });
    return answer.rows[0] ?? [];
  };

  const first = await sync();
  expect(first.errorMessage).toBeNull();
  expect(first).toMatchObject({ status: 'SUCCEEDED', rowsRead: 50_000n, rowsWritten: 50_000n });
  expect(first.bytesRead).toBeGreaterThan(1_000_000n);
  expect(await inWarehouse()).toEqual([50_000n, 50_000n, '1562531250.00']);
  const table = await deps.store.db.catalogTable.findFirstOrThrow({
    where: { projectId: viewer.projectId, name: 'orders' },
  });
  expect(table).toMatchObject({ schema: 'raw', rowCount: 50_000n, taskId: first.id });

  await execute(
    database.url,
    `UPDATE orders SET total = 0, updated_at = '2027-01-01' WHERE id <= 10`,
    `INSERT INTO orders VALUES (50001, NULL, 1, '2027-01-01')`,
  );
  const second = await sync();
  expect(second).toMatchObject({ status: 'SUCCEEDED' });
  expect(second.rowsRead).toBeLessThan(100n);
  expect(await inWarehouse()).toEqual([50_001n, 50_001n, '1562531182.25']);
  const log = await logOf(deps, first.id);
  expect(log.filter((line) => /^(WARN|ERROR)/.test(line))).toEqual([]);
  expect(log.some((line) => /^INFO public\.orders: .*50,000 rows.*rows\/s/.test(line))).toBe(true);
});
