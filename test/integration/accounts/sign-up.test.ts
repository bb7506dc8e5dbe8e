import { afterAll, beforeAll, expect, test } from 'vitest';
import { signUp, isSignUpOpen } from '#accounts/sign-up.ts';
import { viewerOfToken } from '#accounts/viewer-of-token.ts';
import { openAccounts, password, problemsOf, type TestAccounts } from './open-accounts.ts';

let accounts: TestAccounts;
beforeAll(async () => {
  accounts = await openAccounts();
});
afterAll(() => accounts[Symbol.asyncDispose]());

const person = (username: string) => ({ email: `${username}@example.com`, username, password });

test('while no account exists "first" lets exactly one of many in, and nobody after', async () => {
  const deps = accounts.at('first');
  expect(await isSignUpOpen(deps)).toBe(true);
  const tries = await Promise.allSettled(
    Array.from({ length: 8 }, (_, index) => signUp(deps, person(`first-${index}`))),
  );
  expect(tries.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  for (const { reason } of tries.filter((one) => one.status === 'rejected')) {
    expect(reason.problems[0]).toMatchObject({ code: 'NOT_ALLOWED', path: [] });
  }
  expect(await deps.store.db.account.count()).toBe(1);
  expect(await isSignUpOpen(deps)).toBe(false);
  expect(await problemsOf(signUp(deps, person('late')))).toEqual(['NOT_ALLOWED ']);
});

test('"closed" lets nobody in, and says so before anything else', async () => {
  expect(await problemsOf(signUp(accounts.at('closed'), { email: '', username: '', password: '' }))).toEqual([
    'NOT_ALLOWED ',
  ]);
});

test('signing up makes account, first project and owner, signed in, and tells who furnishes the project', async () => {
  const { deps, created } = accounts;
  const { viewer, token } = await signUp(deps, { ...person('ada'), accountName: 'Engines' });
  expect(viewer).toMatchObject({ role: 'OWNER', apiKeyId: null });
  expect(await viewerOfToken(deps, token)).toEqual({ ...viewer, revision: '0' });
  const account = await deps.store.db.account.findUniqueOrThrow({
    where: { id: viewer.accountId },
    include: { members: true, projects: true },
  });
  expect(account).toMatchObject({
    name: 'Engines',
    members: [{ id: viewer.memberId, username: 'ada', email: 'ada@example.com', role: 'OWNER' }],
    projects: [{ id: viewer.projectId, slug: 'default' }],
  });
  expect(account.members[0]?.passwordHash).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
  expect(created.at(-1)).toEqual({ projectId: viewer.projectId, memberId: viewer.memberId, exists: true });
});

test('a project that cannot be furnished leaves no account behind', async () => {
  const before = await accounts.deps.store.db.account.count();
  const deps = { ...accounts.deps, projectCreated: () => Promise.reject(new Error('no room')) };
  await expect(signUp(deps, person('eve'))).rejects.toThrow('no room');
  expect(await accounts.deps.store.db.account.count()).toBe(before);
});

test('a username or email in use is NOT_UNIQUE, whatever the case and however many ask at once', async () => {
  await signUp(accounts.deps, person('grace'));
  const again = { ...person('grace'), email: 'Grace@Example.com' };
  expect(await problemsOf(signUp(accounts.deps, again))).toEqual(['NOT_UNIQUE username', 'NOT_UNIQUE email']);
  const tries = Array.from({ length: 6 }, () => signUp(accounts.deps, person('same')));
  const failed = (await Promise.allSettled(tries)).filter((one) => one.status === 'rejected');
  expect(failed).toHaveLength(5);
  for (const { reason } of failed) expect(reason.problems[0]).toMatchObject({ code: 'NOT_UNIQUE' });
});
