import { gzipSync, zstdCompressSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { duckDbType } from '#connectors/column-type.ts';
import { ColumnMisfit } from '#connectors/contract.ts';
import { type FilesLab, openFilesLab, planned, readStream, rowsOf, typesOf } from '../support/files-lab.ts';

let lab: FilesLab;
beforeEach(async () => {
  lab = await openFilesLab();
});
afterEach(async () => {
  await lab[Symbol.asyncDispose]();
});

describe('CSV', () => {
  test('each type is found and each value kept exactly', async () => {
    await lab.write(
      't.csv',
      'id,zip,amount,big,ok,day,at,atz,clock,words,none\n' +
        '1,007,1.50,12345678901234567890,true,2024-01-02,2024-01-02 03:04:05,2024-01-02T03:04:05Z,10:11:12.5,"a ""q"" \nb",\n' +
        '-9223372036854775808,123,2,5,false,2024-02-29,2024-01-02T03:04:05.123456,2024-01-02 03:04:05+02,00:00:00,"",\n',
    );
    expect(await typesOf(lab, 't')).toEqual({
      id: 'BIGINT',
      zip: 'VARCHAR',
      amount: 'DOUBLE',
      big: 'VARCHAR',
      ok: 'BOOLEAN',
      day: 'DATE',
      at: 'TIMESTAMP',
      atz: 'TIMESTAMP WITH TIME ZONE',
      clock: 'TIME',
      words: 'VARCHAR',
      none: 'VARCHAR',
    });
    expect(await readStream(lab, 't')).toEqual([
      [
        1n,
        '007',
        1.5,
        '12345678901234567890',
        true,
        '2024-01-02',
        '2024-01-02T03:04:05.000000Z',
        '2024-01-02T03:04:05.000000Z',
        '10:11:12.5',
        'a "q" \nb',
        null,
      ],
      [
        -9223372036854775808n,
        '123',
        2,
        '5',
        false,
        '2024-02-29',
        '2024-01-02T03:04:05.123456Z',
        '2024-01-02T01:04:05.000000Z',
        '00:00:00',
        '',
        null,
      ],
    ]);
  });

  test.each([
    '007',
    '+5',
    '1_000',
    ' 5',
    '1.5x',
    '12345678901234567.891',
    '9223372036854775808',
    '01/02/2024',
    '2024-01-02 03:04:05.1234567',
    '0x10',
  ])('%s stays what it is, as text', async (value) => {
    await lab.write('t.csv', `a,b\n"${value}",1\n`);
    expect(await readStream(lab, 't')).toEqual([[value, 1n]]);
    expect(await typesOf(lab, 't')).toEqual({ a: 'VARCHAR', b: 'BIGINT' });
  });

  test('an empty value is NULL, a quoted empty one is empty text', async () => {
    await lab.write('t.csv', 'a,n\n,1\n"",\nx,""\n');
    expect(await readStream(lab, 't')).toEqual([
      [null, 1n],
      ['', null],
      ['x', null],
    ]);
  });

  test('nullString, delimiter and header are the config’s', async () => {
    await lab.write('t.csv', '1~\\N~x\n2~~"\\N"\n');
    const csv = { delimiter: '~', header: false, nullString: '\\N' };
    expect(await typesOf(lab, 't', { config: { csv } })).toEqual({
      column_1: 'BIGINT',
      column_2: 'VARCHAR',
      column_3: 'VARCHAR',
    });
    expect(await readStream(lab, 't', { config: { csv } })).toEqual([
      [1n, null, 'x'],
      [2n, '', '\\N'],
    ]);
  });

  test.each<[string, string, string | Uint8Array, unknown[][]]>([
    ['a byte order mark', 't.csv', '\ufeffa,b\n1,2\n', [[1n, 2n]]],
    [
      'CRLF',
      't.csv',
      'a,b\r\n1,2\r\n3,4\r\n',
      [
        [1n, 2n],
        [3n, 4n],
      ],
    ],
    [
      'line breaks in quotes',
      't.csv',
      'a,b\n1,"x\ny"\n2,"p\r\nq"\n',
      [
        [1n, 'x\ny'],
        [2n, 'p\r\nq'],
      ],
    ],
    ['no line break at the end', 't.csv', 'a,b\n1,2', [[1n, 2n]]],
    ['semicolons', 't.csv', 'a;b\n1;"2;3"\n', [[1n, '2;3']]],
    ['tabs', 't.tsv', 'a\tb\n1\t2\n', [[1n, 2n]]],
    ['pipes', 't.csv', 'a|b\n1|2\n', [[1n, 2n]]],
    ['gzip', 't.csv.gz', gzipSync('a,b\n1,2\n'), [[1n, 2n]]],
    ['zstd', 't.csv.zst', zstdCompressSync('a,b\n1,2\n'), [[1n, 2n]]],
    ['a header and no rows', 't.csv', 'a,b\n', []],
    ['unicode', 't.csv', 'näme,b\n😀,2\n', [['😀', 2n]]],
  ])('%s is read', async (_title, file, content, rows) => {
    await lab.write(file, content);
    expect(await readStream(lab, 't')).toEqual(rows);
  });

  test('names that repeat, are empty or differ only in case are told apart, and no value is lost', async () => {
    await lab.write('t.csv', 'a,A,,a\n1,2,3,4\n');
    expect(Object.keys(await typesOf(lab, 't'))).toEqual(['a', 'A_1', 'column_3', 'a_2']);
    expect(await readStream(lab, 't')).toEqual([[1n, 2n, 3n, 4n]]);
  });

  test.each<[string, string, string | Uint8Array, RegExp]>([
    [
      'too few fields',
      't.csv',
      'a,b\n1,2\n3\n',
      /"t.csv" cannot be read: line 3: it has 1 fields where the first line has 2/,
    ],
    ['too many fields', 't.csv', 'a,b\n1,2\n3,4,5\n', /"t.csv" cannot be read: line 3: it has 3 fields/],
    ['an open quote', 't.csv', 'a,b\n1,"2\n3,4\n', /"t.csv" cannot be read: line 2: a quote is opened/],
    ['Latin-1', 't.csv', Buffer.from('a,b\n1,caf\xe9\n', 'latin1'), /"t.csv" cannot be read: .*not UTF-8/],
    [
      'UTF-16',
      't.csv',
      Buffer.from('\ufeffa,b\n1,2\n', 'utf16le'),
      /"t.csv" cannot be read: it is not UTF-8/,
    ],
    [
      'something else than gzip',
      't.csv.gz',
      'a,b\n1,2\n',
      /"t.csv.gz" cannot be read: it is not the gzip or zstd that its name says/,
    ],
    [
      'zstd cut off',
      't.csv.zst',
      zstdCompressSync(`a,b\n${'1,2\n'.repeat(99_999)}`).subarray(0, 50),
      /"t.csv.zst" cannot be read: .*damaged or cut off/,
    ],
    [
      'gzip cut off',
      't.csv.gz',
      gzipSync(`a,b\n${'1,2\n'.repeat(99_999)}`).subarray(0, 200),
      /"t.csv.gz" cannot be read: .*damaged or cut off/,
    ],
    [
      'something else than Parquet',
      't.parquet',
      'a,b\n1,2\n',
      /"t.parquet" cannot be read: it is not a Parquet file/,
    ],
    [
      'broken JSON',
      't.jsonl',
      '{"a":1}\n{"a":\n',
      /"t.jsonl" cannot be read: line \d, byte \d+: it is not JSON/,
    ],
    [
      'JSON that is no object',
      't.jsonl',
      '{"a":1}\n5\n',
      /"t.jsonl" cannot be read: not every value in it is a JSON object/,
    ],
  ])('%s fails with the file and the reason', async (_title, file, content, message) => {
    await lab.write(file, content);
    await expect(readStream(lab, 't')).rejects.toThrow(
      expect.objectContaining({
        kind: 'SOURCE',
        message: expect.stringMatching(message),
        fix: expect.any(String),
      }),
    );
  });

  test('a ragged line behind the sample fails with its line', async () => {
    await lab.write('t.csv', `a,b\n${'1,2\n'.repeat(30_000)}3\n`);
    await expect(readStream(lab, 't')).rejects.toThrow(/"t.csv" cannot be read: line 30002: it has 1 fields/);
  });

  test('a value behind the sample that does not fit asks for text, and then nothing is lost', async () => {
    await lab.write('t.csv', `a,b\n${'1,2\n'.repeat(30_000)}3,"it is ""five"""\n`);
    const misfit = await readStream(lab, 't').catch((error: unknown) => error);
    expect(misfit).toBeInstanceOf(ColumnMisfit);
    expect(misfit).toMatchObject({ column: 'b', value: 'it is "five"' });
    await planned(lab, 't', { asText: ['b'] }, async (plan) => {
      expect(plan.columns[1]).toMatchObject({
        type: { kind: 'text' },
        asTextBecause: 'a value in it is not int64',
      });
      const rows = await rowsOf(plan, lab);
      expect(rows.length).toBe(30_001);
      expect(rows.at(-1)).toEqual([3n, 'it is "five"']);
    });
  });

  test('a row of eight megabytes is read', async () => {
    await lab.write('t.csv', `a,b\n1,${'x'.repeat(8_000_000)}\n`);
    const [[, long] = []] = await readStream(lab, 't');
    expect(String(long).length).toBe(8_000_000);
  });
});

describe('JSON', () => {
  test('keys become columns wherever they first appear; what is nested stays JSON', async () => {
    const many = '{"id":1,"v":1}\n'.repeat(25_000);
    await lab.write(
      't.jsonl',
      `${many}{"id":2,"v":2.5,"tags":["a"],"doc":{"x":{"y":1}},"late":"2024-01-02","s":"007","ok":true}\n`,
    );
    expect(await typesOf(lab, 't')).toEqual({
      id: 'BIGINT',
      v: 'DOUBLE',
      tags: 'JSON',
      doc: 'JSON',
      late: 'VARCHAR',
      s: 'VARCHAR',
      ok: 'BOOLEAN',
    });
    expect((await readStream(lab, 't')).at(-1)).toEqual([
      2n,
      2.5,
      '["a"]',
      '{"x":{"y":1}}',
      '2024-01-02',
      '007',
      true,
    ]);
  });

  test('a list of objects, and one object after the other, are both rows', async () => {
    await lab.write('list.json', '[{"a":1,"at":"2024-01-02T03:04:05Z"},\n {"a":null}]');
    await lab.write('lines.json', '{"a":1}\n{"a":12345678901234567890123}\n');
    await lab.write('none.json', '[]');
    expect(await readStream(lab, 'list')).toEqual([
      [1n, '2024-01-02T03:04:05.000000Z'],
      [null, null],
    ]);
    expect(await readStream(lab, 'lines')).toEqual([['1'], ['12345678901234567890123']]);
    await expect(readStream(lab, 'none')).rejects.toThrow('has no file with columns');
  });

  test('a key that is null everywhere takes the type that other files have for it', async () => {
    await lab.write('s/a.json', '{"id":1,"v":null,"doc":null}');
    await lab.write('s/b.json.gz', gzipSync('{"id":2,"v":2,"doc":{"x":1}}'));
    expect(await typesOf(lab, 's')).toEqual({ id: 'BIGINT', v: 'BIGINT', doc: 'JSON' });
    expect(await readStream(lab, 's')).toEqual([
      [1n, null, null],
      [2n, 2n, '{"x":1}'],
    ]);
  });

  test('text that looks like a number stays text', async () => {
    await lab.write('t.ndjson.gz', gzipSync('{"a":"1","b":1}\n'));
    expect(await readStream(lab, 't')).toEqual([['1', 1n]]);
  });

  test('keys that differ only in case are refused, since one of them would be lost', async () => {
    await lab.write('t.json', '{"a":1,"A":2}');
    await lab.write('fine.json', '{"a":1,"a_1":2}');
    await expect(readStream(lab, 't')).rejects.toThrow('differ from "A" only in case');
    expect(await readStream(lab, 'fine')).toEqual([[1n, 2n]]);
  });
});

describe('Parquet', () => {
  test('each type arrives as it is; what has none of its own becomes JSON or text with a reason', async () => {
    await lab.rows(
      `COPY (SELECT true b, 1::UTINYINT u1, -5::TINYINT i1, 2::SMALLINT i2, 3::INTEGER i4, 4::BIGINT i8, 18446744073709551615::UBIGINT u8,
        1.5::FLOAT f4, 'nan'::DOUBLE f8, 12345678901234567890123456789012345.678::DECIMAL(38,3) d, 'é' t, '\\x00\\xFF'::BLOB bl,
        '5c9ad5a2-8d1e-4a86-9e5a-3c8b2d7e1f00'::UUID u, DATE '2024-02-29' dt, TIME '10:11:12.123456' tm, TIMESTAMP 'infinity' ts,
        TIMESTAMPTZ '2024-01-02 03:04:05+02' tz, TIMESTAMP_NS '2024-01-02 03:04:05.123456' ns, [1, NULL, 3] l, {x: 1.10::DECIMAL(4,2), y: 'z'} s,
        MAP {'k': 1} m, [{a: 1}] ls, '10:00:00+02'::TIMETZ ttz, '{"a": 1.0}'::JSON j)
       TO '$root/t.parquet' (FORMAT parquet)`,
    );
    await planned(lab, 't', {}, async (plan) => {
      const found = Object.fromEntries(plan.columns.map(({ name, type }) => [name, duckDbType(type)]));
      const [row = []] = await rowsOf(plan, lab);
      const arrived = plan.columns.map(({ name }, at) => [name, found[name], row[at]]);
      expect(arrived).toEqual([
        ['b', 'BOOLEAN', true],
        ['u1', 'SMALLINT', 1],
        ['i1', 'SMALLINT', -5],
        ['i2', 'SMALLINT', 2],
        ['i4', 'INTEGER', 3],
        ['i8', 'BIGINT', 4n],
        ['u8', 'DECIMAL(20,0)', '18446744073709551615'],
        ['f4', 'FLOAT', 1.5],
        ['f8', 'DOUBLE', 'NaN'],
        ['d', 'DECIMAL(38,3)', '12345678901234567890123456789012345.678'],
        ['t', 'VARCHAR', 'é'],
        ['bl', 'BLOB', 'AP8='],
        ['u', 'UUID', '5c9ad5a2-8d1e-4a86-9e5a-3c8b2d7e1f00'],
        ['dt', 'DATE', '2024-02-29'],
        ['tm', 'TIME', '10:11:12.123456'],
        ['ts', 'TIMESTAMP', 'infinity'],
        ['tz', 'TIMESTAMP WITH TIME ZONE', '2024-01-02T01:04:05.000000Z'],
        ['ns', 'TIMESTAMP', '2024-01-02T03:04:05.123456Z'],
        ['l', 'INTEGER[]', [1, null, 3]],
        ['s', 'JSON', '{"x":1.1,"y":"z"}'],
        ['m', 'JSON', '{"k":1}'],
        ['ls', 'JSON[]', ['{"a":1}']],
        ['ttz', 'VARCHAR', '08:00:00+00'],
        ['j', 'JSON', '{"a": 1.0}'],
      ]);
      const asText = plan.columns.filter((column) => column.asTextBecause !== undefined);
      expect(asText.map((column) => column.name)).toEqual(['ttz']);
      expect(plan.estimatedRows).toBe(1n);
    });
  });

  test('a timestamp finer than a microsecond asks for text', async () => {
    await lab.rows(
      `COPY (SELECT TIMESTAMP_NS '2024-01-02 03:04:05.123456789' ns) TO '$root/t.parquet' (FORMAT parquet)`,
    );
    await expect(readStream(lab, 't')).rejects.toThrow(expect.objectContaining({ column: 'ns' }));
    expect(await readStream(lab, 't', { asText: ['ns'] })).toEqual([['2024-01-02 03:04:05.123456789']]);
  });
});
