import { mkdir, readdir, readlink, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { StreamSelection } from '#connectors/contract.ts';
import { filesSource } from '#connectors/files/source.ts';
import { parquetDestination } from '#connectors/parquet/destination.ts';
import { openFilesLab } from '../support/files-lab.ts';
import { type Mover, moveStream, openMover, originOf, selectionOf } from '../support/move-stream.ts';
import {
  columnsOf,
  lake,
  noSignal,
  openParquetLab,
  type ParquetLab,
  partOf,
  tableSql,
} from '../support/parquet-lab.ts';
import { destinationSuite } from './destination.suite.ts';

let lab: ParquetLab;
beforeEach(async () => {
  lab = await openParquetLab();
});
afterEach(async () => {
  await lab[Symbol.asyncDispose]();
});

destinationSuite('parquet', async () => {
  const own = await openFilesLab();
  const names = async (below: string) => readdir(join(own.root, below)).catch(() => []);
  return {
    connector: parquetDestination,
    config: lake,
    context: own.context,
    takesNoRemovals: true,
    async read(table) {
      if ((await names(`lake/${table}`)).length === 0) return null;
      return own.rows(`SELECT * FROM read_parquet('$root/lake/${table}/*.parquet') ORDER BY ALL`);
    },
    async staged() {
      const tables = await names('lake/.sluice-tables');
      const below = await Promise.all(tables.map((table) => names(`lake/.sluice-tables/${table}`)));
      return below.flat().filter((name) => /^(staging|building|link)-/.test(name));
    },
    [Symbol.asyncDispose]: () => own[Symbol.asyncDispose](),
  };
});

describe('OVERWRITE', () => {
  test('readers see the old table until the new one is whole', async () => {
    expect(await lab.sync('task-1', { parts: ["SELECT 1 id, 'a' v", "SELECT 2 id, 'b' v"] })).toEqual({
      rowsWritten: 2n,
      table: null,
      changes: [],
      warnings: [],
    });
    await lab.writing('task-2', {}, async (writer) => {
      await writer.begin(columnsOf({ id: 'INTEGER', v: 'VARCHAR' }), false);
      await writer.stage(partOf("SELECT 3 id, 'c' v"), 'p', noSignal, () => {});
      expect(await lab.table()).toEqual([
        [1, 'a'],
        [2, 'b'],
      ]);
      await writer.publish(null, null);
      expect(await lab.table()).toEqual([[3, 'c']]);
    });
  });

  test('a reader of the version before still finds its files, and one of two versions before does not', async () => {
    await lab.sync('task-1', { parts: ["SELECT 1 id, 'a' v"] });
    const held = await readlink(join(lab.root, 'lake/t'));
    await lab.sync('task-2', { parts: ["SELECT 2 id, 'b' v"] });
    expect(await lab.rows(`SELECT id FROM read_parquet('$root/lake/${held}/*.parquet')`)).toEqual([[1]]);
    await lab.sync('task-3', { parts: ["SELECT 3 id, 'c' v"] });
    expect(await lab.versions()).toEqual(['v000002', 'v000003']);
  });

  test('without any part leaves a readable table without rows', async () => {
    await lab.sync('task-1', { parts: ["SELECT 1 id, 'a' v"] });
    expect((await lab.sync('task-2', { parts: [] })).rowsWritten).toBe(0n);
    expect(await lab.table()).toEqual([]);
    expect(
      await lab.rows(`SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM ${tableSql})`),
    ).toEqual([
      ['id', 'INTEGER'],
      ['v', 'VARCHAR'],
    ]);
  });
});

describe('APPEND', () => {
  const append = { writeMode: 'APPEND', syncMode: 'INCREMENTAL' } as const;

  test('adds rows; the files of before are linked, not written again', async () => {
    await lab.sync('task-1', { ...append, parts: ["SELECT 1 id, 'a' v"] });
    const [before] = (await readdir(join(lab.root, 'lake/t'))).filter((name) => name.endsWith('.parquet'));
    expect((await lab.sync('task-2', { ...append, parts: ["SELECT 1 id, 'a' v"] })).rowsWritten).toBe(1n);
    expect(await lab.table()).toEqual([
      [1, 'a'],
      [1, 'a'],
    ]);
    expect((await stat(join(lab.root, 'lake/t', before!))).nlink).toBe(2);
  });

  test('of rows with the cursor’s last value those already there are dropped, each as often as it is there', async () => {
    await lab.sync('task-1', {
      ...append,
      parts: ["SELECT * FROM (VALUES (1, 'a'), (2, 'b'), (2, 'b'), (2, 'c')) t(id, v)"],
    });
    const parts = [
      "SELECT * FROM (VALUES (2, 'b'), (2, 'b'), (2, 'b'), (2, 'd')) t(id, v)",
      "SELECT * FROM (VALUES (2, 'c'), (3, 'e')) t(id, v)",
      "SELECT 4 id, 'f' v",
    ];
    const { rowsWritten } = await lab.sync('task-2', {
      ...append,
      parts,
      ties: { column: 'id', value: '2' },
    });
    expect(rowsWritten).toBe(4n);
    expect(await lab.table('id, v')).toEqual([
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
      await lab.sync(`task-${at}`, { ...append, parts: [`SELECT ${at} id, 'x' v`] });
    const files = (await readdir(join(lab.root, 'lake/t'))).filter((name) => name.endsWith('.parquet'));
    expect(files.length).toBeLessThan(33);
    expect((await lab.table()).map(([id]) => id)).toEqual(Array.from({ length: 36 }, (_, at) => at));
  });
});

describe('UPSERT', () => {
  const upsert = { writeMode: 'UPSERT', primaryKey: ['id'] } as const;

  test('the last version of each key wins, over parts and rows', async () => {
    const before = ["SELECT * FROM (VALUES (1, 'a'), (2, 'b')) t(id, v)", "SELECT 9 id, 'i' v"];
    await lab.sync('task-1', { ...upsert, primaryKey: ['id'], parts: before });
    const parts = [
      "SELECT * FROM (VALUES (2, 'x'), (3, 'c'), (3, 'd')) t(id, v)",
      "SELECT * FROM (VALUES (2, 'y'), (4, NULL)) t(id, v)",
    ];
    const { rowsWritten } = await lab.sync('task-2', { ...upsert, primaryKey: ['id'], parts });
    expect(rowsWritten).toBe(3n);
    expect(await lab.table()).toEqual([
      [1, 'a'],
      [2, 'y'],
      [3, 'd'],
      [4, null],
      [9, 'i'],
    ]);
  });

  test('a key that is NULL is refused, and the table untouched', async () => {
    await lab.sync('task-1', { ...upsert, primaryKey: ['id'], parts: ["SELECT 1 id, 'a' v"] });
    const refused = lab.sync('task-2', {
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
    expect(await lab.table()).toEqual([[1, 'a']]);
  });

  test('with a cursor the greatest wins, whichever comes last', async () => {
    const types = { id: 'INTEGER', at: 'DATE', v: 'VARCHAR' };
    const parts = [
      "SELECT 1 id, DATE '2024-02-02' AS at, 'new' v",
      "SELECT 1 id, DATE '2024-01-01' AS at, 'old' v",
    ];
    await lab.sync('task-1', { ...upsert, primaryKey: ['id'], cursorField: 'at', types, parts });
    expect(await lab.table()).toEqual([[1, '2024-02-02', 'new']]);
  });

  test('files without a changed key stay as they are', async () => {
    await lab.sync('task-1', {
      ...upsert,
      primaryKey: ['id'],
      parts: ["SELECT 1 id, 'a' v", "SELECT 2 id, 'b' v"],
    });
    await lab.sync('task-2', { ...upsert, primaryKey: ['id'], parts: ["SELECT 2 id, 'c' v"] });
    expect(await lab.table()).toEqual([
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
    await expect(lab.sync('task-1', { writeMode: 'UPSERT', primaryKey, parts: [] })).rejects.toThrow(message);
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
    const { warnings } = await lab.sync('task-1', {
      types,
      parts: [
        scan,
        `SELECT 2 id, ${Object.keys(types)
          .slice(1)
          .map((name) => `NULL AS ${name}`)
          .join(', ')}`,
      ],
    });
    expect(warnings).toEqual([
      'The column "iv" is written as text: Parquet keeps intervals to the millisecond only',
    ]);
    const expected = `SELECT * REPLACE (iv::VARCHAR AS iv) FROM (${scan})`;
    expect(
      await lab.rows(`SELECT count(*) FROM (SELECT * FROM ${tableSql} WHERE id = 1 INTERSECT ${expected})`),
    ).toEqual([[1n]]);
    expect(await lab.rows(`SELECT column_type FROM (DESCRIBE SELECT * FROM ${tableSql})`)).toEqual(
      Object.values(types).map((type) => [type === 'INTERVAL' ? 'VARCHAR' : type]),
    );
    expect((await lab.table())[1]).toEqual([
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
    await lab.sync('task-1', {
      ...append,
      types: { id: 'INTEGER', gone: 'DATE', d: 'DECIMAL(4,1)' },
      parts: ["SELECT 1 id, DATE '2024-01-02' gone, 1.5 d"],
    });
    const { changes } = await lab.sync('task-2', {
      ...append,
      types: { added: 'VARCHAR', id: 'BIGINT', d: 'DECIMAL(8,2)' },
      parts: ["SELECT 'n' added, 5000000000 id, 12.25 d"],
    });
    expect(changes).toEqual([
      'column "id" widens from int32 to int64',
      'column "d" widens from decimal(4,1) to decimal(8,2)',
      'column "added" is new (text): NULL in the rows already there',
    ]);
    expect(await lab.table()).toEqual([
      [1n, '2024-01-02', '1.50', null],
      [5000000000n, null, '12.25', 'n'],
    ]);
  });

  test('anything else fails with SCHEMA and leaves the table as it was', async () => {
    await lab.sync('task-1', { parts: ["SELECT 1 id, 'a' v"] });
    const refused = lab.sync('task-2', { types: { id: 'DATE', v: 'VARCHAR' }, parts: [] });
    await expect(refused).rejects.toThrow(
      expect.objectContaining({
        kind: 'SCHEMA',
        message: expect.stringContaining(
          '"t" does not fit its table: column "id" is int32 in the table and date',
        ),
      }),
    );
    expect(await lab.table()).toEqual([[1, 'a']]);
    expect(await lab.versions()).toEqual(['v000001']);
  });
});

describe('from files to Parquet and back', () => {
  const { jobId } = originOf();

  /** Moves the files of `in/s` into the table "t". */
  async function move(mover: Mover, more: Partial<StreamSelection> = {}): Promise<bigint> {
    const { rowsWritten } = await moveStream(mover, {
      source: filesSource,
      sourceConfig: { path: 'in' },
      destination: parquetDestination,
      destinationConfig: lake,
      origin: originOf(jobId),
      selection: selectionOf('s', { destinationTable: 't', ...more }),
    });
    return rowsWritten;
  }

  async function write(mover: Mover, name: string, content: string): Promise<void> {
    await mkdir(join(mover.filesRoot, 'in/s'), { recursive: true });
    await writeFile(join(mover.filesRoot, 'in/s', name), content);
  }

  const read = (mover: Mover, where = 'true') =>
    mover.rows(`SELECT * FROM ${tableSql.replace('$root', mover.filesRoot)} WHERE ${where} ORDER BY ALL`);

  test('a folder of CSV files arrives, a late misfit included, and is a stream of the files source', async () => {
    await using mover = await openMover();
    const many = Array.from({ length: 25_000 }, (_, at) => `${at},${at}\n`).join('');
    await write(mover, 'a.csv', `id,v\n${many}25000,n/a\n`);
    await write(mover, 'b.csv', 'id,v\n25001,7\n');
    expect(await move(mover)).toBe(25_002n);
    expect(await read(mover, 'id >= 24999')).toEqual([
      [24_999n, '24999'],
      [25_000n, 'n/a'],
      [25_001n, '7'],
    ]);
    const [stream] = await filesSource.discover(lake, mover.context());
    expect(stream).toMatchObject({ name: 't', estimatedRows: 25_002n });
  });

  test('the same files twice by INCREMENTAL and APPEND arrive once', async () => {
    await using mover = await openMover();
    const append = { syncMode: 'INCREMENTAL', writeMode: 'APPEND' } as const;
    await write(mover, 'a.csv', 'id,v\n1,a\n');
    expect(await move(mover, append)).toBe(1n);
    expect(await move(mover, append)).toBe(0n);
    await write(mover, 'b.csv', 'id,v\n2,b\n');
    expect(await move(mover, append)).toBe(1n);
    expect(await read(mover)).toEqual([
      [1n, 'a'],
      [2n, 'b'],
    ]);
  });
});
