import { readdir, readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { expect, test } from 'vitest';

const src = join(import.meta.dirname, '..', 'src');

/** A folder imports only from folders of lower floors; ARCHITECTURE.md says what each is for. */
const floors: Record<string, number> = {
  cli: 9,
  server: 8,
  graphql: 7,
  rest: 7,
  'app.ts': 6,
  pipelines: 5,
  metrics: 5,
  entities: 5,
  endpoints: 5,
  catalog: 4,
  accounts: 3,
  queue: 2,
  connectors: 2,
  store: 1,
  warehouse: 1,
  'config.ts': 1,
  base: 0,
  generated: 0,
};

/** Floors that are below, and still not for these folders. */
const neverImports: Record<string, readonly string[]> = {
  graphql: ['queue', 'warehouse'],
  rest: ['queue', 'warehouse'],
};

interface Import {
  file: string;
  folder: string;
  target: string;
}

async function readImports(): Promise<{ files: number; imports: Import[]; relative: string[] }> {
  const names = await readdir(src, { recursive: true });
  const files = names.filter((name) => name.endsWith('.ts') && !name.startsWith('generated'));
  const imports: Import[] = [];
  const wrong: string[] = [];
  for (const file of files) {
    const text = await readFile(join(src, file), 'utf8');
    const folder = file.split('/')[0] as string;
    for (const match of text.matchAll(/(?:from|import|import\()\s*'([^']+)'/g)) {
      const target = match[1] as string;
      if (target.startsWith('#'))
        imports.push({ file, folder, target: target.slice(1).split('/')[0] as string });
      if (target.startsWith('..')) wrong.push(`${file} imports ${target}`);
      if (target.startsWith('./') && !target.endsWith('.ts'))
        wrong.push(`${file} imports ${target} without .ts`);
    }
  }
  return { files: files.length, imports, relative: wrong };
}

test('every folder of src stands on a known floor', async () => {
  const entries = await readdir(src);
  expect(entries.filter((entry) => floors[entry] === undefined)).toEqual([]);
});

test('no file imports from its own floor sideways, or from a floor above', async () => {
  const { imports } = await readImports();
  const upward = imports.filter(({ folder, target }) => {
    if (folder === target) return false;
    const own = floors[folder];
    const other = floors[target];
    return own === undefined || other === undefined || other >= own;
  });
  expect(upward).toEqual([]);
});

test('graphql and rest translate: they import neither queue nor warehouse', async () => {
  const { imports } = await readImports();
  const forbidden = imports.filter(({ folder, target }) => neverImports[folder]?.includes(target));
  expect(forbidden).toEqual([]);
});

test('files of other folders are imported as #folder/file.ts, those of the same as ./file.ts', async () => {
  const { relative: wrong } = await readImports();
  expect(wrong).toEqual([]);
});

test('no file is only a list of re-exports', async () => {
  const names = await readdir(src, { recursive: true });
  const barrels: string[] = [];
  for (const name of names.filter((each) => each.endsWith('.ts') && !each.startsWith('generated'))) {
    const text = await readFile(join(src, name), 'utf8');
    const lines = text.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('//'));
    if (lines.length > 0 && lines.every((line) => /^export .* from /.test(line)))
      barrels.push(relative(src, name));
  }
  expect(barrels).toEqual([]);
});

test('the law was read from as many files as the house has', async () => {
  const { files, imports } = await readImports();
  expect(files).toBeGreaterThan(60);
  expect(imports.length).toBeGreaterThan(100);
});
