import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { Viewer } from '#accounts/viewer.ts';
import { openDatastores } from '#catalog/datastores.ts';
import { readOrigin } from '#catalog/origin.ts';
import type { PostgresOptions } from '#warehouse/postgres-protocol.ts';
import { type Data, openTestGraphql, type TestGraphql, type Variables } from '../../support/graphql.ts';
import { openPostgresWarehouse, type TestPostgresWarehouse } from '../../support/postgres-warehouse.ts';

let gql: TestGraphql;
let ada: Viewer;
let postgres: TestPostgresWarehouse;
let server: PostgresOptions;

beforeAll(async () => {
  gql = await openTestGraphql({ workers: 1 });
  ada = await gql.signUp('ada');
  postgres = await openPostgresWarehouse();
  ({ server } = postgres);
});
afterAll(async () => {
  await gql[Symbol.asyncDispose]();
  await postgres[Symbol.asyncDispose]();
});

async function run(mutation: string, input: Variables, fields: string): Promise<Data> {
  const type = `${mutation[0]?.toUpperCase()}${mutation.slice(1)}Input`;
  const query = `mutation ($input: ${type}!) { ${mutation}(input: $input) { ${fields} userErrors { code path message } } }`;
  return (await gql.ask(ada, query, { input }))[mutation];
}

const create = (input: Variables) =>
  run(
    'createDatastore',
    { engine: 'POSTGRES', config: server, ...input },
    'datastore { id name engine role config providedSecrets }',
  );
const tested = (input: Variables) => run('testDatastore', input, 'ok message');

test('a datastore on PostgreSQL is made, keeps its password sealed, and answers in any process', async () => {
  const { datastore, userErrors } = await create({ name: 'pg' });
  expect(userErrors).toEqual([]);
  const { password, ...said } = server;
  expect(datastore).toMatchObject({
    engine: 'POSTGRES',
    role: 'WAREHOUSE',
    config: said,
    providedSecrets: ['password'],
  });
  expect(datastore.config).not.toHaveProperty('password');
  const row = await gql.app.store.db.datastore.findFirstOrThrow({ where: { name: 'pg' } });
  expect(JSON.stringify([row.config, row.secrets])).not.toContain(`"${password}"`);

  const { app } = gql;
  expect(await app.catalog.datastores.homeOf(ada.projectId, 'pg')).toBeNull();
  await using elsewhere = openDatastores({
    db: app.store.db,
    home: app.config.home,
    homeId: app.store.homeId,
    secrets: app.catalog.secrets,
    opensEmbedded: false,
    scanDirectories: [],
  });
  const { warehouse } = await elsewhere.open(ada.projectId, 'pg');
  expect((await warehouse.run({ sql: 'SELECT 1 AS a' })).rows).toEqual([[1]]);
  expect(await tested({ id: datastore.id })).toMatchObject({ ok: true, userErrors: [] });
});

test('a secret that an update leaves out is kept, and other settings count from then on, in all processes', async () => {
  const { datastore } = await create({ name: 'changed' });
  const { datastores } = gql.app.catalog;
  const pathOf = async () => {
    const { warehouse } = await datastores.open(ada.projectId, 'changed');
    return (await warehouse.run({ sql: 'SHOW search_path' })).rows[0]![0];
  };
  expect(await pathOf()).toBe('"$user", public');
  const { password: _password, ...said } = server;
  const update = (config: Variables) =>
    run('updateDatastore', { id: datastore.id, config }, 'datastore { config providedSecrets }');
  const updated = await update({ ...said, schema: 'public' });
  expect(updated.userErrors).toEqual([]);
  expect(updated.datastore).toMatchObject({ config: { schema: 'public' }, providedSecrets: ['password'] });
  expect(await pathOf()).toBe('public');
  expect((await update({ ...said, password: null })).datastore.providedSecrets).toEqual([]);
});

