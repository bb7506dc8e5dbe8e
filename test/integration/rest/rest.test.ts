import { Validator } from '@seriousme/openapi-schema-validator';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createApiKey } from '#accounts/api-keys.ts';
import type { Viewer } from '#accounts/viewer.ts';
import { deprecateEndpoint } from '#endpoints/save.ts';
import { serve, type Serving } from '#server/serve.ts';
import { declared, publish, signUpWithUsers } from '../../support/endpoints.ts';
import { openTestGraphql, type TestGraphql } from '../../support/graphql.ts';

let gql: TestGraphql;
let gateway: Serving;
let viewer: Viewer;
let token: string;
beforeAll(async () => {
  gql = await openTestGraphql();
  viewer = await signUpWithUsers(gql, 'ada');
  gateway = await serve(gql.app, { host: '127.0.0.1', port: 0 });
  token = await keyOf(viewer, ['DATA_READ']);
  await publish(gql, viewer, declared());
});
afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  await gql[Symbol.asyncDispose]();
});

async function keyOf(of: Viewer, scopes: ('DATA_READ' | 'CONTROL_READ')[]): Promise<string> {
  return (await createApiKey(gql.app.accounts, of, { name: `key ${Math.random()}`, scopes })).secret;
}

function call(path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Response> {
  return fetch(`${gateway.url}/api/${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, ...headers },
  });
}

test('rows come in the envelope, with cursors to go on', async () => {
  const first = await call('v1/users/active?plan=team&first=2');
  expect(first.status).toBe(200);
  const { data, paging, errors } = await first.json();
  expect(data).toEqual([
    { id: 4, name: 'user 4', plan: 'team' },
    { id: 10, name: 'user 10', plan: 'team' },
  ]);
  expect(paging).toEqual({ after: expect.any(String), before: null });
  expect(errors).toEqual([]);
  const next = await (await call(`v1/users/active?plan=team&first=2&after=${paging.after}`)).json();
  expect(next.data.map((row: { id: number }) => row.id)).toEqual([16, 22]);
  const back = await (await call(`v1/users/active?plan=team&last=2&before=${next.paging.before}`)).json();
  expect(back.data).toEqual(data);
});

describe('what is wrong', () => {
  test.each([
    ['plan=gold', 'plan'],
    ['', 'plan'],
    ['plan=team&plna=x', 'plna'],
    ['plan=team&plan=free', 'plan'],
    ['plan=team&active=1', 'active'],
    ['plan=team&first=0', 'first'],
    ['plan=team&first=x', 'first'],
    ['plan=team&first=100000', 'first'],
    ['plan=team&format=xml', 'format'],
    ['plan=team&after=abc', 'after'],
  ])('%s is 400 and names the parameter', async (query, param) => {
    const response = await call(`v1/users/active?${query}`);
    expect(response.status).toBe(400);
    const { data, errors } = await response.json();
    expect(data).toEqual([]);
    expect(errors[0]).toMatchObject({ code: 'BAD_USER_INPUT', param });
  });

  test('who may not call is told 401 or 403, and what is not there 404', async () => {
    const status = async (path: string, authorization: string) =>
      (await fetch(`${gateway.url}/api/${path}`, { headers: authorization === '' ? {} : { authorization } }))
        .status;
    expect(await status('v1/users/active?plan=team', '')).toBe(401);
    expect(await status('v1/users/active?plan=team', 'Bearer wrong')).toBe(401);
    const control = await keyOf(viewer, ['CONTROL_READ']);
    expect(await status('v1/users/active?plan=team', `Bearer ${control}`)).toBe(403);
    expect(await status('v1/users/none', `Bearer ${token}`)).toBe(404);
    const other = await signUpWithUsers(gql, 'bea');
    expect(await status('v1/users/active?plan=team', `Bearer ${await keyOf(other, ['DATA_READ'])}`)).toBe(
      404,
    );
  });

  test('a call beyond the rate is 429 with Retry-After, and every answer says how many are left', async () => {
    await publish(
      gql,
      viewer,
      declared({
        metadata: { name: 'limited', version: 1 },
        route: '/limited',
        rateLimit: { requests: 2, per: '1d' },
      }),
    );
    const answers = [];
    for (let n = 0; n < 3; n += 1) answers.push(await call('v1/limited?plan=free&first=1'));
    expect(answers.map((answer) => answer.status)).toEqual([200, 200, 429]);
    expect(answers.map((answer) => answer.headers.get('ratelimit-remaining'))).toEqual(['1', '0', '0']);
    expect(Number(answers[2]!.headers.get('retry-after'))).toBeGreaterThan(0);
    expect((await answers[2]!.json()).errors[0].code).toBe('RATE_LIMITED');
  });

  test('a statement over its time is 504', async () => {
    await publish(
      gql,
      viewer,
      declared({
        metadata: { name: 'slow', version: 1 },
        route: '/slow',
        query:
          'SELECT count(*) AS n FROM raw.users a, raw.users b, raw.users c, raw.users d WHERE a.id + b.id + c.id <> d.id * 3.5',
        params: [],
        limits: { timeout: '50ms' },
        pagination: undefined as never,
      }),
    );
    const response = await call('v1/slow');
    expect(response.status).toBe(504);
    expect((await response.json()).errors[0].code).toBe('WAREHOUSE_TIMEOUT');
  });
});

test('an unchanged answer is 304, whatever coding it came in', async () => {
  const first = await call('v1/users/active?plan=free', { 'accept-encoding': 'gzip' });
  const etag = first.headers.get('etag')!;
  expect(first.headers.get('content-encoding')).toBe('gzip');
  expect((await first.json()).data).toHaveLength(100);
  const again = await call('v1/users/active?plan=free', { 'if-none-match': etag });
  expect(again.status).toBe(304);
  expect(await again.text()).toBe('');
  expect(again.headers.get('cache-control')).toBe('private, no-cache');
});

test('a kept answer says its length in each coding, and is the same rows', async () => {
  const path = 'v1/users/active?plan=enterprise&first=90';
  const plain = await (await call(path, { 'accept-encoding': 'identity' })).text();
  for (const coding of ['br', 'gzip', 'br']) {
    const headers = { 'accept-encoding': coding };
    const [get, head] = [await call(path, headers), await call(path, headers, 'HEAD')];
    expect(get.headers.get('sluice-cache')).toBe('HIT');
    expect(get.headers.get('content-encoding')).toBe(coding);
    const length = Number(get.headers.get('content-length'));
    expect(length).toBeGreaterThan(0);
    expect(length).toBeLessThan(plain.length / 3);
    expect(head.headers.get('content-length')).toBe(String(length));
    expect(await get.text()).toBe(plain);
  }
});

test('CSV and NDJSON give all rows, and the values of JSON', async () => {
  await publish(
    gql,
    viewer,
    declared({
      metadata: { name: 'values', version: 1 },
      route: '/values',
      query: `SELECT id, CASE id WHEN 1 THEN 'a "b", c' WHEN 2 THEN '' END AS text, spent, created_at, birthday FROM raw.users WHERE id <= 3`,
      params: [],
    }),
  );
  const csv = await call('v1/values?format=csv');
  expect(csv.headers.get('content-type')).toContain('text/csv');
  expect((await csv.text()).split('\r\n')).toEqual([
    'id,text,spent,created_at,birthday',
    '1,"a ""b"", c",1.25,2026-01-01T01:00:00.000000Z,2026-01-02',
    '2,"",2.50,2026-01-01T02:00:00.000000Z,2026-01-03',
    '3,,3.75,2026-01-01T03:00:00.000000Z,2026-01-04',
    '',
  ]);
  const lines = (await (await call('v1/values', { accept: 'application/x-ndjson' })).text())
    .trim()
    .split('\n');
  const { data } = await (await call('v1/values')).json();
  expect(lines.map((line) => JSON.parse(line))).toEqual(data);
});

test('HEAD has the headers of GET and no body; OPTIONS says what is allowed; all else is 405', async () => {
  const [get, head] = await Promise.all([
    call('v1/users/active?plan=free'),
    call('v1/users/active?plan=free', {}, 'HEAD'),
  ]);
  expect(head.status).toBe(200);
  expect(await head.text()).toBe('');
  expect(head.headers.get('etag')).toBe(get.headers.get('etag'));
  const options = await call('v1/users/active', {}, 'OPTIONS');
  expect([options.status, options.headers.get('allow')]).toEqual([204, 'GET, HEAD, OPTIONS']);
  expect((await call('v1/users/active?plan=free', {}, 'DELETE')).status).toBe(405);
});

test('a deprecated endpoint says so, and when it goes', async () => {
  const author = { projectId: viewer.projectId, memberId: viewer.memberId, file: null };
  const { id } = await publish(
    gql,
    viewer,
    declared({ metadata: { name: 'old', version: 1 }, route: '/old' }),
  );
  const sunsetAt = new Date('2027-01-01T00:00:00Z');
  await deprecateEndpoint(gql.app.endpoints, author, { id, deprecated: true, sunsetAt });
  const { headers } = await call('v1/old?plan=free');
  expect(headers.get('deprecation')).toMatch(/^@\d{10}$/);
  expect(headers.get('sunset')).toBe('Fri, 01 Jan 2027 00:00:00 GMT');
});

test('the OpenAPI document is valid, and has the endpoints of whoever asks alone', async () => {
  const document = await (await call('openapi.json')).json();
  expect(await new Validator().validate(document)).toMatchObject({ valid: true });
  expect(document.openapi).toMatch(/^3\.1/);
  expect(document.paths['/v1/users/active'].get.parameters).toContainEqual({
    name: 'plan',
    in: 'query',
    required: true,
    schema: { type: 'string', enum: ['free', 'team', 'enterprise'] },
  });
  const other = await signUpWithUsers(gql, 'carl');
  const authorization = `Bearer ${await keyOf(other, ['DATA_READ'])}`;
  expect((await (await call('openapi.json', { authorization })).json()).paths).toEqual({});
  expect((await fetch(`${gateway.url}/api/openapi.json`)).status).toBe(401);
});
