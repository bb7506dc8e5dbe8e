import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openSnowflake, type SnowflakeOptions } from '#warehouse/snowflake.ts';
import { snowflakeEngine } from '#warehouse/snowflake-config.ts';
import { sessionSuite } from './cloud-session.suite.ts';
import { type SnowflakeServer, startSnowflakeServer } from '../support/snowflake-server/start-server.ts';

const opened: { server?: SnowflakeServer } = {};
const server = () => opened.server!;
beforeAll(async () => {
  opened.server = await startSnowflakeServer({ database: 'SESSIONS' });
});
afterAll(() => opened.server?.[Symbol.asyncDispose]());

const open = (how: Partial<SnowflakeOptions> = { password: server().password }) =>
  openSnowflake({ ...server().login, firstWaitMs: 20, ...how });
const told = () => server().order({ tell: true });
const code = (wanted: string, message?: RegExp) =>
  expect.objectContaining({
    code: wanted,
    ...(message && { message: expect.stringMatching(message) as unknown }),
  }) as unknown;
const one = { sql: 'SELECT 1 AS v' };
const endless = {
  sql: 'SELECT COUNT(*) FROM TABLE(GENERATOR(ROWCOUNT => 100000000000)) WHERE SEQ8() % 7 = 3',
};
const many = { sql: 'SELECT SEQ8() AS n FROM TABLE(GENERATOR(ROWCOUNT => 70000))' };

sessionSuite('Snowflake', () => ({
  open: (how) => open({ password: server().password, ...how }),
  endless: endless.sql,
  tag: 'req-1 metric: a',
  async told() {
    const { logins: opened, ...others } = await told();
    return { ...others, opened };
  },
}));

describe('a session of Snowflake', () => {
  test('is opened by password, by key pair, by OAuth token and by programmatic access token', async () => {
    const { password, privateKey, passphrase, token, accessToken } = server();
    for (const how of [{ password }, { privateKey, passphrase }, { token }, { password: accessToken }]) {
      await using warehouse = open(how);
      expect((await warehouse.run(one)).rows).toEqual([[1n]]);
    }
  });

  test('that the account refuses says why, and what to check', async () => {
    const { privateKey, passphrase } = server();
    for (const how of [
      { password: 'wrong' },
      { token: 'wrong' },
      { privateKey, passphrase, username: 'other' },
    ]) {
      await using warehouse = open(how);
      await expect(warehouse.run(one)).rejects.toEqual(code('WAREHOUSE_UNAVAILABLE', /lets nobody in/));
    }
    await using locked = open({ privateKey, passphrase: 'wrong' });
    await expect(locked.run(one)).rejects.toEqual(code('WAREHOUSE_UNAVAILABLE'));
  });

  test('is renewed when it has run out, and opened anew when it is gone, once for all that find it so', async () => {
    await using warehouse = open();
    await warehouse.run(one);
    const before = await told();
    await server().order({ expire: 'expired' });
    await Promise.all(Array.from({ length: 5 }, () => warehouse.run(one)));
    const renewed = await told();
    expect([renewed.logins - before.logins, renewed.renewals - before.renewals]).toEqual([0, 1]);
    await server().order({ expire: 'gone' });
    await Promise.all(Array.from({ length: 5 }, () => warehouse.run(one)));
    expect((await told()).logins - before.logins).toBe(1);
    // Says so with the status 401.
    await server().order({ expire: 'unknown' });
    await Promise.all(Array.from({ length: 5 }, () => warehouse.run(one)));
    expect((await told()).logins - before.logins).toBe(2);
  });

  test('has the grants of the role that is named, and of no other that the user has', async () => {
    await using admin = open();
    for (const sql of [
      'CREATE TABLE "SESSIONS"."PUBLIC"."SECRETS" AS SELECT 1 AS a',
      'CREATE ROLE "PLAIN"',
      'CREATE ROLE "TRUSTED"',
      'GRANT USAGE ON WAREHOUSE "WH" TO ROLE "PLAIN"',
      'GRANT USAGE ON DATABASE "SESSIONS" TO ROLE "PLAIN"',
      'GRANT USAGE ON SCHEMA "SESSIONS"."PUBLIC" TO ROLE "PLAIN"',
      'GRANT SELECT ON TABLE "SESSIONS"."PUBLIC"."SECRETS" TO ROLE "TRUSTED"',
      'GRANT ROLE "PLAIN" TO USER "SLUICE"',
      'GRANT ROLE "TRUSTED" TO USER "SLUICE"',
    ]) {
      await admin.run({ sql });
    }
    await using plain = open({ password: server().password, role: 'PLAIN' });
    const read = () => plain.run({ sql: 'SELECT * FROM "SESSIONS"."PUBLIC"."SECRETS"' });
    await expect(read()).rejects.toEqual(code('BAD_USER_INPUT', /not authorized/));
    await server().order({ expire: 'gone' });
    await expect(read()).rejects.toEqual(code('BAD_USER_INPUT', /not authorized/));
  });
});

