import { appendFile, mkdir, rename, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { duckDbType } from '#connectors/column-type.ts';
import { filesSource } from '#connectors/files/source.ts';
import { type FilesLab, openFilesLab, planned, readStream, rowsOf, typesOf } from '../support/files-lab.ts';
import { openMover } from '../support/move-stream.ts';
import { sourceSuite } from './source.suite.ts';

let lab: FilesLab;
beforeEach(async () => {
  lab = await openFilesLab();
});
afterEach(async () => {
  await lab[Symbol.asyncDispose]();
});

const incremental = { syncMode: 'INCREMENTAL', writeMode: 'APPEND' } as const;

sourceSuite('files', async () => {
  const mover = await openMover();
  const folder = join(mover.filesRoot, 'numbers');
  const ids = Array.from({ length: 60_000 }, (_, at) => BigInt(at + 1));
  const add = (name: string, some: readonly bigint[]) =>
    writeFile(join(folder, name), `id,name\n${some.map((id) => `${id},name ${id}\n`).join('')}`);
  await mkdir(folder);
  await add('a.csv', ids.slice(0, 30_000));
  await add('b.csv', ids.slice(30_000));
  return {
    connector: filesSource,
    config: { path: '.' },
    mover,
    namespace: null,
    cursorField: null,
    ids,
    async grow() {
      await add('c.csv', [60_001n, 60_002n]);
      return [60_001n, 60_002n];
    },
    [Symbol.asyncDispose]: () => mover[Symbol.asyncDispose](),
  };
});

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
    expect(await readStream(lab, 'users', { config: { path: 'deep/users.csv' } })).toEqual([[7n]]);
    expect(await readStream(lab, 'users', { config: { path: join(lab.root, 'deep/users.csv') } })).toEqual([
      [7n],
    ]);
  });

  test('a format in the config reads files whose names do not say it', async () => {
    await lab.write('export.txt', 'id;v\n1;a\n');
    await lab.write('other.parquet', 'not read');
    const config = { path: '.', format: 'csv' as const };
    expect((await filesSource.discover(config, lab.context)).map((stream) => stream.name)).toEqual([
      'export',
    ]);
    expect(await readStream(lab, 'export', { config })).toEqual([[1n, 'a']]);
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
    await expect(readStream(lab, 'user')).rejects.toThrow(
      'no file or folder for the stream "user"; it has users',
    );
  });
});

