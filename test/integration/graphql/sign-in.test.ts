import { afterAll, beforeAll, expect, test } from 'vitest';
import { viewerOfToken } from '#accounts/viewer-of-token.ts';
import { openTestGraphql, type TestGraphql } from '../../support/graphql.ts';

let gql: TestGraphql;
beforeAll(async () => {
  gql = await openTestGraphql();
});
afterAll(() => gql[Symbol.asyncDispose]());

const input = {
  email: 'ada@example.com',
  username: 'ada',
  password: 'correct horse battery staple',
  accountName: 'Lovelace',
};
const signUp = `mutation ($input: SignUpInput!) { signUp(input: $input) { token userErrors { code path message }
  viewer { account { name members { nodes { username role } } } project { slug } member { username } apiKey { id } scopes } } }`;
const logIn = `mutation ($input: LogInInput!) { logIn(input: $input) { token userErrors { code path } viewer { member { username } } } }`;

test('signUp answers as the new member, sets the cookie, and its token is the session', async () => {
  const { data, errors, cookie } = await gql.answer(null, signUp, { input });
  expect(errors).toEqual([]);
  expect(data?.signUp).toMatchObject({
    userErrors: [],
    viewer: {
      account: { name: 'Lovelace', members: { nodes: [{ username: 'ada', role: 'OWNER' }] } },
      member: { username: 'ada' },
      apiKey: null,
      scopes: ['DATA_READ', 'CONTROL_READ', 'CONTROL_WRITE'],
    },
  });
  expect(cookie).toBe(data?.signUp.token);
  expect(await viewerOfToken(gql.app.accounts, data?.signUp.token)).toMatchObject({ role: 'OWNER' });
});

test('a refused signUp and a refused logIn are userErrors and no viewer, and set no cookie', async () => {
  const again = await gql.answer(null, signUp, { input });
  expect(again.errors).toEqual([]);
  expect(again.data?.signUp).toMatchObject({ token: null, viewer: null });
  expect(
    again.data?.signUp.userErrors.map(({ code, path }: { code: string; path: string[] }) => [code, ...path]),
  ).toEqual([
    ['NOT_UNIQUE', 'username'],
    ['NOT_UNIQUE', 'email'],
  ]);
  const wrong = await gql.answer(null, logIn, { input: { username: 'ada', password: 'wrong' } });
  expect(wrong).toMatchObject({ errors: [], cookie: undefined });
  expect(wrong.data?.logIn).toMatchObject({ token: null, viewer: null, userErrors: [{ code: 'INVALID' }] });
});

test('logIn makes the rest of the operation the member’s, logOut makes it nobody’s again', async () => {
  const { data, errors, cookie } = await gql.answer(
    null,
    `mutation ($input: LogInInput!) { logIn(input: $input) { token viewer { member { username } } } logOut { userErrors { code } } }`,
    { input: { username: 'ada@example.com', password: input.password } },
  );
  expect(errors).toEqual([]);
  expect(data).toMatchObject({
    logIn: { viewer: { member: { username: 'ada' } } },
    logOut: { userErrors: [] },
  });
  expect(cookie).toBeNull();
  expect(await viewerOfToken(gql.app.accounts, data?.logIn.token)).toBeNull();
});

test('an API key is made, listed and revoked; its secret is shown once', async () => {
  const ada = (await gql.app.store.db.member.findFirstOrThrow({ where: { username: 'ada' } })).id;
  const { data: logged } = await gql.answer(null, logIn, {
    input: { username: 'ada', password: input.password },
  });
  const viewer = await viewerOfToken(gql.app.accounts, logged?.logIn.token);
  expect(viewer?.memberId).toBe(ada);

  const { createApiKey } = await gql.ask(
    viewer,
    `mutation ($input: CreateApiKeyInput!) { createApiKey(input: $input) { secret apiKey { id name scopes prefix expiresAt lastUsedAt } userErrors { code } } }`,
    { input: { name: 'ci', scopes: ['DATA_READ'], expiresAt: '2099-01-01T00:00:00+01:00' } },
  );
  expect(createApiKey.apiKey).toMatchObject({
    name: 'ci',
    scopes: ['DATA_READ'],
    expiresAt: '2098-12-31T23:00:00.000Z',
    lastUsedAt: null,
  });
  expect(createApiKey.secret).toContain(createApiKey.apiKey.prefix);
  expect(await viewerOfToken(gql.app.accounts, createApiKey.secret)).toMatchObject({ scopes: ['DATA_READ'] });

  const list = '{ apiKeys { nodes { id } } }';
  const { id } = createApiKey.apiKey;
  expect(await gql.ask(viewer, list)).toEqual({ apiKeys: { nodes: [{ id }] } });
  const revoke = 'mutation ($id: ID!) { revokeApiKey(input: { id: $id }) { deletedId userErrors { code } } }';
  expect(await gql.ask(viewer, revoke, { id })).toEqual({ revokeApiKey: { deletedId: id, userErrors: [] } });
  expect(await gql.ask(viewer, list)).toEqual({ apiKeys: { nodes: [] } });
  expect(await gql.ask(viewer, revoke, { id })).toEqual({
    revokeApiKey: { deletedId: null, userErrors: [{ code: 'NOT_FOUND' }] },
  });
  expect(await viewerOfToken(gql.app.accounts, createApiKey.secret)).toBeNull();
});

test('no secret comes back but in the answer that makes it', async () => {
  const { __schema: schema } = await gql.ask(null, '{ __schema { types { name fields { name } } } }');
  const names = schema.types.flatMap((type: { name: string; fields: { name: string }[] | null }) =>
    (type.fields ?? []).map((field) => `${type.name}.${field.name}`),
  );
  expect(names.filter((name: string) => /password|hash|secret/i.test(name)).sort()).toEqual([
    'CreateApiKeyPayload.secret',
    'CreateSignalPayload.webhookSecret',
    'Datastore.providedSecrets',
    'Destination.providedSecrets',
    'Source.providedSecrets',
    'UpdateSignalPayload.webhookSecret',
  ]);
});
