import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { stringify } from 'yaml';
import { createApiKey } from '#accounts/api-keys.ts';
import type { Viewer } from '#accounts/viewer.ts';
import { createDatastore } from '#catalog/create-datastore.ts';
import { runEndpoints } from '#cli/endpoints.ts';
import type { Declaration } from '#endpoints/declaration.ts';
import { serve } from '#server/serve.ts';
import { type BigQueryServer, startBigQueryServer } from '../../support/bigquery-server/start-server.ts';
import { declared, publish } from '../../support/endpoints.ts';
import { openTestGraphql, type TestGraphql } from '../../support/graphql.ts';
import { makeTables } from '../../support/lab-tables.ts';

let gql: TestGraphql;
let server: BigQueryServer;
let ada: Viewer;
beforeAll(async () => {
  server = await startBigQueryServer('sluice-estimates');
  gql = await openTestGraphql({ emulatorHosts: [server.host] });
  ada = await gql.signUp('ada');
  const { config } = server;
  await createDatastore(gql.app.catalog, ada, { name: 'big', engine: 'BIGQUERY', config, isDefault: true });
  const users = {
    name: 'users',
    columns: { id: 'integer', name: 'text', plan: 'text', active: 'boolean' },
    rows: [[1, 'Ada', 'free', true]],
  } as const;
  const place = { datastore: 'big', database: config.projectId, schema: 'raw' };
  for (const datastore of ['big', 'warehouse']) {
    const database = datastore === 'big' ? place.database : datastore;
    await makeTables(gql, ada, { ...place, datastore, database }, [users]);
  }
});
afterAll(async () => {
  await gql?.[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
});
afterEach(async () => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
  await server.order({ bytes: 10_485_760 });
});

const examples = [
  { name: 'refused', params: { plan: 'other' }, expect: { error: { code: 'BAD_USER_INPUT' } } },
  { name: 'free', params: { plan: 'free' }, expect: { count: 1 } },
] as const;
const users = (name: string, changes: Partial<Declaration> = {}) =>
  declared({
    metadata: { name, version: 1 },
    route: `/${name}`,
    examples,
    ...changes,
  } as Partial<Declaration>);

const tested = async (declaration: Declaration) => {
  const text = `mutation ($input: TestEndpointInput!) {
    testEndpoint(input: $input) { ok readBytes userErrors { path message } } }`;
  return (await gql.ask(ada, text, { input: { declaration } })).testEndpoint;
};
const served = async (id: string) => {
  const row = await gql.app.store.db.endpoint.findUniqueOrThrow({ where: { id } });
  const { endpoints } = await gql.ask(ada, `{ endpoints(search: "${row.name}") { nodes { readBytes } } }`);
  return endpoints.nodes[0].readBytes;
};

test('a published endpoint says what a call reads by the engine, with the parameters of its first good example', async () => {
  await server.order({ bytes: 123_456_789_012 });
  const { id } = await publish(gql, ada, users('priced'));
  expect(await served(id)).toBe(123_456_789_012);
  const given = (await server.order({ tell: true })).dryRuns.at(-1)!;
  expect(JSON.stringify(given)).toContain('"value":"free"');
});

test('it says nothing where no example gives what must be given, and where the engine does not tell', async () => {
  const { id } = await publish(gql, ada, users('unpriced', { examples: [] }));
  expect(await served(id)).toBeNull();
  const embedded = await publish(gql, ada, users('embedded', { datastore: 'warehouse' }));
  expect(await served(embedded.id)).toBeNull();
});

test('a declaration is tested without being saved: what a call would read, or everything wrong with it', async () => {
  expect(await tested(users('tried'))).toEqual({ ok: true, readBytes: 10_485_760, userErrors: [] });
  expect(await tested(users('tried', { query: 'SELECT nothing FROM raw.users' }))).toMatchObject({
    ok: false,
    readBytes: null,
    userErrors: [0, 1].map((at) => ({ path: ['declaration', 'params', String(at), 'name'] })),
  });
  expect(await tested(users('tried', { query: 'SELECT nothing', params: [], examples: [] }))).toMatchObject({
    ok: false,
    userErrors: [{ path: ['declaration', 'query'], message: expect.stringContaining('nothing') }],
  });
  expect(await gql.app.store.db.endpoint.count({ where: { name: 'tried' } })).toBe(0);
});

test('sluice endpoints check --gateway says what a call of each file reads, and what its datastore refuses', async () => {
  await using gateway = await serve(gql.app, { host: '127.0.0.1', port: 0 });
  const { secret } = await createApiKey(gql.app.accounts, ada, { name: 'ci', scopes: ['CONTROL_WRITE'] });
  vi.stubEnv('SLUICE_URL', gateway.url);
  vi.stubEnv('SLUICE_TOKEN', secret);
  const folder = join(gql.filesRoot, '..', 'priced');
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'a.yaml'), stringify(users('a')));
  const told = { stdout: '', stderr: '' };
  for (const to of ['stdout', 'stderr'] as const) {
    vi.spyOn(process[to], 'write').mockImplementation((text) => (told[to] += String(text)) !== '');
  }
  const check = (flags: object) => runEndpoints({ arguments: ['check'], flags: { folder, ...flags } });
  expect(await check({ gateway: true })).toBe(0);
  expect(told.stdout).toBe('a.yaml: a call reads 10.0 MiB\n1 file, nothing wrong\n');
  await writeFile(
    join(folder, 'b.yaml'),
    stringify(users('b', { query: 'SELECT id FROM raw.nowhere', params: [], examples: [] })),
  );
  expect(await check({})).toBe(0);
  told.stdout = '';
  expect(await check({ gateway: true })).toBe(1);
  expect(told.stdout).toBe('a.yaml: a call reads 10.0 MiB\n2 files, 1 of them wrong\n');
  expect(told.stderr).toMatch(/^b\.yaml: .*nowhere/);
});