test('it is opened once, and again once its settings have changed, however a question comes to it', async () => {
  const { datastore } = await create({ name: 'once' });
  const { store, datastores } = gql.app.catalog;
  const byName = async () => (await datastores.open(ada.projectId, 'once')).warehouse;
  const byQuestion = async () => {
    const { id } = await store.db.datastore.findFirstOrThrow({ where: { name: 'once' } });
    const asked = { projectId: ada.projectId, datastoreId: id, tableIds: [] };
    return (await datastores.openRow((await readOrigin(store, asked)).row!)).warehouse;
  };
  const first = await byName();
  expect(await byQuestion()).toBe(first);
  await run(
    'updateDatastore',
    { id: datastore.id, config: { ...server, schema: 'public' } },
    'datastore { id }',
  );
  const second = await byQuestion();
  expect(second).not.toBe(first);
  expect(await byName()).toBe(second);
});

test('a statement that runs while the settings change, or its datastore is deleted, is told that', async () => {
  const { datastore } = await create({ name: 'moving' });
  const { datastores } = gql.app.catalog;
  const begin = async (tag: string) => {
    const { warehouse } = await datastores.open(ada.projectId, 'moving');
    const failed = warehouse.run({ sql: 'SELECT pg_sleep(60)' }, { tag }).catch((error: unknown) => error);
    await vi.waitFor(async () => {
      const sql = 'SELECT count(*) FROM pg_stat_activity WHERE application_name = $1';
      const { rows } = await postgres.warehouse.run({ sql, binds: [`sluice ${tag}`] });
      expect(rows).toEqual([[1n]]);
    }, 10_000);
    return { failed };
  };
  const unavailable = (message: string) => ({ code: 'WAREHOUSE_UNAVAILABLE', message });
  const before = await begin('before');
  const { id } = datastore;
  await run('updateDatastore', { id, config: { ...server, schema: 'public' } }, 'datastore { id }');
  const after = await begin('after');
  expect(await before.failed).toMatchObject(
    unavailable('The warehouse is closed: the settings of "moving" were changed.'),
  );
  expect((await run('deleteDatastore', { id }, 'deletedId')).userErrors).toEqual([]);
  expect(await after.failed).toMatchObject(
    unavailable('The warehouse is closed: its datastore was deleted.'),
  );
});

test('an operational store is always named', async () => {
  expect((await create({ name: 'hot', role: 'OPERATIONAL' })).datastore).toMatchObject({
    role: 'OPERATIONAL',
  });
  expect((await create({ name: 'hot_2', role: 'OPERATIONAL', isDefault: true })).userErrors).toMatchObject([
    { code: 'NOT_ALLOWED', path: ['isDefault'] },
  ]);
});

test('each wrong setting is named, before anything is asked and when the server refuses it', async () => {
  const { userErrors } = await create({ name: 'bad', config: { hots: 'x', port: 0, database: 'a' } });
  expect(userErrors.map(({ path }: { path: string[] }) => path.join('.')).sort()).toEqual([
    'config.host',
    'config.hots',
    'config.port',
    'config.username',
  ]);
  const wrong: [Partial<PostgresOptions>, string, RegExp][] = [
    [{ host: 'nowhere.invalid' }, 'config.host', /no host named|could not be looked up/],
    [{ port: 1 }, 'config.port', /Nothing listens on port 1/],
    [{ database: 'nowhere' }, 'config.database', /refuses the database "nowhere"/],
    [{ schema: 'nowhere' }, 'config.schema', /has no schema "nowhere"/],
    [{ ssl: { mode: 'require' } }, 'config.ssl.mode', /offers no TLS/],
  ];
  for (const [change, path, message] of wrong) {
    const {
      ok,
      message: said,
      userErrors: problems,
    } = await tested({ engine: 'POSTGRES', config: { ...server, ...change } });
    expect(ok).toBe(false);
    expect(said).toMatch(message);
    expect(problems).toMatchObject([{ code: 'CONNECTION_FAILED' }]);
    expect(problems[0].path.join('.')).toBe(path);
  }
  expect(await tested({ engine: 'POSTGRES', config: server })).toMatchObject({ ok: true });
});

