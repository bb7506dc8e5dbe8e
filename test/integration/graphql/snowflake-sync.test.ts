import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { mapEntity } from '../../support/entities.ts';
import { type Data, openTestGraphql, type Variables } from '../../support/graphql.ts';
import { startSnowflakeServer } from '../../support/snowflake-server/start-server.ts';
import { warehouseStatementsOf } from '../../support/warehouse.ts';

const people = '{ users { nodes { key name } totalCount } }';

test('a sync into a Snowflake shows in catalog, freshness, lineage and task, and drops the answers that read its table', async () => {
  await using server = await startSnowflakeServer({ database: 'SHOP' });
  const { url, ...login } = server.login;
  const { host } = new URL(url);
  await using gql = await openTestGraphql({ workers: 1, emulatorHosts: [host] });
  const ada = await gql.signUp('ada');
  const run = async (mutation: string, input: Variables, fields: string): Promise<Data> => {
    const type = `${mutation[0]?.toUpperCase()}${mutation.slice(1)}Input`;
    const query = `mutation ($input: ${type}!) { ${mutation}(input: $input) { ${fields} userErrors { code path message } } }`;
    const payload = (await gql.ask(ada, query, { input }))[mutation];
    expect(payload.userErrors).toEqual([]);
    return payload;
  };
  await mkdir(join(gql.filesRoot, 'shop', 'users'), { recursive: true });
  const put = (name: string, text: string) => writeFile(join(gql.filesRoot, 'shop', 'users', name), text);
  await put('1.csv', 'id,name\n1,Ada\n2,Bob\n');

  const config = { ...login, host, password: server.password };
  await run(
    'createDatastore',
    { name: 'snow', engine: 'SNOWFLAKE', isDefault: true, config },
    'datastore { id }',
  );
  const { source } = await run(
    'createSource',
    { name: 'shop', type: 'files', config: { path: 'shop' } },
    'source { id }',
  );
  const { destination } = await run(
    'createDestination',
    { name: 'there', type: 'datastore', config: { datastore: 'snow' } },
    'destination { id }',
  );
  const tested = await run('testDestination', { id: destination.id }, 'ok message');
  expect(tested).toMatchObject({
    ok: true,
    message: 'Snowflake datastore "snow", 0 tables in schema "raw".',
  });
  const streams = [{ name: 'users', syncMode: 'INCREMENTAL', writeMode: 'UPSERT', primaryKey: ['id'] }];
  const ends = { sourceId: source.id, destinationId: destination.id };
  const { job } = await run('createJob', { name: 'users', ...ends, streams }, 'job { id }');
  const sync = async () => {
    const { task } = await run('syncJob', { id: job.id }, 'task { id }');
    const query =
      'subscription ($taskId: ID!) { taskUpdated(taskId: $taskId) { status rowsWritten error { message } } }';
    let last: Data;
    for await (const { data } of gql.follow(ada, query, { taskId: task.id })) last = data.taskUpdated;
    return { ...last, id: task.id };
  };
  const first = await sync();
  expect(first).toMatchObject({ status: 'SUCCEEDED', rowsWritten: 2, error: null });

  const table = async () => {
    const query = `query ($fqn: String!) { table(fqn: $fqn) { rowCount columns { name }
      freshness { task { id } } upstream { job { id } stream } } }`;
    return (await gql.ask(ada, query, { fqn: 'snow.SHOP.raw.users' })).table;
  };
  const known = {
    columns: expect.arrayContaining([{ name: 'id' }, { name: 'name' }]),
    upstream: [{ job: { id: job.id }, stream: 'users' }],
  };
  expect(await table()).toMatchObject({ ...known, rowCount: 2, freshness: { task: { id: first.id } } });
  const { tables } = await gql.ask(ada, '{ tables(first: 50) { nodes { fqn } } }');
  expect(tables.nodes.map(({ fqn }: { fqn: string }) => fqn)).toEqual(['snow.SHOP.raw.users']);

  await mapEntity(gql, ada, { kind: 'USER', table: 'snow.SHOP.raw.users', key: 'id', name: 'name' });
  const asked = async () => (await warehouseStatementsOf(() => gql.ask(ada, people))).length;
  expect(await asked()).toBeGreaterThan(0);
  expect(await asked()).toBe(0);

  await put('2.csv', 'id,name\n2,Bobby\n3,Cy\n');
  const second = await sync();
  expect(second).toMatchObject({ status: 'SUCCEEDED', rowsWritten: 2 });
  const { users } = await gql.ask(ada, people);
  expect(users.totalCount).toBe(3);
  expect(users.nodes.map(({ name }: { name: string }) => name).sort()).toEqual(['Ada', 'Bobby', 'Cy']);
  expect(await table()).toMatchObject({ ...known, rowCount: 3, freshness: { task: { id: second.id } } });

  // Nothing new: nothing is written.
  expect(await sync()).toMatchObject({ status: 'SUCCEEDED', rowsWritten: 0 });
}, 60_000);
