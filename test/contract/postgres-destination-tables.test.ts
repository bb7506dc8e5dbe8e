import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { StreamSelection } from '#connectors/contract.ts';
import { datastoreDestination } from '#connectors/datastore/destination.ts';
import { datastoreSource } from '#connectors/datastore-source/source.ts';
import { moveStream, originOf, selectionOf } from '../support/move-stream.ts';
import { openPostgresLab, type PostgresLab } from '../support/postgres-lab.ts';
import { columnsOf, partOf } from '../support/made-parts.ts';

let lab: PostgresLab;
beforeEach(async () => {
  lab = await openPostgresLab();
});
afterEach(() => lab[Symbol.asyncDispose]());

const never = new AbortController().signal;
const two = { id: 'INTEGER', v: 'VARCHAR' };

/** Writes raw.orders as one task. */
async function write(
  scan: string,
  more: Partial<StreamSelection> = {},
  columns: Record<string, string> = two,
) {
  await using session = await datastoreDestination.open({}, lab.context());
  await using writer = await session.stream(originOf(), selectionOf('orders', more));
  const { changes } = await writer.begin(columnsOf(columns), false);
  await writer.stage(partOf(scan), 'p', never, () => undefined);
  return { changes, ...(await writer.publish(null, null)) };
}
const upsert: Partial<StreamSelection> = { writeMode: 'UPSERT', primaryKey: ['id'] };
const one = "SELECT 1 AS id, 'a' AS v";

describe('the catalog', () => {
  test('shows a table when it is published, its rows estimated, and nothing of what is staged', async () => {
    await using session = await datastoreDestination.open({}, lab.context());
    await using writer = await session.stream(originOf(), selectionOf('orders'));
    await writer.begin(columnsOf(two), false);
    await writer.stage(partOf(one), 'p', never, () => undefined);
    const { warehouse, server } = lab.pg;
    expect(await warehouse.tables()).toEqual([]);
    expect((await warehouse.schemas()).map(({ schema, tables }) => [schema, tables])).toEqual([
      ['public', 0],
      ['raw', 0],
    ]);
    const { table } = await writer.publish(null, null);
    expect(table).toEqual({
      datastore: 'warehouse',
      database: server.database,
      schema: 'raw',
      name: 'orders',
    });
    expect(await warehouse.tables()).toMatchObject([{ name: 'orders', kind: 'TABLE', rowCount: 1n }]);
  });
});

