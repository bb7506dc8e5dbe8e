import { readdir } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type BigQueryLab, openBigQueryLab } from '../support/bigquery-lab.ts';
import { columnsIn, typesSuite } from './cloud-types.suite.ts';

const opened: { lab?: BigQueryLab } = {};
beforeAll(async () => {
  opened.lab = await openBigQueryLab();
});
afterAll(() => opened.lab?.[Symbol.asyncDispose]());
const lab = () => opened.lab!;
const typesLab = () => ({ ...lab(), warehouse: lab().bigQuery, database: lab().bigQuery.database });

typesSuite('BigQuery', typesLab, {
  cases: [
    ['BOOLEAN', 'BOOL', [true, false, null]],
    ['SMALLINT', 'INT64', [-32768n, 32767n, null]],
    ['BIGINT', 'INT64', [-9223372036854775808n, 9223372036854775807n, 9007199254740993n]],
    ['DECIMAL(12,2)', 'NUMERIC(12, 2)', ['0.01', '-9999999999.99', '1.5']],
    ['DECIMAL(38,0)', 'BIGNUMERIC(38)', ['99999999999999999999999999999999999999', '-1']],
    ['DECIMAL(38,38)', 'BIGNUMERIC(38, 38)', ['0.00000000000000000000000000000000000001']],
    ['FLOAT', 'FLOAT64', [0.5, 'NaN', '-Infinity']],
    [
      'DOUBLE',
      'FLOAT64',
      [0.1, 0.30000000000000004, 1.7976931348623157e308, 5e-324, 'Infinity'],
      ['0.1', '0.30000000000000004', '1.7976931348623157e308', '5e-324', "'Infinity'"],
    ],
    [
      'VARCHAR',
      'STRING',
      ['', '  both ', `it's "quoted", 漢字 🦆`, 'line\n\t\\N', null],
      [
        "''",
        "'  both '",
        `'it''s "quoted", 漢字 🦆'`,
        "'line' || chr(10) || chr(9) || chr(92) || 'N'",
        'NULL',
      ],
    ],
    ['UUID', 'STRING', ['a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11']],
    [
      'DATE',
      'DATE',
      ['2026-11-21', '0001-01-01', '9999-12-31'],
      ["'2026-11-21'", "'0001-01-01'", "'9999-12-31'"],
    ],
    ['TIME', 'TIME', ['00:00:00', '23:59:59.999999']],
    [
      'TIMESTAMP',
      'DATETIME',
      ['2026-11-21T10:20:30.123456Z', '1969-12-31T23:59:59.999999Z', '9999-12-31T23:59:59.999999Z'],
      ["'2026-11-21 10:20:30.123456'", "'1969-12-31 23:59:59.999999'", "'9999-12-31 23:59:59.999999'"],
    ],
    ['TIMESTAMP WITH TIME ZONE', 'TIMESTAMP', ['2026-11-21T04:50:30.123456Z', '1883-11-18T12:00:00.000000Z']],
    ['INTERVAL', 'STRING', ['1 year -3 days 04:05:06.789'], ["'1 year -3 days 04:05:06.789'"]],
    [
      'JSON',
      'JSON',
      ['{"a":[1,2.5,null]}', 'null', '"text"', null],
      [`'{"a":[1,2.5,null]}'`, "'null'", `'"text"'`, 'NULL'],
    ],
    ['BLOB', 'BYTES', ['AP8Q', '', null]],
    ['BIGINT[]', 'JSON', ['[9007199254740993,null]', '[]', null], ['[9007199254740993, NULL]', '[]', 'NULL']],
    ['VARCHAR[]', 'JSON', ['["a,b","\\"q\\"",null,""]']],
    ['DOUBLE[]', 'JSON', ['[0.5,"nan",null]']],
    ['BLOB[]', 'JSON', ['["00FF"]']],
  ],
  typesOf: 'catalog',
  texts: {
    UUID: 'BigQuery has no type for UUIDs',
    INTERVAL: 'an interval of BigQuery is not one of microseconds, days and months',
  },
  misfits: [
    ['DATE', "'infinity'"],
    ['TIMESTAMP', "'29000-01-01 00:00:00'"],
    ['TIMESTAMP WITH TIME ZONE', "'infinity'"],
    ['TIME', "'24:00:00'"],
  ],
});

const { write, arrived } = columnsIn(typesLab);

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

test('a table of other partitions is not replaced, and the task is told what to do', async () => {
  await write('INTEGER', ['1'], { destinationTable: 'parted' });
  const message =
    'Cannot replace a table with a different partitioning spec. Instead, DROP the table, and then recreate it.';
  const failing = {
    status: 400,
    reason: 'invalidQuery',
    message,
    words: 'CREATE OR REPLACE TABLE',
    count: 1,
  };
  await lab().server.order({ failing });
  await expect(write('INTEGER', ['2'], { destinationTable: 'parted' })).rejects.toMatchObject({
    kind: 'SCHEMA',
    message: expect.stringContaining('partitioned') as string,
    fix: expect.stringContaining('APPEND') as string,
  });
  expect(await arrived('parted')).toEqual([1n]);
});
