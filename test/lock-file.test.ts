import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';

interface Locked {
  resolved?: string;
  optionalDependencies?: Record<string, string>;
}

async function readLock(): Promise<Record<string, Locked>> {
  const text = await readFile(join(import.meta.dirname, '..', 'package-lock.json'), 'utf8');
  return (JSON.parse(text) as { packages: Record<string, Locked> }).packages;
}

/** Whether what stands at `path` finds the package, in its own folder or in one around it. */
function isFound(packages: Record<string, Locked>, path: string, name: string): boolean {
  for (let at = path; ; at = at.slice(0, Math.max(0, at.lastIndexOf('/node_modules/')))) {
    if (packages[`${at}${at && '/'}node_modules/${name}`]) return true;
    if (at === '') return false;
  }
}

test('the lock file names no host to download from, so that it serves every registry', async () => {
  const packages = await readLock();
  expect(Object.keys(packages).filter((path) => packages[path]?.resolved !== undefined)).toEqual([]);
});

test('the lock file has the optional packages of every platform: npm ci refuses one that lacks them', async () => {
  const packages = await readLock();
  const missing = Object.entries(packages).flatMap(([path, { optionalDependencies = {} }]) =>
    Object.keys(optionalDependencies).filter((name) => !isFound(packages, path, name)),
  );
  expect(missing).toEqual([]);
});
