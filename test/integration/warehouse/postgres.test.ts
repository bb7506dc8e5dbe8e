import { afterAll, beforeAll, expect, test } from 'vitest';
import { Client } from 'pg';
import { openPostgres } from '#warehouse/postgres.ts';
import type { ValueType } from '#warehouse/dialect.ts';
import { rawSql, sql, toStatement } from '#warehouse/sql.ts';
import { openPostgresWarehouse, type TestPostgresWarehouse } from '../../support/postgres-warehouse.ts';

let postgres: TestPostgresWarehouse;
let watcher: Client;

beforeAll(async () => {
  postgres = await openPostgresWarehouse();
  const { username, ...server } = postgres.server;
  watcher = new Client({ ...server, ssl: false, user: username });
  await watcher.connect();
});
afterAll(async () => {
  await watcher.end();
  await postgres[Symbol.asyncDispose]();
});

const run = (text: string, options = {}) => postgres.warehouse.run({ sql: text }, options);
const value = async (text: string) => (await run(text)).rows[0]![0];
const refused = (code: string) => expect.objectContaining({ code }) as unknown;

/** Statements that run in the database now, of Sluice. */
async function running(): Promise<string[]> {
  const { rows } = await watcher.query(
    `SELECT query FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND pid <> pg_backend_pid()`,
  );
  return rows.map(({ query }: { query: string }) => query);
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + 5_000;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error('It did not come true within 5 s.');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

test('a question changes nothing, whatever it tries', async () => {
  await postgres.load(['CREATE TABLE kept AS SELECT 1 AS a', 'CREATE SEQUENCE counter']);
  for (const text of [
    'DELETE FROM kept',
    'WITH gone AS (DELETE FROM kept RETURNING *) SELECT * FROM gone',
    'CREATE TABLE other (a int)',
    "SELECT nextval('counter')",
    'SELECT 1; DELETE FROM kept',
    'COMMIT; DELETE FROM kept',
    "SELECT set_config('transaction_read_only', 'off', false)",
    'COPY kept FROM STDIN',
  ]) {
    await expect(run(text), text).rejects.toEqual(refused('BAD_USER_INPUT'));
  }
  await run('COMMIT');
  expect(await value('SELECT count(*) FROM kept')).toBe(1n);
});

test('nothing that a statement did to its connection is met by the next', async () => {
  await run("SET work_mem = '77MB'");
  await run('SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE');
  await run('PREPARE left_behind AS SELECT 1');
  await run('SELECT pg_advisory_lock(4711)');
  expect(await value('SHOW work_mem')).not.toBe('77MB');
  await expect(run('EXECUTE left_behind')).rejects.toEqual(refused('BAD_USER_INPUT'));
  await until(async () => {
    const { rows } = await watcher.query(
      `SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = 4711 AND database =
         (SELECT oid FROM pg_database WHERE datname = current_database())`,
    );
    return rows.length === 0;
  });
});

test.each([
  'COMMIT',
  'ROLLBACK',
  'COMMIT AND CHAIN',
  'ROLLBACK AND CHAIN',
  'BEGIN TRANSACTION READ WRITE',
  'START TRANSACTION READ WRITE',
  'SAVEPOINT here',
  'SET TRANSACTION READ WRITE',
  'SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE',
  'SET default_transaction_read_only = off',
  'SET statement_timeout = 0',
  "SELECT set_config('default_transaction_read_only', 'off', false), set_config('statement_timeout', '0', false)",
  "SELECT set_config('search_path', 'nowhere', false), set_config('application_name', 'somebody', false)",
  'DISCARD ALL',
  'DEALLOCATE ALL',
  'PREPARE later AS DELETE FROM guarded',
  "DO $$ BEGIN PERFORM set_config('transaction_read_only', 'off', false); EXECUTE 'PREPARE later AS DELETE FROM guarded'; END $$",
  "DO $$ BEGIN PERFORM set_config('default_transaction_read_only', 'off', false); COMMIT; END $$",
  'DECLARE held CURSOR WITH HOLD FOR SELECT 1',
  'LISTEN something',
  'SELECT 1 / 0',
  'SELEC',
  '',
])('after %j the next statement on that connection is limited as if it were the first', async (sql) => {
  await using warehouse = await openPostgres(postgres.server);
  await postgres.load(['CREATE TABLE IF NOT EXISTS guarded AS SELECT 1 AS a']);
  const limits = async () => {
    const { rows } = await warehouse.run(
      {
        sql: `SELECT pg_backend_pid(), current_setting('transaction_read_only'), current_setting('default_transaction_read_only'),
          current_setting('statement_timeout'), current_setting('search_path'), current_setting('application_name'),
          (SELECT count(*) FROM pg_prepared_statements), (SELECT count(*) FROM pg_listening_channels()),
          (SELECT count(*) FROM pg_cursors WHERE name <> '')`,
      },
      { tag: 'next', deadlineMs: 7_000 },
    );
    return rows[0]!;
  };
  const before = await limits();
  expect(before.slice(1)).toEqual(['on', 'off', '9s', '"$user", public', 'sluice next', 0n, 0n, 0n]);
  await warehouse.run({ sql }).catch(() => undefined);
  // The same connection: what waits is taken again.
  expect(await limits()).toEqual(before);
  for (const change of ['DELETE FROM guarded', 'EXECUTE later']) {
    await expect(warehouse.run({ sql: change })).rejects.toEqual(refused('BAD_USER_INPUT'));
  }
  expect(await limits()).toEqual(before);
});

test('a statement, its limits and its cleaning are one message there and one back', async () => {
  await using warehouse = await openPostgres(postgres.server);
  await warehouse.run({ sql: 'SELECT 1 AS a' });
  const { query } = Client.prototype;
  let sent = 0;
  Client.prototype.query = function counted(this: Client, ...args: unknown[]) {
    sent += 1;
    return Reflect.apply(query, this, args) as never;
  };
  try {
    for (let at = 0; at < 3; at += 1) await warehouse.run({ sql: 'SELECT $1 AS a', binds: [at] });
  } finally {
    Client.prototype.query = query;
  }
  expect(sent).toBe(3);
});

test('texts and binds of any length and alphabet arrive as they are, and a NUL ends nothing early', async () => {
  const long = '𝒮luice – żółw '.repeat(20_000);
  const bytes = new Uint8Array(100_000).map((_, at) => at % 256);
  const { rows } = await postgres.warehouse.run({
    sql: `SELECT $1, $2, $3, $4, '${long}' -- ß`,
    binds: [long, null, bytes, ['', 'ü', null, '"\\']],
  });
  expect(rows).toEqual([[long, null, Buffer.from(bytes).toString('base64'), ['', 'ü', null, '"\\'], long]]);
  await expect(run('SELECT 1 \0; DELETE FROM kept')).rejects.toEqual(refused('BAD_USER_INPUT'));
  await expect(postgres.warehouse.run({ sql: 'SELECT $1', binds: ['a\0b'] })).rejects.toEqual(
    refused('BAD_USER_INPUT'),
  );
  expect(await value('SELECT 5')).toBe(5);
});

test('a moment to compare with is read once, not for each row', async () => {
  const { warehouse } = postgres;
  const { dialect } = warehouse;
  const compared = {
    date: ['DATE', '2026-03-01'],
    timestamp: ['TIMESTAMP', '2026-03-01T00:00:00.000001'],
    timestamptz: ['TIMESTAMPTZ', '2026-03-01T00:00:00.000001Z'],
  } as const;
  for (const [type, [name, text]] of Object.entries(compared)) {
    const from = dialect.cast(sql`${text}`, type as ValueType);
    const rows = sql`FROM generate_series(1, 10) AS n, CAST('2026-04-01' AS ${rawSql(name)}) AS at WHERE at >= ${from}`;
    const plan = await warehouse.run(toStatement(sql`EXPLAIN (VERBOSE) SELECT n ${rows}`, dialect));
    // A text that is still to be read stands in the plan as a cstring.
    expect(plan.rows.flat().join('\n'), type).not.toMatch(/cstring|::text/);
    const counted = await warehouse.run(
      toStatement(sql`SELECT count(*), ${from} ${rows} GROUP BY 2`, dialect),
    );
    expect(counted.rows[0]![0]).toBe(10n);
    expect(counted.rows[0]![1]).toMatch(/^2026-03-01/);
  }
});

test('a statement whose time is over, and one that is left, stop in the server as well', async () => {
  const slow = 'SELECT count(*) FROM generate_series(1, 1000000) a, generate_series(1, 1000000) b -- slow';
  await expect(run(slow, { deadlineMs: 200 })).rejects.toEqual(refused('WAREHOUSE_TIMEOUT'));
  const leave = new AbortController();
  const left = run(slow, { signal: leave.signal });
  await until(async () => (await running()).some((query) => query.endsWith('-- slow')));
  leave.abort();
  await expect(left).rejects.toEqual(refused('WAREHOUSE_TIMEOUT'));
  await until(async () => !(await running()).some((query) => query.endsWith('-- slow')));
  const cut = await run('SELECT generate_series(1, 100000000) AS n -- slow', { rowsMax: 10 });
  expect([cut.rows.length, cut.truncated]).toEqual([10, true]);
  await until(async () => !(await running()).some((query) => query.endsWith('-- slow')));
});

test('connections that were lost while they waited are replaced, and nobody sees it', async () => {
  await Promise.all([run('SELECT 1'), run('SELECT 2')]);
  await watcher.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'sluice%' AND datname = current_database()`,
  );
  expect(await Promise.all([value('SELECT 3'), value('SELECT 4')])).toEqual([3, 4]);
});

test('a statement is known in the server by its tag, which is no part of its text', async () => {
  const shown = await run("SELECT current_setting('application_name')", { tag: `request's 7` });
  expect(shown.rows).toEqual([[`sluice request's 7`]]);
});

test('a table that views stand on takes new rows, and no new columns', async () => {
  const { warehouse, server } = postgres;
  const at = (name: string, kind: 'TABLE' | 'VIEW') =>
    ({ database: server.database, schema: 'made', name, kind }) as const;
  await warehouse.write(at('base', 'TABLE'), { sql: 'SELECT 1 AS a' });
  await warehouse.write(at('shown', 'VIEW'), { sql: 'SELECT a + 1 AS b FROM made.base;' });
  await warehouse.write(at('base', 'TABLE'), { sql: 'SELECT 5 AS a' });
  expect(await value('SELECT b FROM made.shown')).toBe(6);
  const other = warehouse.write(at('base', 'TABLE'), { sql: "SELECT 'x' AS other" });
  await expect(other).rejects.toMatchObject({
    code: 'CONFLICT',
    message: expect.stringMatching(/view made.shown depends on/) as string,
  });
  expect(await value('SELECT b FROM made.shown')).toBe(6);
  // Views that bear the old columns stay as well.
  await warehouse.write(at('above', 'VIEW'), { sql: 'SELECT b FROM made.shown' });
  await warehouse.write(at('shown', 'VIEW'), { sql: 'SELECT a + 2 AS b, a FROM made.base' });
  expect(await value('SELECT b FROM made.above')).toBe(7);
  const without = warehouse.write(at('shown', 'VIEW'), { sql: 'SELECT a FROM made.base' });
  await expect(without).rejects.toEqual(refused('CONFLICT'));
  expect((await warehouse.tables()).filter(({ name }) => name.startsWith('_sluice'))).toEqual([]);
});

test('nothing that a SELECT of a write tries changes anything else', async () => {
  const { warehouse, server } = postgres;
  await postgres.load(['CREATE TABLE victim AS SELECT 1 AS a']);
  const target = { database: server.database, schema: 'made', name: 'evil', kind: 'TABLE' } as const;
  for (const sql of [
    'WITH gone AS (DELETE FROM victim RETURNING *) SELECT * FROM gone',
    'SELECT 1 AS a) AS x; DROP TABLE victim; --',
    'EXECUTE something',
    'DELETE FROM victim RETURNING *',
  ]) {
    await expect(warehouse.write(target, { sql }), sql).rejects.toEqual(refused('BAD_USER_INPUT'));
  }
  expect(await value('SELECT count(*) FROM victim')).toBe(1n);
  for (const schema of ['pg_catalog', 'information_schema', '_sluice']) {
    const hidden = warehouse.write({ ...target, schema }, { sql: 'SELECT 1 AS a' });
    await expect(hidden).rejects.toEqual(refused('BAD_USER_INPUT'));
  }
  const long = warehouse.write({ ...target, name: 'x'.repeat(64) }, { sql: 'SELECT 1 AS a' });
  await expect(long).rejects.toThrow(/more than 63 bytes/);
});

test('tables have the types of their domains, and estimates of their rows; partitions are one table', async () => {
  await postgres.load([
    'CREATE SCHEMA shop',
    'CREATE DOMAIN shop.cents AS numeric(10, 2) CHECK (value >= 0)',
    'CREATE TABLE shop.parts (id int NOT NULL, price shop.cents, note varchar(20)) PARTITION BY RANGE (id)',
    'CREATE TABLE shop.parts_1 PARTITION OF shop.parts FOR VALUES FROM (0) TO (100)',
    'INSERT INTO shop.parts SELECT n, n FROM generate_series(0, 99) AS n',
    'CREATE MATERIALIZED VIEW shop.sums AS SELECT sum(price) AS total FROM shop.parts',
    'ANALYZE shop.parts',
  ]);
  const tables = await postgres.warehouse.tables();
  expect(tables.filter(({ schema }) => schema === 'shop')).toMatchObject([
    {
      name: 'parts',
      kind: 'TABLE',
      rowCount: 100n,
      columns: [
        { name: 'id', dataType: 'integer', nullable: false, ordinal: 1 },
        { name: 'price', dataType: 'numeric(10,2)', nullable: true },
        { name: 'note', dataType: 'character varying(20)' },
      ],
    },
    { name: 'sums', kind: 'TABLE', rowCount: null },
  ]);
  const { reads } = await postgres.warehouse.describe('SELECT total FROM shop.sums');
  expect(reads.map(({ name }) => name)).toEqual(['sums']);
});

test('a role that may only read is told what it may not do', async () => {
  await postgres.load([
    'CREATE TABLE secret_plans AS SELECT 1 AS a',
    `CREATE ROLE "reader_${postgres.server.database}" LOGIN PASSWORD 'reads'`,
  ]);
  const username = `reader_${postgres.server.database}`;
  await using warehouse = await openPostgres({ ...postgres.server, username, password: 'reads' });
  await expect(warehouse.run({ sql: 'SELECT * FROM secret_plans' })).rejects.toMatchObject({
    code: 'BAD_USER_INPUT',
    message: expect.stringMatching(/permission denied for table secret_plans/) as string,
    fix: expect.stringMatching(/GRANT/) as string,
  });
  const target = { database: postgres.server.database, schema: 'mine', name: 't', kind: 'TABLE' } as const;
  await expect(warehouse.write(target, { sql: 'SELECT 1 AS a' })).rejects.toThrow(
    /permission denied for database/,
  );
  expect((await warehouse.tables()).filter(({ name }) => name === 'secret_plans')).toEqual([]);
  await postgres.load([`DROP ROLE "${username}"`]);
});
