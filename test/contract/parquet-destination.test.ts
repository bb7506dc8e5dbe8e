import { readdir, readlink, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { columnTypeOf } from '#connectors/column-type.ts';
import type {
  ColumnMisfit,
  Json,
  OpenPart,
  StreamColumn,
  StreamPlan,
  StreamSelection,
  StreamWriter,
  WriteOrigin,
} from '#connectors/contract.ts';
import { ConnectorError } from '#connectors/contract.ts';
import { filesSource } from '#connectors/files/source.ts';
import { parquetDestination } from '#connectors/parquet/destination.ts';
import { moveStream, openFilesLab, selectionOf, type FilesLab } from '../support/files-lab.ts';

let lab: FilesLab;
beforeEach(async () => {
  lab = await openFilesLab();
});
afterEach(async () => {
  await lab[Symbol.asyncDispose]();
});

const config = { path: 'lake' };
const signal = new AbortController().signal;

function origin(taskId: string, jobId = 'job-1'): WriteOrigin {
  return { projectId: 'project', jobId, taskId };
}

function columns(types: Record<string, string>): StreamColumn[] {
  return Object.entries(types).map(([name, type]) => ({
    name,
    type: columnTypeOf(type),
    nullable: true,
    sourceType: type,
  }));
}

/** A part whose scan is a query. */
function partOf(scan: string, more: Partial<OpenPart> = {}): OpenPart {
  return {
    scan,
    finished: Promise.resolve(),
    bytesRead: () => 10,
    explain: () => undefined,
    async [Symbol.asyncDispose]() {},
    ...more,
  };
}

async function writing<T>(
  taskId: string,
  selection: Partial<StreamSelection>,
  use: (writer: StreamWriter) => Promise<T>,
  jobId?: string,
): Promise<T> {
  await using session = await parquetDestination.open(config, lab.context);
  await using writer = await session.stream(origin(taskId, jobId), selectionOf('t', selection));
  return await use(writer);
}

interface Sync extends Partial<StreamSelection> {
  types?: Record<string, string>;
  parts: string[];
  state?: Json;
  ties?: StreamPlan['ties'];
}

/** One whole task. */
function sync(
  taskId: string,
  { types = { id: 'INTEGER', v: 'VARCHAR' }, parts, state = null, ties = null, ...selection }: Sync,
) {
  return writing(taskId, selection, async (writer) => {
    const changes = await writer.begin(columns(types), false);
    await Promise.all(parts.map((scan, at) => writer.stage(partOf(scan), `part-${at}`, signal, () => {})));
    return { ...(await writer.publish(state, ties)), changes };
  });
}

const table = "read_parquet('$root/lake/t/*.parquet')";
const rows = (order = 'id') => lab.rows(`SELECT * FROM ${table} ORDER BY ${order}`);

async function versions(): Promise<string[]> {
  return (await readdir(join(lab.root, 'lake/.sluice/t'))).filter((name) => name.startsWith('v')).sort();
}

describe('OVERWRITE', () => {
  test('readers see the old table until the new one is whole', async () => {
    expect(await sync('task-1', { parts: ["SELECT 1 id, 'a' v", "SELECT 2 id, 'b' v"] })).toEqual({
      rowsWritten: 2n,
      table: null,
      changes: [],
    });
    await writing('task-2', {}, async (writer) => {
      await writer.begin(columns({ id: 'INTEGER', v: 'VARCHAR' }), false);
      await writer.stage(partOf("SELECT 3 id, 'c' v"), 'p', signal, () => {});
      expect(await rows()).toEqual([
        [1, 'a'],
        [2, 'b'],
      ]);
      await writer.publish(null, null);
      expect(await rows()).toEqual([[3, 'c']]);
    });
  });

  test('a reader of the version before still finds its files, and one of two versions before does not', async () => {
    await sync('task-1', { parts: ["SELECT 1 id, 'a' v"] });
    const held = await readlink(join(lab.root, 'lake/t'));
    await sync('task-2', { parts: ["SELECT 2 id, 'b' v"] });
    expect(await lab.rows(`SELECT id FROM read_parquet('$root/lake/${held}/*.parquet')`)).toEqual([[1]]);
    await sync('task-3', { parts: ["SELECT 3 id, 'c' v"] });
    expect(await versions()).toEqual(['v000002', 'v000003']);
  });

  test('without any part leaves a readable table without rows', async () => {
    await sync('task-1', { parts: ["SELECT 1 id, 'a' v"] });
    expect((await sync('task-2', { parts: [] })).rowsWritten).toBe(0n);
    expect(await rows()).toEqual([]);
    expect(await lab.rows(`SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM ${table})`)).toEqual([
      ['id', 'INTEGER'],
      ['v', 'VARCHAR'],
    ]);
  });
});

describe('APPEND', () => {
  const append = { writeMode: 'APPEND', syncMode: 'INCREMENTAL' } as const;

  test('adds rows; the files of before are linked, not written again', async () => {
    await sync('task-1', { ...append, parts: ["SELECT 1 id, 'a' v"] });
    const [before] = (await readdir(join(lab.root, 'lake/t'))).filter((name) => name.endsWith('.parquet'));
    expect((await sync('task-2', { ...append, parts: ["SELECT 1 id, 'a' v"] })).rowsWritten).toBe(1n);
    expect(await rows()).toEqual([
      [1, 'a'],
      [1, 'a'],
    ]);
    expect((await stat(join(lab.root, 'lake/t', before!))).nlink).toBe(2);
  });

  test('of rows with the cursor’s last value those already there are dropped, each as often as it is there', async () => {
    await sync('task-1', {
      ...append,
      parts: ["SELECT * FROM (VALUES (1, 'a'), (2, 'b'), (2, 'b'), (2, 'c')) t(id, v)"],
    });
    const parts = [
      "SELECT * FROM (VALUES (2, 'b'), (2, 'b'), (2, 'b'), (2, 'd')) t(id, v)",
      "SELECT * FROM (VALUES (2, 'c'), (3, 'e')) t(id, v)",
      "SELECT 4 id, 'f' v",
    ];
    const { rowsWritten } = await sync('task-2', { ...append, parts, ties: { column: 'id', value: '2' } });
    expect(rowsWritten).toBe(4n);
    expect(await rows('id, v')).toEqual([
      [1, 'a'],
      [2, 'b'],
      [2, 'b'],
      [2, 'b'],
      [2, 'c'],
      [2, 'd'],
      [3, 'e'],
      [4, 'f'],
    ]);
  });

  test('many small files become one', async () => {
    for (let at = 0; at < 36; at++)
      await sync(`task-${at}`, { ...append, parts: [`SELECT ${at} id, 'x' v`] });
    const files = (await readdir(join(lab.root, 'lake/t'))).filter((name) => name.endsWith('.parquet'));
    expect(files.length).toBeLessThan(33);
    expect((await rows()).map(([id]) => id)).toEqual(Array.from({ length: 36 }, (_, at) => at));
  });
});

describe('UPSERT', () => {
  const upsert = { writeMode: 'UPSERT', primaryKey: ['id'] } as const;

  test('the last version of each key wins, over parts and rows', async () => {
    const before = ["SELECT * FROM (VALUES (1, 'a'), (2, 'b')) t(id, v)", "SELECT 9 id, 'i' v"];
    await sync('task-1', { ...upsert, primaryKey: ['id'], parts: before });
    const parts = [
      "SELECT * FROM (VALUES (2, 'x'), (3, 'c'), (3, 'd')) t(id, v)",
      "SELECT * FROM (VALUES (2, 'y'), (4, NULL)) t(id, v)",
    ];
    const { rowsWritten } = await sync('task-2', { ...upsert, primaryKey: ['id'], parts });
    expect(rowsWritten).toBe(3n);
    expect(await rows()).toEqual([
      [1, 'a'],
      [2, 'y'],
      [3, 'd'],
      [4, null],
      [9, 'i'],
    ]);
  });

  test('a key that is NULL is refused, and the table untouched', async () => {
    await sync('task-1', { ...upsert, primaryKey: ['id'], parts: ["SELECT 1 id, 'a' v"] });
    const refused = sync('task-2', {
      ...upsert,
      primaryKey: ['id'],
      parts: ["SELECT NULL::INTEGER id, 'm' v"],
    });
    await expect(refused).rejects.toThrow(
      expect.objectContaining({
        kind: 'SCHEMA',
        message: expect.stringContaining('NULL in their primary key (id)'),
      }),
    );
    expect(await rows()).toEqual([[1, 'a']]);
  });

  test('with a cursor the greatest wins, whichever comes last', async () => {
    const types = { id: 'INTEGER', at: 'DATE', v: 'VARCHAR' };
    const parts = [
      "SELECT 1 id, DATE '2024-02-02' AS at, 'new' v",
      "SELECT 1 id, DATE '2024-01-01' AS at, 'old' v",
    ];
    await sync('task-1', { ...upsert, primaryKey: ['id'], cursorField: 'at', types, parts });
    expect(await rows()).toEqual([[1, '2024-02-02', 'new']]);
  });

  test('files without a changed key stay as they are', async () => {
    await sync('task-1', {
      ...upsert,
      primaryKey: ['id'],
      parts: ["SELECT 1 id, 'a' v", "SELECT 2 id, 'b' v"],
    });
    await sync('task-2', { ...upsert, primaryKey: ['id'], parts: ["SELECT 2 id, 'c' v"] });
    expect(await rows()).toEqual([
      [1, 'a'],
      [2, 'c'],
    ]);
    const files = (await readdir(join(lab.root, 'lake/t'))).filter((name) => name.endsWith('.parquet'));
    const links = await Promise.all(
      files.map(async (name) => (await stat(join(lab.root, 'lake/t', name))).nlink),
    );
    expect(links.toSorted((a, b) => a - b)).toEqual([1, 2]);
  });

  test.each([
    ['no primary key', [], /has no primary key, which UPSERT needs/],
    ['a key that is no column', ['nope'], /has no column "nope" of its primary key/],
  ])('%s is refused', async (_title, primaryKey, message) => {
    await expect(sync('task-1', { writeMode: 'UPSERT', primaryKey, parts: [] })).rejects.toThrow(message);
  });
});

describe('types', () => {
  test('each comes back as it went in; an interval as text, with a line that says so', async () => {
    const types = {
      id: 'INTEGER',
      b: 'BOOLEAN',
      i2: 'SMALLINT',
      i8: 'BIGINT',
      f4: 'FLOAT',
      f8: 'DOUBLE',
      d: 'DECIMAL(38,3)',
      t: 'VARCHAR',
      u: 'UUID',
      dt: 'DATE',
      tm: 'TIME',
      ts: 'TIMESTAMP',
      tz: 'TIMESTAMP WITH TIME ZONE',
      iv: 'INTERVAL',
      j: 'JSON',
      bl: 'BLOB',
      l: 'INTEGER[]',
      lj: 'JSON[]',
    };
    const scan = `SELECT 1 id, true b, -2::SMALLINT i2, 9223372036854775807 i8, 1.5::FLOAT f4, 'nan'::DOUBLE f8, 12345678901234567890123456789012345.678::DECIMAL(38,3) d,
      E'q"\\n😀' t, '5c9ad5a2-8d1e-4a86-9e5a-3c8b2d7e1f00'::UUID u, DATE 'infinity' dt, TIME '23:59:59.999999' tm, TIMESTAMP '-infinity' ts,
      TIMESTAMPTZ '2024-01-02 03:04:05.123456+02' tz, INTERVAL '1 month 2 days 3.000004 seconds' iv, '{"a": 1.10}'::JSON j, '\\x00\\xFF'::BLOB bl, [1, NULL] l, ['{"a":1}'::JSON] lj`;
    const { changes } = await sync('task-1', {
      types,
      parts: [
        scan,
        `SELECT 2 id, ${Object.keys(types)
          .slice(1)
          .map((name) => `NULL AS ${name}`)
          .join(', ')}`,
      ],
    });
    expect(changes).toEqual([
      'column "iv" is written as text: Parquet keeps intervals to the millisecond only',
    ]);
    const expected = `SELECT * REPLACE (iv::VARCHAR AS iv) FROM (${scan})`;
    expect(
      await lab.rows(`SELECT count(*) FROM (SELECT * FROM ${table} WHERE id = 1 INTERSECT ${expected})`),
    ).toEqual([[1n]]);
    expect(await lab.rows(`SELECT column_type FROM (DESCRIBE SELECT * FROM ${table})`)).toEqual(
      Object.values(types).map((type) => [type === 'INTERVAL' ? 'VARCHAR' : type]),
    );
    expect((await rows())[1]).toEqual([
      2,
      ...Object.keys(types)
        .slice(1)
        .map(() => null),
    ]);
  });
});

describe('a source that changes', () => {
  const append = { writeMode: 'APPEND' } as const;

  test('a new column is NULL in old rows, a vanished one NULL in new rows, a wider type widens', async () => {
    await sync('task-1', {
      ...append,
      types: { id: 'INTEGER', gone: 'DATE', d: 'DECIMAL(4,1)' },
      parts: ["SELECT 1 id, DATE '2024-01-02' gone, 1.5 d"],
    });
    const { changes } = await sync('task-2', {
      ...append,
      types: { added: 'VARCHAR', id: 'BIGINT', d: 'DECIMAL(8,2)' },
      parts: ["SELECT 'n' added, 5000000000 id, 12.25 d"],
    });
    expect(changes).toEqual([
      'column "id" widens from int32 to int64',
      'column "d" widens from decimal(4,1) to decimal(8,2)',
      'column "added" is new (text): NULL in the rows already there',
    ]);
    expect(await rows()).toEqual([
      [1n, '2024-01-02', '1.50', null],
      [5000000000n, null, '12.25', 'n'],
    ]);
  });

  test('anything else fails with SCHEMA and leaves the table as it was', async () => {
    await sync('task-1', { parts: ["SELECT 1 id, 'a' v"] });
    const refused = sync('task-2', { types: { id: 'DATE', v: 'VARCHAR' }, parts: [] });
    await expect(refused).rejects.toThrow(
      expect.objectContaining({
        kind: 'SCHEMA',
        message: expect.stringContaining(
          '"t" does not fit its table: column "id" is int32 in the table and date',
        ),
      }),
    );
    expect(await rows()).toEqual([[1, 'a']]);
    expect(await versions()).toEqual(['v000001']);
  });
});

describe('exactly once', () => {
  const plan = columns({ id: 'INTEGER', v: 'VARCHAR' });

  test('what a killed attempt has staged is there for the next, once', async () => {
    await writing('task-1', { writeMode: 'APPEND' }, async (writer) => {
      expect(writer.staged).toEqual([]);
      await writer.begin(plan, false);
      await writer.stage(partOf("SELECT 1 id, 'a' v"), 'id 1 to 5/ü', signal, () => {});
    });
    await writing('task-1', { writeMode: 'APPEND' }, async (writer) => {
      expect(writer.staged).toEqual([{ partId: 'id 1 to 5/ü', rows: 1n, bytes: 10n }]);
      await writer.begin(plan, true);
      await writer.stage(partOf("SELECT 2 id, 'b' v"), 'second', signal, () => {});
      expect((await writer.publish({ at: 2 }, null)).rowsWritten).toBe(2n);
    });
    expect(await rows()).toEqual([
      [1, 'a'],
      [2, 'b'],
    ]);
  });

  test('what is not to be kept is dropped', async () => {
    await writing('task-1', {}, async (writer) => {
      await writer.begin(plan, false);
      await writer.stage(partOf("SELECT 1 id, 'a' v"), 'first', signal, () => {});
      await writer.begin(plan, false);
      await writer.stage(partOf("SELECT 2 id, 'b' v"), 'second', signal, () => {});
      await writer.publish(null, null);
    });
    expect(await rows()).toEqual([[2, 'b']]);
  });

  test('the publish and its state are found by the next task', async () => {
    await sync('task-1', { parts: ["SELECT 1 id, 'a' v"], state: { cursor: 'x' } });
    await writing('task-2', {}, async (writer) => {
      expect(writer.published).toEqual({ taskId: 'task-1', state: { cursor: 'x' }, rowsWritten: 1n });
    });
  });

  test('of two workers that publish the same task one does it and both learn of it', async () => {
    await writing('task-1', { writeMode: 'APPEND' }, async (one) => {
      await one.begin(plan, false);
      await one.stage(partOf("SELECT 1 id, 'a' v"), 'p', signal, () => {});
      await writing('task-1', { writeMode: 'APPEND' }, async (other) => {
        await other.begin(plan, true);
        expect(await Promise.all([one.publish(null, null), other.publish(null, null)])).toEqual([
          { rowsWritten: 1n, table: null },
          { rowsWritten: 1n, table: null },
        ]);
      });
    });
    expect(await rows()).toEqual([[1, 'a']]);
    expect(await versions()).toEqual(['v000001']);
  });

  test('a task that was overtaken by another does not publish over it', async () => {
    await writing('task-1', {}, async (slow) => {
      await slow.begin(plan, false);
      await sync('task-2', { parts: ["SELECT 2 id, 'b' v"] });
      await expect(slow.publish(null, null)).rejects.toThrow(
        /published by task task-2 meanwhile|cannot be written/,
      );
    });
    expect(await rows()).toEqual([[2, 'b']]);
  });

  test('a crash between the commit and the link is put right by the next who opens the table', async () => {
    await sync('task-1', { parts: ["SELECT 1 id, 'a' v"] });
    await sync('task-2', { parts: ["SELECT 2 id, 'b' v"] });
    await rm(join(lab.root, 'lake/t'));
    await symlink('.sluice/t/v000001', join(lab.root, 'lake/t'));
    await writing('task-2', {}, async (writer) => expect(writer.published?.taskId).toBe('task-2'));
    expect(await rows()).toEqual([[2, 'b']]);
  });

  test('a crash while a version is built leaves the table as it was, and nothing behind', async () => {
    await sync('task-1', { parts: ["SELECT 1 id, 'a' v"] });
    await lab.write('lake/.sluice/t/building-x/half.parquet', 'half');
    await lab.write('lake/.sluice/t/staging-dead/unfinished-1', 'half');
    await writing('task-2', {}, async (writer) => writer.abandon());
    expect((await readdir(join(lab.root, 'lake/.sluice/t'))).sort()).toEqual(['owner.json', 'v000001']);
    expect(await rows()).toEqual([[1, 'a']]);
  });

  test('a part whose source fails is not staged, and the source’s words are kept', async () => {
    await writing('task-1', {}, async (writer) => {
      await writer.begin(plan, false);
      const died = new ConnectorError('TRANSIENT', 'the server went away');
      const failed = Promise.reject(died);
      failed.catch(() => undefined);
      await expect(
        writer.stage(partOf("SELECT 1 id, 'a' v", { finished: failed }), 'p', signal, () => {}),
      ).rejects.toBe(died);
      const misfit = new Error('misfit') as ColumnMisfit;
      await expect(
        writer.stage(partOf("SELECT error('x') id, 'a' v", { explain: () => misfit }), 'p', signal, () => {}),
      ).rejects.toBe(misfit);
      await expect(writer.stage(partOf('SELECT nonsense'), 'p', signal, () => {})).rejects.toThrow(
        expect.objectContaining({ kind: 'DESTINATION' }),
      );
      expect(await readdir(join(lab.root, 'lake/.sluice/t/staging-task-1'))).toEqual([]);
    });
  });

  test('a stage stops within a second of its signal', async () => {
    await writing('task-1', {}, async (writer) => {
      await writer.begin(columns({ id: 'BIGINT' }), false);
      const abort = new AbortController();
      const staging = writer.stage(
        partOf('SELECT sum(a.range * b.range) id FROM range(10000000) a, range(10000000) b'),
        'p',
        abort.signal,
        () => {},
      );
      const startedAt = performance.now();
      abort.abort(new Error('canceled'));
      await expect(staging).rejects.toThrow('canceled');
      expect(performance.now() - startedAt).toBeLessThan(1_000);
    });
  });
});

describe('who may write', () => {
  test('a table is one job’s: another is told whose it is', async () => {
    await sync('task-1', { parts: ["SELECT 1 id, 'a' v"] });
    const refused = writing('task-2', {}, async () => undefined, 'job-2');
    await expect(refused).rejects.toThrow(
      expect.objectContaining({
        kind: 'DESTINATION',
        message: expect.stringContaining('is written by the stream "t" of job job-1'),
        fix: expect.stringContaining('destinationTable'),
      }),
    );
  });

  test.each(['../x', 'a/b', '.hidden', '_marker', '', 'a\0b', 'x'.repeat(201)])(
    'the table name %j is refused',
    async (destinationTable) => {
      await expect(writing('task-1', { destinationTable }, async () => undefined)).rejects.toThrow(
        expect.objectContaining({ kind: 'CONFIG', path: ['destinationTable'] }),
      );
    },
  );

  test('what has the table’s name and is not ours is left alone', async () => {
    await lab.write('lake/t/precious.txt', 'mine');
    await expect(sync('task-1', { parts: [] })).rejects.toThrow(
      '"t" is there already and was not made by this destination',
    );
    expect(await readdir(join(lab.root, 'lake/t'))).toEqual(['precious.txt']);
  });

  test('a marker that somebody wrote over is not guessed at', async () => {
    await sync('task-1', { parts: ["SELECT 1 id, 'a' v"] });
    await writeFile(join(lab.root, 'lake/t/_sluice.json'), '{}');
    await expect(sync('task-2', { parts: [] })).rejects.toThrow('is not as Sluice wrote it');
  });
});

describe('containment', () => {
  test.each([
    ['..', /contains "\.\."/],
    ['/etc/lake', /lies outside the files root/],
    ['lake/../../x', /contains "\.\."/],
  ])('the path %j is refused with the reason', async (path, reason) => {
    expect(await parquetDestination.check({ path }, lab.context)).toMatchObject({
      ok: false,
      problems: [{ code: 'INVALID', path: ['config', 'path'], message: expect.stringMatching(reason) }],
    });
    await expect(parquetDestination.open({ path }, lab.context)).rejects.toThrow(reason);
  });

  test.each(['lake', 'lake/.sluice', 'lake/.sluice/t'])(
    'the link %s out of the root is not written through',
    async (link) => {
      const elsewhere = await openFilesLab();
      await lab.write(`${link}-x`, '');
      await symlink(elsewhere.root, join(lab.root, link));
      await expect(sync('task-1', { parts: ["SELECT 1 id, 'a' v"] })).rejects.toThrow(
        /leads out of the files root/,
      );
      expect(await readdir(elsewhere.root)).toEqual([]);
      await elsewhere[Symbol.asyncDispose]();
    },
  );

  test('a folder exchanged for a link while a task writes is not written through', async () => {
    const elsewhere = await openFilesLab();
    await writing('task-1', {}, async (writer) => {
      await writer.begin(columns({ id: 'INTEGER', v: 'VARCHAR' }), false);
      await rename(join(lab.root, 'lake/.sluice/t'), join(lab.root, 'lake/.sluice/moved'));
      await symlink(elsewhere.root, join(lab.root, 'lake/.sluice/t'));
      await writer.stage(partOf("SELECT 1 id, 'a' v"), 'p', signal, () => {});
      await writer.publish(null, null);
    });
    expect(await readdir(elsewhere.root)).toEqual([]);
    expect(await readdir(join(lab.root, 'lake/.sluice/moved'))).toContain('v000001');
    await elsewhere[Symbol.asyncDispose]();
  });

  test('check makes sure that the folder can be written', async () => {
    expect(await parquetDestination.check({ path: 'new/lake' }, lab.context)).toEqual({
      ok: true,
      message: '"new/lake" can be written.',
      problems: [],
    });
    await lab.write('file', 'x');
    expect(await parquetDestination.check({ path: 'file' }, lab.context)).toMatchObject({
      ok: false,
      message: expect.stringContaining('it is a file, not a folder'),
    });
  });
});

describe('from files to Parquet and back', () => {
  test('a folder of CSV files arrives, a late misfit included, and is a stream of the files source', async () => {
    await lab.write(
      'in/s/a.csv',
      `id,v\n${Array.from({ length: 25_000 }, (_, at) => `${at},${at}\n`).join('')}25000,n/a\n`,
    );
    await lab.write('in/s/b.csv', 'id,v\n25001,7\n');
    await using source = await filesSource.open({ path: 'in' }, lab.context);
    await using session = await parquetDestination.open(config, lab.context);
    const selection = selectionOf('s', { destinationTable: 't' });
    const openWriter = () => session.stream(origin('task-1'), selection);
    const { rowsWritten } = await moveStream(source, openWriter, selection, null);
    expect(rowsWritten).toBe(25_002n);
    expect((await lab.rows(`SELECT v FROM ${table} WHERE id >= 24999 ORDER BY id`)).flat()).toEqual([
      '24999',
      'n/a',
      '7',
    ]);
    const [stream] = await filesSource.discover({ path: 'lake' }, lab.context);
    expect(stream).toMatchObject({ name: 't', estimatedRows: 25_002n });
  });

  test('the same files twice by INCREMENTAL and APPEND arrive once', async () => {
    await lab.write('in/s/a.csv', 'id,v\n1,a\n');
    const selection = selectionOf('s', {
      destinationTable: 't',
      syncMode: 'INCREMENTAL',
      writeMode: 'APPEND',
    });
    let state: Json | null = null;
    for (const task of ['task-1', 'task-2', 'task-3']) {
      await using source = await filesSource.open({ path: 'in' }, lab.context);
      await using session = await parquetDestination.open(config, lab.context);
      ({ state } = await moveStream(source, () => session.stream(origin(task), selection), selection, state));
      if (task === 'task-2') await lab.write('in/s/b.csv', 'id,v\n2,b\n');
    }
    expect(await rows()).toEqual([
      [1n, 'a'],
      [2n, 'b'],
    ]);
  });
});
