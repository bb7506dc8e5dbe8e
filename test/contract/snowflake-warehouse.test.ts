import { readFile } from 'node:fs/promises';
import { snowflakeEngine } from '#warehouse/snowflake-config.ts';
import { openSnowflake } from '#warehouse/snowflake.ts';
import { startSnowflakeServer } from '../support/snowflake-server/start-server.ts';
import { dialectSuite } from './dialect.suite.ts';
import { warehouseSuite } from './warehouse.suite.ts';

const { SNOWFLAKE_TEST_ACCOUNT: account } = process.env;

/** On the server of the tests; with SNOWFLAKE_TEST_ACCOUNT on that account, as docs/snowflake.md says. */
async function openLab() {
  return account === undefined ? openServer() : openAccount(account);
}

async function openServer() {
  const server = await startSnowflakeServer({ database: 'SUITE' });
  const warehouse = openSnowflake({ ...server.login, password: server.password });
  return {
    warehouse,
    database: 'SUITE',
    async [Symbol.asyncDispose]() {
      await warehouse[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

async function openAccount(account: string) {
  const said = (name: string) => process.env[`SNOWFLAKE_TEST_${name}`];
  const keyFile = said('PRIVATE_KEY_FILE');
  const settings = {
    password: said('PASSWORD'),
    privateKey: keyFile === undefined ? undefined : await readFile(keyFile, 'utf8'),
    passphrase: said('PASSPHRASE'),
    token: said('TOKEN'),
    role: said('ROLE'),
    host: said('HOST'),
  };
  const given = Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
  const names = { username: said('USERNAME')!, warehouse: said('WAREHOUSE')!, database: said('DATABASE')! };
  const warehouse = await snowflakeEngine.open({ account, ...names, ...given }, { emulatorHosts: [] });
  return {
    warehouse,
    database: names.database,
    [Symbol.asyncDispose]: () => warehouse[Symbol.asyncDispose](),
  };
}

dialectSuite('Snowflake', openLab);

warehouseSuite('Snowflake', async () => {
  const lab = await openLab();
  return {
    ...lab,
    unquoted: (name) => name.toUpperCase(),
    // Of a real account SEQ8 alone may leave numbers out.
    numbers: (count) =>
      account === undefined
        ? `SELECT n FROM (SELECT SEQ8() AS n FROM TABLE(GENERATOR(ROWCOUNT => ${count}))) AS numbers`
        : `SELECT n FROM (SELECT ROW_NUMBER() OVER (ORDER BY SEQ8()) - 1 AS n FROM TABLE(GENERATOR(ROWCOUNT => ${count}))) AS numbers`,
    endless: 'SELECT COUNT(*) AS c FROM TABLE(GENERATOR(ROWCOUNT => 100000000000)) WHERE SEQ8() % 7 = 3',
    values: [
      ['9007199254740993', 9_007_199_254_740_993n],
      ['99999999999999999999999999999999999999::NUMBER(38, 0)', '99999999999999999999999999999999999999'],
      ['12345678901234567890.12::NUMBER(38,2)', '12345678901234567890.12'],
      ['0.1::FLOAT + 0.2::FLOAT', 0.30000000000000004],
      ["'inf'::FLOAT", 'Infinity'],
      ["'2026-01-02 03:04:05.000006'::TIMESTAMP_NTZ", '2026-01-02T03:04:05.000006Z'],
      ["'1969-12-31 23:59:59.999'::TIMESTAMP_NTZ", '1969-12-31T23:59:59.999000Z'],
      ["'2026-01-02 03:04:05+05'::TIMESTAMP_LTZ", '2026-01-01T22:04:05.000000Z'],
      ["'2026-01-02 03:04:05+05'::TIMESTAMP_TZ", '2026-01-01T22:04:05.000000Z'],
      ["'2026-02-28'::DATE", '2026-02-28'],
      ["'0044-03-15'::DATE", '0044-03-15'],
      ["'03:04:05.000006'::TIME", '03:04:05.000006'],
      ['NULL', null],
      ["''", ''],
      ['PARSE_JSON(\'{"n": 12345678901234567890}\')', '{"n": 12345678901234567890}'],
      ['[9007199254740993, NULL]', ['9007199254740993', null]],
      ["TO_BINARY('00FF', 'HEX')", 'AP8='],
      ['TRUE', true],
    ],
    notOneSelect: [
      '',
      '-- nothing',
      '// nothing',
      'SELECT 1; SELECT 2',
      'SELECT ? AS v',
      'ALTER SESSION SET QUERY_TAG = 1',
      'SHOW TABLES',
      'CALL SYSTEM$WAIT(1)',
      'EXPLAIN SELECT 1',
      'CREATE TABLE x AS SELECT 1 AS a',
      'DROP SCHEMA PUBLIC',
      'COPY INTO @~ FROM (SELECT 1)',
      'BEGIN',
      'USE ROLE ACCOUNTADMIN',
      'SELECT * FROM @~',
      'SELECT * FROM TABLE(RESULT_SCAN(LAST_QUERY_ID()))',
      'SELECT * FROM INFORMATION_SCHEMA.TABLES',
      'PUT file:///etc/passwd @~',
    ],
  };
});
