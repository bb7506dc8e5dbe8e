import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { openRedshift } from '#warehouse/redshift.ts';
import { openPostgresWarehouse } from '../support/postgres-warehouse.ts';
import { startRedshiftServer } from '../support/redshift-server/start-server.ts';
import { dialectSuite } from './dialect.suite.ts';
import { warehouseSuite } from './warehouse.suite.ts';

async function openLab() {
  const started = await startRedshiftServer();
  const warehouse = await openRedshift(started.server);
  return {
    warehouse,
    database: started.server.database,
    async [Symbol.asyncDispose]() {
      await warehouse[Symbol.asyncDispose]();
      await started[Symbol.asyncDispose]();
    },
  };
}

dialectSuite('Redshift', openLab);

test('a server that is no Redshift, or offers no TLS, is said to be so', async () => {
  await using postgres = await openPostgresWarehouse();
  await expect(openRedshift(postgres.server)).rejects.toMatchObject({ path: ['ssl', 'mode'] });
  const plain = { ...postgres.server, ssl: { mode: 'disable' } } as const;
  await expect(openRedshift(plain)).rejects.toMatchObject({
    path: ['host'],
    fix: expect.stringContaining('engine POSTGRES') as unknown,
  });
});

test('a stream is fetched in pieces by a cursor, with the binds of its statement', async () => {
  await using lab = await openLab();
  const statement = {
    sql: 'SELECT n, CAST($1 AS VARCHAR(9)) AS t FROM (SELECT generate_series(1, 2500) AS n) AS r ORDER BY n',
    binds: ['x'],
  };
  const pieces = await Array.fromAsync(lab.warehouse.stream(statement));
  expect(pieces.map(({ rows }) => rows.length)).toEqual([1_000, 1_000, 500]);
  expect(pieces[2]!.rows.at(-1)).toEqual([2500, 'x']);
});

test('a connection serves one statement after the other: what cleans it is SQL of Redshift', async () => {
  await using lab = await openLab();
  const pidOf = async () => (await lab.warehouse.run({ sql: 'SELECT pg_backend_pid()' })).rows[0]![0];
  const first = await pidOf();
  expect([await pidOf(), await pidOf()]).toEqual([first, first]);
  const streamed = await Array.fromAsync(lab.warehouse.stream({ sql: 'SELECT pg_backend_pid()' }));
  expect(streamed[0]!.rows[0]![0]).toBe(first);
});

test('who owns a schema writes there, and needs no right on the database', async () => {
  await using started = await startRedshiftServer();
  await using owner = await openRedshift(started.server);
  const { database, username } = started.server;
  const select = { sql: 'SELECT 1 AS a' };
  await owner.write({ database, schema: 'made', name: 'own', kind: 'TABLE' }, select);
  const role = `writer_${randomBytes(6).toString('hex')}`;
  await started.load([
    `CREATE ROLE ${role} LOGIN PASSWORD 'x'`,
    `ALTER SCHEMA made OWNER TO ${role}`,
    `GRANT USAGE ON SCHEMA redshift TO ${role}`,
    `GRANT SELECT ON ALL TABLES IN SCHEMA redshift TO ${role}`,
  ]);
  try {
    await using writer = await openRedshift({ ...started.server, username: role, password: 'x' });
    await writer.write({ database, schema: 'made', name: 'another', kind: 'TABLE' }, select);
    expect((await writer.run({ sql: 'SELECT a FROM made.another' })).rows).toEqual([[1]]);
    await expect(
      writer.write({ database, schema: 'more', name: 'another', kind: 'TABLE' }, select),
    ).rejects.toMatchObject({ code: 'BAD_USER_INPUT', fix: expect.stringContaining('GRANT') as unknown });
  } finally {
    await started.load([
      `REASSIGN OWNED BY ${role} TO "${username}"`,
      `DROP OWNED BY ${role}`,
      `DROP ROLE ${role}`,
    ]);
  }
});

test('two transactions that get into each other are a conflict, though Redshift calls it an internal error', async () => {
  await using started = await startRedshiftServer();
  await using warehouse = await openRedshift(started.server);
  const said = [
    `'1023' USING ERRCODE = 'XX000', DETAIL = 'Serializable isolation violation on table - 100167'`,
    `'could not complete because of conflict with concurrent transaction' USING ERRCODE = 'XX000'`,
  ];
  for (const words of said) {
    await started.load([
      `CREATE OR REPLACE FUNCTION met() RETURNS integer LANGUAGE plpgsql AS $$ BEGIN RAISE ${words}; END $$`,
    ]);
    await expect(warehouse.run({ sql: 'SELECT met()' })).rejects.toMatchObject({ code: 'CONFLICT' });
  }
  await started.load([
    `CREATE OR REPLACE FUNCTION met() RETURNS integer LANGUAGE plpgsql AS $$ BEGIN RAISE '1005' USING ERRCODE = 'XX000'; END $$`,
  ]);
  await expect(warehouse.run({ sql: 'SELECT met()' })).rejects.toMatchObject({
    code: 'WAREHOUSE_UNAVAILABLE',
  });
});

