import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DBSQLClient } from '@databricks/sql';
import { databricksEngine } from '#warehouse/databricks-config.ts';
import { type DatabricksOptions, openDatabricks } from '#warehouse/databricks.ts';
import { sessionSuite } from './cloud-session.suite.ts';
import { type DatabricksServer, startDatabricksServer } from '../support/databricks-server/start-server.ts';

const opened: { server?: DatabricksServer } = {};
const server = () => opened.server!;
beforeAll(async () => {
  opened.server = await startDatabricksServer({ database: 'sessions' });
});
afterAll(() => opened.server?.[Symbol.asyncDispose]());

const byToken = () => ({ token: server().account.token });
const bySecret = () => {
  const { clientId, clientSecret } = server().account;
  return { clientId, clientSecret };
};
const open = (how: Partial<DatabricksOptions> = byToken()) =>
  openDatabricks({ ...server().login, firstWaitMs: 10, ...how });
const told = () => server().order({ tell: true });
const code = (wanted: string, message?: RegExp, fix?: RegExp) =>
  expect.objectContaining({
    code: wanted,
    ...(message && { message: expect.stringMatching(message) as unknown }),
    ...(fix && { fix: expect.stringMatching(fix) as unknown }),
  }) as unknown;
const one = { sql: 'SELECT 1 AS v' };
const many = { sql: 'SELECT id AS n FROM range(1000000)' };
const endless = { sql: 'SELECT count(*) AS c FROM range(100000000000) AS r WHERE id % 7 = 3' };

sessionSuite('Databricks', () => ({
  // It waits for longer than a test does.
  open: (how) => open({ ...byToken(), ...(how && { firstWaitMs: 1_000 }), ...how }),
  endless: endless.sql,
  tag: 'sluice:req-1 metric\\: a',
  async told() {
    const { sessions: opened, ...others } = await told();
    return { ...others, opened };
  },
}));

describe('a session of Databricks', () => {
  test('is opened by a token, and by the secret of a service principal', async () => {
    for (const how of [byToken(), bySecret()]) {
      await using warehouse = open(how);
      expect((await warehouse.run(one)).rows).toEqual([[1]]);
    }
  });

  test('that the workspace refuses says why, and what to check', async () => {
    for (const how of [
      { token: 'wrong' },
      { ...bySecret(), clientSecret: 'wrong' },
      { ...byToken(), warehouseId: 'none' },
    ]) {
      await using warehouse = open(how);
      await expect(warehouse.run(one)).rejects.toEqual(code('WAREHOUSE_UNAVAILABLE', /lets nobody in/));
    }
  });

  test('is in UTC and in ANSI mode, and Databricks itself ends its statements some time after their deadline', async () => {
    await using warehouse = open();
    const before = await told();
    await warehouse.run(one, { deadlineMs: 4_000 });
    await warehouse.run(one, { deadlineMs: 50_000 });
    await warehouse.run(one, { deadlineMs: 3_600_000 });
    const shared = { TIMEZONE: 'UTC', ANSI_MODE: 'true' };
    expect((await told()).configurations.slice(before.configurations.length)).toEqual([
      { ...shared, STATEMENT_TIMEOUT: '64' },
      { ...shared, STATEMENT_TIMEOUT: '4096' },
    ]);
  });

  test('is opened anew when it is gone, once for all that find it so', async () => {
    await using warehouse = open();
    await warehouse.run(one);
    const before = await told();
    await server().order({ forget: 'sessions' });
    await Promise.all(Array.from({ length: 5 }, () => warehouse.run(one)));
    expect((await told()).sessions - before.sessions).toBe(1);
  });

  test('asks for another token when that of its service principal has run out', async () => {
    await using warehouse = open(bySecret());
    await warehouse.run(one);
    const before = await told();
    await server().order({ forget: 'tokens' });
    expect((await warehouse.run(one)).rows).toEqual([[1]]);
    expect((await told()).signIns - before.signIns).toBe(1);
  });
});

