import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type EndpointLab, labStores, openEndpointLab } from '../../support/endpoint-lab.ts';

let lab: EndpointLab;
beforeAll(async () => {
  lab = await openEndpointLab();
  await lab.postgres.load([
    'CREATE SEQUENCE raw.counter',
    `CREATE FUNCTION raw.wipe() RETURNS int LANGUAGE sql AS 'DELETE FROM raw.users RETURNING 1'`,
  ]);
});
afterAll(() => lab[Symbol.asyncDispose]());

/** Refused on every engine. */
const everywhere = [
  'SELECT 1 AS a; DROP TABLE raw.users',
  'SELECT 1 AS a; SELECT 2 AS b',
  'SELECT 1 AS a;; COMMIT',
  'SELECT 1 AS a /* open',
  `SELECT 'open AS a`,
  'DROP TABLE raw.users',
  'DELETE FROM raw.users',
  'UPDATE raw.users SET name = NULL',
  'INSERT INTO raw.users (id) VALUES (1)',
  'INSERT INTO raw.users (id) VALUES (1) RETURNING id',
  'CREATE TABLE raw.t AS SELECT 1 AS a',
  'ALTER TABLE raw.users RENAME TO gone',
  'TRUNCATE raw.users',
  'BEGIN',
  'COMMIT',
  'SET search_path = x',
  `COPY raw.users TO '/tmp/users.csv'`,
  `COPY raw.users FROM '/etc/passwd'`,
  'EXPLAIN ANALYZE DELETE FROM raw.users',
  'CALL x()',
  'EXECUTE x',
  'PREPARE x AS SELECT 1',
  'VACUUM',
  'WITH gone AS (DELETE FROM raw.users RETURNING id) SELECT id FROM gone',
  'WITH more AS (INSERT INTO raw.users (id) VALUES (1) RETURNING id) SELECT id FROM more',
  'SELECT id FROM raw.users) AS page; DROP TABLE raw.users; --',
  'SELECT id FROM raw.users) AS page --',
  'SELECT id FROM raw.users) AS page UNION ALL SELECT 1 FROM (SELECT 1 AS id',
  'SELECT 1 AS id UNION (SELECT id FROM raw.users',
  ') AS page',
  '-- nothing',
  '/* nothing */',
  ';',
  'SELECT id, id FROM raw.users',
  'SELECT * FROM raw.nowhere',
  `SELECT id FROM raw.users WHERE name = 'a\\' OR TRUE --'`,
  'SELECT $1 AS a',
  'SELECT ? AS a',
  'SELECT * FROM pg_catalog.pg_authid',
  'SELECT * FROM information_schema.tables',
];

