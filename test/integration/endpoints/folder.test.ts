import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Viewer } from '#accounts/viewer.ts';
import { type FollowedFolder, followFolder } from '#endpoints/follow-folder.ts';
import { deleteEndpoint } from '#endpoints/save.ts';
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

/** What is said of each file of a folder, once it was read. */
async function open(folder: string, homeId = gql.app.store.homeId) {
  const said: string[] = [];
  const warn = (message: string) => void said.push(message);
  const deps = { ...gql.app.endpoints, log: { ...gql.app.log, warn } };
  const following = await followFolder(deps, { folder, homeId });
  return { said, following, [Symbol.asyncDispose]: () => following[Symbol.asyncDispose]() };
}

const declaring = (name: string, where: string, route = `/${name}`, version = 1) =>
  yaml(where).replace('some_users, version: 1', `${name}, version: ${version}`).replace('/users/some', route);

/** What stands after WHERE; nothing for a path that is not served. */
async function queryOf(path: string): Promise<string> {
  const { byPath } = await gql.app.endpoints.registry.of(viewer.projectId);
  const [piece] = byPath.get(path)?.prepared.pieces ?? [''];
  return typeof piece === 'string' ? piece.replace(/.* WHERE /s, '').trim() : '';
}

describe('a folder of its own', () => {
  let own: string;
  const put = (name: string, text: string) => writeFile(join(own, name), text);
  beforeAll(async () => {
    await rm(join(folder, 'users.yaml'), { force: true });
    await followed.apply();
    // So that no other folder of this home is followed meanwhile.
    await followed[Symbol.asyncDispose]();
  });
  beforeEach(async () => {
    own = await mkdtemp(join(gql.filesRoot, '..', '.hidden-'));
  });

  test('is watched also below a hidden one', async () => {
    await put('a.yaml', declaring('hidden', 'id = 1'));
    await using _open = await open(own);
    await put('a.yaml', declaring('hidden', 'id = 2'));
    await vi.waitFor(async () => expect(await queryOf('v1/hidden')).toBe('id = 2'), 8_000);
  });

  test('is followed where a link leads elsewhere by now, and nothing is read that has not changed', async () => {
    for (const name of ['one', 'two']) {
      await mkdir(join(own, name));
      await put(`${name}/a.yaml`, declaring('linked', `name = '${name}'`));
    }
    await symlink('one', join(own, 'current'));
    await using opened = await open(join(own, 'current'));
    expect(await queryOf('v1/linked')).toBe(`name = 'one'`);
    const { updatedAt } = await gql.app.store.db.endpoint.findFirstOrThrow({ where: { name: 'linked' } });
    await opened.following.look();
    expect(await gql.app.store.db.endpoint.findFirst({ where: { name: 'linked' } })).toMatchObject({
      updatedAt,
    });
    await symlink('two', join(own, 'next'));
    await rename(join(own, 'next'), join(own, 'current'));
    await opened.following.look();
    expect(await queryOf('v1/linked')).toBe(`name = 'two'`);
  });

  test('is followed where it is a volume of Kubernetes, which changes by one link', async () => {
    const mount = async (name: string, where: string) => {
      await mkdir(join(own, name));
      await put(`${name}/a.yaml`, declaring('mounted', where));
      await symlink(name, join(own, '..next'));
      await rename(join(own, '..next'), join(own, '..data'));
    };
    await mount('..2026_1', 'id = 1');
    await symlink('..data/a.yaml', join(own, 'a.yaml'));
    await using _open = await open(own);
    expect(await queryOf('v1/mounted')).toBe('id = 1');
    await mount('..2026_2', 'id = 2');
    await rm(join(own, '..2026_1'), { recursive: true });
    await vi.waitFor(async () => expect(await queryOf('v1/mounted')).toBe('id = 2'), 8_000);
  });

  test('may hold what is no file: links in circles, folders and pipes named like files', async () => {
    await mkdir(join(own, 'folder.yaml'));
    await mkdir(join(own, 'deep'));
    for (const name of ['a', 'b', 'c', 'd']) await symlink('..', join(own, 'deep', name));
    for (const name of ['here', 'there']) await symlink('.', join(own, name));
    await symlink('nowhere', join(own, 'dangling.yaml'));
    await symlink('/dev/zero', join(own, 'endless.yaml'));
    await symlink('loop.yaml', join(own, 'loop.yaml'));
    await promisify(execFile)('mkfifo', [join(own, 'pipe.yaml')]);
    await put('a.yaml', declaring('odd', 'id = 1'));
    await using opened = await open(own);
    expect(await queryOf('v1/odd')).toBe('id = 1');
    expect(opened.said.filter((each) => each.includes('is not served'))).toEqual([
      'An endpoint is not served as its file says. loop.yaml:1:1: It cannot be read: ELOOP.',
    ]);
  });

  test('an endpoint that gets another name keeps its route', async () => {
    await put('a.yaml', declaring('before', 'id = 1', '/kept'));
    await using opened = await open(own);
    await put('a.yaml', declaring('after', 'id = 2', '/kept'));
    await opened.following.apply();
    expect([await queryOf('v1/kept'), opened.said]).toEqual(['id = 2', []]);
  });

  test('what the engine says of a query has its place in the file', async () => {
    await put('a.yaml', declaring('nonsense', 'nope = 1'));
    await using opened = await open(own);
    expect(opened.said).toEqual([expect.stringMatching(/ a\.yaml:3:1: The warehouse refuses .*"nope"/s)]);
  });

  test('two gateways that serve the same files agree, and the one that is left serves on', async () => {
    const other = '00000000-0000-4000-8000-000000000001';
    await put('a.yaml', declaring('shared', 'id = 1'));
    {
      await using one = await open(own);
      await using two = await open(own, other);
      await put('a.yaml', declaring('shared', 'id = 2'));
      await Promise.all([one.following.apply(), two.following.apply()]);
      await Promise.all([one.following.apply(), two.following.apply()]);
      expect(await queryOf('v1/shared')).toBe('id = 2');
      expect([...one.said, ...two.said].filter((each) => each.includes('another gateway'))).toEqual([]);
    }
    await put('a.yaml', declaring('shared', 'id = 3'));
    await using left = await open(own, other);
    expect([await queryOf('v1/shared'), left.said]).toEqual(['id = 3', []]);
    // Another file is not the same one.
    await put('b.yaml', declaring('shared', 'id = 4'));
    await rm(join(own, 'a.yaml'));
    await using apart = await open(own, '00000000-0000-4000-8000-000000000002');
    expect(apart.said).toEqual([
      expect.stringContaining('is declared by the file a.yaml of another gateway'),
    ]);
  });

  test('what was declared by a gateway that runs no longer can be deleted by mutation', async () => {
    await put('a.yaml', declaring('orphan', 'id = 1'));
    await using _gone = await open(own, '00000000-0000-4000-8000-000000000003');
    const { id } = await gql.app.store.db.endpoint.findFirstOrThrow({ where: { name: 'orphan' } });
    const author = { projectId: viewer.projectId, memberId: viewer.memberId, file: null };
    await deleteEndpoint(gql.app.endpoints, author, { id });
    expect(await queryOf('v1/orphan')).toBe('');
  });
});
