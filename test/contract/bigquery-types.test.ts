import { readdir } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { StreamPlan, StreamSelection, WriterNotes } from '#connectors/contract.ts';
import { datastoreDestination } from '#connectors/datastore/destination.ts';
import type { Answer } from '#warehouse/warehouse.ts';
import { type BigQueryLab, openBigQueryLab } from '../support/bigquery-lab.ts';
import { originOf, selectionOf } from '../support/move-stream.ts';
import { columnsOf, partOf } from './destination.suite.ts';

const opened: { lab?: BigQueryLab } = {};
const lab = () => opened.lab!;
beforeAll(async () => {
  opened.lab = await openBigQueryLab();
});
afterAll(() => opened.lab?.[Symbol.asyncDispose]());

const never = new AbortController().signal;

/** Writes a table of one column `v` of these values, each as DuckDB's SQL. */
async function write(
  type: string,
  values: string[],
  more: Partial<StreamSelection> = {},
  ties: StreamPlan['ties'] = null,
) {
  await using session = await datastoreDestination.open({}, lab().context());
  await using writer = await session.stream(originOf(), selectionOf('types', more));
  await writer.begin(columnsOf({ id: 'INTEGER', v: type }), false);
  const rows = values.map((value, at) => `(${at}, CAST(${value} AS ${type}))`);
  const scan = `SELECT CAST(id AS INTEGER) AS id, v FROM (VALUES ${rows.join(', ')}) t (id, v)`;
  await writer.stage(partOf(scan), 'p', never, () => undefined);
  return (await writer.publish(null, ties)).rowsWritten;
}
const arrived = async (table: string) =>
  (await lab().bigQuery.run({ sql: `SELECT v FROM raw.\`${table}\` ORDER BY id` })).rows.flat();

/** DuckDB's type, its values, BigQuery's type, and what an answer holds. */
const cases: [type: string, values: string[], bigQuery: string, held: unknown[]][] = [
  ['BOOLEAN', ['true', 'false', 'NULL'], 'BOOL', [true, false, null]],
  ['SMALLINT', ['-32768', '32767', 'NULL'], 'INT64', [-32768n, 32767n, null]],
  [
    'BIGINT',
    ['-9223372036854775808', '9223372036854775807', '9007199254740993'],
    'INT64',
    [-(2n ** 63n), 2n ** 63n - 1n, 9007199254740993n],
  ],
  ['DECIMAL(12,2)', ['0.01', '-9999999999.99', '1.5'], 'NUMERIC(12, 2)', ['0.01', '-9999999999.99', '1.5']],
  [
    'DECIMAL(38,0)',
    ["'99999999999999999999999999999999999999'", '-1'],
    'BIGNUMERIC(38)',
    ['99999999999999999999999999999999999999', '-1'],
  ],
  [
    'DECIMAL(38,38)',
    ["'0.00000000000000000000000000000000000001'"],
    'BIGNUMERIC(38, 38)',
    ['0.00000000000000000000000000000000000001'],
  ],
  ['FLOAT', ['0.5', "'NaN'", "'-Infinity'"], 'FLOAT64', [0.5, 'NaN', '-Infinity']],
  [
    'DOUBLE',
    ['0.1', '0.30000000000000004', '1.7976931348623157e308', '5e-324', "'Infinity'"],
    'FLOAT64',
    [0.1, 0.30000000000000004, 1.7976931348623157e308, 5e-324, 'Infinity'],
  ],
  [
    'VARCHAR',
    [
      "''",
      "'  both '",
      "'it''s \"quoted\", 漢字 🦆'",
      "'line' || chr(10) || chr(9) || chr(92) || 'N'",
      'NULL',
    ],
    'STRING',
    ['', '  both ', 'it\'s "quoted", 漢字 🦆', 'line\n\t\\N', null],
  ],
  ['UUID', ["'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'"], 'STRING', ['a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11']],
  [
    'DATE',
    ["'2026-11-21'", "'0001-01-01'", "'9999-12-31'"],
    'DATE',
    ['2026-11-21', '0001-01-01', '9999-12-31'],
  ],
  ['TIME', ["'00:00:00'", "'23:59:59.999999'"], 'TIME', ['00:00:00', '23:59:59.999999']],
  [
    'TIMESTAMP',
    ["'2026-11-21 10:20:30.123456'", "'1969-12-31 23:59:59.999999'", "'9999-12-31 23:59:59.999999'"],
    'DATETIME',
    ['2026-11-21T10:20:30.123456Z', '1969-12-31T23:59:59.999999Z', '9999-12-31T23:59:59.999999Z'],
  ],
  [
    'TIMESTAMP WITH TIME ZONE',
    ["'2026-11-21 10:20:30.123456+05:30'", "'1883-11-18 12:00:00+00'"],
    'TIMESTAMP',
    ['2026-11-21T04:50:30.123456Z', '1883-11-18T12:00:00.000000Z'],
  ],
  ['INTERVAL', ["'1 year -3 days 04:05:06.789'"], 'STRING', ['1 year -3 days 04:05:06.789']],
  [
    'JSON',
    [`'{"a":[1,2.5,null]}'`, "'null'", '\'"text"\'', 'NULL'],
    'JSON',
    ['{"a":[1,2.5,null]}', 'null', '"text"', null],
  ],
  ['BLOB', ["'\\x00\\xFF\\x10'", "''", 'NULL'], 'BYTES', ['AP8Q', '', null]],
  ['BIGINT[]', ['[9007199254740993, NULL]', '[]', 'NULL'], 'JSON', ['[9007199254740993,null]', '[]', null]],
  ['VARCHAR[]', [`['a,b', '"q"', NULL, '']`], 'JSON', ['["a,b","\\"q\\"",null,""]']],
  ['DOUBLE[]', ["[0.5::DOUBLE, 'NaN'::DOUBLE, NULL]"], 'JSON', ['[0.5,"nan",null]']],
  ['BLOB[]', ["['\\x00\\xFF'::BLOB]"], 'JSON', ['["00FF"]']],
];