/** Until a statement is told to wait for. */
const waited = (before: number) =>
  expect.poll(async () => (await told()).waits, { timeout: 15_000 }).toBeGreaterThan(before);

describe('a statement of Snowflake', () => {
  test('that is slow is asked for until it ends, whichever code says that it runs', async () => {
    await using warehouse = open();
    const before = await told();
    await server().order({ hold: true });
    const asked = warehouse.run(one);
    await waited(before.waits + 2);
    await server().order({ hold: false });
    expect((await asked).rows).toEqual([[1n]]);
    expect((await told()).texts.length - before.texts.length).toBe(1);
  });

  test('whose session is lost on the way goes on in a new one, and is run once', async () => {
    await using warehouse = open();
    const before = await told();
    await server().order({ hold: true });
    const asked = warehouse.run(one);
    await waited(before.waits);
    await server().order({ expire: 'gone' });
    await server().order({ hold: false });
    expect((await asked).rows).toEqual([[1n]]);
    const after = await told();
    expect([after.texts.length - before.texts.length, after.logins - before.logins]).toEqual([1, 2]);
  });

  test('whose sessions are lost one after the other fails, and the next one is answered', async () => {
    await using warehouse = open();
    await warehouse.run(one);
    const before = await told();
    await server().order({ trouble: { lost: 1_000 } });
    await expect(warehouse.run(one)).rejects.toEqual(code('WAREHOUSE_UNAVAILABLE', /lets nobody in/));
    await server().order({ trouble: { lost: 0 } });
    expect((await told()).logins - before.logins).toBe(2);
    expect((await warehouse.run(one)).rows).toEqual([[1n]]);
  });

  test('that somebody cancels at Snowflake says so', async () => {
    await using warehouse = open();
    const before = await told();
    const running = warehouse.run(endless);
    running.catch(() => undefined);
    await waited(before.waits);
    await server().order({ cancel: true });
    await expect(running).rejects.toEqual(code('WAREHOUSE_TIMEOUT', /Somebody canceled/));
  });

  test('on a virtual warehouse that sleeps for good says so, and how to wake it', async () => {
    await using admin = open();
    for (const how of ['SET AUTO_RESUME = FALSE', 'SUSPEND']) {
      await admin.run({ sql: `ALTER WAREHOUSE "WH" ${how}` });
    }
    const asked = admin.run({ sql: 'SELECT COUNT(*) FROM "SESSIONS".INFORMATION_SCHEMA.TABLES' });
    await expect(asked).rejects.toMatchObject({
      code: 'WAREHOUSE_UNAVAILABLE',
      message: /suspended/,
      fix: /AUTO_RESUME/,
    });
    await admin.run({ sql: 'ALTER WAREHOUSE "WH" SET AUTO_RESUME = TRUE' });
    expect((await admin.run(one)).rows).toEqual([[1n]]);
  });

  test('is stopped also when that is asked before Snowflake knows of it', async () => {
    await using warehouse = open();
    await warehouse.run(one);
    await server().order({ trouble: { lateMs: 100 } });
    const leave = new AbortController();
    const asked = warehouse.run(endless, { signal: leave.signal });
    asked.catch(() => undefined);
    const before = await told();
    leave.abort();
    await expect(asked).rejects.toEqual(code('WAREHOUSE_TIMEOUT'));
    await expect.poll(async () => (await told()).texts.length).toBe(before.texts.length + 1);
    await server().order({ trouble: { lateMs: 0 } });
    await expect.poll(async () => (await told()).running).toBe(0);
  });

  test('may run in Snowflake for the whole seconds of its deadline', async () => {
    await using warehouse = open();
    const before = await told();
    await warehouse.run(one, { deadlineMs: 4_200 });
    expect((await told()).timeouts.slice(before.timeouts.length)).toEqual([5]);
  });

  test('survives what fails in passing, and is run once', async () => {
    await using warehouse = open();
    await warehouse.run(one);
    const before = await told();
    for (const [at, status] of [503, 307, 308, 513].entries()) {
      await server().order({ trouble: { status, statusCount: 2 } });
      expect((await warehouse.run(one)).rows).toEqual([[1n]]);
      expect((await told()).texts.length - before.texts.length).toBe(at + 1);
    }
    await server().order({ trouble: { status: 503, statusCount: 1_000 } });
    await expect(warehouse.run(one, { deadlineMs: 20_000 })).rejects.toEqual(
      code('WAREHOUSE_UNAVAILABLE', /status 503/),
    );
    await server().order({ trouble: { statusCount: 0 } });
  });

  test('lists a catalog schema by schema that Snowflake does not list at once', async () => {
    await using warehouse = open();
    for (const schema of ['ONE', 'TWO']) {
      await warehouse.run({ sql: `CREATE SCHEMA "${schema}"` });
      await warehouse.run({ sql: `CREATE TABLE "SESSIONS"."${schema}"."T" AS SELECT 1 AS a` });
    }
    const whole = await warehouse.tables();
    await server().order({ before: { words: 'INFORMATION_SCHEMA.COLUMNS', how: 'much' } });
    expect(await warehouse.tables()).toEqual(whole);
    expect(whole.map(({ schema }) => schema)).toEqual(expect.arrayContaining(['ONE', 'TWO']));
    const schemas = await warehouse.schemas();
    await server().order({ before: { words: 'INFORMATION_SCHEMA.TABLES', how: 'much' } });
    expect(await warehouse.schemas()).toEqual(schemas);
    expect(schemas).toContainEqual({ database: 'SESSIONS', schema: 'TWO', tables: 1 });
    await server().order({ before: { words: 'INFORMATION_SCHEMA.TABLES', how: 'much' } });
    expect(await warehouse.examine()).toEqual({
      lacks: [],
      note: expect.stringMatching(/too many to list/) as unknown,
    });
  });

  test('has all its rows, whatever limit the account has for results', async () => {
    await using warehouse = open();
    await server().order({ trouble: { rowsMax: 1 } });
    const three = await warehouse.run({ sql: 'SELECT SEQ8() AS n FROM TABLE(GENERATOR(ROWCOUNT => 3))' });
    await server().order({ trouble: { rowsMax: 0 } });
    expect(three.rows).toHaveLength(3);
  });

  test('reads a broken chunk again, asks for new addresses of expired ones, and never gives a part for the whole', async () => {
    await using warehouse = open();
    await server().order({ trouble: { chunks: 1 } });
    expect((await warehouse.run(many, { rowsMax: 100_000 })).rows).toHaveLength(70_000);
    await server().order({ trouble: { expiredUrls: 1 } });
    expect((await warehouse.run(many, { rowsMax: 100_000 })).rows).toHaveLength(70_000);
    await server().order({ trouble: { chunks: 1_000 } });
    await expect(warehouse.run(many, { rowsMax: 100_000 })).rejects.toEqual(code('WAREHOUSE_UNAVAILABLE'));
    await server().order({ trouble: { chunks: 0 } });
  });
});

