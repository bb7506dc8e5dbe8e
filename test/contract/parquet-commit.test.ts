import { readdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type ColumnMisfit, ConnectorError } from '#connectors/contract.ts';
import { parquetDestination } from '#connectors/parquet/destination.ts';
import { openFilesLab } from '../support/files-lab.ts';
import { columnsOf, noSignal, openParquetLab, type ParquetLab, partOf } from '../support/parquet-lab.ts';

let lab: ParquetLab;
beforeEach(async () => {
  lab = await openParquetLab();
});
afterEach(async () => {
  await lab[Symbol.asyncDispose]();
});

describe('exactly once', () => {
  const plan = columnsOf({ id: 'INTEGER', v: 'VARCHAR' });

  test('what a killed attempt has staged is there for the next, once', async () => {
    await lab.writing('task-1', { writeMode: 'APPEND' }, async (writer) => {
      expect(writer.staged).toEqual([]);
      await writer.begin(plan, false);
      await writer.stage(partOf("SELECT 1 id, 'a' v"), 'id 1 to 5/ü', noSignal, () => {});
    });
    await lab.writing('task-1', { writeMode: 'APPEND' }, async (writer) => {
      expect(writer.staged).toEqual([{ partId: 'id 1 to 5/ü', rows: 1n, bytes: 10n }]);
      await writer.begin(plan, true);
      await writer.stage(partOf("SELECT 2 id, 'b' v"), 'second', noSignal, () => {});
      expect((await writer.publish({ at: 2 }, null)).rowsWritten).toBe(2n);
    });
    expect(await lab.table()).toEqual([
      [1, 'a'],
      [2, 'b'],
    ]);
  });

  test('what is not to be kept is dropped', async () => {
    await lab.writing('task-1', {}, async (writer) => {
      await writer.begin(plan, false);
      await writer.stage(partOf("SELECT 1 id, 'a' v"), 'first', noSignal, () => {});
      await writer.begin(plan, false);
      await writer.stage(partOf("SELECT 2 id, 'b' v"), 'second', noSignal, () => {});
      await writer.publish(null, null);
    });
    expect(await lab.table()).toEqual([[2, 'b']]);
  });

  test('the publish and its state are found by the next task', async () => {
    await lab.sync('task-1', { parts: ["SELECT 1 id, 'a' v"], state: { cursor: 'x' } });
    await lab.writing('task-2', {}, async (writer) => {
      expect(writer.published).toEqual({ taskId: 'task-1', state: { cursor: 'x' }, rowsWritten: 1n });
    });
  });

  test('of two workers that publish the same task one does it and both learn of it', async () => {
    await lab.writing('task-1', { writeMode: 'APPEND' }, async (one) => {
      await one.begin(plan, false);
      await one.stage(partOf("SELECT 1 id, 'a' v"), 'p', noSignal, () => {});
      await lab.writing('task-1', { writeMode: 'APPEND' }, async (other) => {
        await other.begin(plan, true);
        expect(await Promise.all([one.publish(null, null), other.publish(null, null)])).toEqual([
          { rowsWritten: 1n, table: null },
          { rowsWritten: 1n, table: null },
        ]);
      });
    });
    expect(await lab.table()).toEqual([[1, 'a']]);
    expect(await lab.versions()).toEqual(['v000001']);
  });

  test('a task that was overtaken by another does not publish over it', async () => {
    await lab.writing('task-1', {}, async (slow) => {
      await slow.begin(plan, false);
      await lab.sync('task-2', { parts: ["SELECT 2 id, 'b' v"] });
      await expect(slow.publish(null, null)).rejects.toThrow(
        /published by task task-2 meanwhile|cannot be written/,
      );
    });
    expect(await lab.table()).toEqual([[2, 'b']]);
  });

  test('a crash between the commit and the link is put right by the next who opens the table', async () => {
    await lab.sync('task-1', { parts: ["SELECT 1 id, 'a' v"] });
    await lab.sync('task-2', { parts: ["SELECT 2 id, 'b' v"] });
    await rm(join(lab.root, 'lake/t'));
    await symlink('.sluice-tables/t/v000001', join(lab.root, 'lake/t'));
    await lab.writing('task-2', {}, async (writer) => expect(writer.published?.taskId).toBe('task-2'));
    expect(await lab.table()).toEqual([[2, 'b']]);
  });

  test('a crash while a version is built leaves the table as it was, and nothing behind', async () => {
    await lab.sync('task-1', { parts: ["SELECT 1 id, 'a' v"] });
    await lab.write('lake/.sluice-tables/t/building-x/half.parquet', 'half');
    await lab.write('lake/.sluice-tables/t/staging-dead/unfinished-1', 'half');
    await lab.writing('task-2', {}, async (writer) => writer.abandon());
    expect((await readdir(join(lab.root, 'lake/.sluice-tables/t'))).sort()).toEqual([
      'owner.json',
      'v000001',
    ]);
    expect(await lab.table()).toEqual([[1, 'a']]);
  });

  test('what a killed process could not keep in memory is removed by the next, what a living one holds is not', async () => {
    const host = hostname().replaceAll(/[^\w.]/g, '_');
    const [dead, living] = [`.work-${host}-999999999-x`, `.work-${host}-${process.ppid}-x`];
    await lab.write(`lake/.sluice-tables/${dead}/work.duckdb`, 'x');
    await lab.write(`lake/.sluice-tables/${living}/work.duckdb`, 'x');
    await lab.writing('task-1', {}, async () => undefined);
    expect((await readdir(join(lab.root, 'lake/.sluice-tables'))).sort()).toEqual([living, 't']);
  });

  test('a part whose source fails is not staged, and the source’s words are kept', async () => {
    await lab.writing('task-1', {}, async (writer) => {
      await writer.begin(plan, false);
      const died = new ConnectorError('TRANSIENT', 'the server went away');
      const failed = Promise.reject(died);
      failed.catch(() => undefined);
      await expect(
        writer.stage(partOf("SELECT 1 id, 'a' v", { finished: failed }), 'p', noSignal, () => {}),
      ).rejects.toBe(died);
      const misfit = new Error('misfit') as ColumnMisfit;
      await expect(
        writer.stage(
          partOf("SELECT error('x') id, 'a' v", { explain: () => misfit }),
          'p',
          noSignal,
          () => {},
        ),
      ).rejects.toBe(misfit);
      await expect(writer.stage(partOf('SELECT nonsense'), 'p', noSignal, () => {})).rejects.toThrow(
        expect.objectContaining({ kind: 'DESTINATION' }),
      );
      expect(await readdir(join(lab.root, 'lake/.sluice-tables/t/staging-task-1'))).toEqual([]);
    });
  });

  test('a stage stops within a second of its signal', async () => {
    await lab.writing('task-1', {}, async (writer) => {
      await writer.begin(columnsOf({ id: 'BIGINT' }), false);
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
    await lab.sync('task-1', { parts: ["SELECT 1 id, 'a' v"] });
    const refused = lab.writing('task-2', {}, async () => undefined, 'job-2');
    await expect(refused).rejects.toThrow(
      expect.objectContaining({
        kind: 'DESTINATION',
        message: expect.stringContaining('is written by the stream "t" of job job-1'),
        fix: expect.stringContaining('destinationTable'),
      }),
    );
  });

  test.each(['../x', 'a/b', '.hidden', '', 'a\0b', 'x'.repeat(201)])(
    'the table name %j is refused',
    async (destinationTable) => {
      await expect(lab.writing('task-1', { destinationTable }, async () => undefined)).rejects.toThrow(
        expect.objectContaining({ kind: 'CONFIG', path: ['destinationTable'] }),
      );
    },
  );

  test('what has the table’s name and is not ours is left alone', async () => {
    await lab.write('lake/t/precious.txt', 'mine');
    await expect(lab.sync('task-1', { parts: [] })).rejects.toThrow(
      '"t" is there already and was not made by this destination',
    );
    expect(await readdir(join(lab.root, 'lake/t'))).toEqual(['precious.txt']);
  });

  test('a marker that somebody wrote over is not guessed at', async () => {
    await lab.sync('task-1', { parts: ["SELECT 1 id, 'a' v"] });
    await writeFile(join(lab.root, 'lake/t/_sluice.json'), '{}');
    await expect(lab.sync('task-2', { parts: [] })).rejects.toThrow('is not as Sluice wrote it');
  });
});

describe('containment', () => {
  test.each([
    ['..', /contains "\.\."/],
    ['/etc/lake', /lies outside the files root/],
    ['lake/../../x', /contains "\.\."/],
    ['.sluice', /"\.sluice" is hidden/],
  ])('the path %j is refused with the reason', async (path, reason) => {
    expect(await parquetDestination.check({ path }, lab.context)).toMatchObject({
      ok: false,
      problems: [{ code: 'INVALID', path: ['config', 'path'], message: expect.stringMatching(reason) }],
    });
    await expect(parquetDestination.open({ path }, lab.context)).rejects.toThrow(reason);
  });

  test.each(['lake', 'lake/.sluice-tables', 'lake/.sluice-tables/t'])(
    'the link %s out of the root is not written through',
    async (link) => {
      const elsewhere = await openFilesLab();
      await lab.write(`${link}-x`, '');
      await symlink(elsewhere.root, join(lab.root, link));
      await expect(lab.sync('task-1', { parts: ["SELECT 1 id, 'a' v"] })).rejects.toThrow(
        /leads out of the files root/,
      );
      expect(await readdir(elsewhere.root)).toEqual([]);
      await elsewhere[Symbol.asyncDispose]();
    },
  );

  test('a folder exchanged for a link while a task writes is not written through', async () => {
    const elsewhere = await openFilesLab();
    await lab.writing('task-1', {}, async (writer) => {
      await writer.begin(columnsOf({ id: 'INTEGER', v: 'VARCHAR' }), false);
      await rename(join(lab.root, 'lake/.sluice-tables/t'), join(lab.root, 'lake/.sluice-tables/moved'));
      await symlink(elsewhere.root, join(lab.root, 'lake/.sluice-tables/t'));
      await writer.stage(partOf("SELECT 1 id, 'a' v"), 'p', noSignal, () => {});
      await writer.publish(null, null);
    });
    expect(await readdir(elsewhere.root)).toEqual([]);
    expect(await readdir(join(lab.root, 'lake/.sluice-tables/moved'))).toContain('v000001');
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
