import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buildSchema, type GraphQLSchema, parse, validate } from 'graphql';
import { expect, test } from 'vitest';
import { settings } from '#config.ts';
import { readYaml } from '#endpoints/read-yaml.ts';
import { endpointOf } from '#endpoints/served.ts';
import { withEndpoints } from '#graphql/endpoint-schema.ts';

const root = join(import.meta.dirname, '..');
const read = (path: string) => readFile(join(root, path), 'utf8');

async function pages(): Promise<{ path: string; text: string }[]> {
  const docs = (await readdir(join(root, 'docs'), { recursive: true })).map((name) => join('docs', name));
  const tops = (await readdir(root)).filter((name) => name.endsWith('.md'));
  const paths = [...tops, ...docs.filter((path) => path.endsWith('.md'))];
  return Promise.all(paths.map(async (path) => ({ path, text: await read(path) })));
}

test('every setting stands in .env.example and docs/configuration.md, and nothing else does', async () => {
  const names = settings.map((setting) => setting.name).toSorted((a, b) => a.localeCompare(b));
  const inExample = [...(await read('.env.example')).matchAll(/^# ([A-Z_]+)=/gm)].map((match) => match[1]);
  const inDocs = [...(await read('docs/configuration.md')).matchAll(/^\| `([A-Z_]+)`/gm)].map(
    (match) => match[1],
  );
  expect(inExample.toSorted((a, b) => String(a).localeCompare(String(b)))).toEqual(names);
  expect(inDocs.toSorted((a, b) => String(a).localeCompare(String(b)))).toEqual(names);
});

test('the defaults in .env.example are those of the code', async () => {
  const example = await read('.env.example');
  for (const { name, default: value } of settings) {
    const shown = new RegExp(`^# ${name}=(.*)$`, 'm').exec(example)?.[1];
    if (value !== null) expect({ name, value: shown }).toEqual({ name, value: value });
  }
});

/** With the endpoint that a page declares, where it declares one. */
function schemaOf(schema: GraphQLSchema, text: string): GraphQLSchema {
  const yaml = /```yaml\n(metadata:[\s\S]*?)```/.exec(text)?.[1];
  const read = yaml === undefined ? null : readYaml(yaml);
  if (read === null) return schema;
  if ('problems' in read) throw new Error(JSON.stringify(read.problems));
  const { declaration } = read;
  const columns = ['id', 'name', 'plan'].map((name) => ({
    name,
    dataType: 'VARCHAR',
    type: 'text' as const,
  }));
  const datastore = { id: '', name: 'warehouse', engine: 'DUCKDB' as const };
  const { name, version } = declaration.metadata;
  const endpoint = endpointOf({
    id: '',
    projectId: '',
    name,
    version,
    state: 'PUBLISHED',
    updatedAt: new Date(),
    deprecatedAt: null,
    sunsetAt: null,
    replacement: null,
    served: { declaration, columns, tableIds: [], datastore },
  });
  return withEndpoints(schema, { projectId: '', all: [endpoint], byPath: new Map() });
}

test('every GraphQL block in the docs is valid against schema.graphql', async () => {
  const base = buildSchema(await read('schema.graphql'));
  const wrong: string[] = [];
  let count = 0;
  for (const { path, text } of await pages()) {
    const schema = schemaOf(base, text);
    for (const [, block = ''] of text.matchAll(/```graphql\n([\s\S]*?)```/g)) {
      count += 1;
      wrong.push(...validate(schema, parse(block)).map((error) => `${path}: ${error.message}`));
    }
  }
  expect(wrong).toEqual([]);
  expect(count).toBeGreaterThan(5);
});

test('every command of npm in the docs is a script of package.json', async () => {
  const { scripts } = JSON.parse(await read('package.json')) as { scripts: Record<string, string> };
  const unknown: string[] = [];
  for (const { path, text } of await pages()) {
    for (const [, name = ''] of text.matchAll(/npm run (?:--silent )?([a-z:-]+)/g)) {
      if (!scripts[name]) unknown.push(`${path}: npm run ${name}`);
    }
  }
  expect(unknown).toEqual([]);
});

test('every path and every local link in the docs leads to a file', async () => {
  const files = new Set(
    await readdir(root, { recursive: true }).then((all) =>
      all.filter((name) => !name.startsWith('node_modules')),
    ),
  );
  const dead: string[] = [];
  for (const { path, text } of await pages()) {
    const linked = [...text.matchAll(/\]\((?!https?:)([^)#]+)/g)].map((match) =>
      join(path, '..', match[1] as string),
    );
    const named = [...text.matchAll(/`((?:src|test|docs|prisma|bench)\/[\w./-]+\.\w+)`/g)].map(
      (match) => match[1] as string,
    );
    dead.push(...[...linked, ...named].filter((each) => !files.has(each)).map((each) => `${path}: ${each}`));
  }
  expect(dead).toEqual([]);
});

test('nothing in the docs speaks of a machine path', async () => {
  const found = (await pages())
    .filter(({ text }) => /\/(?:work|home|root|tmp)\//.test(text))
    .map(({ path }) => path);
  expect(found).toEqual([]);
});
