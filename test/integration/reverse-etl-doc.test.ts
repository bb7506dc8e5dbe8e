import { expect, test } from 'vitest';
import { createDatastore } from '#catalog/create-datastore.ts';
import { refreshCatalog } from '#catalog/refresh.ts';
import { docBlocks, runBlock } from '../support/doc-blocks.ts';
import { type Data, openTestGraphql } from '../support/graphql.ts';
import { openPostgresWarehouse } from '../support/postgres-warehouse.ts';

test('every block of docs/reverse-etl.md does what the page says, and 10 changed rows of 5,000 move 10', async () => {
  await using hot = await openPostgresWarehouse();
  await using gql = await openTestGraphql({ workers: 1 });
  const ada = await gql.signUp('ada');
  const { catalog } = gql.app;
  const { warehouse } = await catalog.datastores.open(ada.projectId);
  const run = (sql: string) => warehouse.run({ sql });
  await run('CREATE SCHEMA raw');
  await run(
    `CREATE TABLE raw.customers AS SELECT range AS id, 'name ' || range AS name, CAST(range % 1000 AS DECIMAL(12, 2)) AS spent FROM range(5000)`,
  );
  await run(
    `CREATE TABLE raw.orders AS SELECT * FROM (VALUES (TIMESTAMPTZ '2026-03-01 12:00:00Z', 'DE', 10.5),
      ('2026-03-01 12:00:00Z', NULL, 5), ('2026-03-02 12:00:00Z', 'DE', 20)) AS t (ordered_at, country, amount)`,
  );
  await refreshCatalog(catalog, { projectId: ada.projectId });
  const config = { ...hot.server };
  await createDatastore(catalog, ada, { name: 'hot', engine: 'POSTGRES', role: 'OPERATIONAL', config });

  const ids = {};
  const answers: Record<string, Data> = {};
  const blocks = (await docBlocks('reverse-etl.md')).filter(({ language }) => language === 'graphql');
  const nameOf = (text: string) => /^\w+ (\w+)/.exec(text)?.[1] ?? '';
  const ofSeries = ['Metric', 'SeriesSource', 'SeriesJob'];
  for (const { text } of blocks) {
    if (ofSeries.includes(nameOf(text))) continue;
    answers[nameOf(text)] = await runBlock(gql, ada, text, ids);
  }
  for (const [name, field] of [
    ['Source', 'createSource'],
    ['Destination', 'createDestination'],
    ['Job', 'createJob'],
    ['Sync', 'syncJob'],
  ] as const) {
    expect(answers[name][field].userErrors).toEqual([]);
  }
  expect(answers.Source.createSource.source.streams).toEqual([
    { namespace: 'raw', name: 'customers', primaryKey: [], comparable: true },
    { namespace: 'raw', name: 'orders', primaryKey: [], comparable: true },
    { namespace: null, name: 'big_customers', primaryKey: ['id'], comparable: true },
  ]);
  expect(answers.Job.createJob.job.streams).toMatchObject([
    { writeMode: 'UPSERT', difference: { mirrorRemovals: true } },
    { writeMode: 'UPSERT', difference: { mirrorRemovals: false } },
  ]);
  expect(answers.Watch.taskUpdated).toMatchObject({
    status: 'SUCCEEDED',
    error: null,
    streams: [
      { name: 'customers', rowsRead: 5000, rowsAdded: 5000, rowsChanged: 0, rowsRemoved: 0 },
      { name: 'big_customers', rowsRead: 500, rowsAdded: 500, rowsChanged: 0, rowsRemoved: 0 },
    ],
  });
  const copies = answers.Copy.tables.nodes as Data[];
  expect(copies.map(({ upstream }) => upstream)).toEqual([
    [
      expect.objectContaining({
        table: { fqn: 'warehouse.warehouse.raw.customers' },
        job: { name: 'customers to hot' },
      }),
    ],
    [
      expect.objectContaining({
        table: { fqn: 'warehouse.warehouse.raw.customers' },
        job: { name: 'customers to hot' },
      }),
    ],
  ]);
  for (const { freshness } of copies) expect(freshness.syncedAt).toEqual(expect.any(String));

  await run('DELETE FROM raw.customers WHERE id < 3');
  await run(`UPDATE raw.customers SET name = 'changed' WHERE id BETWEEN 10 AND 14`);
  await run(`INSERT INTO raw.customers VALUES (9001, 'new', 1), (9002, 'new', 999)`);
  const block = (name: string) => blocks.find(({ text }) => nameOf(text) === name)!.text;
  const again = async () => {
    for (const name of ['Sync', 'Watch']) answers[name] = await runBlock(gql, ada, block(name), ids);
    return answers.Watch.taskUpdated.streams as Data[];
  };
  expect(await again()).toMatchObject([
    { rowsRead: 10, rowsAdded: 2, rowsChanged: 5, rowsRemoved: 3 },
    { rowsRead: 1, rowsAdded: 1, rowsChanged: 0, rowsRemoved: 0 },
  ]);
  const sums = `SELECT count(*), sum(id), count(*) FILTER (WHERE name = 'changed') FROM`;
  const source = await run(`${sums} raw.customers`);
  const copy = await hot.warehouse.run({ sql: `${sums} served.customers` });
  expect(copy.rows[0]!.map(String)).toEqual(source.rows[0]!.map(String));
  expect(await again()).toMatchObject([
    { rowsRead: 0, rowsAdded: 0, rowsChanged: 0, rowsRemoved: 0 },
    { rowsRead: 0, rowsAdded: 0, rowsChanged: 0, rowsRemoved: 0 },
  ]);

  for (const name of ofSeries) {
    const [payload] = Object.values<Data>(await runBlock(gql, ada, block(name), ids));
    expect(payload.userErrors, name).toEqual([]);
  }
  expect(await again()).toMatchObject([{ name: 'daily_sales', rowsRead: 6, rowsAdded: 6 }]);
  await run(`INSERT INTO raw.orders VALUES ('2026-03-02 12:00:00Z', 'DE', 1)`);
  expect(await again()).toMatchObject([{ rowsRead: 1, rowsAdded: 0, rowsChanged: 1, rowsRemoved: 0 }]);
  const points = await hot.warehouse.run({
    sql: `SELECT to_char(period_start AT TIME ZONE 'Europe/Berlin', 'DD'), country, sales FROM served.daily_sales ORDER BY 1, 2`,
  });
  expect(points.rows).toEqual([
    ['01', '(none)', 5],
    ['01', 'DE', 10.5],
    ['02', '(none)', 0],
    ['02', 'DE', 21],
    ['03', '(none)', 0],
    ['03', 'DE', 0],
  ]);
});