/** Rows of all cases side by side: NULL where a case has no more values. */
function everything(): string {
  const count = Math.max(...cases.map(([, values]) => values.length));
  const rows = Array.from({ length: count }, (_, row) => {
    const values = cases.map(([type, given]) => `CAST(${given[row] ?? 'NULL'} AS ${type})`);
    return `SELECT CAST(${row} AS INTEGER) AS id, ${values.map((value, at) => `${value} AS c${at}`).join(', ')}`;
  });
  return rows.join(' UNION ALL ');
}

describe('a type of a stream on BigQuery', () => {
  const notes: WriterNotes[] = [];
  const found: { answer?: Answer; types?: string[] } = {};
  beforeAll(async () => {
    const types = Object.fromEntries(cases.map(([type], at) => [`c${at}`, type]));
    const { jobId } = originOf();
    for (const writeMode of ['OVERWRITE', 'APPEND'] as const) {
      await using session = await datastoreDestination.open({}, lab().context());
      await using writer = await session.stream(originOf(jobId), selectionOf('everything', { writeMode }));
      notes.push(await writer.begin(columnsOf({ id: 'INTEGER', ...types }), false));
      await writer.stage(partOf(everything()), 'p', never, () => undefined);
      await writer.publish(null, null);
    }
    found.answer = await lab().bigQuery.run({ sql: 'SELECT * FROM raw.everything ORDER BY id' });
    const database = lab().bigQuery.database;
    const [table] = await lab().bigQuery.tables([{ database, schema: 'raw', name: 'everything' }]);
    found.types = table!.columns.map(({ dataType }) => dataType);
  });

  test.each(cases.map((each, at) => [each[0], at] as const))('%s arrives exactly', (_type, at) => {
    const [, values, bigQuery, held] = cases[at]!;
    expect(found.types![at + 1]).toBe(bigQuery);
    // Each row came twice.
    const column = found.answer!.rows.filter((_row, of) => of % 2 === 0).map((row) => row[at + 1]);
    expect(column.slice(0, values.length)).toEqual(held);
  });

  test('becomes text with a warning where BigQuery has none, and is no change to the next sync', () => {
    const said = ['c9', 'c14'].map(
      (name) => expect.stringContaining(`"${name}" is written as text`) as unknown,
    );
    expect(notes.map(({ warnings }) => warnings)).toEqual([said, said]);
    expect(notes.flatMap(({ changes }) => changes)).toEqual([]);
  });

  test.each([
    ['DATE', "'infinity'"],
    ['TIMESTAMP', "'29000-01-01 00:00:00'"],
    ['TIMESTAMP WITH TIME ZONE', "'infinity'"],
    ['TIME', "'24:00:00'"],
  ])('%s that BigQuery cannot hold, %s, makes the column text', async (type, value) => {
    const writing = write(type, [value], { destinationTable: 'odd' });
    await expect(writing).rejects.toMatchObject({ name: 'ColumnMisfit', column: 'v' });
  });
});