describe('a statement of Databricks', () => {
  test('that Databricks was too busy for is sent again when it asks for it, and is run once', async () => {
    await using warehouse = open();
    await warehouse.run(one);
    const before = await told();
    await server().order({ trouble: { status: 503, statusCount: 2 } });
    expect((await warehouse.run(one)).rows).toEqual([[1]]);
    await server().order({ trouble: { status: 429, statusCount: 1, retryAfterSeconds: 1 } });
    expect((await warehouse.run(one)).rows).toEqual([[1]]);
    expect((await told()).texts.length - before.texts.length).toBe(2);
    await server().order({ trouble: { status: 503, statusCount: 1_000 } });
    await expect(warehouse.run(one, { deadlineMs: 20_000 })).rejects.toEqual(
      code('WAREHOUSE_UNAVAILABLE', /status 503/),
    );
    await server().order({ trouble: { statusCount: 0 } });
  });

  test('that might have been heard is not sent twice', async () => {
    await using warehouse = open();
    await warehouse.run(one);
    await server().order({ trouble: { status: 502, statusCount: 1 } });
    await expect(warehouse.run(one)).rejects.toEqual(code('WAREHOUSE_UNAVAILABLE', /status 502/));
    await server().order({ trouble: { statusCount: 0 } });
  });

  test('for a warehouse that is starting waits for it, and says so when that takes longer than it has', async () => {
    await using warehouse = open();
    const said = 'TEMPORARILY_UNAVAILABLE: the SQL warehouse is starting.';
    await server().order({ trouble: { status: 503, statusCount: 1, retryAfterSeconds: 1, said } });
    expect((await warehouse.run(one)).rows).toEqual([[1]]);
    await using late = open();
    await server().order({ trouble: { status: 503, statusCount: 1_000, retryAfterSeconds: 1, said } });
    await expect(late.run(one, { deadlineMs: 300 })).rejects.toEqual(
      code('WAREHOUSE_UNAVAILABLE', /did not begin .* is starting/, /start/),
    );
    await server().order({ trouble: { statusCount: 0 } });
  });

  test('asks again for rows that were lost on their way, and never gives a part for the whole', async () => {
    await using warehouse = open();
    await server().order({ trouble: { lostFetches: 1 } });
    expect((await warehouse.run(many, { rowsMax: 2_000_000 })).rows).toHaveLength(1_000_000);
    await server().order({ trouble: { brokenFetches: 1 } });
    await expect(warehouse.run(many, { rowsMax: 2_000_000 })).rejects.toEqual(
      code('WAREHOUSE_UNAVAILABLE', /broken/),
    );
    expect((await warehouse.run(one)).rows).toEqual([[1]]);
  });

  test('is closed at Databricks once its rows are read or left', async () => {
    await using warehouse = open();
    await warehouse.run(one);
    const before = await told();
    await warehouse.run(one);
    for await (const { rows } of warehouse.stream(many)) {
      expect(rows.length).toBeGreaterThan(0);
      break;
    }
    await expect.poll(async () => (await told()).closed - before.closed).toBe(2);
  });

  test('that lacks a grant names it', async () => {
    await using warehouse = open();
    for (const [message, fix] of [
      [
        "Insufficient privileges:\nUser does not have USE SCHEMA on Schema 'main.sales'.",
        /GRANT USE SCHEMA ON SCHEMA main\.sales TO/,
      ],
      [
        "User does not have SELECT on Table 'main.sales.orders'.",
        /GRANT SELECT ON TABLE main\.sales\.orders TO/,
      ],
      ['You may not do that.', /what it lacks/],
    ] as const) {
      await server().order({ trouble: { refused: ['INSUFFICIENT_PERMISSIONS', '42501', message] } });
      await expect(warehouse.run(one)).rejects.toEqual(code('BAD_USER_INPUT', /privileges|have|may/, fix));
    }
  });

  test('that met another writer, or took Databricks too long, is told so', async () => {
    await using warehouse = open();
    for (const [condition, sqlState, wanted] of [
      ['DELTA_CONCURRENT_APPEND.WITHOUT_HINT', '2D521', 'CONFLICT'],
      ['STATEMENT_TIMEOUT', '57KD0', 'WAREHOUSE_TIMEOUT'],
      ['INTERNAL_ERROR', 'XX000', 'WAREHOUSE_UNAVAILABLE'],
      ['TABLE_OR_VIEW_NOT_FOUND', '42P01', 'BAD_USER_INPUT'],
    ] as const) {
      await server().order({ trouble: { refused: [condition, sqlState, 'Said so.'] } });
      await expect(warehouse.run(one), condition).rejects.toEqual(code(wanted));
    }
  });
});

