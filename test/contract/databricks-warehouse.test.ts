import { openDatabricks } from '#warehouse/databricks.ts';
import { startDatabricksServer } from '../support/databricks-server/start-server.ts';
import { dialectSuite } from './dialect.suite.ts';
import { warehouseSuite } from './warehouse.suite.ts';

/** The suites run on a real workspace when it is named: see docs/databricks.md. */
const {
  DATABRICKS_TEST_HOST: host,
  DATABRICKS_TEST_WAREHOUSE_ID: warehouseId = '',
  DATABRICKS_TEST_CATALOG: catalog = 'suite',
  DATABRICKS_TEST_TOKEN: token,
  DATABRICKS_TEST_CLIENT_ID: clientId,
  DATABRICKS_TEST_CLIENT_SECRET: clientSecret,
} = process.env;

async function openLab() {
  if (host !== undefined) {
    const warehouse = openDatabricks({
      url: `https://${host}`,
      warehouseId,
      catalog,
      ...(token === undefined ? { clientId, clientSecret } : { token }),
    });
    return { warehouse, [Symbol.asyncDispose]: () => warehouse[Symbol.asyncDispose]() };
  }
  const server = await startDatabricksServer({ database: 'suite' });
  const warehouse = openDatabricks({ ...server.login, token: server.account.token });
  return {
    warehouse,
    async [Symbol.asyncDispose]() {
      await warehouse[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

dialectSuite('Databricks', openLab);

warehouseSuite('Databricks', async () => {
  const lab = await openLab();
  return {
    ...lab,
    database: catalog,
    numbers: (count) => `SELECT n FROM (SELECT id AS n FROM range(${count})) AS numbers`,
    endless: 'SELECT count(*) AS c FROM range(100000000000) AS r WHERE id % 7 = 3',
    countsRows: false,
    names: ['größe`x', 'select', "it's", 'a;b--c'],
    values: [
      ['9007199254740993', 9_007_199_254_740_993n],
      [
        'CAST(99999999999999999999999999999999999999 AS DECIMAL(38, 0))',
        '99999999999999999999999999999999999999',
      ],
      ['CAST(12345678901234567890.12 AS DECIMAL(38, 2))', '12345678901234567890.12'],
      ['CAST(0.1 AS DOUBLE) + CAST(0.2 AS DOUBLE)', 0.30000000000000004],
      ["CAST('Infinity' AS DOUBLE)", 'Infinity'],
      ["CAST('2026-01-02 03:04:05.000006' AS TIMESTAMP_NTZ)", '2026-01-02T03:04:05.000006Z'],
      ["CAST('1969-12-31 23:59:59.999' AS TIMESTAMP_NTZ)", '1969-12-31T23:59:59.999000Z'],
      ["CAST('2026-01-02 03:04:05+05:00' AS TIMESTAMP)", '2026-01-01T22:04:05.000000Z'],
      ["CAST('2026-02-28' AS DATE)", '2026-02-28'],
      ["CAST('0044-03-15' AS DATE)", '0044-03-15'],
      ['NULL', null],
      ["''", ''],
      ["'it\\'s \\u00fc'", "it's ü"],
      ['parse_json(\'{"n": 12345678901234567890}\')', '{"n": 12345678901234567890}'],
      ["from_json('[\"a\", null]', 'ARRAY<STRING>')", ['a', null]],
      ["unhex('00FF')", 'AP8='],
      ['TRUE', true],
    ],
    notOneSelect: [
      '',
      '-- nothing',
      '/* nothing */',
      'SELECT 1; SELECT 2',
      'SELECT :p1 AS v',
      'SET TIME ZONE LOCAL',
      'SHOW TABLES',
      'CALL suite.default.p()',
      'EXPLAIN SELECT 1',
      'CREATE TABLE x AS SELECT 1 AS a',
      'DROP SCHEMA default',
      'COPY INTO x FROM (SELECT 1)',
      'USE CATALOG suite',
      'INSERT INTO x VALUES (1)',
      'SELECT * FROM parquet.`/Volumes/suite/default/files`',
      "SELECT * FROM read_files('/Volumes/suite/default/files')",
      'SELECT * FROM suite.information_schema.tables',
      "SELECT secret('scope', 'key') AS s",
      "SELECT http_request('conn', 'GET', '/') AS s",
      'SELECT suite.default.f(1) AS s',
      "SELECT * FROM IDENTIFIER('suite.default.x')",
    ],
  };
});