describe('what BigQuery groups by no window', () => {
  test.each([
    ['DOUBLE', ['0.1', "'NaN'", 'NULL'], '0.5'],
    ['BIGINT[]', ['[1, 2]', '[]', 'NULL'], '[3]'],
  ] as const)('%s is told apart among rows of the last cursor value', async (type, held, more) => {
    const table = { destinationTable: `ties_${type[0]}`, writeMode: 'APPEND' } as const;
    const ties = { column: 'id', value: '0' };
    expect(await write(type, [held[0]], table)).toBe(1n);
    expect(await write(type, [held[0]], table, ties)).toBe(0n);
    expect(await write(type, [more, held[1], held[2]], table, ties)).toBe(3n);
  });

  test('a float in the key tells rows apart', async () => {
    const table = { destinationTable: 'floats', writeMode: 'UPSERT' as const, primaryKey: ['v'] };
    expect(await write('DOUBLE', ['0.1', '0.5', '0.1'], table)).toBe(2n);
    expect(await write('DOUBLE', ['0.5', '0.7'], table)).toBe(2n);
    expect(new Set(await arrived('floats'))).toEqual(new Set([0.1, 0.5, 0.7]));
    expect(await arrived('floats')).toHaveLength(3);
  });
});

describe('a file on its way into BigQuery', () => {
  const loads = async () => (await lab().server.order({ tell: true })).loads;

  test('is loaded once, and gone from the disk, also when its upload breaks off', async () => {
    const before = await loads();
    await lab().server.order({ uploads: 2 });
    expect(await write('INTEGER', ['1', '2'], { destinationTable: 'broken' })).toBe(2n);
    expect(await arrived('broken')).toEqual([1n, 2n]);
    expect((await loads()) - before).toBe(1);
    expect(await readdir(lab().mover.pipesDir)).toEqual([]);
  });

  test('that cannot be sent fails for now, and leaves nothing', async () => {
    await lab().server.order({ uploads: 1_000 });
    const writing = write('INTEGER', ['1'], { destinationTable: 'never' });
    await expect(writing).rejects.toMatchObject({ kind: 'TRANSIENT' });
    await lab().server.order({ uploads: 0 });
    expect(await lab().read('never')).toBeNull();
    expect(await lab().staged()).toEqual([]);
  });

  test('is published once when the answers to that are lost', async () => {
    await write('INTEGER', ['1'], { destinationTable: 'lost', writeMode: 'APPEND' });
    await lab().server.order({ broken: 12 });
    await write('INTEGER', ['2'], { destinationTable: 'lost', writeMode: 'APPEND' });
    await lab().server.order({ broken: 0 });
    expect((await arrived('lost')).toSorted((a, b) => Number(a) - Number(b))).toEqual([1n, 2n]);
  });
});
