import { execFile } from 'node:child_process';
import { appendFile, mkdir, rename, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { filesSource } from '#connectors/files/source.ts';
import { type FilesLab, openFilesLab, planned, readStream, rowsOf } from '../support/files-lab.ts';
import { selectionOf } from '../support/move-stream.ts';

let lab: FilesLab;
beforeEach(async () => {
  lab = await openFilesLab();
});
afterEach(async () => {
  await lab[Symbol.asyncDispose]();
});

describe('a file that does not hold still', () => {
  test('gone between plan and read fails by its name', async () => {
    await lab.write('t.csv', 'id\n1\n');
    await planned(lab, 't', {}, async (plan) => {
      await rm(join(lab.root, 't.csv'));
      await expect(rowsOf(plan, lab)).rejects.toThrow('"t.csv" is gone since its folder was listed');
    });
  });

  test('changed between plan and read fails by its name', async () => {
    await lab.write('t.csv', 'id\n1\n');
    await planned(lab, 't', {}, async (plan) => {
      await appendFile(join(lab.root, 't.csv'), '2\n');
      await expect(rowsOf(plan, lab)).rejects.toThrow(
        '"t.csv" changed while it was read: it had 5 bytes, now 7',
      );
    });
  });

  test('changed during the read fails before the part can be committed', async () => {
    await lab.write('t.csv', 'id\n1\n');
    await planned(lab, 't', {}, async (plan) => {
      await using open = await plan.parts[0]!.open(lab.context.signal);
      await appendFile(join(lab.root, 't.csv'), '2\n');
      await expect(open.finished).rejects.toThrow('"t.csv" changed while it was read');
    });
  });

  test('replaced during the read is read as it was opened', async () => {
    await lab.write('t.csv', 'id\n1\n');
    await lab.write('next', 'id\n999\n');
    await planned(lab, 't', {}, async (plan) => {
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
    ['.sluice/key', /"\.sluice" is hidden/],
    ['sales/.git', /"\.git" is hidden/],
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
    expect(await readStream(lab, 's', { config: { path: 'shown' } })).toEqual([[1n]]);
    await symlink('..', join(lab.root, 'real/loop'));
    await expect(readStream(lab, 'real')).rejects.toThrow('leads back to a folder above it');
  });

  test('a file that becomes a link out of the root after the plan is not read', async () => {
    await lab.write('t.csv', 'id\n1\n');
    await planned(lab, 't', {}, async (plan) => {
      await rm(join(lab.root, 't.csv'));
      await symlink(outside, join(lab.root, 't.csv'));
      await expect(rowsOf(plan, lab)).rejects.toThrow(/refused: .*a link|refused: its links/);
    });
  });

  test('a folder that becomes a link out of the root after the plan is not read', async () => {
    await lab.write('s/a.csv', 'id\n1\n');
    const elsewhere = await openFilesLab();
    await elsewhere.write('a.csv', 'id\n999\n');
    await planned(lab, 's', {}, async (plan) => {
      await rename(join(lab.root, 's'), join(lab.root, 'old'));
      await symlink(elsewhere.root, join(lab.root, 's'));
      await expect(rowsOf(plan, lab)).rejects.toThrow('leads out of the files root');
    });
    await elsewhere[Symbol.asyncDispose]();
  });

  test('a link put in place after the file was opened changes nothing', async () => {
    await lab.write('t.csv', 'id\n1\n');
    await planned(lab, 't', {}, async (plan) => {
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