describe('several files of one stream', () => {
  test('are joined by name: a missing column is NULL, whole numbers meet fractions, other types meet as text', async () => {
    await lab.write('s/year=2023/a.csv', 'id,v,when\n1,2,2024-01-02\n');
    await lab.write('s/year=2024/b.csv', 'when;v;ID;n\nlater;2.5;3;x\n');
    await planned(lab, 's', {}, async (plan) => {
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
    expect(await typesOf(lab, 's')).toEqual({ id: 'BIGINT', v: 'DOUBLE', w: 'DATE' });
    await lab.write('s/e.csv', 'id,v,w\n1,2\n');
    await expect(readStream(lab, 's')).rejects.toThrow('"s/e.csv" cannot be read: line 2: it has 2 fields');
  });

  test('small JSON files are rows by their keys, lists and lines alike', async () => {
    await lab.write('s/a.json', '[{"id":1}]');
    await lab.write('s/b.json', '{"id":2,"v":2.5}\n{"id":3,"doc":{"x":1}}');
    await lab.write('s/c.json', '[]');
    expect(await typesOf(lab, 's')).toEqual({ id: 'BIGINT', v: 'DOUBLE', doc: 'JSON' });
    expect(await readStream(lab, 's')).toEqual([
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
    expect(await typesOf(lab, 's')).toEqual({ id: 'BIGINT', d: 'DECIMAL(8,2)' });
    expect(await readStream(lab, 's')).toEqual([
      [1n, '1.50'],
      [2n, '12.25'],
    ]);
  });

  test('small files that are read alike share a part, whose order is that of their paths', async () => {
    for (let at = 0; at < 300; at++) await lab.write(`s/${String(at).padStart(3, '0')}.csv`, `id\n${at}\n`);
    await planned(lab, 's', {}, async (plan) => {
      expect(plan.parts.length).toBe(3);
      expect(plan.parts.map((part) => part.id)).toEqual(plan.parts.map((part) => part.id).toSorted());
      expect((await rowsOf(plan, lab)).map(([id]) => id)).toEqual(
        Array.from({ length: 300 }, (_, at) => BigInt(at)),
      );
    });
  });

  test('selected columns come in the stream’s order; one that only earlier files had is NULL, one that none had fails', async () => {
    await lab.write('s/a.csv', 'a,b,c\n1,2,3\n');
    const selection = { ...incremental, selectedColumns: ['c', 'A'] };
    const state = await planned(lab, 's', { selection }, async (plan) => {
      expect(await rowsOf(plan, lab)).toEqual([[1n, 3n]]);
      return plan.nextState;
    });
    await lab.write('s/b.csv', 'a\n4\n');
    expect(await readStream(lab, 's', { selection, state })).toEqual([[4n, null]]);
    const refused = readStream(lab, 's', { selection: { selectedColumns: ['a', 'gone'] } });
    await expect(refused).rejects.toThrow(
      expect.objectContaining({ kind: 'SCHEMA', message: 'The files of "s" have no column "gone".' }),
    );
  });

  test('an empty file adds nothing; a stream of empty files keeps the columns it had', async () => {
    await lab.write('s/a.csv', 'id\n1\n');
    await lab.write('s/b.csv', '');
    const state = await planned(lab, 's', {}, async (plan) => {
      expect(await rowsOf(plan, lab)).toEqual([[1n]]);
      return plan.nextState;
    });
    await writeFile(join(lab.root, 's/a.csv'), '');
    await planned(lab, 's', { state }, async (plan) => {
      expect(plan.columns.map((column) => column.name)).toEqual(['id']);
      expect(plan.parts).toEqual([]);
    });
    await expect(readStream(lab, 's')).rejects.toThrow('has no file with columns in it');
  });
});

describe('INCREMENTAL', () => {
  test('takes only files that were not taken; a changed file is taken again and said', async () => {
    await lab.write('s/a.csv', 'id\n1\n');
    await lab.write('s/b.csv', 'id\n2\n');
    const first = await planned(lab, 's', { selection: incremental }, async (plan) => {
      expect(await rowsOf(plan, lab)).toEqual([[1n], [2n]]);
      return plan.nextState;
    });
    await lab.write('s/c.csv', 'id\n3\n');
    await appendFile(join(lab.root, 's/a.csv'), '4\n');
    const second = await planned(lab, 's', { selection: incremental, state: first }, async (plan) => {
      expect(await rowsOf(plan, lab)).toEqual([[1n], [4n], [3n]]);
      expect(lab.lines).toContain('WARN "s/a.csv" changed since it was taken: all its rows are taken again.');
      return plan.nextState;
    });
    await planned(lab, 's', { selection: incremental, state: second }, async (plan) => {
      expect(plan.parts).toEqual([]);
      expect(plan.columns.map((column) => column.name)).toEqual(['id']);
      expect(plan.nextState).toEqual(second);
    });
  });

  test('after a full refresh takes only what came since', async () => {
    await lab.write('s/a.csv', 'id\n1\n');
    const state = await planned(lab, 's', {}, async (plan) => plan.nextState);
    await lab.write('s/b.csv', 'id\n2\n');
    expect(await readStream(lab, 's', { selection: incremental, state })).toEqual([[2n]]);
  });

  test('a file that is away for one sync is not taken again when it comes back as it was', async () => {
    await lab.write('s/a.csv', 'id\n1\n');
    await lab.write('s/b.csv', 'id\n2\n');
    const state = await planned(lab, 's', { selection: incremental }, async (plan) => plan.nextState);
    await rename(join(lab.root, 's/a.csv'), join(lab.root, 'away'));
    const later = await planned(lab, 's', { selection: incremental, state }, async (plan) => plan.nextState);
    await rename(join(lab.root, 'away'), join(lab.root, 's/a.csv'));
    expect(await readStream(lab, 's', { selection: incremental, state: later })).toEqual([]);
  });

  test('a state of another source is refused rather than every file taken again', async () => {
    await lab.write('s/a.csv', 'id\n1\n');
    await expect(readStream(lab, 's', { selection: incremental, state: { lsn: '0/1' } })).rejects.toThrow(
      'not one of the files source',
    );
  });
});

describe('a second attempt', () => {
  test('has the same parts while the files are unchanged, and leaves files that came since to the next sync', async () => {
    await lab.write('s/a.csv', 'id\n1\n');
    await lab.write('s/b.jsonl.csv', 'id;v\n2;3\n');
    const first = await planned(lab, 's', {}, async (plan) => ({
      resume: plan.resume,
      ids: plan.parts.map((part) => part.id),
    }));
    await lab.write('s/c.csv', 'id\n3\n');
    await planned(lab, 's', { resume: first.resume }, async (plan) => {
      expect(plan.parts.map((part) => part.id)).toEqual(first.ids);
      expect(plan.resume).toEqual(first.resume);
      expect(Object.keys((plan.nextState as { files: object }).files)).toEqual(['s/a.csv', 's/b.jsonl.csv']);
    });
  });

  test('is a new plan with other parts when a file has changed', async () => {
    await lab.write('s/a.csv', 'id\n1\n');
    const first = await planned(lab, 's', {}, async (plan) => ({
      resume: plan.resume,
      ids: plan.parts.map((part) => part.id),
    }));
    await utimes(join(lab.root, 's/a.csv'), new Date(), new Date(Date.now() + 5_000));
    await planned(lab, 's', { resume: first.resume }, async (plan) => {
      expect(plan.resume).not.toEqual(first.resume);
      expect(plan.parts.map((part) => part.id)).not.toEqual(first.ids);
    });
  });
});
