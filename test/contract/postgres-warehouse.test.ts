import { openPostgresWarehouse } from '../support/postgres-warehouse.ts';
import { dialectSuite } from './dialect.suite.ts';
import { warehouseSuite } from './warehouse.suite.ts';

dialectSuite('PostgreSQL', openPostgresWarehouse);

warehouseSuite('PostgreSQL', async () => {
  const { warehouse, server, ...opened } = await openPostgresWarehouse();
  return {
    warehouse,
    database: server.database,
    // As a column it gives its rows one after the other, and as a table all of them at first.
    numbers: (count) => `SELECT n FROM (SELECT generate_series(0, ${count - 1}) AS n) AS numbers`,
    endless:
      'SELECT count(*) AS c FROM generate_series(1, 1000000) a (n), generate_series(1, 1000000) b (n) WHERE a.n % 7 = b.n % 3',
    values: [
      ['9007199254740993::int8', 9_007_199_254_740_993n],
      ['7::int4', 7],
      ['170141183460469231731687303715884105727::numeric', '170141183460469231731687303715884105727'],
      ['12345678901234567890.12::numeric(38, 2)', '12345678901234567890.12'],
      ['1.50', '1.50'],
      ["'NaN'::numeric", 'NaN'],
      ['0.1::float8 + 0.2::float8', 0.30000000000000004],
      ["'infinity'::float8", 'Infinity'],
      ["TIMESTAMP '2026-01-02 03:04:05.000006'", '2026-01-02T03:04:05.000006Z'],
      ["TIMESTAMPTZ '2026-01-02 03:04:05+05'", '2026-01-01T22:04:05.000000Z'],
      ["TIMESTAMPTZ '2026-03-29 02:30:00 Europe/Berlin'", '2026-03-29T01:30:00.000000Z'],
      ["TIMESTAMP '0001-12-31 23:00:00 BC'", '0000-12-31T23:00:00.000000Z'],
      ["TIMESTAMP '12026-01-02 03:04:05'", '+012026-01-02T03:04:05.000000Z'],
      ["TIMESTAMPTZ '-infinity'", '-infinity'],
      ["DATE '2026-02-28'", '2026-02-28'],
      ["TIME '03:04:05'", '03:04:05'],
      ['NULL', null],
      ["''", ''],
      ['true', true],
      ["'\\x00ff10'::bytea", 'AP8Q'],
      [`'{"b": [1, 2.50], "a": null}'::jsonb`, '{"a": null, "b": [1, 2.50]}'],
      [`'{"b":1}'::json`, '{"b":1}'],
      ["uuid 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'],
      ['ARRAY[1::int8, NULL]', ['1', null]],
      [`ARRAY['a"b', 'NULL', NULL, 'c,d', '\\', '']`, ['a"b', 'NULL', null, 'c,d', '\\', '']],
      [
        'ARRAY[[1, 2], [3, NULL]]',
        [
          [1, 2],
          [3, null],
        ],
      ],
      ["'{}'::float8[]", []],
      ["ARRAY[TIMESTAMP '2026-01-02 03:04:05']", ['2026-01-02T03:04:05.000000Z']],
    ],
    notOneSelect: [
      '',
      '-- nothing',
      'SELECT 1; SELECT 2',
      'SELECT $1 AS v',
      "SET work_mem = '1GB'",
      'SHOW work_mem',
      'EXPLAIN SELECT 1',
      'CREATE TABLE x AS SELECT 1 AS a',
      'SELECT 1 AS a INTO x',
      'DROP SCHEMA public',
      "COPY (SELECT 1) TO '/tmp/x.csv'",
      'BEGIN TRANSACTION',
      'VACUUM',
      'PREPARE p AS SELECT 1',
      'EXECUTE p',
      'WITH d AS (INSERT INTO suite_described.a VALUES (2, 3) RETURNING *) SELECT * FROM d',
      'SELECT pg_sleep(1)',
      "SELECT set_config('work_mem', '1GB', false)",
      "SELECT pg_read_file('/etc/passwd')",
      "SELECT * FROM pg_ls_dir('/')",
      "SELECT query_to_xml('SELECT 1', true, true, '')",
      "SELECT nextval('s')",
      'SELECT * FROM pg_class',
      'SELECT rolname FROM pg_authid',
      'SELECT * FROM information_schema.tables',
      'SELECT pg_advisory_lock(1)',
      "SELECT current_setting('data_directory')",
    ],
    [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose](),
  };
});
