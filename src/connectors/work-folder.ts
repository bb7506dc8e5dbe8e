import { mkdir, readdir, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, join } from 'node:path';
import { newId } from '#base/id.ts';

/** The work folders of this process: others that carry its pid are from a life before. */
const own = new Set<string>();

/** Makes a private folder, of a name that no table can have, for what is put aside while tasks run, and removes those that processes of this host left when they were killed. */
export async function makeWorkFolder(parent: string): Promise<string> {
  const host = hostname().replaceAll(/[^\w.]/g, '_');
  for (const name of await readdir(parent)) {
    const [, on, pid] = /^\.work-([\w.]+)-(\d+)-/.exec(name) ?? [];
    if (on !== host || own.has(name)) continue;
    if (Number(pid) === process.pid || !isAlive(Number(pid)))
      await rm(join(parent, name), { recursive: true, force: true });
  }
  const name = `.work-${host}-${process.pid}-${newId()}`;
  own.add(name);
  await mkdir(join(parent, name), { mode: 0o700 });
  return join(parent, name);
}

/** Removes a folder that makeWorkFolder made. */
export async function removeWorkFolder(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true });
  own.delete(basename(path));
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
