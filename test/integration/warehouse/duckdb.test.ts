import { execFile } from 'node:child_process';
import { mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type DuckDbWarehouse, openDuckDb } from '#warehouse/duckdb.ts';
import type { Bind } from '#warehouse/warehouse.ts';

let folder: string;
let warehouse: DuckDbWarehouse;
beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'sluice-duckdb-')));
  warehouse = await openDuckDb({
    path: join(folder, 'warehouse.duckdb'),
    allowedDirectories: [join(folder, 'data')],
  });
});
afterEach(async () => {
  await warehouse[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

const run = (sql: string, binds: Bind[] = []) => warehouse.run({ sql, binds });
/** Runs for minutes when nobody stops it. */
const endless = 'SELECT count(*) FROM range(100000000000) r (n) WHERE n % 7 = 3';

describe('a statement that fails after its first rows', () => {
  const whole = { rowsMax: 1_000_000, bytesMax: Infinity };
  const failing = `SELECT n, error(CASE WHEN n = $1 THEN 'row ' || n || ' is bad' END) AS v
    FROM range(0, 300000) AS r (n);`;

  test('says why, with the same binds', async () => {
    const statement = { sql: failing, binds: [250_000n] };
    const error = { code: 'BAD_USER_INPUT', message: expect.stringContaining('row 250000 is bad') };
    await expect(warehouse.run(statement, whole)).rejects.toMatchObject(error);
    await expect(Array.fromAsync(warehouse.stream(statement))).rejects.toMatchObject(error);
    expect((await warehouse.run({ ...statement, binds: [-1n] }, whole)).rows).toHaveLength(300_000);
  });

  test('is WAREHOUSE_TIMEOUT when its time was over, and not the rows that it had given by then', async () => {
    const late = 'SELECT n FROM range(100000000000) AS r (n) WHERE n < 200000';
    const stopped = { code: 'WAREHOUSE_TIMEOUT' };
    await expect(warehouse.run({ sql: late }, { ...whole, deadlineMs: 1_000 })).rejects.toMatchObject(
      stopped,
    );
    const leave = new AbortController();
    const running = warehouse.run({ sql: late }, { ...whole, signal: leave.signal });
    setTimeout(() => leave.abort(), 1_000);
    await expect(running).rejects.toMatchObject(stopped);
  });
});

describe('values', () => {
  test.each([
    ['9007199254740993::BIGINT', 9_007_199_254_740_993n],
    ['170141183460469231731687303715884105727::HUGEINT', '170141183460469231731687303715884105727'],
    ['12345678901234567890.12::DECIMAL(38,2)', '12345678901234567890.12'],
    ["TIMESTAMP '2026-01-02 03:04:05.000006'", '2026-01-02T03:04:05.000006Z'],
    ["TIMESTAMPTZ '2026-01-02 03:04:05+05'", '2026-01-01T22:04:05.000000Z'],
    ["TIMESTAMPTZ 'infinity'", 'infinity'],
    ["TIMESTAMP_NS '1960-01-01 00:00:00.123456789'", '1960-01-01T00:00:00.123456789Z'],
    ["DATE '0044-03-15 (BC)'", '-000043-03-15'],
    ["DATE '-infinity'", '-infinity'],
    ["TIME '23:59:59.5'", '23:59:59.5'],
    ["'nan'::DOUBLE", 'NaN'],
    ["unhex('00ff')", 'AP8='],
    ["{'a': 1::BIGINT, 'b': [1.50, NULL]}", { a: '1', b: ['1.50', null] }],
    ["MAP {'k': DATE '2026-01-02'}", [{ key: 'k', value: '2026-01-02' }]],
    ['\'{"n": 1e400}\'::JSON', '{"n": 1e400}'],
    ["uuid 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'],
  ])('%s is kept exactly', async (sql, value) => {
    expect((await run(`SELECT ${sql} AS v`)).rows).toEqual([[value]]);
  });

  test('binds keep their types and values', async () => {
    const binds: Bind[] = [
      null,
      true,
      7,
      1.5,
      2n ** 63n - 1n,
      2n ** 63n,
      "it's",
      new Date(0),
      Buffer.from('hi'),
      [1n, null],
      [],
    ];
    const { rows, columns } = await run(`SELECT ${binds.map(() => '?').join(', ')}`, binds);
    const expected = [
      null,
      true,
      7,
      1.5,
      2n ** 63n - 1n,
      '9223372036854775808',
      "it's",
      '1970-01-01T00:00:00.000000Z',
      'aGk=',
      ['1', null],
      [],
    ];
    expect(rows).toEqual([expected]);
    expect(columns[4]!.dataType).toBe('BIGINT');
  });

  test('numbers of any size are bound, and a list of them whatever stands first', async () => {
    for (const number of [2 ** 63, -1e300, 5e-324, 2 ** 53, 5_000_000_000])
      expect((await run('SELECT CAST(? AS DOUBLE)', [number])).rows).toEqual([[number]]);
    for (const list of [
      [1, 1.5],
      [1.5, 1],
      [1, 1e300, null],
      [1, 5_000_000_000],
      [null, 2],
    ])
      expect((await run('SELECT CAST(? AS DOUBLE[])', [list])).rows).toEqual([[list]]);
  });

  test('a text keeps a byte order mark at its beginning', async () => {
    const text = '\ufeffa';
    expect((await run('SELECT ?, [?], length(?)', [text, text, text])).rows).toEqual([[text, [text], 2n]]);
  });

  test('more rows than asked for are not fetched, and the answer says so', async () => {
    const sql = 'SELECT * FROM range(100000)';
    expect(await warehouse.run({ sql }, { rowsMax: 3 })).toMatchObject({
      rows: [[0n], [1n], [2n]],
      truncated: true,
    });
    expect((await warehouse.run({ sql: 'SELECT * FROM range(3)' }, { rowsMax: 3 })).truncated).toBe(false);
  });
});

describe('what a statement may not do', () => {
  test.each([
    ["FROM read_csv('/etc/passwd')"],
    ["COPY (SELECT 1) TO '/tmp/sluice-should-not-exist.csv'"],
    ["ATTACH '/tmp/other.duckdb'"],
    ['INSTALL httpfs'],
    ['SET enable_external_access = true'],
    ["SET TimeZone = 'Europe/Berlin'"],
    ['SELECT 1; SELECT 2'],
    ['SELECT * FROM nothing'],
    ["SELECT 'a'::INTEGER"],
  ])('%s is refused as BAD_USER_INPUT', async (sql) => {
    await expect(run(sql)).rejects.toMatchObject({ code: 'BAD_USER_INPUT' });
  });

  test('a transaction or a temporary table does not outlive its statement', async () => {
    await run('BEGIN TRANSACTION');
    await run('CREATE TABLE kept AS SELECT 1 AS id');
    await run('CREATE TEMP TABLE passing AS SELECT 1 AS id');
    expect((await run('SELECT * FROM kept')).rows).toEqual([[1]]);
    await expect(run('SELECT * FROM passing')).rejects.toMatchObject({ code: 'BAD_USER_INPUT' });
  });
});

describe('a statement that takes long', () => {
  test('is stopped at its deadline with WAREHOUSE_TIMEOUT', async () => {
    const startedAt = performance.now();
    await expect(warehouse.run({ sql: endless }, { deadlineMs: 200 })).rejects.toMatchObject({
      code: 'WAREHOUSE_TIMEOUT',
    });
    expect(performance.now() - startedAt).toBeLessThan(2_000);
  });

  test('is stopped in the engine when its signal aborts, also while it waits for its turn', async () => {
    const stop = new AbortController();
    const many = Array.from({ length: 20 }, () => warehouse.run({ sql: endless }, { signal: stop.signal }));
    setTimeout(() => stop.abort(), 200);
    const startedAt = performance.now();
    const results = await Promise.allSettled(many);
    expect(results.every((result) => result.status === 'rejected')).toBe(true);
    expect(performance.now() - startedAt).toBeLessThan(3_000);
    expect((await run('SELECT 1')).rows).toEqual([[1]]);
  });

  test('ends with WAREHOUSE_UNAVAILABLE when the warehouse closes, as everything after it', async () => {
    const running = run(endless);
    running.catch(() => undefined);
    setTimeout(() => void warehouse[Symbol.asyncDispose](), 100);
    await expect(running).rejects.toMatchObject({ code: 'WAREHOUSE_UNAVAILABLE' });
    await expect(run('SELECT 1')).rejects.toMatchObject({ code: 'WAREHOUSE_UNAVAILABLE' });
  });
});

describe('tables', () => {
  test('are all tables and views with columns and exact counts, staging hidden', async () => {
    await run('CREATE SCHEMA raw');
    await run('CREATE TABLE raw.Orders (id BIGINT NOT NULL, total DECIMAL(10,2))');
    await run('INSERT INTO raw.Orders SELECT range, 1 FROM range(10)');
    await run('DELETE FROM raw.Orders WHERE id < 3');
    await run('CREATE VIEW raw.big AS SELECT id FROM raw.Orders');
    await run('CREATE TABLE raw._sluice_abc (id INTEGER)');
    await run('CREATE SCHEMA _sluice');
    await run('CREATE TABLE _sluice.marker (id INTEGER)');
    expect(await warehouse.tables()).toEqual([
      {
        database: 'warehouse',
        schema: 'raw',
        name: 'Orders',
        kind: 'TABLE',
        rowCount: 7n,
        columns: [
          {
            name: 'id',
            dataType: 'BIGINT',
            nullable: false,
            ordinal: 1,
          },
          {
            name: 'total',
            dataType: 'DECIMAL(10,2)',
            nullable: true,
            ordinal: 2,
          },
        ],
      },
      {
        database: 'warehouse',
        schema: 'raw',
        name: 'big',
        kind: 'VIEW',
        rowCount: null,
        columns: [
          {
            name: 'id',
            dataType: 'BIGINT',
            nullable: true,
            ordinal: 1,
          },
        ],
      },
    ]);
    const only = await warehouse.tables([{ database: 'warehouse', schema: 'RAW', name: 'orders' }]);
    expect(only.map((table) => table.name)).toEqual(['Orders']);
  });
});

describe('a file', () => {
  test('that another process holds is refused with the pid of that process', async () => {
    const program = `
      import { openDuckDb } from ${JSON.stringify(join(import.meta.dirname, '../../../src/warehouse/duckdb.ts'))};
      await openDuckDb({ path: ${JSON.stringify(join(folder, 'warehouse.duckdb'))}, allowedDirectories: [] })
        .catch((error) => console.log(JSON.stringify({ code: error.code, message: error.message, fix: error.fix })));`;
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program]);
    const { code, message, fix } = JSON.parse(stdout) as Record<string, string>;
    expect(code).toBe('WAREHOUSE_UNAVAILABLE');
    expect(message).toContain(`pid ${process.pid}`);
    expect(fix).toContain(String(process.pid));
  });

  test('that is open already in this process is refused', async () => {
    const again = openDuckDb({ path: join(folder, 'warehouse.duckdb'), allowedDirectories: [] });
    await expect(again).rejects.toMatchObject({ code: 'WAREHOUSE_UNAVAILABLE' });
  });

  test('that is no database is refused, and can be opened once it is gone', async () => {
    const path = join(folder, 'other.duckdb');
    await writeFile(path, 'this is no database, and long enough to be looked into as one'.repeat(200));
    await expect(openDuckDb({ path, allowedDirectories: [] })).rejects.toMatchObject({
      code: 'WAREHOUSE_UNAVAILABLE',
    });
    await rm(path);
    await (await openDuckDb({ path, allowedDirectories: [] }))[Symbol.asyncDispose]();
  });
});

test('groups by short texts and numbers keep their keys as they are stored', async () => {
  await run(
    `CREATE TABLE t AS SELECT ['viewed', 'opened'][1 + (n % 2)::INT] AS name, n % 50 AS day FROM range(50000) r (n)`,
  );
  const { rows } = await run('EXPLAIN SELECT name, day, count(*) FROM t GROUP BY 1, 2');
  const plan = rows.flat().join('');
  expect(plan).toContain('GROUP_BY');
  expect(plan).not.toContain('__internal_compress');
});

test('the long questions of one warehouse leave room for those of another', async () => {
  await using other = await openDuckDb({ path: ':memory:', allowedDirectories: [] });
  const leave = new AbortController();
  const long = Array.from({ length: 12 }, () => warehouse.run({ sql: endless }, { signal: leave.signal }));
  const settled = Promise.allSettled(long);
  expect((await other.run({ sql: 'SELECT 1' }, { deadlineMs: 10_000 })).rows).toEqual([[1]]);
  leave.abort();
  await settled;
});

test('long writes hold up no question', async () => {
  const leave = new AbortController();
  const target = (name: string) => ({ database: 'warehouse', schema: 'main', name, kind: 'TABLE' as const });
  const long = Array.from({ length: 10 }, (_, at) =>
    warehouse.write(target(`endless_${at}`), { sql: endless }, { signal: leave.signal }),
  );
  const settled = Promise.allSettled(long);
  expect((await warehouse.run({ sql: 'SELECT 1' }, { deadlineMs: 10_000 })).rows).toEqual([[1]]);
  leave.abort();
  expect((await settled).map(({ status }) => status)).toEqual(Array(10).fill('rejected'));
});
