import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newId } from '#base/id.ts';
import type { StreamSelection, WriterNotes } from '#connectors/contract.ts';
import { datastoreDestination } from '#connectors/datastore/destination.ts';
import type { Answer } from '#warehouse/warehouse.ts';
import { originOf, selectionOf } from '../support/move-stream.ts';
import { openSnowflakeLab, type SnowflakeLab } from '../support/snowflake-lab.ts';
import { columnsOf, partOf } from './destination.suite.ts';

const opened: { lab?: SnowflakeLab } = {};
const lab = () => opened.lab!;
beforeAll(async () => {
  opened.lab = await openSnowflakeLab();
});
afterAll(() => opened.lab?.[Symbol.asyncDispose]());

const never = new AbortController().signal;

/** Writes a table of one column `v` of these values, each as DuckDB's SQL, and gives what was said of it. */
async function write(type: string, values: string[], more: Partial<StreamSelection> = {}) {
  await using session = await datastoreDestination.open({}, lab().context());
  await using writer = await session.stream(originOf(), selectionOf('types', more));
  const notes = await writer.begin(columnsOf({ id: 'INTEGER', v: type }), false);
  const rows = values.map((value, at) => `(${at}, CAST(${value} AS ${type}))`);
  const scan = `SELECT CAST(id AS INTEGER) AS id, v FROM (VALUES ${rows.join(', ')}) t (id, v)`;
  await writer.stage(partOf(scan), 'p', never, () => undefined);
  await writer.publish(null, null);
  return notes;
}
const arrived = async (table: string) => {
  const name = `"WRITES"."raw"."${table}"`;
  return (await lab().snowflake.run({ sql: `SELECT "v" FROM ${name} ORDER BY "id"` })).rows.flat();
};

