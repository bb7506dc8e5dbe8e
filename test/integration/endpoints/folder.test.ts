import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Viewer } from '#accounts/viewer.ts';
import { type FollowedFolder, followFolder } from '#endpoints/follow-folder.ts';
import { signUpWithUsers } from '../../support/endpoints.ts';
import { type Data, openTestGraphql, type TestGraphql } from '../../support/graphql.ts';

let gql: TestGraphql;
let viewer: Viewer;
let folder: string;
let followed: FollowedFolder;
beforeAll(async () => {
  gql = await openTestGraphql();
  viewer = await signUpWithUsers(gql, 'ada');
  folder = join(gql.filesRoot, '..', 'declared');
  await mkdir(join(folder, 'growth'), { recursive: true });
  followed = await followFolder(gql.app.endpoints, { folder, homeId: gql.app.store.homeId });
});
afterAll(async () => {
  await followed[Symbol.asyncDispose]();
  await gql[Symbol.asyncDispose]();
});

const yaml = (where: string, more = '') => `metadata: { name: some_users, version: 1 }
route: /users/some
query: SELECT id, name FROM raw.users WHERE ${where}
pagination: { key: [id] }
${more}`;

async function write(name: string, text: string): Promise<void> {
  await writeFile(join(folder, name), text);
  await followed.apply();
}

async function ids(): Promise<unknown> {
  const { data, errors } = await gql.answer(viewer, '{ data { someUsers { nodes { id } } } }');
  return errors.length > 0
    ? errors[0]!.message
    : data.data.someUsers.nodes.map(({ id }: { id: number }) => id);
}

async function declared(): Promise<Data> {
  const { endpoints } = await gql.ask(viewer, '{ endpoints { nodes { name file state origin revision } } }');
  return endpoints.nodes;
}

test('a file is served, then what it is changed to, then no longer when it is gone', async () => {
  await write('growth/users.yaml', yaml('id <= 2'));
  expect(await ids()).toEqual([1, 2]);
  await write('growth/users.yaml', yaml('id <= 3'));
  expect(await ids()).toEqual([1, 2, 3]);
  expect(await declared()).toEqual([
    { name: 'some_users', file: 'growth/users.yaml', state: 'PUBLISHED', origin: 'FILE', revision: 4 },
  ]);

  await followed.apply();
  expect((await declared())[0].revision).toBe(4);

  await rename(join(folder, 'growth/users.yaml'), join(folder, 'users.yml'));
  await followed.apply();
  expect(await declared()).toMatchObject([{ file: 'users.yml', state: 'PUBLISHED' }]);

  await rm(join(folder, 'users.yml'));
  await followed.apply();
  expect(await declared()).toEqual([]);
  expect(await ids()).toContain('"data"');
});

test('what a file declared before it went wrong is served on', async () => {
  await write('users.yaml', yaml('id <= 2'));
  await write('users.yaml', yaml('id <= 3', 'limits: { rows: many }'));
  expect(await ids()).toEqual([1, 2]);
  await write('users.yaml', yaml('nonsense'));
  expect(await ids()).toEqual([1, 2]);
  await write('users.yaml', yaml('id <= 1'));
  expect(await ids()).toEqual([1]);
});

test('what a file declares cannot be changed by mutation', async () => {
  await write('users.yaml', yaml('id <= 1'));
  const { endpoints } = await gql.ask(viewer, '{ endpoints { nodes { id } } }');
  const { deleteEndpoint } = await gql.ask(
    viewer,
    'mutation ($id: ID!) { deleteEndpoint(input: { id: $id }) { deletedId userErrors { code message } } }',
    { id: endpoints.nodes[0].id },
  );
  expect(deleteEndpoint).toEqual({
    deletedId: null,
    userErrors: [{ code: 'CONFLICT', message: '"some_users" version 1 is declared by the file users.yaml.' }],
  });
  expect(await ids()).toEqual([1]);
});
