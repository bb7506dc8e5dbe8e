import { afterAll, beforeAll, expect, test } from 'vitest';
import { createApiKey } from '#accounts/api-keys.ts';
import type { Viewer } from '#accounts/viewer.ts';
import type { Declaration } from '#endpoints/declaration.ts';
import { serve, type Serving } from '#server/serve.ts';
import { declared, publish, signUpWithUsers } from '../../support/endpoints.ts';
import { type Data, openTestGraphql, type TestGraphql } from '../../support/graphql.ts';

let gql: TestGraphql;
let gateway: Serving;
let ada: Viewer;
let bea: Viewer;
const tokens = new Map<Viewer, string>();
beforeAll(async () => {
  gql = await openTestGraphql();
  gateway = await serve(gql.app, { host: '127.0.0.1', port: 0 });
  [ada, bea] = [await signUpWithUsers(gql, 'ada'), await signUpWithUsers(gql, 'bea')];
  for (const viewer of [ada, bea]) {
    const { secret } = await createApiKey(gql.app.accounts, viewer, { name: 'k', scopes: ['DATA_READ'] });
    tokens.set(viewer, secret);
  }
});
afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  await gql[Symbol.asyncDispose]();
});

const call = (path: string, viewer: Viewer | null) =>
  fetch(`${gateway.url}/api/${path}`, {
    headers: viewer ? { authorization: `Bearer ${tokens.get(viewer)}` } : {},
  });

async function mutate(viewer: Viewer, mutation: string, input: object): Promise<Data> {
  const type = `${mutation[0]!.toUpperCase()}${mutation.slice(1)}Input`;
  const text = `mutation ($input: ${type}!) { ${mutation}(input: $input) {
    endpoint { id state revision declaration served } userErrors { code path message } } }`;
  return (await gql.ask(viewer, text, { input }))[mutation];
}
const upsert = (viewer: Viewer, declaration: Declaration, publishes = true) =>
  mutate(viewer, 'upsertEndpoint', { declaration, publish: publishes });

const named = (name: string, changes: Partial<Declaration> = {}) =>
  declared({ metadata: { name, version: 1 }, route: `/${name}`, ...changes });

test('a draft is served to nobody until it is published', async () => {
  const { endpoint } = await upsert(ada, named('drafted'), false);
  expect(endpoint).toMatchObject({ state: 'DRAFT', revision: 1, served: null });
  expect((await call('v1/drafted?plan=free', ada)).status).toBe(404);
  const { openapi } = { openapi: await (await call('openapi.json', ada)).json() };
  expect(openapi.paths['/v1/drafted']).toBeUndefined();
  expect((await gql.answer(ada, '{ data { drafted(plan: free) { nodes { id } } } }')).errors).toHaveLength(1);
  await mutate(ada, 'publishEndpoint', { id: endpoint.id, expectedRevision: 1 });
  expect((await call('v1/drafted?plan=free', ada)).status).toBe(200);

  await upsert(ada, named('drafted', { limits: { rows: 2_000 } }), false);
  const late = await mutate(ada, 'publishEndpoint', { id: endpoint.id, expectedRevision: 1 });
  expect(late).toMatchObject({ endpoint: null, userErrors: [{ code: 'CONFLICT' }] });
});