/** DuckDB's type, its values, Snowflake's type, and what an answer holds. */
const cases: [type: string, values: string[], snowflake: string, held: unknown[]][] = [
  ['BOOLEAN', ['true', 'false', 'NULL'], 'BOOLEAN', [true, false, null]],
  ['SMALLINT', ['-32768', '32767', 'NULL'], 'NUMBER(5,0)', [-32768n, 32767n, null]],
  ['INTEGER', ['-2147483648', '2147483647'], 'NUMBER(10,0)', [-2147483648n, 2147483647n]],
  [
    'BIGINT',
    ['-9223372036854775808', '9223372036854775807', '9007199254740993'],
    'NUMBER(19,0)',
    [-(2n ** 63n), 2n ** 63n - 1n, 9007199254740993n],
  ],
  ['DECIMAL(12,2)', ['0.01', '-9999999999.99', '1.5'], 'NUMBER(12,2)', ['0.01', '-9999999999.99', '1.50']],
  ['DECIMAL(18,0)', ['999999999999999999'], 'NUMBER(18,0)', [999999999999999999n]],
  [
    'DECIMAL(38,0)',
    ["'99999999999999999999999999999999999999'", '-1'],
    'NUMBER(38,0)',
    ['99999999999999999999999999999999999999', -1n],
  ],
  [
    'DECIMAL(38,38)',
    ["'0.00000000000000000000000000000000000001'"],
    'NUMBER(38,38)',
    ['0.00000000000000000000000000000000000001'],
  ],
  ['FLOAT', ['0.5', "'NaN'", "'-Infinity'"], 'FLOAT', [0.5, 'NaN', '-Infinity']],
  [
    'DOUBLE',
    ['0.1', '0.30000000000000004', '1.7976931348623157e308', '5e-324', "'NaN'", "'Infinity'"],
    'FLOAT',
    [0.1, 0.30000000000000004, 1.7976931348623157e308, 5e-324, 'NaN', 'Infinity'],
  ],
  [
    'VARCHAR',
    [
      "''",
      "'  both '",
      "'it''s \"quoted\", 漢字 🦆'",
      "'line' || chr(10) || chr(9) || chr(92) || 'N'",
      'NULL',
      "'NULL'",
    ],
    'VARCHAR',
    ['', '  both ', 'it\'s "quoted", 漢字 🦆', 'line\n\t\\N', null, 'NULL'],
  ],
  ['UUID', ["'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'"], 'VARCHAR', ['a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11']],
  [
    'DATE',
    ["'2026-11-21'", "'0001-01-01'", "'9999-12-31'", 'NULL'],
    'DATE',
    ['2026-11-21', '0001-01-01', '9999-12-31', null],
  ],
  ['TIME', ["'00:00:00'", "'23:59:59.999999'"], 'TIME', ['00:00:00', '23:59:59.999999']],
  [
    'TIMESTAMP',
    [
      "'2026-11-21 10:20:30.123456'",
      "'1969-12-31 23:59:59.999999'",
      "'0001-01-01 00:00:00'",
      "'9999-12-31 23:59:59.999999'",
    ],
    'TIMESTAMP_NTZ',
    [
      '2026-11-21T10:20:30.123456Z',
      '1969-12-31T23:59:59.999999Z',
      '0001-01-01T00:00:00.000000Z',
      '9999-12-31T23:59:59.999999Z',
    ],
  ],
  [
    'TIMESTAMP WITH TIME ZONE',
    ["'2026-11-21 10:20:30.123456+05:30'", "'1883-11-18 12:00:00+00'"],
    'TIMESTAMP_LTZ',
    ['2026-11-21T04:50:30.123456Z', '1883-11-18T12:00:00.000000Z'],
  ],
  [
    'INTERVAL',
    ["'1 year 2 months -3 days 04:05:06.789'", "'0 days'"],
    'VARCHAR',
    ['1 year 2 months -3 days 04:05:06.789', '00:00:00'],
  ],
  [
    'JSON',
    [`'{"a": [1, 2.50, null], "n": 12345678901234567890}'`, "'null'", '\'"text"\'', 'NULL'],
    'VARIANT',
    ['{"a": [1, 2.50, null], "n": 12345678901234567890}', 'null', '"text"', null],
  ],
  ['BLOB', ["'\\x00\\xFF\\x10'", "''", 'NULL'], 'BINARY', ['AP8Q', '', null]],
  ['INTEGER[]', ['[1, NULL, -3]', '[]', 'NULL'], 'ARRAY', [[1, null, -3], [], null]],
  ['BIGINT[]', ['[9007199254740993]'], 'ARRAY', [['9007199254740993']]],
  ['VARCHAR[]', [`['a,b', '"q"', NULL, '']`], 'ARRAY', [['a,b', '"q"', null, '']]],
  ['DOUBLE[]', ["[0.5::DOUBLE, 'NaN'::DOUBLE, NULL]"], 'ARRAY', [[0.5, 'nan', null]]],
  ['BLOB[]', ["['\\x00\\xFF'::BLOB]"], 'ARRAY', [['00FF']]],
  ['DATE[]', ["['2026-01-02', 'infinity']"], 'ARRAY', [['2026-01-02', 'infinity']]],
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

describe('a type of a stream on Snowflake', () => {
  const notes: WriterNotes[] = [];
  const found: { answer?: Answer } = {};
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
    const sql = `SELECT * FROM "WRITES"."raw"."everything" ORDER BY "id"`;
    found.answer = await lab().snowflake.run({ sql });
  });

  test.each(cases.map((each, at) => [each[0], at] as const))('%s arrives exactly', (_type, at) => {
    const [, values, snowflake, held] = cases[at]!;
    const { columns, rows } = found.answer!;
    expect(columns[at + 1]!.dataType.replace(/^(VARCHAR|TIM\w+)\(.*/, '$1')).toBe(snowflake);
    // Each row came twice.
    const column = rows.filter((_row, of) => of % 2 === 0).map((row) => row[at + 1]);
    expect(column.slice(0, values.length)).toEqual(held);
  });

  test('becomes text with a warning where Snowflake has none, and is no change to the next sync', () => {
    const said = [
      'The column "c11" is written as text: Snowflake has no type for UUIDs.',
      'The column "c16" is written as text: Snowflake has no type for intervals.',
    ];
    expect(notes.map(({ warnings }) => warnings)).toEqual([said, said]);
    expect(notes.flatMap(({ changes }) => changes)).toEqual([]);
  });

  test.each([
    ['DATE', "'infinity'"],
    ['DATE', "'0044-03-15 (BC)'"],
    ['DATE', "'10000-01-01'"],
    ['TIMESTAMP', "'-infinity'"],
    ['TIMESTAMP', "'29000-01-01 00:00:00'"],
    ['TIMESTAMP WITH TIME ZONE', "'infinity'"],
    ['TIME', "'24:00:00'"],
  ])('%s that Snowflake cannot hold, %s, makes the column text', async (type, value) => {
    const writing = write(type, ["'2026-01-02 03:04:05'", value].slice(type === 'TIME' ? 1 : 0), {
      destinationTable: 'odd',
    });
    await expect(writing).rejects.toMatchObject({ name: 'ColumnMisfit', column: 'v' });
  });

  test.each([
    ['DATE', "'2026-01-02'", '2026-01-02'],
    ['TIMESTAMP', "'2026-01-02 03:04:00'", '2026-01-02 03:04:00'],
    ['TIMESTAMP', "'2026-01-02 03:04:05.5'", '2026-01-02 03:04:05.5'],
    ['TIMESTAMP WITH TIME ZONE', "'2026-01-02 03:04:05.25+00'", '2026-01-02 03:04:05.25+00'],
    ['INTEGER', '7', '7'],
    ['BOOLEAN', 'true', 'true'],
  ])(
    'a table’s column of %s becomes text as DuckDB writes it, when later rows come as text',
    async (type, value, text) => {
      const turns = { destinationTable: `turns_${newId().slice(-12)}`, writeMode: 'APPEND' } as const;
      await write(type, [value], turns);
      await using session = await datastoreDestination.open({}, lab().context());
      await using writer = await session.stream(originOf(), selectionOf('types', turns));
      const [id, v] = columnsOf({ id: 'INTEGER', v: 'VARCHAR' });
      const { changes } = await writer.begin([id!, { ...v!, asTextBecause: 'a test says so' }], false);
      expect(changes).toEqual([expect.stringContaining('to text')]);
      await writer.stage(partOf(`SELECT 1 AS id, 'odd' AS v`), 'p', never, () => undefined);
      await writer.publish(null, null);
      expect(await arrived(turns.destinationTable)).toEqual([text, 'odd']);
    },
  );
});
