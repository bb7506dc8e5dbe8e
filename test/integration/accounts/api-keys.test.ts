import { afterAll, beforeAll, expect, test } from 'vitest';
import { createApiKey, revokeApiKey } from '#accounts/api-keys.ts';
import type { SignedIn } from '#accounts/sessions.ts';
import { viewerOfToken } from '#accounts/viewer-of-token.ts';
import { openAccounts, problemsOf, type TestAccounts } from './open-accounts.ts';

let accounts: TestAccounts;
let owner: SignedIn;
beforeAll(async () => {
  accounts = await openAccounts();
  owner = await accounts.newcomer('owner');
});
afterAll(() => accounts[Symbol.asyncDispose]());

test('a key gives its scopes in its project, and nothing of the member that made it', async () => {
  const { deps } = accounts;
  const { apiKey, secret } = await createApiKey(deps, owner.viewer, { name: 'dash', scopes: ['DATA_READ'] });
  expect(secret.startsWith(`${apiKey.prefix}_`)).toBe(true);
  expect(await viewerOfToken(deps, secret)).toEqual({
    accountId: owner.viewer.accountId,
    projectId: owner.viewer.projectId,
    memberId: null,
    apiKeyId: apiKey.id,
    role: null,
    scopes: ['DATA_READ'],
    sessionId: null,
    revision: '0',
  });
  expect(JSON.stringify(apiKey)).not.toContain(secret.slice(apiKey.prefix.length + 1));
});

test('a key of the right prefix and a wrong secret is nobody, and does not count as used', async () => {
  const { deps } = accounts;
  const one = await createApiKey(deps, owner.viewer, { name: 'one', scopes: ['DATA_READ'] });
  const other = await createApiKey(deps, owner.viewer, { name: 'other', scopes: ['DATA_READ'] });
  // The secrets swap rows: each key then has a well-formed secret that is not its own.
  await deps.store.db.apiKey.update({
    where: { id: one.apiKey.id },
    data: { secretHash: other.apiKey.secretHash },
  });
  expect(await viewerOfToken(deps, one.secret)).toBeNull();
  const row = await deps.store.db.apiKey.findUniqueOrThrow({ where: { id: one.apiKey.id } });
  expect(row.lastUsedAt).toBeNull();
});

test('a key ends when it expires or is revoked', async () => {
  const { deps } = accounts;
  const expiresAt = new Date(deps.now().getTime() + 1000);
  const short = await createApiKey(deps, owner.viewer, { name: 'short', scopes: ['DATA_READ'], expiresAt });
  const long = await createApiKey(deps, owner.viewer, {
    name: 'long',
    scopes: ['CONTROL_WRITE', 'DATA_READ'],
  });
  expect(await viewerOfToken(deps, short.secret)).not.toBeNull();
  accounts.pass(1000);
  expect(await viewerOfToken(deps, short.secret)).toBeNull();
  expect(await viewerOfToken(deps, long.secret)).toMatchObject({ scopes: ['DATA_READ', 'CONTROL_WRITE'] });
  expect(await revokeApiKey(deps, owner.viewer, { id: long.apiKey.id })).toEqual({ id: long.apiKey.id });
  expect(await viewerOfToken(deps, long.secret)).toBeNull();
  expect(await problemsOf(revokeApiKey(deps, owner.viewer, { id: long.apiKey.id }))).toEqual([
    'NOT_FOUND id',
  ]);
});

test('lastUsedAt of a key moves at most once a minute', async () => {
  const { deps } = accounts;
  const { apiKey, secret } = await createApiKey(deps, owner.viewer, { name: 'used', scopes: ['DATA_READ'] });
  const lastUsedAt = async () =>
    (await deps.store.db.apiKey.findUniqueOrThrow({ where: { id: apiKey.id } })).lastUsedAt;
  expect(await lastUsedAt()).toBeNull();
  const first = deps.now();
  await viewerOfToken(deps, secret);
  accounts.pass(60_000);
  await viewerOfToken(deps, secret);
  expect(await lastUsedAt()).toEqual(first);
  accounts.pass(1);
  await viewerOfToken(deps, secret);
  expect(await lastUsedAt()).toEqual(deps.now());
});

test('every problem of a new key is told at once', async () => {
  const input = { name: ' ', scopes: [], expiresAt: accounts.deps.now() };
  expect(await problemsOf(createApiKey(accounts.deps, owner.viewer, input))).toEqual([
    'REQUIRED name',
    'REQUIRED scopes',
    'INVALID expiresAt',
  ]);
});

test('no key manages keys, whatever its scopes, and no editor does', async () => {
  const { deps } = accounts;
  const all = ['DATA_READ', 'CONTROL_READ', 'CONTROL_WRITE'] as const;
  const { secret, apiKey } = await createApiKey(deps, owner.viewer, { name: 'all', scopes: all });
  const viewer = (await viewerOfToken(deps, secret))!;
  const editor = { ...owner.viewer, role: 'EDITOR' as const };
  for (const asking of [viewer, editor]) {
    const made = createApiKey(deps, asking, { name: 'more', scopes: ['DATA_READ'] });
    await expect(made).rejects.toMatchObject({ code: 'FORBIDDEN' });
    await expect(revokeApiKey(deps, asking, { id: apiKey.id })).rejects.toMatchObject({ code: 'FORBIDDEN' });
  }
});

test("another project's key is unknown", async () => {
  const { deps } = accounts;
  const { apiKey, secret } = await createApiKey(deps, owner.viewer, { name: 'mine', scopes: ['DATA_READ'] });
  const stranger = await accounts.newcomer();
  expect(await problemsOf(revokeApiKey(deps, stranger.viewer, { id: apiKey.id }))).toEqual(['NOT_FOUND id']);
  expect(await viewerOfToken(deps, secret)).not.toBeNull();
});

test('a key outlives the member that made it', async () => {
  const { deps } = accounts;
  const leaver = await accounts.newcomer();
  const { secret } = await createApiKey(deps, leaver.viewer, { name: 'kept', scopes: ['DATA_READ'] });
  await deps.store.db.member.delete({ where: { id: leaver.viewer.memberId! } });
  expect(await viewerOfToken(deps, secret)).not.toBeNull();
});
