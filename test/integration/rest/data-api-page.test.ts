import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createApiKey } from '#accounts/api-keys.ts';
import { runEndpoints } from '#cli/endpoints.ts';
import { followFolder } from '#endpoints/follow-folder.ts';
import { serve } from '#server/serve.ts';
import { docBlocks } from '../../support/doc-blocks.ts';
import { signUpWithUsers } from '../../support/endpoints.ts';
import { openTestGraphql, type TestGraphql } from '../../support/graphql.ts';

let gql: TestGraphql;
beforeAll(async () => {
  gql = await openTestGraphql();
});
afterAll(() => gql[Symbol.asyncDispose]());

test("docs/data-api.md: the page's file is served, and its call and its query give the same rows", async () => {
  const viewer = await signUpWithUsers(gql, 'ada');
  const blocks = await docBlocks('data-api.md');
  const folder = join(gql.filesRoot, '..', 'page');
  await mkdir(folder, { recursive: true });
  const yaml = blocks.find(({ before }) => before.includes('active_users.yaml'))!.text;
  await writeFile(join(folder, 'active_users.yaml'), yaml);
  await using _followed = await followFolder(gql.app.endpoints, { folder, homeId: gql.app.store.homeId });
  await using gateway = await serve(gql.app, { host: '127.0.0.1', port: 0 });
  const { secret } = await createApiKey(gql.app.accounts, viewer, { name: 'page', scopes: ['DATA_READ'] });

  const curl = blocks.find(({ text }) => text.startsWith('curl'))!.text;
  const path = /'http:[^/]*\/\/[^/]*(\/[^']*)'/.exec(curl)![1]!;
  const response = await fetch(gateway.url + path, { headers: { authorization: `Bearer ${secret}` } });
  expect(response.status).toBe(200);
  const { data } = await response.json();
  expect(data).toEqual([
    { id: 4, name: 'user 4', plan: 'team' },
    { id: 10, name: 'user 10', plan: 'team' },
  ]);

  const query = blocks.find(
    ({ language, text }) => language === 'graphql' && text.includes('activeUsers'),
  )!.text;
  const answer = await gql.ask(viewer, query);
  expect(answer.data.activeUsers.nodes).toEqual(
    data.map(({ id, name }: { id: number; name: string }) => ({ id, name })),
  );
});

test('docs/data-api.md: the mutation publishes what is declared', async () => {
  const viewer = await signUpWithUsers(gql, 'bea');
  const blocks = await docBlocks('data-api.md');
  const mutation = blocks.find(({ text }) => text.startsWith('mutation Declare'))!.text;
  const yaml = blocks.find(({ before }) => before.includes('active_users.yaml'))!.text;
  expect((await gql.ask(viewer, mutation, { yaml })).upsertEndpoint).toMatchObject({
    endpoint: { url: '/api/v1/users/active', field: 'activeUsers', state: 'PUBLISHED' },
    userErrors: [],
  });
});

test("docs/data-api.md: the page's examples pass on its fixtures", async () => {
  const blocks = await docBlocks('data-api.md');
  const folder = join(gql.filesRoot, '..', 'examples');
  await mkdir(folder, { recursive: true });
  const yaml = blocks.find(({ before }) => before.includes('active_users.yaml'))!.text;
  const examples = blocks.find(({ text }) => text.startsWith('examples:'))!.text;
  await writeFile(join(folder, 'active_users.yaml'), yaml + examples);
  await writeFile(join(folder, 'fixtures.sql'), blocks.find(({ language }) => language === 'sql')!.text);
  expect(await runEndpoints({ arguments: ['check'], flags: { folder } })).toBe(0);
  expect(await runEndpoints({ arguments: ['test'], flags: { folder } })).toBe(0);
});