test('a change that breaks callers is refused, saying each thing that breaks, and is served as the next version', async () => {
  const { endpoint } = await upsert(ada, named('kept'));
  const broken = named('kept', {
    query:
      'SELECT id, upper(name) AS title, CAST(1 AS DECIMAL(4, 2)) AS plan FROM raw.users WHERE plan = :plan AND id > :above',
    params: [
      { name: 'plan', type: 'string', enum: ['free', 'team'], required: true },
      { name: 'above', type: 'integer', required: true },
    ],
  });
  const refused = await upsert(ada, broken);
  expect(refused.endpoint).toBeNull();
  const [{ message, code }] = refused.userErrors;
  expect(code).toBe('NOT_ALLOWED');
  for (const each of [
    'the parameter "active" is gone',
    'the parameter "plan" no longer takes enterprise',
    'the new parameter "above" is required',
    'the column "name" is gone',
    'the column "plan" is decimal instead of text',
  ])
    expect(message).toContain(each);
  expect((await call('v1/kept?plan=enterprise', ada)).status).toBe(200);
  const next = await upsert(ada, { ...broken, metadata: { name: 'kept', version: 2 } });
  expect(next.userErrors).toEqual([]);
  expect((await call('v2/kept?plan=free&above=990', ada)).status).toBe(200);
  expect((await call('v1/kept?plan=enterprise', ada)).status).toBe(200);
  const { data } = await gql.ask(
    ada,
    '{ data { kept(plan: enterprise, first: 1) { nodes { name } } keptV2(plan: free, above: 990) { nodes { title } } } }',
  );
  expect(data).toEqual({
    kept: { nodes: [{ name: 'user 2' }] },
    keptV2: { nodes: [{ title: 'USER 993' }, { title: 'USER 996' }, { title: 'USER 999' }] },
  });
  expect(endpoint.state).toBe('PUBLISHED');
});

test('what is to be saved and served is neither when it cannot be served', async () => {
  const read = `query ($search: String!) { endpoints(search: $search) {
    nodes { id revision updatedAt declaration served revisions { revision } } } }`;
  const nodesOf = async (search: string) => (await gql.ask(ada, read, { search })).endpoints.nodes;
  const none = named('whole', {
    query: 'SELECT nothing FROM raw.nowhere',
    params: [],
    pagination: undefined as never,
  });
  expect((await upsert(ada, none)).userErrors[0]).toMatchObject({ path: ['query'] });
  expect(await nodesOf('whole')).toEqual([]);
  expect((await upsert(ada, named('whole', { route: '/kept' }))).userErrors[0]).toMatchObject({
    code: 'NOT_UNIQUE',
    path: ['route'],
  });
  expect(await nodesOf('whole')).toEqual([]);

  await upsert(ada, named('whole'));
  const [before] = await nodesOf('whole');
  const breaking = named('whole', {
    query: 'SELECT id FROM raw.users WHERE plan = :plan AND active = :active',
  });
  for (const refused of [
    breaking,
    { ...none, pagination: { key: ['nothing'] } },
    named('whole', { route: '/kept' }),
  ]) {
    expect(await upsert(ada, refused)).toMatchObject({ endpoint: null, userErrors: [{}] });
    expect(await nodesOf('whole')).toEqual([before]);
  }
  // As a draft it may be what it will.
  expect((await upsert(ada, breaking, false)).userErrors).toEqual([]);
  const [drafted] = await nodesOf('whole');
  expect([drafted.served, drafted.revision]).toEqual([before.served, before.revision + 1]);

  // What cannot be served is not brought back either: callers know it by another route.
  const moved = await upsert(ada, named('mover'), false);
  await upsert(ada, named('mover', { route: '/moved' }));
  const [mover] = await nodesOf('mover');
  expect(await mutate(ada, 'restoreEndpoint', { id: moved.endpoint.id, revision: 1 })).toMatchObject({
    endpoint: null,
    userErrors: [{}],
  });
  expect(await nodesOf('mover')).toEqual([mover]);
});

test('of many that save and serve one endpoint at once each is whole or refused', async () => {
  await upsert(ada, named('raced'));
  const all = await Promise.all(
    Array.from({ length: 12 }, (_, n) =>
      n % 2 === 0
        ? upsert(ada, named('raced', { rateLimit: { requests: 100 + n, per: '1d' } }))
        : upsert(ada, named(`raced_${n}`, { route: '/raced_one' })),
    ),
  );
  for (const { endpoint, userErrors } of all) {
    if (endpoint) expect(endpoint.served).toEqual(endpoint.declaration);
    else expect(['CONFLICT', 'NOT_UNIQUE']).toContain(userErrors[0].code);
  }
  expect(all.filter(({ endpoint }) => endpoint?.declaration.route === '/raced_one')).toHaveLength(1);
  expect(all.filter(({ endpoint }) => endpoint?.declaration.route === '/raced').length).toBeGreaterThan(0);
});