describe('OVERWRITE keeps what others made of the table', () => {
  test('grants, comments, indexes and the types of its columns', async () => {
    await lab.pg.load([
      'CREATE SCHEMA raw',
      `DO $$ BEGIN CREATE ROLE sluice_reader; EXCEPTION WHEN duplicate_object THEN NULL; END $$`,
      'CREATE TABLE raw.orders (id bigint PRIMARY KEY, v varchar(10) NOT NULL, doc jsonb, made timestamptz DEFAULT now())',
      'CREATE INDEX by_v ON raw.orders (lower(v)) WHERE id > 0',
      'GRANT SELECT ON raw.orders TO sluice_reader',
      'GRANT UPDATE (v) ON raw.orders TO sluice_reader',
      `COMMENT ON TABLE raw.orders IS 'it''s ours'`,
      `COMMENT ON COLUMN raw.orders.v IS 'the v'`,
      `INSERT INTO raw.orders VALUES (7, 'old', '{}')`,
    ]);
    const columns = { id: 'INTEGER', v: 'VARCHAR', doc: 'JSON' };
    await write(`SELECT 1 AS id, 'a' AS v, '{"b":1,  "a":2}'::JSON AS doc`, {}, columns);
    const [told] = await lab.rows(
      `SELECT has_table_privilege('sluice_reader', oid, 'SELECT'), has_table_privilege('sluice_reader', oid, 'UPDATE'),
         has_column_privilege('sluice_reader', oid, 'v', 'UPDATE'), obj_description(oid), col_description(oid, 2),
         (SELECT json_agg(indexrelid::regclass::text || ' ' || indisprimary ORDER BY 1) FROM pg_index WHERE indrelid = c.oid)::text
       FROM pg_class c WHERE oid = 'raw.orders'::regclass`,
    );
    expect(told!.slice(0, 5)).toEqual([true, false, true, "it's ours", 'the v']);
    expect((JSON.parse(told![5] as string) as string[]).toSorted()).toEqual([
      'raw.by_v false',
      'raw.orders_pkey true',
    ]);
    const rows = await lab.rows('SELECT id, v, doc::text, made IS NOT NULL FROM raw.orders');
    expect(rows).toEqual([[1n, 'a', '{"a": 2, "b": 1}', true]]);
    await expect(write("SELECT 1 AS id, 'longer than ten' AS v")).rejects.toMatchObject({
      kind: 'SCHEMA',
      message: expect.stringMatching(/column "v", value "longer than ten"/),
    });
  });

  test('views on it show the new rows, and forbid other columns with an error that names them', async () => {
    await write(one);
    await lab.pg.load(['CREATE VIEW raw.seen AS SELECT * FROM raw.orders']);
    await write("SELECT 2 AS id, 'b' AS v");
    expect(await lab.rows('SELECT * FROM raw.seen')).toEqual([[2, 'b']]);
    const failing = write('SELECT 3000000000 AS id', {}, { id: 'BIGINT' });
    await expect(failing).rejects.toMatchObject({
      kind: 'DESTINATION',
      message: expect.stringContaining('view raw.seen'),
    });
    expect(await lab.rows('SELECT * FROM raw.seen')).toEqual([[2, 'b']]);
  });

  test('triggers, foreign keys and a publication stay on it', async () => {
    await write(one);
    await lab.pg.load([
      'CREATE TABLE raw.kinds (v text PRIMARY KEY)',
      `INSERT INTO raw.kinds VALUES ('a'), ('b')`,
      'ALTER TABLE raw.orders ADD FOREIGN KEY (v) REFERENCES raw.kinds',
      'CREATE PUBLICATION told FOR TABLE raw.orders',
    ]);
    await write("SELECT 2 AS id, 'b' AS v");
    expect(await lab.readTable('orders')).toEqual([[2, 'b']]);
    expect(await lab.rows('SELECT count(*) FROM pg_publication_tables')).toEqual([[1n]]);
    await expect(write("SELECT 3 AS id, 'none' AS v")).rejects.toMatchObject({
      kind: 'SCHEMA',
      message: expect.stringContaining('foreign key'),
    });
    expect(await lab.readTable('orders')).toEqual([[2, 'b']]);
  });

  test('row policies go on to hide what they hid', async () => {
    await write(one);
    await lab.pg.load([
      'ALTER TABLE raw.orders ENABLE ROW LEVEL SECURITY',
      'CREATE POLICY few ON raw.orders FOR SELECT USING (id < 10)',
    ]);
    await write("SELECT 20 AS id, 'b' AS v");
    expect(await lab.rows("SELECT relrowsecurity FROM pg_class WHERE oid = 'raw.orders'::regclass")).toEqual([
      [true],
    ]);
    expect(await lab.rows('SELECT count(*) FROM pg_policies')).toEqual([[1n]]);
    expect(await lab.readTable('orders')).toEqual([[20, 'b']]);
  });

  test('what is no plain table is refused with SCHEMA', async () => {
    await lab.pg.load([
      'CREATE SCHEMA raw',
      'CREATE TABLE raw.orders (id int, v text) PARTITION BY RANGE (id)',
      'CREATE TABLE raw.some PARTITION OF raw.orders DEFAULT',
    ]);
    await expect(write(one)).rejects.toMatchObject({
      kind: 'SCHEMA',
      message: expect.stringContaining('partitioned'),
    });
    await write(one, upsert);
    await write("SELECT 1 AS id, 'b' AS v UNION ALL SELECT 2, 'c'", upsert);
    expect(await lab.readTable('orders')).toEqual([
      [1, 'b'],
      [2, 'c'],
    ]);
  });
});

describe('rows are found by their key', () => {
  const plan = async () =>
    (await lab.rows('EXPLAIN SELECT * FROM raw.orders WHERE id = 77')).flat().join('\n');
  const many = "SELECT CAST(range AS INTEGER) AS id, 'v' AS v FROM range(5000)";

  test.each<[string, Partial<StreamSelection>]>([
    ['OVERWRITE', { primaryKey: ['id'] }],
    ['UPSERT', upsert],
  ])('by an index, after the first %s and the next', async (_mode, more) => {
    await write(many, more);
    expect(await plan()).toContain('Index Scan using orders_key');
    await write(many, more);
    expect(await plan()).toContain('Index Scan using orders_key');
    expect(await lab.rows("SELECT count(*) FROM pg_indexes WHERE schemaname = 'raw'")).toEqual([[1n]]);
  });

  test('a key that no index can hold is written all the same', async () => {
    const long = "SELECT 1 AS id, string_agg(md5(range::VARCHAR), '') AS v FROM range(2000)";
    await write(long, { primaryKey: ['v'] });
    expect(await lab.rows('SELECT length(v) FROM raw.orders')).toEqual([[64_000]]);
  });
});

