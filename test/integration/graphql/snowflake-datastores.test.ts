import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Viewer } from '#accounts/viewer.ts';
import { openSnowflake, type SnowflakeWarehouse } from '#warehouse/snowflake.ts';
import { tokensOf } from '#warehouse/snowflake-tokens.ts';
import { mapEntity } from '../../support/entities.ts';
import { type Data, openTestGraphql, type TestGraphql, type Variables } from '../../support/graphql.ts';
import { type SnowflakeServer, startSnowflakeServer } from '../../support/snowflake-server/start-server.ts';
import { warehouseStatementsOf } from '../../support/warehouse.ts';

let gql: TestGraphql;
let ada: Viewer;
let server: SnowflakeServer;
/** Who may do everything there. */
let admin: SnowflakeWarehouse;

beforeAll(async () => {
  server = await startSnowflakeServer({ database: 'SHOP' });
  gql = await openTestGraphql({ workers: 1, emulatorHosts: [server.host] });
  ada = await gql.signUp('ada');
  admin = openSnowflake({ ...server.login, password: server.password });
});
afterAll(async () => {
  await admin?.[Symbol.asyncDispose]();
  await gql?.[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
});

async function run(mutation: string, input: Variables, fields: string): Promise<Data> {
  const type = `${mutation[0]?.toUpperCase()}${mutation.slice(1)}Input`;
  const query = `mutation ($input: ${type}!) { ${mutation}(input: $input) { ${fields} userErrors { code path message fix } } }`;
  return (await gql.ask(ada, query, { input }))[mutation];
}
const create = (input: Variables) =>
  run(
    'createDatastore',
    { engine: 'SNOWFLAKE', config: server.config, ...input },
    'datastore { id name engine role config providedSecrets }',
  );
const tested = (input: Variables) => run('testDatastore', input, 'ok message');
const testedConfig = (change: Variables) =>
  tested({ engine: 'SNOWFLAKE', config: { ...server.config, ...change } });
const pathsOf = ({ userErrors }: Data) => userErrors.map(({ path }: { path: string[] }) => path.join('.'));

/** Runs the statements of a text, one after the other, as an administrator would. */
async function administer(text: string): Promise<void> {
  for (const sql of text.split(';').map((each) => each.trim())) if (sql !== '') await admin.run({ sql });
}

describe('a datastore on Snowflake', () => {
  test('is made, keeps its secrets sealed, and is changed without saying them again', async () => {
    const { password, ...said } = server.config;
    const { datastore, userErrors } = await create({ name: 'sf' });
    expect(userErrors).toEqual([]);
    expect(datastore).toMatchObject({
      engine: 'SNOWFLAKE',
      role: 'WAREHOUSE',
      config: said,
      providedSecrets: ['password'],
    });
    expect(datastore.config).not.toHaveProperty('password');
    const row = await gql.app.store.db.datastore.findFirstOrThrow({ where: { name: 'sf' } });
    expect(JSON.stringify([row.config, row.secrets])).not.toContain(password);
    expect(await tested({ id: datastore.id })).toMatchObject({ ok: true, userErrors: [] });
    const { datastore: changed } = await run(
      'updateDatastore',
      { id: datastore.id, config: { ...said, schema: 'PUBLIC' } },
      'datastore { config providedSecrets }',
    );
    expect(changed).toMatchObject({ config: { schema: 'PUBLIC' }, providedSecrets: ['password'] });
    expect(await tested({ id: datastore.id })).toMatchObject({ ok: true });
    const { privateKey, passphrase } = server;
    const { datastore: keyed } = await run(
      'updateDatastore',
      { id: datastore.id, config: { ...said, password: null, privateKey, passphrase } },
      'datastore { providedSecrets }',
    );
    expect(keyed.providedSecrets.toSorted()).toEqual(['passphrase', 'privateKey']);
    expect(await tested({ id: datastore.id })).toMatchObject({ ok: true });
  });

  test('names each wrong setting, before anything is asked and when the account refuses it', async () => {
    const { userErrors } = await create({
      name: 'bad',
      config: { acount: 'x', username: 'u', token: 't', passphrase: 'p', database: 'D' },
    });
    expect(pathsOf({ userErrors }).sort()).toEqual(['config.account', 'config.acount', 'config.warehouse']);
    const both = await create({
      name: 'bad',
      config: { ...server.config, token: 't', host: 'evil.example' },
    });
    expect(pathsOf(both).sort()).toEqual(['config.host', 'config.token']);
    const wrong: [Variables, string, RegExp][] = [
      [{ password: 'wrong' }, 'config.password', /lets nobody in/],
      [{ role: 'NOBODY' }, 'config.role', /NOBODY/],
      [{ warehouse: 'NONE' }, 'config.warehouse', /no virtual warehouse "NONE"/],
      [{ warehouse: 'wh' }, 'config.warehouse', /no virtual warehouse "wh"/],
      [{ database: 'NONE' }, 'config.database', /no database "NONE"/],
      [{ schema: 'NONE' }, 'config.schema', /no schema "SHOP"."NONE"/],
    ];
    for (const [change, path, message] of wrong) {
      const answer = await testedConfig(change);
      expect(answer).toMatchObject({ ok: false, userErrors: [{ code: 'CONNECTION_FAILED' }] });
      expect(answer.message).toMatch(message);
      expect(pathsOf(answer)).toEqual([path]);
      expect(JSON.stringify(answer)).not.toContain(server.password);
    }
  });
});

describe('testDatastore', () => {
  test('says which grant is missing, one after the other until the role can read', async () => {
    await administer(`CREATE SCHEMA "CRM"; CREATE TABLE "CRM"."USERS" AS SELECT 1 AS ID;
      CREATE TABLE "CRM"."ORDERS" AS SELECT 1 AS ID; CREATE ROLE "READER"`);
    const reader = () => testedConfig({ role: 'READER', schema: 'CRM' });
    const steps: [grants: string, paths: string[], message: RegExp][] = [
      ['', ['config.warehouse', 'config.database'], /no virtual warehouse "WH".*no database "SHOP"/],
      ['GRANT MONITOR ON WAREHOUSE "WH" TO ROLE "READER"', ['config.database'], /no database "SHOP"/],
      ['GRANT USAGE ON DATABASE "SHOP" TO ROLE "READER"', ['config.schema'], /no schema "SHOP"."CRM"/],
      ['GRANT USAGE ON SCHEMA "SHOP"."CRM" TO ROLE "READER"', ['config.warehouse'], /has no USAGE on/],
      ['GRANT USAGE ON WAREHOUSE "WH" TO ROLE "READER"', [], /sees no table or view/],
      [
        'GRANT INSERT ON TABLE "SHOP"."CRM"."USERS" TO ROLE "READER"',
        ['config.role'],
        /may not SELECT from 1 of 1 tables that were tried: "SHOP"."CRM"."USERS"/,
      ],
      ['GRANT SELECT ON ALL TABLES IN SCHEMA "SHOP"."CRM" TO ROLE "READER"', [], /answered in [^.]+\.$/],
    ];
    for (const [grants, paths, message] of steps) {
      await administer(grants);
      const answer = await reader();
      expect([answer.message, pathsOf(answer)]).toEqual([expect.stringMatching(message), paths]);
      expect(answer.ok).toBe(paths.length === 0);
      for (const { fix } of answer.userErrors)
        expect(fix).toMatch(/GRANT (USAGE|SELECT) ON .* TO ROLE "READER";/);
    }
  });

  test('says when the role sees no table, which may be meant so', async () => {
    await administer(
      `CREATE ROLE "NEW"; GRANT USAGE ON WAREHOUSE "WH" TO ROLE "NEW"; GRANT USAGE ON DATABASE "SHOP" TO ROLE "NEW"`,
    );
    expect(await testedConfig({ role: 'NEW' })).toMatchObject({
      ok: true,
      message: expect.stringMatching(/The role NEW sees no table or view in "SHOP"/),
    });
  });

  test('says when the virtual warehouse is suspended for good, and wakes one that resumes', async () => {
    await administer(`CREATE WAREHOUSE "ASLEEP" AUTO_RESUME = TRUE; ALTER WAREHOUSE "ASLEEP" SUSPEND`);
    expect(await testedConfig({ warehouse: 'ASLEEP' })).toMatchObject({ ok: true });
    await administer(`ALTER WAREHOUSE "ASLEEP" SET AUTO_RESUME = FALSE; ALTER WAREHOUSE "ASLEEP" SUSPEND`);
    const answer = await testedConfig({ warehouse: 'ASLEEP' });
    expect(answer).toMatchObject({
      ok: false,
      userErrors: [
        {
          path: ['config', 'warehouse'],
          message: 'The virtual warehouse "ASLEEP" is suspended, and does not resume by itself.',
          fix: 'Let it: ALTER WAREHOUSE "ASLEEP" SET AUTO_RESUME = TRUE;',
        },
      ],
    });
  });
});

describe('a question', () => {
  test('without a grant, or without compute, is told so; what is granted then counts without a restart', async () => {
    await administer(`CREATE SCHEMA "LATER"; CREATE TABLE "LATER"."T" AS SELECT 1 AS ID; CREATE ROLE "LATE";
      GRANT USAGE ON DATABASE "SHOP" TO ROLE "LATE"; GRANT USAGE ON SCHEMA "SHOP"."LATER" TO ROLE "LATE"`);
    await using late = openSnowflake({ ...server.login, password: server.password, role: 'LATE' });
    const ask = () => late.run({ sql: 'SELECT * FROM "LATER"."T"' });
    await expect(ask()).rejects.toMatchObject({
      code: 'BAD_USER_INPUT',
      message: /does not exist or not authorized/,
    });
    await administer('GRANT REFERENCES ON TABLE "SHOP"."LATER"."T" TO ROLE "LATE"');
    await expect(ask()).rejects.toMatchObject({ code: 'BAD_USER_INPUT', fix: /Grant the role/ });
    await administer('GRANT SELECT ON TABLE "SHOP"."LATER"."T" TO ROLE "LATE"');
    await expect(ask()).rejects.toMatchObject({
      code: 'WAREHOUSE_UNAVAILABLE',
      message: /No active warehouse/,
      fix: /USAGE/,
    });
    await administer('GRANT USAGE ON WAREHOUSE "WH" TO ROLE "LATE"');
    expect((await ask()).rows).toEqual([[1n]]);
  });
});

describe('the set-up script', () => {
  const scriptOf = async (input: Variables): Promise<string> =>
    (
      await gql.ask(
        ada,
        'query ($input: WarehouseSetupInput!) { warehouseSetupScript(engine: SNOWFLAKE, input: $input) }',
        { input },
      )
    ).warehouseSetupScript;

  test('lets a role of its own read what is there, and no more', async () => {
    await administer(`CREATE SCHEMA "SALES"; CREATE TABLE "SALES"."ORDERS" AS SELECT 7 AS ID; CREATE SCHEMA "SECRET";
      CREATE TABLE "SECRET"."PAY" AS SELECT 1 AS ID; CREATE ROLE "SCRIPTED"`);
    const existing = {
      kind: 'EXISTING',
      database: 'SHOP',
      warehouse: 'WH',
      role: 'SCRIPTED',
      readSchemas: ['SALES'],
    };
    await administer(await scriptOf(existing));
    expect(await testedConfig({ role: 'SCRIPTED' })).toMatchObject({ ok: true, userErrors: [] });
    await using scripted = openSnowflake({ ...server.login, password: server.password, role: 'SCRIPTED' });
    expect((await scripted.tables()).map(({ schema, name }) => `${schema}.${name}`)).toEqual([
      'SALES.ORDERS',
    ]);
    expect((await scripted.run({ sql: 'SELECT * FROM "SALES"."ORDERS"' })).rows).toEqual([[7n]]);
    const target = { database: 'SHOP', schema: 'SALES', name: 'MADE', kind: 'TABLE' } as const;
    await expect(scripted.run({ sql: 'SELECT * FROM "SECRET"."PAY"' })).rejects.toThrow(/not authorized/);
    await expect(scripted.write(target, { sql: 'SELECT 1 AS A' })).rejects.toThrow(/Insufficient privileges/);
    await administer(await scriptOf({ ...existing, writes: ['TRANSFORMATIONS'], writeSchemas: ['SALES'] }));
    expect(await scripted.write(target, { sql: 'SELECT 1 AS A' })).toBe(1n);
  });

  test('makes all that a managed Snowflake needs, and does not run before the key is filled in', async () => {
    const text = await scriptOf({ kind: 'MANAGED', writes: ['TRANSFORMATIONS'] });
    expect(tokensOf(text).map(({ text: sign }) => sign)).toContain('<');
    await administer(text.replace(/<[^>]+>/, "'key'"));
    expect(
      await testedConfig({ warehouse: 'SLUICE_WH', database: 'SLUICE', role: 'SLUICE_ROLE' }),
    ).toMatchObject({ ok: true, message: expect.stringMatching(/sees no table/) });
    await using managed = openSnowflake({
      ...server.login,
      password: server.password,
      warehouse: 'SLUICE_WH',
      database: 'SLUICE',
      role: 'SLUICE_ROLE',
    });
    const target = { database: 'SLUICE', schema: 'MADE', name: 'T', kind: 'TABLE' } as const;
    expect(await managed.write(target, { sql: 'SELECT 1 AS A' })).toBe(1n);
    expect(await managed.tables()).toHaveLength(1);
  });
});

describe('the gateway over Snowflake', () => {
  test('reads what Snowflake calls by names in capitals: catalog, sample, entities, kept answers', async () => {
    await administer(`CREATE SCHEMA "RAW";
      CREATE TABLE RAW.USERS AS SELECT CAST(SEQ8() AS NUMBER(38, 0)) AS ID, 'User' AS NAME FROM TABLE(GENERATOR(ROWCOUNT => 30));
      CREATE VIEW RAW.PEOPLE AS SELECT ID FROM RAW.USERS`);
    const { datastore } = await create({ name: 'main', isDefault: true });
    const refreshed = await run('refreshCatalog', { datastoreId: datastore.id }, 'tables');
    expect(refreshed.userErrors).toEqual([]);
    const { table } = await gql.ask(
      ada,
      '{ table(fqn: "main.SHOP.RAW.USERS") { name kind rowCount columns { name dataType } sample(first: 2) { rows truncated } } }',
    );
    expect(table).toMatchObject({
      name: 'USERS',
      kind: 'TABLE',
      columns: [{ name: 'ID', dataType: 'NUMBER(38,0)' }, { name: 'NAME' }],
    });
    expect(table.sample.rows).toHaveLength(2);
    await mapEntity(gql, ada, { kind: 'USER', table: 'RAW.USERS', key: 'ID', name: 'NAME' });
    const users = () => gql.ask(ada, '{ users(first: 20) { nodes { key name } totalCount } }');
    const first = await warehouseStatementsOf(users);
    expect(first.length).toBeGreaterThan(0);
    expect(await warehouseStatementsOf(users)).toEqual([]);
    expect((await users()).users).toMatchObject({ totalCount: 30 });
    const { tags } = await server.order({ tell: true });
    expect(tags).toContain('refreshCatalog');
    for (const operation of ['sample', 'entities']) {
      expect(tags).toContainEqual(expect.stringMatching(new RegExp(`^[0-9a-f-]{36} ${operation}$`)));
    }
  });

  test('makes tables and views by transformations, which drop the answers that they change', async () => {
    const make = async (name: string, kind: string, sql: string) => {
      const { transformation, userErrors } = await run(
        'upsertTransformation',
        { name, sql, target: { schema: 'MADE', table: name.toUpperCase(), kind } },
        'transformation { id }',
      );
      expect(userErrors).toEqual([]);
      const { task } = await run('runTransformation', { id: transformation.id }, 'task { id }');
      const query =
        'subscription ($taskId: ID!) { taskUpdated(taskId: $taskId) { status error { message } } }';
      let last: Data;
      for await (const { data } of gql.follow(ada, query, { taskId: task.id })) last = data.taskUpdated;
      expect(last).toMatchObject({ status: 'SUCCEEDED' });
    };
    await make('few', 'TABLE', 'SELECT ID, NAME FROM RAW.USERS WHERE ID < 3');
    await make('seen', 'VIEW', 'SELECT ID FROM MADE.FEW');
    await mapEntity(gql, ada, { kind: 'USER', table: 'MADE.FEW', key: 'ID' });
    const total = async () => (await gql.ask(ada, '{ users { totalCount } }')).users.totalCount;
    expect(await total()).toBe(3);
    await make('few', 'TABLE', 'SELECT ID, NAME FROM RAW.USERS WHERE ID < 5');
    expect(await total()).toBe(5);
    expect((await admin.run({ sql: 'SELECT COUNT(*) FROM MADE.SEEN' })).rows).toEqual([[5n]]);
  });
});