test('who may read rows is told that it is not reached, and not where it is', async () => {
  const { datastore } = await create({ name: 'away' });
  await run('updateDatastore', { id: datastore.id, config: { ...server, port: 1 } }, 'datastore { id }');
  const query = '{ datastores { nodes { name schemas { schema } } } }';
  const { data, errors } = await gql.answer(ada, query);
  expect(data.datastores.nodes).toContainEqual({ name: 'away', schemas: null });
  expect(errors).toContainEqual(
    expect.objectContaining({
      message: 'The datastore "away" cannot be reached.',
      extensions: expect.objectContaining({ code: 'WAREHOUSE_UNAVAILABLE' }),
    }),
  );
  expect(JSON.stringify(errors)).not.toContain(server.host);
});

test('a job may write to it', async () => {
  await create({ name: 'target' });
  const config = { datastore: 'target' };
  const answer = await run('testDestination', { type: 'datastore', config }, 'ok');
  expect(answer).toEqual({ ok: true, userErrors: [] });
});

test('its tables are in the catalog, and a transformation makes tables and views of them', async () => {
  const { datastore } = await create({ name: 'shop' });
  const target = { database: server.database, schema: 'raw', name: 'orders', kind: 'TABLE' } as const;
  await postgres.warehouse.write(target, {
    sql: `SELECT n AS id, n % 3 AS shop_id, n * 1.5 AS total FROM generate_series(1, 9) AS n`,
  });
  const refreshed = await run('refreshCatalog', { datastoreId: datastore.id }, 'tables');
  expect(refreshed).toMatchObject({ tables: 1, userErrors: [] });
  const { transformation, userErrors } = await run(
    'upsertTransformation',
    {
      name: 'by shop',
      datastoreId: datastore.id,
      sql: 'SELECT shop_id, sum(total) AS total FROM raw.orders GROUP BY shop_id',
      target: { schema: 'made', table: 'by_shop', kind: 'TABLE' },
    },
    'transformation { id }',
  );
  expect(userErrors).toEqual([]);
  const { task } = await run('runTransformation', { id: transformation.id }, 'task { id }');
  let status = '';
  const query = 'subscription ($taskId: ID!) { taskUpdated(taskId: $taskId) { status error { message } } }';
  for await (const { data } of gql.follow(ada, query, { taskId: task.id })) status = data.taskUpdated.status;
  expect(status).toBe('SUCCEEDED');
  const { rows } = await postgres.warehouse.run({ sql: 'SELECT * FROM made.by_shop ORDER BY 1' });
  expect(rows).toEqual([
    [0, '27.0'],
    [1, '18.0'],
    [2, '22.5'],
  ]);
});

test('tables whose names differ in case alone are two, of which one may be made of the other', async () => {
  const names = ['cents', '"Cents"', 'sums', '"Sums"'];
  await postgres.load(names.map((name) => `CREATE TABLE raw.${name} AS SELECT 100 AS n`));
  const { id: datastoreId } = (await create({ name: 'cases' })).datastore;
  const fields = 'transformation { id inputs { name } }';
  const save = (name: string, sql: string, table: string) =>
    run(
      'upsertTransformation',
      { name, datastoreId, sql, target: { schema: 'raw', table, kind: 'TABLE' } },
      fields,
    );
  const both = await save('both', 'SELECT a.n + b.n AS n FROM raw.cents a, raw."Cents" b', 'sums');
  expect(both.transformation.inputs.map(({ name }: Data) => name).sort()).toEqual(['Cents', 'cents']);
  expect((await save('up', 'SELECT n FROM raw.sums', 'Sums')).userErrors).toEqual([]);
  const { userErrors } = await save('down', 'SELECT n FROM raw."Sums"', 'Cents');
  expect(userErrors).toMatchObject([
    { code: 'INVALID', message: expect.stringContaining('made of each other') },
  ]);
});
