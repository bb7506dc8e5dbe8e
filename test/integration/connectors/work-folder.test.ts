import { spawnSync } from 'node:child_process';
import { mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { makeWorkFolder, removeWorkFolder } from '#connectors/work-folder.ts';
import { temporaryFolder } from '../../support/gateway.ts';

test('what a killed process of this host left goes with the next folder, what is in use and what is of other hosts stays', async () => {
  await using home = await temporaryFolder();
  const host = hostname().replaceAll(/[^\w.]/g, '_');
  const { pid: dead } = spawnSync(process.execPath, ['-e', '']);
  const names = {
    dead: `.work-${host}-${dead}-x`,
    alive: `.work-${host}-${process.ppid}-x`,
    elsewhere: `.work-other.host-${dead}-x`,
  };
  for (const name of Object.values(names)) {
    await mkdir(join(home.path, name));
    await writeFile(join(home.path, name, 'work.duckdb'), 'left');
  }
  const first = await makeWorkFolder(home.path);
  const second = await makeWorkFolder(home.path);
  expect((await stat(first)).mode & 0o777).toBe(0o700);
  const found = await readdir(home.path);
  expect(found).toHaveLength(4);
  expect(found).toEqual(expect.arrayContaining([names.alive, names.elsewhere]));
  await removeWorkFolder(first);
  await removeWorkFolder(second);
  expect((await readdir(home.path)).toSorted()).toEqual([names.alive, names.elsewhere].toSorted());
});
