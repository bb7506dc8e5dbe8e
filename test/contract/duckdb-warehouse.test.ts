import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDuckDb } from '#warehouse/duckdb.ts';
import { dialectSuite } from './dialect.suite.ts';
import { warehouseSuite } from './warehouse.suite.ts';

dialectSuite('DuckDB', async () => {
  const warehouse = await openDuckDb({ path: ':memory:', allowedDirectories: [] });
  return { warehouse, [Symbol.asyncDispose]: () => warehouse[Symbol.asyncDispose]() };
});

warehouseSuite('DuckDB', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-warehouse-'));
  const warehouse = await openDuckDb({
    path: join(folder, 'warehouse.duckdb'),
    allowedDirectories: [join(folder, 'data')],
  });
  return {
    warehouse,
    database: 'warehouse',
    // DuckDB counts no rows of results among what it says that it holds.
    async heldBytes() {
      const { rss, heapTotal, external } = process.memoryUsage();
      return rss - heapTotal - external;
    },
    numbers: (count) => `SELECT n FROM range(${count}) AS numbers (n)`,
    endless: 'SELECT count(*) AS c FROM range(100000000000) r (n) WHERE n % 7 = 3',
    values: [
      ['9007199254740993::BIGINT', 9_007_199_254_740_993n],
      ['170141183460469231731687303715884105727::HUGEINT', '170141183460469231731687303715884105727'],
      ['12345678901234567890.12::DECIMAL(38,2)', '12345678901234567890.12'],
      ['0.1::DOUBLE + 0.2::DOUBLE', 0.30000000000000004],
      ["TIMESTAMP '2026-01-02 03:04:05.000006'", '2026-01-02T03:04:05.000006Z'],
      ["TIMESTAMPTZ '2026-01-02 03:04:05+05'", '2026-01-01T22:04:05.000000Z'],
      ["TIMESTAMPTZ '2026-03-29 02:30:00 Europe/Berlin'", '2026-03-29T01:30:00.000000Z'],
      ["DATE '2026-02-28'", '2026-02-28'],
      ['NULL', null],
      ["''", ''],
      ["uuid 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'],
      ['[1::BIGINT, NULL]', ['1', null]],
    ],
    notOneSelect: [
      '',
      '-- nothing',
      'SELECT 1; SELECT 2',
      'SELECT ? AS v',
      'SET threads = 1',
      'PRAGMA database_list',
      'CALL pragma_version()',
      'EXPLAIN SELECT 1',
      'CREATE TABLE x AS SELECT 1 AS a',
      'DROP SCHEMA main',
      "COPY (SELECT 1) TO 'x.csv'",
      "ATTACH ':memory:' AS other",
      'BEGIN TRANSACTION',
      'CHECKPOINT',
      'PREPARE p AS SELECT 1',
      "INSTALL 'httpfs'",
    ],
    async [Symbol.asyncDispose]() {
      await warehouse[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    },
  };
});
