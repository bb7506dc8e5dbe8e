import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Viewer } from '#accounts/viewer.ts';
import { createEmptyDatabase, type TestDatabase } from '../../support/database.ts';
import { type Data, openTestGraphql, type TestGraphql, type Variables } from '../../support/graphql.ts';
import { postgresConfig } from '../../support/pipeline.ts';

let gql: TestGraphql;
let ada: Viewer;
let shop: TestDatabase;

beforeAll(async () => {
  shop = await createEmptyDatabase();
  gql = await openTestGraphql({ workers: 1 });
  ada = await gql.signUp('ada');
  await mkdir(join(gql.filesRoot, 'shop'), { recursive: true });
  await writeFile(join(gql.filesRoot, 'shop', 'orders.csv'), 'id,total\n1,2.50\n2,3.00\n3,4.25\n');
});
afterAll(async () => {
  await gql[Symbol.asyncDispose]();
  await shop[Symbol.asyncDispose]();
});

/** Runs a mutation with its input; fails when it answers with errors at the top. */
async function run(mutation: string, input: Variables, fields: string): Promise<Data> {
  const type = `${mutation[0]?.toUpperCase()}${mutation.slice(1)}Input`;
  const query = `mutation ($input: ${type}!) { ${mutation}(input: $input) { ${fields} userErrors { code path message } } }`;
  return (await gql.ask(ada, query, { input }))[mutation];
}

test('a sync is watched to its end, and its tables then say how fresh they are and by which task', async () => {
  const { source } = await run(
    'createSource',
    { name: 'shop', type: 'files', config: { path: 'shop' } },
    'source { id }',
  );
  const { destination } = await run(
    'createDestination',
    { name: 'here', type: 'datastore', config: {} },
    'destination { id }',
  );
  const { job } = await run(
    'createJob',
    {
      name: 'j',
      sourceId: source.id,
      destinationId: destination.id,
      streams: [{ name: 'orders', syncMode: 'FULL_REFRESH' }],
    },
    'job { id }',
  );
  const { task } = await run('syncJob', { id: job.id }, 'task { id }');
  const seen: Data[] = [];
  const query = `subscription ($taskId: ID!) { taskUpdated(taskId: $taskId) {
    status progress rowsRead rowsWritten bytesRead error { kind message } streams { name status rowsWritten } } }`;
  for await (const { data } of gql.follow(ada, query, { taskId: task.id })) seen.push(data.taskUpdated);
  expect(seen.at(-1)).toMatchObject({
    status: 'SUCCEEDED',
    progress: 1,
    rowsRead: 3,
    rowsWritten: 3,
    error: null,
    streams: [{ name: 'orders', status: 'SUCCEEDED', rowsWritten: 3 }],
  });

  const { table, task: after } = await gql.ask(
    ada,
    `query ($id: ID!) {
      table(fqn: "warehouse.warehouse.raw.orders") { rowCount freshness { syncedAt task { id } } columns { name } sample(first: 2) { rows truncated } }
      task(id: $id) { finishedAt logs { nodes { level message } totalCount } } }`,
    { id: task.id },
  );
  expect(table).toMatchObject({
    rowCount: 3,
    freshness: { syncedAt: expect.any(String), task: { id: task.id } },
    sample: { rows: [expect.any(Array), expect.any(Array)], truncated: true },
  });
  expect(table.columns.map(({ name }: { name: string }) => name)).toEqual(
    expect.arrayContaining(['id', 'total']),
  );
  expect(after.logs.totalCount).toBeGreaterThan(2);
});

test('a password is taken, named among the secrets, kept when left out, cleared by null, and never shown', async () => {
  const { password, ...open } = postgresConfig(shop.url);
  const fields = 'source { id revision config providedSecrets }';
  const made = await run(
    'createSource',
    { name: 'pg', type: 'postgres', config: { ...open, password: 'hunter2hunter2' } },
    fields,
  );
  expect(made.userErrors).toEqual([]);
  expect(made.source.providedSecrets).toContain('password');
  expect(JSON.stringify(made)).not.toContain('hunter2');

  const kept = await run('updateSource', { id: made.source.id, config: open }, fields);
  expect(kept).toMatchObject({
    source: { revision: 2, providedSecrets: made.source.providedSecrets },
    userErrors: [],
  });
  const right = await run('updateSource', { id: made.source.id, config: { ...open, password } }, fields);
  expect(right.userErrors).toEqual([]);
  expect(await run('testSource', { id: made.source.id }, 'ok message')).toMatchObject({
    ok: true,
    userErrors: [],
  });
  const stored = await gql.app.store.db.source.findFirstOrThrow({ where: { name: 'pg' } });
  expect(JSON.stringify(stored.config)).not.toContain(password);
});

test('a wrong host is not ok, with a userError that says where', async () => {
  const config = { ...postgresConfig(shop.url), port: 1 };
  const { ok, message, userErrors } = await run('testSource', { type: 'postgres', config }, 'ok message');
  expect(ok).toBe(false);
  expect(message).toMatch(/\S/);
  expect(userErrors).toMatchObject([{ code: 'CONNECTION_FAILED', path: ['config', expect.any(String)] }]);
});