const nowhere = { emulatorHosts: [] };

test('a config opens a Snowflake only at its own domains, and elsewhere only where it is allowed', async () => {
  const { url, password, login } = server();
  const { url: _url, ...rest } = login;
  const config = { ...rest, password, host: url.replace('http://', '') };
  expect(snowflakeEngine.check(config, nowhere)).toMatchObject([{ path: ['config', 'host'] }]);
  await expect(snowflakeEngine.open(config, nowhere)).rejects.toThrow(/no host of Snowflake/);
  await using warehouse = await snowflakeEngine.open(config, { emulatorHosts: [config.host] });
  expect((await warehouse.run(one)).rows).toEqual([[1n]]);
});

test('a config that the account refuses names the setting to blame', async () => {
  const { url, token, login, privateKey, passphrase } = server();
  const { url: _url, ...rest } = login;
  const host = url.replace('http://', '');
  const wrong = {
    password: { password: 'x' },
    token: { token: 'x' },
    privateKey: { privateKey, passphrase },
  };
  for (const [path, how] of Object.entries(wrong)) {
    const opening = snowflakeEngine.open(
      { ...rest, ...how, username: 'other', host },
      { emulatorHosts: [host] },
    );
    await expect(opening).rejects.toMatchObject({
      kind: 'CONFIG',
      path: [path],
      code: 'WAREHOUSE_UNAVAILABLE',
    });
  }
  for (const status of [403, 404]) {
    await server().order({ trouble: { status, statusCount: 1 } });
    const nobody = snowflakeEngine.open({ ...rest, token, host }, { emulatorHosts: [host] });
    await expect(nobody).rejects.toMatchObject({ kind: 'CONFIG', path: ['account'] });
  }
  const away = snowflakeEngine.open(
    { ...rest, token, host: 'localhost:1' },
    { emulatorHosts: ['localhost:1'], firstWaitMs: 20 },
  );
  await expect(away).rejects.toMatchObject({ kind: 'TRANSIENT', path: [] });
});