describe('UPSERT', () => {
  test('leaves what others added to rows as it is', async () => {
    await write(one, upsert);
    await lab.pg.load([
      `ALTER TABLE raw.orders ADD COLUMN note text DEFAULT 'new'`,
      `UPDATE raw.orders SET note = 'mine'`,
    ]);
    await write("SELECT 1 AS id, 'b' AS v UNION ALL SELECT 2, 'c'", upsert);
    expect(await lab.readTable('orders')).toEqual([
      [1, 'b', 'mine'],
      [2, 'c', 'new'],
    ]);
  });

  test('of the versions of a key without a cursor the one that comes last wins, with many parts at once', async () => {
    const scan = (part: number) =>
      `SELECT CAST(range // 3 + ${part * 10_000} AS INTEGER) AS id, CAST(range AS VARCHAR) AS v FROM range(9000)`;
    await using session = await datastoreDestination.open({}, lab.context());
    await using writer = await session.stream(originOf(), selectionOf('orders', upsert));
    await writer.begin(columnsOf(two), false);
    await Promise.all(
      [0, 1, 2, 3].map((part) => writer.stage(partOf(scan(part)), `${part}`, never, () => undefined)),
    );
    expect((await writer.publish(null, null)).rowsWritten).toBe(12_000n);
    const wrong = await lab.rows('SELECT count(*) FROM raw.orders WHERE v::int <> (id % 10000) * 3 + 2');
    expect(wrong).toEqual([[0n]]);
  });

  test('keys of several columns, of types without order, and columns that are all key', async () => {
    const key: Partial<StreamSelection> = { writeMode: 'UPSERT', primaryKey: ['id', 'v'] };
    expect((await write(one, key)).rowsWritten).toBe(1n);
    await write(`${one} UNION ALL SELECT 1, 'b'`, key);
    expect(await lab.readTable('orders')).toEqual([
      [1, 'a'],
      [1, 'b'],
    ]);
    const failing = write(
      `SELECT 1 AS id, '{}'::JSON AS v`,
      { ...key, destinationTable: 'j' },
      { id: 'INTEGER', v: 'JSON' },
    );
    await expect(failing).rejects.toMatchObject({ kind: 'SCHEMA', message: expect.stringContaining('json') });
  });
});

test('what changed in a warehouse since the last run arrives: rows added, changed and removed', async () => {
  const jobId = originOf().jobId;
  const move = () =>
    moveStream(lab, {
      source: datastoreSource,
      sourceConfig: { datastore: 'duck' },
      destination: datastoreDestination,
      destinationConfig: {},
      origin: originOf(jobId),
      selection: selectionOf('users', {
        namespace: 'main',
        syncMode: 'INCREMENTAL',
        writeMode: 'UPSERT',
        primaryKey: ['id'],
        difference: { mirrorRemovals: true },
      }),
    });
  const { warehouse } = lab;
  const values = `SELECT range AS id, 'user ' || range AS name, [range, NULL] AS tags, DATE '2026-01-02' AS born FROM range(3000)`;
  await warehouse.run({ sql: `CREATE TABLE users AS ${values}` });
  expect((await move()).rowsWritten).toBe(3000n);
  await warehouse.run({ sql: 'DELETE FROM users WHERE id IN (1, 2)' });
  await warehouse.run({ sql: `UPDATE users SET name = 'other' WHERE id = 3` });
  await warehouse.run({ sql: `INSERT INTO users VALUES (5000, 'new', [], NULL)` });
  expect((await move()).rowsWritten).toBe(4n);
  const found = await lab.rows(
    'SELECT id, name, tags, born FROM raw.users WHERE id < 5 OR id > 2998 ORDER BY id',
  );
  expect(found).toEqual([
    [0n, 'user 0', ['0', null], '2026-01-02'],
    [3n, 'other', ['3', null], '2026-01-02'],
    [4n, 'user 4', ['4', null], '2026-01-02'],
    [2999n, 'user 2999', ['2999', null], '2026-01-02'],
    [5000n, 'new', [], null],
  ]);
  expect(await move()).toMatchObject({ rowsWritten: 0n });
});

describe('names', () => {
  test('are taken as they are written', async () => {
    await using session = await datastoreDestination.open({ schema: 'My "raw"' }, lab.context());
    await using writer = await session.stream(originOf(), selectionOf('select; "Größe"'));
    await writer.begin(
      columnsOf({ 'group by': 'INTEGER', "it's": 'INTEGER', 'naïve "x"': 'INTEGER' }),
      false,
    );
    const scan = `SELECT 1 AS "group by", 2 AS "it's", 3 AS "naïve ""x"""`;
    await writer.stage(partOf(scan), 'p', never, () => undefined);
    await writer.publish(null, null);
    expect(await lab.rows(`SELECT * FROM "My ""raw""" . "select; ""Größe"""`)).toEqual([[1, 2, 3]]);
  });

  test('that PostgreSQL would cut, or keeps for itself, are refused with SCHEMA', async () => {
    const long = 'x'.repeat(64);
    await expect(write(one, { destinationTable: long })).rejects.toMatchObject({ kind: 'SCHEMA' });
    await expect(write('SELECT 1 AS id', {}, { [long]: 'INTEGER' })).rejects.toMatchObject({
      kind: 'SCHEMA',
    });
    await expect(write('SELECT 1 AS ctid', {}, { ctid: 'INTEGER' })).rejects.toMatchObject({
      kind: 'SCHEMA',
    });
    expect(await lab.staged()).toEqual([]);
  });

  test('a column whose name differs in case alone goes where the table has it', async () => {
    await write(one);
    await write("SELECT 2 AS ID, 'b' AS V", { writeMode: 'APPEND' }, { ID: 'INTEGER', V: 'VARCHAR' });
    expect(await lab.readTable('orders')).toEqual([
      [1, 'a'],
      [2, 'b'],
    ]);
  });
});
