import { afterAll, beforeAll, expect, test } from 'vitest';
import { logIn, logOut } from '#accounts/log-in.ts';
import { createSignInLink, useSignInLink } from '#accounts/sign-in-link.ts';
import { viewerOfToken } from '#accounts/viewer-of-token.ts';
import type { Viewer } from '#accounts/viewer.ts';
import { openAccounts, password, problemsOf, type TestAccounts } from './open-accounts.ts';

const minute = 60_000;
const day = 24 * 60 * minute;

let accounts: TestAccounts;
beforeAll(async () => {
  accounts = await openAccounts();
});
afterAll(() => accounts[Symbol.asyncDispose]());

test('a member logs in by username or email, in any case', async () => {
  const { deps } = accounts;
  const { viewer } = await accounts.newcomer('ada');
  for (const username of ['ada', ' Ada ', 'ada@example.com', 'ADA@example.com']) {
    const signedIn = await logIn(deps, { username, password });
    expect(signedIn.viewer).toMatchObject({ memberId: viewer.memberId, projectId: viewer.projectId });
    expect(await viewerOfToken(deps, signedIn.token)).toEqual({ ...signedIn.viewer, revision: '0' });
  }
});

test('an unknown user and a wrong password cannot be told apart, by words or by time', async () => {
  const { deps } = accounts;
  const timed = async (username: string) => {
    const startedAt = performance.now();
    const said = await logIn(deps, { username, password: 'wrong password' }).then(
      () => 'in',
      (error: Error) => JSON.stringify(error),
    );
    return { said, ms: performance.now() - startedAt };
  };
  // The quickest of six, one after the other in turn: what else runs on the machine only adds, and to both.
  let [known, unknown] = [Infinity, Infinity];
  for (let turn = 0; turn < 6; turn += 1) {
    await accounts.newcomer(`grace${turn}`);
    const ofKnown = await timed(`grace${turn}`);
    const ofUnknown = await timed(`nobody${turn}`);
    expect(ofUnknown.said).toBe(ofKnown.said);
    [known, unknown] = [Math.min(known, ofKnown.ms), Math.min(unknown, ofUnknown.ms)];
  }
  // Without the hash of nobody an unknown user would take a tenth of it.
  expect(unknown).toBeGreaterThan(known / 4);
});

test('guessing one member is slowed down, by username and email together; the others are not', async () => {
  const { deps } = accounts;
  await accounts.newcomer('target');
  const guesses = await Promise.allSettled(
    Array.from({ length: 12 }, (_, index) =>
      logIn(deps, { username: index % 2 ? 'target' : 'target@example.com', password: `guess ${index}` }),
    ),
  );
  const codes = guesses.map((guess) => (guess.status === 'rejected' ? guess.reason.code : 'in'));
  expect(codes.filter((code) => code === 'BAD_USER_INPUT')).toHaveLength(5);
  expect(codes.filter((code) => code === 'RATE_LIMITED')).toHaveLength(7);
  await expect(logIn(deps, { username: 'target', password })).rejects.toMatchObject({
    code: 'RATE_LIMITED',
    fix: 'Try again in 1 second.',
  });
  await accounts.newcomer('bystander');
  await logIn(deps, { username: 'bystander', password });
  accounts.pass(minute);
  await logIn(deps, { username: 'target', password });
});

test('logging out ends that session and no other', async () => {
  const { deps } = accounts;
  const first = await accounts.newcomer();
  const member = await deps.store.db.member.findUniqueOrThrow({ where: { id: first.viewer.memberId! } });
  const second = await logIn(deps, { username: member.username, password });
  await logOut(deps, first.viewer);
  expect(await viewerOfToken(deps, first.token)).toBeNull();
  expect(await viewerOfToken(deps, second.token)).toEqual({ ...second.viewer, revision: '0' });
  await logOut(deps, first.viewer);
  await logOut(deps, null);
});

test('an API key cannot log out', async () => {
  const { viewer } = await accounts.newcomer();
  const key: Viewer = { ...viewer, memberId: null, role: null, sessionId: null, apiKeyId: 'k' };
  expect(await problemsOf(logOut(accounts.deps, key))).toEqual(['NOT_ALLOWED ']);
});

test('a session lives on while it is used, and ends thirty days after its last use', async () => {
  const { deps } = accounts;
  const { token, viewer } = await accounts.newcomer();
  for (let use = 0; use < 3; use += 1) {
    accounts.pass(29 * day);
    expect(await viewerOfToken(deps, token)).toEqual({ ...viewer, revision: '0' });
  }
  accounts.pass(30 * day);
  expect(await viewerOfToken(deps, token)).toBeNull();
});

test('lastUsedAt of a session moves at most once a minute', async () => {
  const { deps } = accounts;
  const { token, viewer } = await accounts.newcomer();
  const lastUsedAt = async () =>
    (
      await deps.store.db.session.findUniqueOrThrow({ where: { id: viewer.sessionId! } })
    ).lastUsedAt.getTime();
  const start = await lastUsedAt();
  accounts.pass(minute);
  await viewerOfToken(deps, token);
  expect(await lastUsedAt()).toBe(start);
  accounts.pass(1);
  await viewerOfToken(deps, token);
  expect(await lastUsedAt()).toBe(start + minute + 1);
});

test('the store keeps no token, only its hash', async () => {
  const { token, viewer } = await accounts.newcomer();
  const row = await accounts.deps.store.db.session.findUniqueOrThrow({ where: { id: viewer.sessionId! } });
  expect(row.tokenHash).toHaveLength(32);
  expect(JSON.stringify(row)).not.toContain(token);
});

test('a change of role counts from the next request on, and a deleted member is nobody', async () => {
  const { deps } = accounts;
  const { token, viewer } = await accounts.newcomer();
  await deps.store.db.member.update({ where: { id: viewer.memberId! }, data: { role: 'VIEWER' } });
  expect(await viewerOfToken(deps, token)).toMatchObject({
    role: 'VIEWER',
    scopes: ['DATA_READ', 'CONTROL_READ'],
  });
  await deps.store.db.member.delete({ where: { id: viewer.memberId! } });
  expect(await viewerOfToken(deps, token)).toBeNull();
});

test.each(['', 'x', 'sluice_', 'sluice_abc_def', 'x'.repeat(10_000), "' OR 1=1 --", '\u0000'])(
  'the token %j is nobody',
  async (token) => {
    expect(await viewerOfToken(accounts.deps, token)).toBeNull();
  },
);

test('a sign-in link lets exactly one of many in, once', async () => {
  const { deps } = accounts;
  const { viewer } = await accounts.newcomer();
  const who = { memberId: viewer.memberId!, projectId: viewer.projectId };
  const token = await createSignInLink(deps, who);
  const uses = await Promise.allSettled(Array.from({ length: 5 }, () => useSignInLink(deps, token)));
  const used = uses.filter((use) => use.status === 'fulfilled');
  expect(used).toHaveLength(1);
  expect(await viewerOfToken(deps, used[0]!.value.token)).toMatchObject({ ...who, role: 'OWNER' });
  await expect(useSignInLink(deps, token)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
});

test('a sign-in link ends after ten minutes, and an unknown one was never there', async () => {
  const { deps } = accounts;
  const { viewer } = await accounts.newcomer();
  const token = await createSignInLink(deps, { memberId: viewer.memberId!, projectId: viewer.projectId });
  accounts.pass(10 * minute);
  await expect(useSignInLink(deps, token)).rejects.toThrow('over 10 minutes old, or was used');
  await expect(useSignInLink(deps, 'unknown')).rejects.toThrow('over 10 minutes old, or was used');
});