const ofEngine: Record<(typeof labStores)[number], string[]> = {
  hot: [
    'SELECT id INTO raw.copy FROM raw.users',
    'SELECT id FROM raw.users FOR UPDATE',
    'SELECT id FROM raw.users FOR KEY SHARE SKIP LOCKED',
    'SELECT id FROM (SELECT id FROM raw.users FOR SHARE) AS locked',
    'SELECT id FROM raw.users WITH CHECK OPTION',
    'SELECT id FROM raw.users WITH LOCAL CHECK OPTION',
    `SELECT nextval('raw.counter') AS a`,
    `SELECT setval('raw.counter', 9) AS a`,
    'SELECT raw.wipe() AS a',
    'SELECT pg_sleep(100)::text AS a',
    'SELECT pg_terminate_backend(1) AS a',
    'SELECT pg_cancel_backend(1) AS a',
    'SELECT pg_advisory_lock(1)::text AS a',
    'SELECT pg_reload_conf() AS a',
    `SELECT set_config('transaction_read_only', 'off', false) AS a`,
    `SELECT current_setting('data_directory') AS a`,
    `SELECT pg_read_file('/etc/passwd') AS a`,
    `SELECT pg_read_binary_file('/etc/passwd') AS a`,
    `SELECT pg_ls_dir('/') AS a`,
    `SELECT * FROM pg_stat_file('/etc/passwd')`,
    `SELECT lo_import('/etc/passwd') AS a`,
    `SELECT lo_export(1, '/tmp/x') AS a`,
    `SELECT lo_from_bytea(0, 'x') AS a`,
    `SELECT * FROM dblink('dbname=postgres', 'SELECT 1') AS t (a int)`,
    `SELECT query_to_xml('DELETE FROM raw.users', true, true, '')::text AS a`,
    `SELECT table_to_xml('raw.users', true, true, '')::text AS a`,
    `SELECT word FROM ts_stat('SELECT to_tsvector(name) FROM raw.users')`,
    `SELECT pg_notify('sluice_endpoints', 'x')::text AS a`,
    `SELECT pg_logical_emit_message(false, 'a', 'b')::text AS a`,
    `SELECT pg_export_snapshot() AS a`,
    `SELECT has_table_privilege('raw.users', 'select') AS a`,
    `SELECT txid_current() AS a`,
    'SELECT count(*) AS a FROM pg_stat_activity',
    'LISTEN x',
    'NOTIFY x',
    `DO $$ BEGIN DELETE FROM raw.users; END $$`,
    'SHOW ALL',
    'LOCK TABLE raw.users',
    `MERGE INTO raw.users USING (SELECT 1 AS x) AS s ON TRUE WHEN MATCHED THEN DELETE`,
  ],
  warehouse: [
    `SELECT * FROM read_csv('/etc/passwd')`,
    `SELECT * FROM read_text('/etc/passwd')`,
    `SELECT * FROM read_blob('/etc/*')`,
    `SELECT * FROM read_parquet('x.parquet')`,
    `SELECT * FROM read_json('x.json')`,
    `SELECT * FROM '/etc/passwd'`,
    `SELECT * FROM "/etc/passwd"`,
    `SELECT * FROM 'x.parquet'`,
    `SELECT * FROM glob('/*')`,
    `SELECT * FROM parquet_metadata('x.parquet')`,
    `SELECT * FROM sniff_csv('/etc/passwd')`,
    `SELECT * FROM query('SELECT 1')`,
    `SELECT * FROM query_table('raw.users')`,
    `SELECT * FROM json_execute_serialized_sql(json_serialize_sql('SELECT 1'))`,
    'SELECT * FROM duckdb_settings()',
    'SELECT * FROM duckdb_secrets()',
    'SELECT * FROM pragma_database_list()',
    `SELECT * FROM pragma_table_info('raw.users')`,
    'SELECT * FROM checkpoint()',
    'SELECT * FROM (DESCRIBE raw.users)',
    'SELECT * FROM (SHOW TABLES)',
    'SELECT * FROM (SUMMARIZE raw.users)',
    `SELECT current_setting('memory_limit') AS a`,
    `SELECT getvariable('a') AS a`,
    `SELECT nextval('counter') AS a`,
    `SELECT (SELECT count(*) FROM read_text('/etc/passwd')) AS a`,
    `WITH f AS (SELECT * FROM read_text('/etc/passwd')) SELECT * FROM f`,
    `FROM read_text('/etc/passwd')`,
    'PRAGMA database_list',
    'PRAGMA memory_limit=1',
    `ATTACH '/tmp/x.db' AS x`,
    'DETACH x',
    `INSTALL httpfs`,
    `LOAD httpfs`,
    `EXPORT DATABASE '/tmp/x'`,
    `IMPORT DATABASE '/tmp/x'`,
    'CHECKPOINT',
    'SET memory_limit = 1',
    'RESET memory_limit',
    'DESCRIBE raw.users',
    'SHOW TABLES',
    'SUMMARIZE raw.users',
    'USE raw',
    'SELECT * FROM main.sqlite_master',
  ],
};

