import { execFile } from 'node:child_process';
import { appendFile, mkdir, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { duckDbType } from '#connectors/column-type.ts';
import { ColumnMisfit, type Json, type StreamPlan, type StreamSelection } from '#connectors/contract.ts';
import { filesSource, type FilesConfig } from '#connectors/files/source.ts';
import { openFilesLab, rowsOf, selectionOf, type FilesLab } from '../support/files-lab.ts';

let lab: FilesLab;
beforeEach(async () => {
  lab = await openFilesLab();
});
afterEach(async () => {
  await lab[Symbol.asyncDispose]();
});

interface Asked {
  config?: Partial<FilesConfig>;
  selection?: Partial<StreamSelection>;
  state?: Json | null;
  resume?: Json | null;
  asText?: string[];
}

async function planned<T>(name: string, asked: Asked, use: (plan: StreamPlan) => Promise<T>): Promise<T> {
  await using session = await filesSource.open({ path: '.', ...asked.config }, lab.context);
  const { state = null, resume = null, asText = [] } = asked;
  await using plan = await session.plan(selectionOf(name, asked.selection), { state, resume, asText });
  return await use(plan);
}

function read(name: string, asked: Asked = {}): Promise<unknown[][]> {
  return planned(name, asked, (plan) => rowsOf(plan, lab));
}

function types(name: string, asked: Asked = {}): Promise<Record<string, string>> {
  return planned(name, asked, async (plan) =>
    Object.fromEntries(plan.columns.map((column) => [column.name, duckDbType(column.type)])),
  );
}

const incremental = { syncMode: 'INCREMENTAL', writeMode: 'APPEND' } as const;

describe('what a path offers', () => {
  test('a file directly in it is a stream, a folder is one stream of all files below it', async () => {
    await lab.write('users.csv', 'id\n1\n');
    await lab.write('events/2024/a.csv', 'id\n1\n');
    await lab.write('events/2025/b.csv.gz', gzipSync('id,extra\n2,x\n'));
    await lab.write('notes.txt', 'nothing to read');
    await lab.write('_draft.csv', 'id\n1\n');
    await lab.write('.hidden.csv', 'id\n1\n');
    const streams = await filesSource.discover({ path: '.' }, lab.context);
    expect(streams.map((stream) => [stream.name, stream.columns.map((column) => column.name)])).toEqual([
      ['events', ['id', 'extra']],
      ['users', ['id']],
    ]);
    expect(streams[0]).toMatchObject({
      namespace: null,
      syncModes: ['FULL_REFRESH', 'INCREMENTAL'],
      primaryKey: [],
      cursorFields: [],
      estimatedRows: 2n,
    });
    expect(lab.lines).toEqual([expect.stringContaining('"notes.txt" is left out')]);
  });

  test('a single file is one stream', async () => {
    await lab.write('deep/users.csv', 'id\n7\n');
    expect(await read('users', { config: { path: 'deep/users.csv' } })).toEqual([[7n]]);
    expect(await read('users', { config: { path: join(lab.root, 'deep/users.csv') } })).toEqual([[7n]]);
  });

  test('a format in the config reads files whose names do not say it', async () => {
    await lab.write('export.txt', 'id;v\n1;a\n');
    await lab.write('other.parquet', 'not read');
    const config = { path: '.', format: 'csv' as const };
    expect((await filesSource.discover(config, lab.context)).map((stream) => stream.name)).toEqual([
      'export',
    ]);
    expect(await read('export', { config })).toEqual([[1n, 'a']]);
  });

  test.each([
    [
      'two files of one name',
      ['orders.csv', 'orders.json'],
      /"orders.csv" and "orders.json" both give the stream "orders"/,
    ],
    [
      'a file and a folder of one name',
      ['orders/a.csv', 'orders.csv'],
      /"orders" and "orders.csv" both give/,
    ],
    [
      'two formats in one folder',
      ['orders/a.csv', 'orders/b.jsonl'],
      /"orders" mixes formats: "orders\/a.csv" is csv, "orders\/b.jsonl" is json/,
    ],
  ])('%s are refused by both names', async (_title, files, message) => {
    for (const file of files) await lab.write(file, '{"id":1}');
    await expect(filesSource.discover({ path: '.' }, lab.context)).rejects.toThrow(message);
    expect(await filesSource.check({ path: '.' }, lab.context)).toMatchObject({
      ok: false,
      message: expect.stringMatching(message),
      problems: [{ code: 'CONNECTION_FAILED', path: ['config', 'path'] }],
    });
  });

  test('check says what it reached, and what is missing', async () => {
    await lab.write('sales/a.csv', 'id\n1\n');
    expect(await filesSource.check({ path: '.' }, lab.context)).toMatchObject({
      ok: true,
      message: '"." can be read: 1 files in 1 streams.',
    });
    expect(await filesSource.check({ path: 'sale' }, lab.context)).toMatchObject({
      ok: false,
      problems: [
        { code: 'INVALID', path: ['config', 'path'], message: expect.stringContaining('does not exist') },
      ],
    });
  });

  test('discover and check stop when their signal aborts', async () => {
    await lab.write('a.csv', 'id\n1\n');
    const context = { ...lab.context, signal: AbortSignal.abort(new Error('enough')) };
    await expect(filesSource.discover({ path: '.' }, context)).rejects.toThrow('enough');
    await expect(filesSource.check({ path: '.' }, context)).rejects.toThrow('enough');
  });

  test('a stream that is not there is named, with those that are', async () => {
    await lab.write('users.csv', 'id\n1\n');
    await expect(read('user')).rejects.toThrow('no file or folder for the stream "user"; it has users');
  });
});

describe('CSV', () => {
  test('each type is found and each value kept exactly', async () => {
    await lab.write(
      't.csv',
      'id,zip,amount,big,ok,day,at,atz,clock,words,none\n' +
        '1,007,1.50,12345678901234567890,true,2024-01-02,2024-01-02 03:04:05,2024-01-02T03:04:05Z,10:11:12.5,"a ""q"" \nb",\n' +
        '-9223372036854775808,123,2,5,false,2024-02-29,2024-01-02T03:04:05.123456,2024-01-02 03:04:05+02,00:00:00,"",\n',
    );
    expect(await types('t')).toEqual({
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
    expect(await read('t')).toEqual([
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
    expect(await read('t')).toEqual([[value, 1n]]);
    expect(await types('t')).toEqual({ a: 'VARCHAR', b: 'BIGINT' });
  });

  test('an empty value is NULL, a quoted empty one is empty text', async () => {
    await lab.write('t.csv', 'a,n\n,1\n"",\nx,""\n');
    expect(await read('t')).toEqual([
      [null, 1n],
      ['', null],
      ['x', null],
    ]);
  });

  test('nullString, delimiter and header are the config’s', async () => {
    await lab.write('t.csv', '1~\\N~x\n2~~"\\N"\n');
    const csv = { delimiter: '~', header: false, nullString: '\\N' };
    expect(await types('t', { config: { csv } })).toEqual({
      column_1: 'BIGINT',
      column_2: 'VARCHAR',
      column_3: 'VARCHAR',
    });
    expect(await read('t', { config: { csv } })).toEqual([
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
    expect(await read('t')).toEqual(rows);
  });

  test('names that repeat, are empty or differ only in case are told apart, and no value is lost', async () => {
    await lab.write('t.csv', 'a,A,,a\n1,2,3,4\n');
    expect(Object.keys(await types('t'))).toEqual(['a', 'A_1', 'column_3', 'a_2']);
    expect(await read('t')).toEqual([[1n, 2n, 3n, 4n]]);
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
      /"t.csv.zst" cannot be read: it is not the gzip or zstd that its name says/,
    ],
    [
      'gzip cut off',
      't.csv.gz',
      gzipSync(`a,b\n${'1,2\n'.repeat(99_999)}`).subarray(0, 200),
      /"t.csv.gz" cannot be read: it is not the gzip or zstd that its name says/,
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
    await expect(read('t')).rejects.toThrow(
      expect.objectContaining({
        kind: 'SOURCE',
        message: expect.stringMatching(message),
        fix: expect.any(String),
      }),
    );
  });

  test('a ragged line behind the sample fails with its line', async () => {
    await lab.write('t.csv', `a,b\n${'1,2\n'.repeat(30_000)}3\n`);
    await expect(read('t')).rejects.toThrow(/"t.csv" cannot be read: line 30002: it has 1 fields/);
  });

  test('a value behind the sample that does not fit asks for text, and then nothing is lost', async () => {
    await lab.write('t.csv', `a,b\n${'1,2\n'.repeat(30_000)}3,"it is ""five"""\n`);
    const misfit = await read('t').catch((error: unknown) => error);
    expect(misfit).toBeInstanceOf(ColumnMisfit);
    expect(misfit).toMatchObject({ column: 'b', value: 'it is "five"' });
    await planned('t', { asText: ['b'] }, async (plan) => {
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
    const [[, long] = []] = await read('t');
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
    expect(await types('t')).toEqual({
      id: 'BIGINT',
      v: 'DOUBLE',
      tags: 'JSON',
      doc: 'JSON',
      late: 'VARCHAR',
      s: 'VARCHAR',
      ok: 'VARCHAR',
    });
    expect((await read('t')).at(-1)).toEqual([
      2n,
      2.5,
      '["a"]',
      '{"x":{"y":1}}',
      '2024-01-02',
      '007',
      'true',
    ]);
  });

  test('a list of objects, and one object after the other, are both rows', async () => {
    await lab.write('list.json', '[{"a":1,"at":"2024-01-02T03:04:05Z"},\n {"a":null}]');
    await lab.write('lines.json', '{"a":1}\n{"a":12345678901234567890123}\n');
    await lab.write('none.json', '[]');
    expect(await read('list')).toEqual([
      [1n, '2024-01-02T03:04:05.000000Z'],
      [null, null],
    ]);
    expect(await read('lines')).toEqual([['1'], ['12345678901234567890123']]);
    await expect(read('none')).rejects.toThrow('has no file with columns');
  });

  test('text that looks like a number stays text', async () => {
    await lab.write('t.ndjson.gz', gzipSync('{"a":"1","b":1}\n'));
    expect(await read('t')).toEqual([['1', 1n]]);
  });

  test('keys that differ only in case are refused, since one of them would be lost', async () => {
    await lab.write('t.json', '{"a":1,"A":2}');
    await lab.write('fine.json', '{"a":1,"a_1":2}');
    await expect(read('t')).rejects.toThrow('differ from "A" only in case');
    expect(await read('fine')).toEqual([[1n, 2n]]);
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
    await planned('t', {}, async (plan) => {
      const found = plan.columns.map((column) => duckDbType(column.type));
      expect(found).toEqual(
        'BOOLEAN SMALLINT SMALLINT SMALLINT INTEGER BIGINT DECIMAL(20,0) FLOAT DOUBLE DECIMAL(38,3) VARCHAR BLOB UUID DATE TIME TIMESTAMP,TIMESTAMP WITH TIME ZONE,TIMESTAMP INTEGER[] JSON JSON JSON[] VARCHAR JSON'.split(
          / (?!WITH|TIME ZONE|ZONE)|,(?=[A-Z])/,
        ),
      );
      expect(
        plan.columns.filter((column) => column.asTextBecause !== undefined).map((column) => column.name),
      ).toEqual(['ttz']);
      expect(plan.estimatedRows).toBe(1n);
      const [row] = await rowsOf(plan, lab);
      expect(row).toEqual([
        ...[
          true,
          1,
          -5,
          2,
          3,
          4n,
          '18446744073709551615',
          1.5,
          'NaN',
          '12345678901234567890123456789012345.678',
          'é',
        ],
        ...['AP8=', '5c9ad5a2-8d1e-4a86-9e5a-3c8b2d7e1f00', '2024-02-29', '10:11:12.123456', 'infinity'],
        ...['2024-01-02T01:04:05.000000Z', '2024-01-02T03:04:05.123456Z', [1, null, 3], '{"x":1.1,"y":"z"}'],
        ...['{"k":1}', ['{"a":1}'], '08:00:00+00', '{"a": 1.0}'],
      ]);
    });
  });

  test('a timestamp finer than a microsecond asks for text', async () => {
    await lab.rows(
      `COPY (SELECT TIMESTAMP_NS '2024-01-02 03:04:05.123456789' ns) TO '$root/t.parquet' (FORMAT parquet)`,
    );
    await expect(read('t')).rejects.toThrow(expect.objectContaining({ column: 'ns' }));
    expect(await read('t', { asText: ['ns'] })).toEqual([['2024-01-02 03:04:05.123456789']]);
  });
});

describe('several files of one stream', () => {
  test('are joined by name: a missing column is NULL, whole numbers meet fractions, other types meet as text', async () => {
    await lab.write('s/year=2023/a.csv', 'id,v,when\n1,2,2024-01-02\n');
    await lab.write('s/year=2024/b.csv', 'when;v;ID;n\nlater;2.5;3;x\n');
    await planned('s', {}, async (plan) => {
      expect(plan.columns.map((column) => [column.name, duckDbType(column.type)])).toEqual([
        ['id', 'BIGINT'],
        ['v', 'DOUBLE'],
        ['when', 'VARCHAR'],
        ['n', 'VARCHAR'],
      ]);
      expect(plan.columns[2]?.asTextBecause).toBe('"s/year=2023/a.csv" holds date, "s/year=2024/b.csv" text');
      expect(await rowsOf(plan, lab)).toEqual([
        [1n, 2, '2024-01-02', null],
        [3n, 2.5, 'later', 'x'],
      ]);
    });
  });

  test('small files alike are looked into together, each for its own types', async () => {
    await lab.write('s/a.csv', 'id,v,w\n1,2,\n');
    await lab.write('s/b.csv', 'id,v,w\n2,2.5,2024-01-02\n');
    await lab.write('s/c.csv', 'id,v,w\n');
    await lab.write('s/d.csv', '');
    expect(await types('s')).toEqual({ id: 'BIGINT', v: 'DOUBLE', w: 'DATE' });
    await lab.write('s/e.csv', 'id,v,w\n1,2\n');
    await expect(read('s')).rejects.toThrow('"s/e.csv" cannot be read: line 2: it has 2 fields');
  });

  test('small JSON files are rows by their keys, lists and lines alike', async () => {
    await lab.write('s/a.json', '[{"id":1}]');
    await lab.write('s/b.json', '{"id":2,"v":2.5}\n{"id":3,"doc":{"x":1}}');
    await lab.write('s/c.json', '[]');
    expect(await types('s')).toEqual({ id: 'BIGINT', v: 'DOUBLE', doc: 'JSON' });
    expect(await read('s')).toEqual([
      [1n, null, null],
      [2n, 2.5, null],
      [3n, null, '{"x":1}'],
    ]);
  });

  test('Parquet files of growing types widen', async () => {
    await lab.rows(`COPY (SELECT 1::INTEGER id, 1.5::DECIMAL(4,1) d) TO '$root/a.parquet' (FORMAT parquet)`);
    await mkdir(join(lab.root, 's'));
    await rename(join(lab.root, 'a.parquet'), join(lab.root, 's/a.parquet'));
    await lab.rows(
      `COPY (SELECT 2::BIGINT id, 12.25::DECIMAL(8,2) d) TO '$root/s/b.parquet' (FORMAT parquet)`,
    );
    expect(await types('s')).toEqual({ id: 'BIGINT', d: 'DECIMAL(8,2)' });
    expect(await read('s')).toEqual([
      [1n, '1.50'],
      [2n, '12.25'],
    ]);
  });

  test('small files that are read alike share a part, whose order is that of their paths', async () => {
    for (let at = 0; at < 300; at++) await lab.write(`s/${String(at).padStart(3, '0')}.csv`, `id\n${at}\n`);
    await planned('s', {}, async (plan) => {
      expect(plan.parts.length).toBe(3);
      expect(plan.parts.map((part) => part.id)).toEqual(plan.parts.map((part) => part.id).toSorted());
      expect((await rowsOf(plan, lab)).map(([id]) => id)).toEqual(
        Array.from({ length: 300 }, (_, at) => BigInt(at)),
      );
    });
  });

  test('selected columns come in the stream’s order; one that is gone is said', async () => {
    await lab.write('t.csv', 'a,b,c\n1,2,3\n');
    expect(await read('t', { selection: { selectedColumns: ['c', 'A', 'gone'] } })).toEqual([[1n, 3n]]);
    expect(lab.lines).toContain('WARN The files of "t" have no column "gone".');
    await expect(read('t', { selection: { selectedColumns: ['gone'] } })).rejects.toThrow(
      'none of the selected columns',
    );
  });

  test('an empty file adds nothing; a stream of empty files keeps the columns it had', async () => {
    await lab.write('s/a.csv', 'id\n1\n');
    await lab.write('s/b.csv', '');
    const state = await planned('s', {}, async (plan) => {
      expect(await rowsOf(plan, lab)).toEqual([[1n]]);
      return plan.nextState;
    });
    await writeFile(join(lab.root, 's/a.csv'), '');
    await planned('s', { state }, async (plan) => {
      expect(plan.columns.map((column) => column.name)).toEqual(['id']);
      expect(plan.parts).toEqual([]);
    });
    await expect(read('s')).rejects.toThrow('has no file with columns in it');
  });
});

describe('INCREMENTAL', () => {
  test('takes only files that were not taken; a changed file is taken again and said', async () => {
    await lab.write('s/a.csv', 'id\n1\n');
    await lab.write('s/b.csv', 'id\n2\n');
    const first = await planned('s', { selection: incremental }, async (plan) => {
      expect(await rowsOf(plan, lab)).toEqual([[1n], [2n]]);
      return plan.nextState;
    });
    await lab.write('s/c.csv', 'id\n3\n');
    await appendFile(join(lab.root, 's/a.csv'), '4\n');
    const second = await planned('s', { selection: incremental, state: first }, async (plan) => {
      expect(await rowsOf(plan, lab)).toEqual([[1n], [4n], [3n]]);
      expect(lab.lines).toContain('WARN "s/a.csv" changed since it was taken: all its rows are taken again.');
      return plan.nextState;
    });
    await planned('s', { selection: incremental, state: second }, async (plan) => {
      expect(plan.parts).toEqual([]);
      expect(plan.columns.map((column) => column.name)).toEqual(['id']);
      expect(plan.nextState).toEqual(second);
    });
  });

  test('after a full refresh takes only what came since', async () => {
    await lab.write('s/a.csv', 'id\n1\n');
    const state = await planned('s', {}, async (plan) => plan.nextState);
    await lab.write('s/b.csv', 'id\n2\n');
    expect(await read('s', { selection: incremental, state })).toEqual([[2n]]);
  });

  test('a file that is away for one sync is not taken again when it comes back as it was', async () => {
    await lab.write('s/a.csv', 'id\n1\n');
    await lab.write('s/b.csv', 'id\n2\n');
    const state = await planned('s', { selection: incremental }, async (plan) => plan.nextState);
    await rename(join(lab.root, 's/a.csv'), join(lab.root, 'away'));
    const later = await planned('s', { selection: incremental, state }, async (plan) => plan.nextState);
    await rename(join(lab.root, 'away'), join(lab.root, 's/a.csv'));
    expect(await read('s', { selection: incremental, state: later })).toEqual([]);
  });

  test('a state of another source is refused rather than every file taken again', async () => {
    await lab.write('s/a.csv', 'id\n1\n');
    await expect(read('s', { selection: incremental, state: { lsn: '0/1' } })).rejects.toThrow(
      'not one of the files source',
    );
  });
});

describe('a second attempt', () => {
  test('has the same parts while the files are unchanged, and leaves files that came since to the next sync', async () => {
    await lab.write('s/a.csv', 'id\n1\n');
    await lab.write('s/b.jsonl.csv', 'id;v\n2;3\n');
    const first = await planned('s', {}, async (plan) => ({
      resume: plan.resume,
      ids: plan.parts.map((part) => part.id),
    }));
    await lab.write('s/c.csv', 'id\n3\n');
    await planned('s', { resume: first.resume }, async (plan) => {
      expect(plan.parts.map((part) => part.id)).toEqual(first.ids);
      expect(plan.resume).toEqual(first.resume);
      expect(Object.keys((plan.nextState as { files: object }).files)).toEqual(['s/a.csv', 's/b.jsonl.csv']);
    });
  });

  test('is a new plan with other parts when a file has changed', async () => {
    await lab.write('s/a.csv', 'id\n1\n');
    const first = await planned('s', {}, async (plan) => ({
      resume: plan.resume,
      ids: plan.parts.map((part) => part.id),
    }));
    await utimes(join(lab.root, 's/a.csv'), new Date(), new Date(Date.now() + 5_000));
    await planned('s', { resume: first.resume }, async (plan) => {
      expect(plan.resume).not.toEqual(first.resume);
      expect(plan.parts.map((part) => part.id)).not.toEqual(first.ids);
    });
  });
});

describe('a file that does not hold still', () => {
  test('gone between plan and read fails by its name', async () => {
    await lab.write('t.csv', 'id\n1\n');
    await planned('t', {}, async (plan) => {
      await rm(join(lab.root, 't.csv'));
      await expect(rowsOf(plan, lab)).rejects.toThrow('"t.csv" is gone since its folder was listed');
    });
  });

  test('changed between plan and read fails by its name', async () => {
    await lab.write('t.csv', 'id\n1\n');
    await planned('t', {}, async (plan) => {
      await appendFile(join(lab.root, 't.csv'), '2\n');
      await expect(rowsOf(plan, lab)).rejects.toThrow(
        '"t.csv" changed while it was read: it had 5 bytes, now 7',
      );
    });
  });

  test('changed during the read fails before the part can be committed', async () => {
    await lab.write('t.csv', 'id\n1\n');
    await planned('t', {}, async (plan) => {
      await using open = await plan.parts[0]!.open(lab.context.signal);
      await appendFile(join(lab.root, 't.csv'), '2\n');
      await expect(open.finished).rejects.toThrow('"t.csv" changed while it was read');
    });
  });

  test('replaced during the read is read as it was opened', async () => {
    await lab.write('t.csv', 'id\n1\n');
    await lab.write('next', 'id\n999\n');
    await planned('t', {}, async (plan) => {
      await using open = await plan.parts[0]!.open(lab.context.signal);
      await rename(join(lab.root, 'next'), join(lab.root, 't.csv'));
      await using session = await lab.duckDb.session();
      expect(await session.rows(open.scan)).toEqual([[1n]]);
    });
  });
});

describe('containment', () => {
  const outside = '/etc/passwd';

  test.each([
    ['..', /contains "\.\."/],
    ['sales/../../secret', /contains "\.\."/],
    ['sales/../sales', /contains "\.\."/],
    ['/etc', /lies outside the files root/],
    ['a\0b', /NUL character/],
    ['missing/deeper', /does not exist/],
  ])('the path %j is refused with the reason', async (path, reason) => {
    await lab.write('sales/a.csv', 'id\n1\n');
    expect(await filesSource.check({ path }, lab.context)).toMatchObject({
      ok: false,
      problems: [
        {
          code: 'INVALID',
          path: ['config', 'path'],
          message: expect.stringMatching(reason),
          fix: expect.any(String),
        },
      ],
    });
  });

  test('a path that begins like the root but is another folder is refused', async () => {
    expect(await filesSource.check({ path: `${lab.root}-other` }, lab.context)).toMatchObject({
      ok: false,
      message: expect.stringContaining('lies outside the files root'),
    });
  });

  test.each([
    ['as the path', 'out', { path: 'out' }],
    ['on the way', 'out', { path: 'out/passwd' }],
    ['beside other files', 'folder/out.csv', { path: 'folder' }],
    ['deep in a stream', 'folder/s/x/out.csv', { path: 'folder' }],
  ])('a link out of the root %s is refused by its name', async (_title, link, config) => {
    await lab.write('folder/s/x/a.csv', 'id\n1\n');
    await symlink(link.endsWith('.csv') ? outside : '/etc', join(lab.root, link));
    const answer = await filesSource.check(config, lab.context);
    expect(answer).toMatchObject({
      ok: false,
      message: expect.stringContaining(`the link "${link}" leads out of the files root`),
    });
    await expect(filesSource.discover(config, lab.context)).rejects.toThrow('leads out of the files root');
  });

  test('a link that stays inside is followed, one in a circle is refused', async () => {
    await lab.write('real/a.csv', 'id\n1\n');
    await mkdir(join(lab.root, 'shown'));
    await symlink('../real', join(lab.root, 'shown/s'));
    expect(await read('s', { config: { path: 'shown' } })).toEqual([[1n]]);
    await symlink('..', join(lab.root, 'real/loop'));
    await expect(read('real')).rejects.toThrow('leads back to a folder above it');
  });

  test('a file that becomes a link out of the root after the plan is not read', async () => {
    await lab.write('t.csv', 'id\n1\n');
    await planned('t', {}, async (plan) => {
      await rm(join(lab.root, 't.csv'));
      await symlink(outside, join(lab.root, 't.csv'));
      await expect(rowsOf(plan, lab)).rejects.toThrow(/refused: .*a link|refused: its links/);
    });
  });

  test('a folder that becomes a link out of the root after the plan is not read', async () => {
    await lab.write('s/a.csv', 'id\n1\n');
    const elsewhere = await openFilesLab();
    await elsewhere.write('a.csv', 'id\n999\n');
    await planned('s', {}, async (plan) => {
      await rename(join(lab.root, 's'), join(lab.root, 'old'));
      await symlink(elsewhere.root, join(lab.root, 's'));
      await expect(rowsOf(plan, lab)).rejects.toThrow('leads out of the files root');
    });
    await elsewhere[Symbol.asyncDispose]();
  });

  test('a link put in place after the file was opened changes nothing', async () => {
    await lab.write('t.csv', 'id\n1\n');
    await planned('t', {}, async (plan) => {
      await using open = await plan.parts[0]!.open(lab.context.signal);
      await rename(join(lab.root, 't.csv'), join(lab.root, 'moved.csv'));
      await symlink(outside, join(lab.root, 't.csv'));
      await using session = await lab.duckDb.session();
      expect(await session.rows(open.scan)).toEqual([[1n]]);
    });
  });

  test('a named pipe is refused and waited for by nobody', async () => {
    await mkdir(join(lab.root, 'folder'));
    await promisify(execFile)('mkfifo', [join(lab.root, 'folder/pipe.csv')]);
    expect(await filesSource.check({ path: 'folder' }, lab.context)).toMatchObject({
      ok: false,
      message: expect.stringContaining('it is a named pipe, not a file or a folder'),
    });
  });

  test('a root that is missing says which setting names it', async () => {
    const context = { ...lab.context, filesRoot: join(lab.root, 'nowhere') };
    expect(await filesSource.check({ path: '.' }, context)).toMatchObject({
      ok: false,
      message: expect.stringContaining('SLUICE_FILES_ROOT'),
    });
  });

  test('a root that is itself a link works', async () => {
    await lab.write('real/t.csv', 'id\n1\n');
    await symlink(join(lab.root, 'real'), join(lab.root, 'root'));
    const context = { ...lab.context, filesRoot: join(lab.root, 'root') };
    await using session = await filesSource.open({ path: join(lab.root, 'root', 't.csv') }, context);
    await using plan = await session.plan(selectionOf('t'), { state: null, resume: null, asText: [] });
    expect(await rowsOf(plan, lab)).toEqual([[1n]]);
  });
});