test('revisions say what each changed, and one of before is brought back unless that breaks callers', async () => {
  const { endpoint } = await upsert(ada, named('revised'));
  await upsert(ada, named('revised', { limits: { rows: 5_000 } }));
  const read = `query ($id: ID!) { endpoint(id: $id) { revision declaration served
    revisions { revision change differences { path before after } } } }`;
  const { endpoint: told } = await gql.ask(ada, read, { id: endpoint.id });
  expect(told.revisions.map(({ revision, change }: Data) => [revision, change])).toEqual([
    [4, 'PUBLISHED'],
    [3, 'SAVED'],
    [2, 'PUBLISHED'],
    [1, 'SAVED'],
  ]);
  expect(told.revisions[1].differences).toEqual([{ path: ['limits'], before: null, after: { rows: 5_000 } }]);
  expect(told.revisions[0].differences).toEqual([]);

  // Fewer rows than callers are used to.
  const refused = await mutate(ada, 'restoreEndpoint', { id: endpoint.id, revision: 1 });
  expect(refused).toMatchObject({ endpoint: null, userErrors: [{ code: 'NOT_ALLOWED' }] });
  expect((await gql.ask(ada, read, { id: endpoint.id })).endpoint).toEqual(told);

  await upsert(ada, named('revised', { limits: { rows: 5_000, timeout: '5s' } }));
  const restored = await mutate(ada, 'restoreEndpoint', { id: endpoint.id, revision: 3 });
  expect(restored.userErrors).toEqual([]);
  expect(restored.endpoint.served).toEqual(told.served);
  expect(restored.endpoint.declaration).toEqual(told.declaration);
  expect(await mutate(ada, 'restoreEndpoint', { id: endpoint.id, revision: 99 })).toMatchObject({
    userErrors: [{ code: 'NOT_FOUND', path: ['revision'] }],
  });

  for (let n = 0; n < 12; n += 1) await upsert(ada, named('revised', { limits: { rows: 6_000 + n } }), false);
  expect((await gql.ask(ada, read, { id: endpoint.id })).endpoint.revisions).toHaveLength(10);
});

test('a deprecated endpoint is served on, and is deprecated in introspection and OpenAPI', async () => {
  const { endpoint } = await upsert(ada, named('old'));
  await mutate(ada, 'deprecateEndpoint', {
    id: endpoint.id,
    sunsetAt: '2027-01-01T00:00:00Z',
    replacement: 'Use newer.',
  });
  const fields = async () => {
    const { __type } = await gql.ask(
      ada,
      '{ __type(name: "Data") { fields(includeDeprecated: true) { name isDeprecated deprecationReason } } }',
    );
    return __type.fields.find(({ name }: Data) => name === 'old');
  };
  expect(await fields()).toEqual({
    name: 'old',
    isDeprecated: true,
    deprecationReason: 'Use newer. It is served until 2027-01-01.',
  });
  expect((await (await call('openapi.json', ada)).json()).paths['/v1/old'].get.deprecated).toBe(true);
  expect(
    (await gql.ask(ada, '{ data { old(plan: free, first: 1) { nodes { id } } } }')).data.old.nodes,
  ).toHaveLength(1);
  await mutate(ada, 'deprecateEndpoint', { id: endpoint.id, deprecated: false });
  expect(await fields()).toMatchObject({ isDeprecated: false });
  expect((await call('v1/old?plan=free', ada)).headers.has('deprecation')).toBe(false);
});

test('a public endpoint is called without a token by anybody, and its route is that of one project', async () => {
  const open = named('open_to_all', { auth: { public: true } });
  expect((await upsert(ada, open)).userErrors).toEqual([]);
  const answer = await call('v1/open_to_all?plan=free&first=1', null);
  expect(answer.status).toBe(200);
  expect(answer.headers.get('access-control-allow-origin')).toBe('*');
  expect((await call('v1/open_to_all?plan=free&first=1', bea)).status).toBe(200);
  expect((await upsert(bea, open)).userErrors).toMatchObject([
    { code: 'NOT_UNIQUE', path: ['route'], message: '/v1/open_to_all leads to another project already.' },
  ]);
  // Of two at once one is.
  const twins = named('twins', { auth: { public: true } });
  const made = await Promise.all([upsert(ada, twins), upsert(bea, twins)]);
  expect(made.filter(({ endpoint }) => endpoint !== null)).toHaveLength(1);
});

