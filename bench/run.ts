import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

/*
 * npm run bench            runs every benchmark
 * npm run bench -- logs    runs one
 *
 * One after the other, each in a process of its own: none finds the memory or the warm code of another.
 */

const here = import.meta.dirname;
const files = (await readdir(here)).filter((name) => name.endsWith('.ts') && name !== 'run.ts');
const known = files.map((name) => name.slice(0, -'.ts'.length)).toSorted();
const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !known.includes(name));
if (unknown.length > 0) {
  console.error(`There is no benchmark ${unknown.join(', ')}. There are: ${known.join(', ')}.`);
  process.exit(1);
}
for (const name of asked.length > 0 ? asked : known) {
  const child = spawn(process.execPath, [...process.execArgv, join(here, `${name}.ts`)], {
    stdio: 'inherit',
  });
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code !== 0) process.exitCode = 1;
}
