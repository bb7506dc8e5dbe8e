import { readFile } from 'node:fs/promises';
import { bigQueryEngine } from '#warehouse/bigquery-config.ts';
import { startBigQueryServer } from '../support/bigquery-server/start-server.ts';
import { dialectSuite } from './dialect.suite.ts';
import { warehouseSuite } from './warehouse.suite.ts';

const {
  BIGQUERY_TEST_PROJECT: project,
  BIGQUERY_TEST_CREDENTIALS_FILE: file = '',
  BIGQUERY_TEST_LOCATION: location = 'US',
} = process.env;

/** On the server of the tests; with BIGQUERY_TEST_PROJECT on that project, as docs/bigquery.md says. */
async function openLab() {
  if (project !== undefined) {
    const credentials = await readFile(file, 'utf8');
    const config = { projectId: project, credentials, location };
    const warehouse = await bigQueryEngine.open(config, { emulatorHosts: [] });
    return { warehouse, [Symbol.asyncDispose]: () => warehouse[Symbol.asyncDispose]() };
  }
  const server = await startBigQueryServer();
  const warehouse = await bigQueryEngine.open(server.config, { emulatorHosts: [server.host] });
  return {
    warehouse,
    async [Symbol.asyncDispose]() {
      await warehouse[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

/** Results have names of letters, digits and some signs, and tables of fewer. */
const columnNames = ['a', 'A b', "it's 100 %", 'select', 'ü-ö'];
const names = ['größe x-y', 'select', 'a b', '1_'];

dialectSuite('BigQuery', async () => ({ ...(await openLab()), columnNames }));

warehouseSuite('BigQuery', async () => {
  const lab = await openLab();
  return {
    ...lab,
    database: project ?? 'sluice-suite',
    names,
    columnsAreUnique: true,
    numbers: (count) => `SELECT n FROM UNNEST(GENERATE_ARRAY(0, ${count - 1})) AS n`,
    endless:
      'SELECT COUNT(*) AS c FROM UNNEST(GENERATE_ARRAY(1, 1000000)) AS a, UNNEST(GENERATE_ARRAY(1, 1000000)) AS b WHERE MOD(a * b, 7) = 3',
    values: [
      ['9007199254740993', 9_007_199_254_740_993n],
      ['-9223372036854775808', -(2n ** 63n)],
      ["CAST('12345678901234567890.12' AS NUMERIC)", '12345678901234567890.12'],
      [
        "CAST('1234567890123456789012345678.0123456789' AS BIGNUMERIC)",
        '1234567890123456789012345678.0123456789',
      ],
      ['0.1 + 0.2', 0.30000000000000004],
      ["CAST('inf' AS FLOAT64)", 'Infinity'],
      ["CAST('-inf' AS FLOAT64)", '-Infinity'],
      ["CAST('nan' AS FLOAT64)", 'NaN'],
      ["DATETIME '2026-01-02 03:04:05.000006'", '2026-01-02T03:04:05.000006Z'],
      ["DATETIME '2026-01-02 03:04:05'", '2026-01-02T03:04:05.000000Z'],
      ["TIMESTAMP '1969-12-31 23:59:59.999999+00'", '1969-12-31T23:59:59.999999Z'],
      ["TIMESTAMP '2026-01-02 03:04:05+05'", '2026-01-01T22:04:05.000000Z'],
      ["TIMESTAMP '0001-01-01 00:00:00+00'", '0001-01-01T00:00:00.000000Z'],
      ["TIMESTAMP '9999-12-31 23:59:59.999999+00'", '9999-12-31T23:59:59.999999Z'],
      ["DATE '2026-02-28'", '2026-02-28'],
      ["DATE '0044-03-15'", '0044-03-15'],
      ["TIME '03:04:05.000006'", '03:04:05.000006'],
      ['NULL', null],
      ["''", ''],
      ["r'a\\b'", 'a\\b'],
      ['PARSE_JSON(\'{"n": 1.5}\')', '{"n": 1.5}'],
      ['[9007199254740993, 2]', ['9007199254740993', '2']],
      ["FROM_BASE64('AP8=')", 'AP8='],
      ['TRUE', true],
    ],
    notOneSelect: [
      '',
      '-- nothing',
      '# nothing',
      'SELECT 1; SELECT 2',
      'SELECT @p1 AS v',
      'CREATE TABLE suite_described.x AS SELECT 1 AS a',
      'DROP SCHEMA suite_described',
      'BEGIN TRANSACTION',
      'UPDATE suite_described.a SET id = 2 WHERE TRUE',
      "SELECT * FROM EXTERNAL_QUERY('eu.cloud_sql', 'SELECT 1')",
      'SELECT * FROM suite_described.INFORMATION_SCHEMA.TABLES',
      'SELECT * FROM suite_described.__TABLES__',
      'SELECT * FROM ML.PREDICT(MODEL m, (SELECT 1))',
    ],
  };
});