describe('a config of a Databricks', () => {
  const nowhere = { emulatorHosts: [] };
  const configOf = (how: object) => {
    const { warehouseId, catalog } = server().login;
    return { host: server().host, warehouseId, catalog, ...how };
  };

  test("leads to Databricks' own domains, and elsewhere only where it is allowed", async () => {
    const config = configOf(byToken());
    expect(databricksEngine.check(config, nowhere)).toMatchObject([{ path: ['config', 'host'] }]);
    await expect(databricksEngine.open(config, nowhere)).rejects.toThrow(/no host of Databricks/);
    for (const host of [
      'dbc-1.cloud.databricks.com',
      'adb-1.2.azuredatabricks.net',
      '1.2.gcp.databricks.com',
      'dbc-1.cloud.databricks.us',
      'dbc-1.cloud.databricks.mil',
    ]) {
      expect(databricksEngine.check({ ...config, host }, nowhere)).toEqual([]);
    }
    for (const host of ['evil.com', 'cloud.databricks.com.evil.com', 'xcloud.databricks.com']) {
      expect(databricksEngine.check({ ...config, host }, nowhere)).toHaveLength(1);
    }
    await using warehouse = await databricksEngine.open(config, { emulatorHosts: [config.host] });
    expect((await warehouse.run(one)).rows).toEqual([[1]]);
  });

  test('needs a token or the pair of a service principal, and not both', () => {
    const reach = { emulatorHosts: [server().host] };
    const pathsOf = (how: object) => databricksEngine.check(configOf(how), reach).map(({ path }) => path[1]);
    expect(pathsOf({})).toEqual(['token']);
    expect(pathsOf({ clientId: 'x' })).toEqual(['clientSecret']);
    expect(pathsOf({ clientSecret: 'x' })).toEqual(['clientId']);
    expect(pathsOf({ token: 'x', clientId: 'x' })).toEqual(['token']);
    expect(pathsOf(bySecret())).toEqual([]);
  });

  test('that is refused names the setting to blame', async () => {
    const wrong: [object, string][] = [
      [{ token: 'x' }, 'token'],
      [{ ...bySecret(), clientSecret: 'x' }, 'clientSecret'],
      [{ ...byToken(), warehouseId: 'x' }, 'warehouseId'],
      [{ ...byToken(), catalog: 'x' }, 'catalog'],
    ];
    const reach = { emulatorHosts: [server().host, 'localhost:1'], firstWaitMs: 10 };
    for (const [how, path] of wrong) {
      await expect(databricksEngine.open(configOf(how), reach), path).rejects.toMatchObject({
        kind: 'CONFIG',
        path: [path],
        code: 'WAREHOUSE_UNAVAILABLE',
      });
    }
    const away = databricksEngine.open(configOf({ ...byToken(), host: 'localhost:1' }), reach);
    await expect(away).rejects.toMatchObject({ kind: 'TRANSIENT', path: [] });
  });
});

test("the server of the tests is understood by Databricks' own client, all the way", async () => {
  const client = new DBSQLClient({ logger: { log: () => undefined } });
  const inner = client as unknown as { getConnectionOptions(options: object): object };
  const own = inner.getConnectionOptions.bind(client);
  inner.getConnectionOptions = (options) => ({ ...own(options), https: false });
  const { hostname, port } = new URL(server().login.url);
  await client.connect({
    host: hostname,
    port: Number(port),
    path: `/sql/1.0/warehouses/${server().account.warehouseId}`,
    token: server().account.token,
    telemetryEnabled: false,
    preserveBigNumericPrecision: true,
  });
  const session = await client.openSession({ initialCatalog: 'sessions', initialSchema: 'default' });
  const operation = await session.executeStatement("SELECT id, 'x' AS t FROM range(:many)", {
    namedParameters: { many: 300_000 },
  });
  const rows = (await operation.fetchAll()) as { id: unknown; t: unknown }[];
  expect([rows.length, rows[299_999]]).toEqual([300_000, { id: 299_999n, t: 'x' }]);
  await operation.close();
  await expect(
    session.executeStatement('SELECT nothing').then((failed) => failed.fetchAll()),
  ).rejects.toThrow(/UNRESOLVED_COLUMN/);
  await session.close();
  await client.close();
});