const upsert = `mutation ($declaration: JSON) {
  upsertEndpoint(input: { declaration: $declaration, publish: true }) { endpoint { id } userErrors { code path message } }
}`;

describe.each(labStores)('on %s', (datastore) => {
  test.each([...everywhere, ...ofEngine[datastore]])('%s is refused, and says why', async (query) => {
    const declaration = { metadata: { name: 'hostile', version: 1 }, route: '/hostile', datastore, query };
    for (const more of [{}, { pagination: { key: ['id'] } }]) {
      const { upsertEndpoint } = await lab.gql.ask(lab.viewer, upsert, {
        declaration: { ...declaration, ...more },
      });
      expect(upsertEndpoint).toMatchObject({
        endpoint: null,
        userErrors: [{ message: expect.stringMatching(/\w/) }],
      });
    }
    expect((await lab.call('v1/hostile')).status).toBe(404);
  });
});

test('a SELECT may end in a comment or a semicolon, and have both within', async () => {
  for (const datastore of labStores) {
    for (const [index, query] of [
      'SELECT id FROM raw.users -- ) AS page; DROP',
      'SELECT id FROM raw.users; -- that is all',
      `SELECT id, ';--:x' AS text FROM raw.users /* ; :y */;`,
    ].entries()) {
      const declaration = {
        metadata: { name: `ends_${datastore}_${index}`, version: 1 },
        route: `/ends/${datastore}/x${index}`,
        datastore,
        query,
        pagination: { key: ['id'] },
      };
      const { upsertEndpoint } = await lab.gql.ask(lab.viewer, upsert, { declaration });
      expect(upsertEndpoint.userErrors, query).toEqual([]);
      const { status, text } = await lab.call(`v1/ends/${datastore}/x${index}?first=1`);
      expect([status, JSON.parse(text).data[0].id]).toEqual([200, 1]);
    }
  }
});

test('nothing that was declared has changed anything', async () => {
  const { warehouse } = await lab.gql.app.catalog.datastores.open(lab.viewer.projectId);
  const sql = 'SELECT count(*) FROM raw.users';
  expect((await warehouse.run({ sql })).rows).toEqual([[21n]]);
  expect((await lab.postgres.warehouse.run({ sql })).rows).toEqual([[21n]]);
  expect((await lab.postgres.warehouse.run({ sql: 'SELECT is_called FROM raw.counter' })).rows).toEqual([
    [false],
  ]);
});

test('what no text can hold is refused wherever it stands, and so is what nests without end', async () => {
  const yaml = `mutation ($yaml: String) { upsertEndpoint(input: { yaml: $yaml }) { endpoint { id } userErrors { path message } } }`;
  const head = 'metadata: { name: odd, version: 1, description: ';
  for (const text of [
    `${head}"a\\0b" }\nroute: /odd\nquery: SELECT 1 AS a`,
    `${head}"\\ud800" }\nroute: /odd\nquery: SELECT 1 AS a`,
    `${head}x }\nroute: /odd\nquery: SELECT 1 AS a\nexamples: [{ name: x, params: { "\\0": 1 }, expect: { count: 1 } }]`,
    '['.repeat(100_000),
    'a: '.repeat(1_000),
    '',
    'null',
    '- 1',
    '? [a]\n: b',
  ]) {
    const { upsertEndpoint } = await lab.gql.ask(lab.viewer, yaml, { yaml: text });
    expect(upsertEndpoint, text.slice(0, 100)).toMatchObject({
      endpoint: null,
      userErrors: [{}, ...upsertEndpoint.userErrors.slice(1)],
    });
  }
  const declaration = {
    metadata: { name: 'odd', version: 1, description: String.fromCharCode(0xd800) },
    route: '/odd',
    query: 'SELECT 1 AS a',
  };
  expect((await lab.gql.ask(lab.viewer, upsert, { declaration })).upsertEndpoint.userErrors).toMatchObject([
    { code: 'INVALID' },
  ]);
});