test("a project's endpoints are nothing to another: by route, document, schema, query and mutation", async () => {
  const { endpoint } = await upsert(ada, named('mine'));
  const { paths, components } = await (await call('openapi.json', bea)).json();
  expect(JSON.stringify([paths, components])).not.toMatch(/mine/i);
  expect((await call('v1/mine?plan=free', bea)).status).toBe(404);
  const names = '{ __schema { types { name } } endpoints { nodes { name } } }';
  expect(JSON.stringify(await gql.ask(bea, names))).not.toMatch(/mine/i);
  expect(JSON.stringify(await gql.ask(ada, names))).toMatch(/MineConnection/);
  for (const mutation of ['publishEndpoint', 'deprecateEndpoint']) {
    expect(await mutate(bea, mutation, { id: endpoint.id })).toMatchObject({
      userErrors: [{ code: 'NOT_FOUND' }],
    });
  }
  expect(await mutate(bea, 'restoreEndpoint', { id: endpoint.id, revision: 1 })).toMatchObject({
    userErrors: [{ code: 'NOT_FOUND' }],
  });
  expect(
    (await gql.ask(bea, 'query ($id: ID!) { endpoint(id: $id) { id } }', { id: endpoint.id })).endpoint,
  ).toBeNull();
  // The same name and route are theirs to have, too.
  expect(
    (
      await upsert(
        bea,
        named('mine', { query: `SELECT 1 AS id, 'b' AS name, :plan AS plan, :active AS active` }),
      )
    ).userErrors,
  ).toEqual([]);
  expect((await (await call('v1/mine?plan=free', bea)).json()).data).toEqual([
    { id: 1, name: 'b', plan: 'free', active: true },
  ]);
  expect((await (await call('v1/mine?plan=free', ada)).json()).data).toHaveLength(100);
});

test('endpoints of any names are types of one schema, or are refused', async () => {
  for (const name of [
    'data',
    'query',
    'mutation',
    'error',
    'failure',
    'node',
    'page_info',
    'string',
    'users',
  ])
    expect((await upsert(bea, named(name))).userErrors, name).toEqual([]);
  for (const name of ['users_connection', 'users_edge', 'users_plan'])
    expect((await upsert(bea, named(name))).userErrors, name).toMatchObject([
      { code: 'NOT_UNIQUE', path: ['metadata', 'name'] },
    ]);
  const odd = named('odd', {
    query: 'SELECT :to_string AS to_string, :constructor AS constructor, :value_of AS "__proto__"',
    params: ['to_string', 'constructor', 'value_of'].map((name) => ({ name, type: 'string' })),
    pagination: { key: ['to_string'] },
  });
  delete odd.pagination;
  expect((await upsert(bea, odd)).userErrors).toEqual([]);
  expect(
    (await gql.ask(bea, '{ data { odd(constructor: "a") { nodes { toString constructor proto } } } }')).data,
  ).toEqual({
    odd: { nodes: [{ toString: null, constructor: 'a', proto: null }] },
  });
  expect(await (await call('v1/odd?constructor=a', bea)).text()).toContain(
    '{"to_string":null,"constructor":"a","__proto__":null}',
  );
  const { components } = await (await call('openapi.json', bea)).json();
  expect(components.schemas.Error.required).toContain('requestId');
  for (const params of [['a_b', 'a__b'], ['first_']]) {
    const query = `SELECT ${params.map((name) => `:${name}`).join(', ')}`;
    const same = named('same', { query, params: params.map((name) => ({ name, type: 'string' })) });
    expect((await upsert(bea, same)).userErrors).toMatchObject([{ code: 'NOT_UNIQUE' }]);
  }
  await publish(gql, bea, named('last_one'));
  expect(
    (await gql.ask(bea, '{ data { lastOne(plan: free, first: 1) { nodes { id } } } }')).data.lastOne.nodes,
  ).toEqual([{ id: 6 }]);
});
