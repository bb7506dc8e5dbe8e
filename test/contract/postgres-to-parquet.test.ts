import { expect, test } from 'vitest';
import type { Json, StreamSelection } from '#connectors/contract.ts';
import { parquetDestination } from '#connectors/parquet/destination.ts';
import { postgresSource } from '#connectors/postgres/source.ts';
import { moveStream, originOf, selectionOf } from '../support/move-stream.ts';
import { openSourceDatabase, type SourceDatabase } from '../support/source-database.ts';

const { jobId } = originOf();

function move(
  database: SourceDatabase,
  name: string,
  more: Partial<StreamSelection> = {},
  state: Json | null = null,
) {
  return moveStream(database.mover, {
    source: postgresSource,
    sourceConfig: database.config,
    destination: parquetDestination,
    destinationConfig: { path: 'lake' },
    origin: originOf(jobId),
    selection: selectionOf(name, { namespace: 'public', ...more }),
    state,
  });
}

function rows(database: SourceDatabase, table: string, what = '*', where = 'true'): Promise<unknown[][]> {
  const files = `${database.mover.filesRoot}/lake/${table}/*.parquet`;
  return database.mover.rows(`SELECT ${what} FROM read_parquet('${files}') WHERE ${where} ORDER BY ALL`);
}

test('a table in many parts arrives with every row once, its types kept', async () => {
  await using database = await openSourceDatabase();
  await database.sql(
    `CREATE TABLE orders (id int8 PRIMARY KEY, price numeric(12,2), at timestamptz, tags text[], doc jsonb, took interval, raw bytea);
     INSERT INTO orders SELECT n, n / 100.0, '2024-01-01'::timestamptz + n * interval '1 second', ARRAY['a', NULL, 'n ' || n],
       jsonb_build_object('n', n), n * interval '1 microsecond', decode(lpad(to_hex(n), 8, '0'), 'hex')
       FROM generate_series(1, 600000) n; ANALYZE orders`,
  );
  const { parts, rowsWritten, lines } = await move(database, 'orders');
  expect(parts).toBeGreaterThan(1);
  expect(rowsWritten).toBe(600_000n);
  expect(lines).toEqual([expect.stringContaining('The column "took" is written as text')]);
  expect(await rows(database, 'orders', 'count(*), count(DISTINCT id), sum(price), max("at")')).toEqual([
    [600_000n, 600_000n, '1800003000.00', '2024-01-07T22:40:00.000000Z'],
  ]);
  const [seventh] = await rows(database, 'orders', '*', 'id = 7');
  expect(seventh).toEqual([
    7n,
    '0.07',
    '2024-01-01T00:00:07.000000Z',
    ['a', null, 'n 7'],
    '{"n": 7}',
    '00:00:00.000007',
    'AAAABw==',
  ]);
});

test('by cursor with APPEND and with UPSERT nothing is lost and nothing comes twice', async () => {
  await using database = await openSourceDatabase();
  await database.sql(
    `CREATE TABLE log (id int4 PRIMARY KEY, seq int4, v text); INSERT INTO log VALUES (1, 1, 'a'), (2, 2, 'b'), (3, 2, 'c')`,
  );
  const append = {
    syncMode: 'INCREMENTAL',
    cursorField: 'seq',
    writeMode: 'APPEND',
    destinationTable: 'appended',
  } as const;
  const upsert = {
    ...append,
    writeMode: 'UPSERT',
    primaryKey: ['id'],
    destinationTable: 'upserted',
  } as const;
  const first = [
    await move(database, 'log', append),
    await move(database, 'log', { ...upsert, primaryKey: ['id'] }),
  ];
  await database.sql(
    `INSERT INTO log VALUES (4, 2, 'd'), (5, 3, 'e'); UPDATE log SET seq = 3, v = 'A' WHERE id = 1`,
  );
  expect((await move(database, 'log', append, first[0]!.state)).rowsWritten).toBe(3n);
  await move(database, 'log', { ...upsert, primaryKey: ['id'] }, first[1]!.state);
  const fresh = [
    [1, 3, 'A'],
    [2, 2, 'b'],
    [3, 2, 'c'],
    [4, 2, 'd'],
    [5, 3, 'e'],
  ];
  expect(await rows(database, 'appended')).toEqual([[1, 1, 'a'], ...fresh]);
  expect(await rows(database, 'upserted')).toEqual(fresh);
});