test('what its nodes refuse is a refused statement, though Redshift calls it an internal error', async () => {
  await using started = await startRedshiftServer();
  await using warehouse = await openRedshift(started.server);
  const line = '-----------------------------------------------';
  const detail = (code: number, context: string) =>
    `\n  ${line}\n  error:  as above\n  code:      ${code}\n  context:   ${context}\n  query:     213818\n  location:  string.cpp:213\n  process:   query0_113_213818 [pid=25354]\n  ${line}\n`;
  const saying = async (message: string, said: string) => {
    await started.load([
      `CREATE OR REPLACE FUNCTION met() RETURNS integer LANGUAGE plpgsql AS $$ BEGIN RAISE '${message}' USING ERRCODE = 'XX000', DETAIL = '${said}'; END $$`,
    ]);
    return warehouse.run({ sql: 'SELECT met()' }).catch((error: unknown) => error);
  };
  await expect(
    saying('Value too long for character type', detail(8001, 'Value too long for type character(30)')),
  ).resolves.toMatchObject({
    code: 'BAD_USER_INPUT',
    message:
      'The warehouse refuses the statement: Value too long for character type: Value too long for type character(30)',
  });
  await expect(
    saying('Numeric data overflow (result precision)', detail(1058, '128 bit overflow')),
  ).resolves.toMatchObject({ code: 'BAD_USER_INPUT' });
  await expect(
    saying('This type of correlated subquery pattern is not supported due to internal error', ''),
  ).resolves.toMatchObject({ code: 'BAD_USER_INPUT' });
  await expect(saying('Assert', detail(1000, 'false - Invalid type: 705'))).resolves.toMatchObject({
    code: 'WAREHOUSE_UNAVAILABLE',
  });
});

warehouseSuite('Redshift', async () => ({
  ...(await openLab()),
  // Redshift itself has no generate_series but on its leader node.
  numbers: (count) => `SELECT n FROM (SELECT generate_series(0, ${count - 1}) AS n) AS numbers`,
  endless:
    'SELECT count(*) AS c FROM generate_series(1, 1000000) a (n), generate_series(1, 1000000) b (n) WHERE a.n % 7 = b.n % 3',
  values: [
    ['CAST(9007199254740993 AS BIGINT)', 9_007_199_254_740_993n],
    ['CAST(7 AS INTEGER)', 7],
    ["CAST('12345678901234567890.12' AS DECIMAL(38, 2))", '12345678901234567890.12'],
    ['CAST(0.1 AS DOUBLE PRECISION) + CAST(0.2 AS DOUBLE PRECISION)', 0.30000000000000004],
    ["CAST('2026-01-02 03:04:05.000006' AS TIMESTAMP)", '2026-01-02T03:04:05.000006Z'],
    ["CAST('2026-01-02 03:04:05+05' AS TIMESTAMPTZ)", '2026-01-01T22:04:05.000000Z'],
    ["CAST('2026-02-28' AS DATE)", '2026-02-28'],
    ['NULL', null],
    ["''", ''],
    ['TRUE', true],
    [`JSON_PARSE('{"b":[1,2.50],"a":null}')`, '{"a": null, "b": [1, 2.50]}'],
  ],
  notOneSelect: [
    '',
    '-- nothing',
    'SELECT 1; SELECT 2',
    'SELECT $1 AS v',
    'SHOW statement_timeout',
    'EXPLAIN SELECT 1',
    'CREATE TABLE x AS SELECT 1 AS a',
    'SELECT 1 AS a INTO x',
    'DROP SCHEMA public',
    "COPY (SELECT 1) TO '/tmp/x.csv'",
    'BEGIN TRANSACTION',
    'VACUUM',
    'SELECT pg_sleep(1)',
    "SELECT set_config('work_mem', '1GB', false)",
    'SELECT * FROM pg_class',
    'SELECT * FROM information_schema.tables',
    "SELECT current_setting('data_directory')",
  ],
}));
