import { afterAll, beforeAll, expect, test } from 'vitest';
import { createApiKey } from '#accounts/api-keys.ts';
import { createLog } from '#base/log.ts';
import { callEndpoint } from '#endpoints/run.ts';
import type { Viewer } from '#accounts/viewer.ts';
import { serve, type Serving } from '#server/serve.ts';
import { declared, publish, signUpWithUsers } from '../../support/endpoints.ts';
import { openTestGraphql, type TestGraphql } from '../../support/graphql.ts';

let gql: TestGraphql;
let gateway: Serving;
let viewer: Viewer;
beforeAll(async () => {
  gql = await openTestGraphql();
  viewer = await signUpWithUsers(gql, 'ada');
  gateway = await serve(gql.app, { host: '127.0.0.1', port: 0 });
});
afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  await gql[Symbol.asyncDispose]();
});

async function usageOf(name: string) {
  await gql.app.endpoints.usage.write();
  const asked = `{ endpoints(search: "${name}") { nodes { usage { calls errors p50Ms p99Ms } } } }`;
  return (await gql.ask(viewer, asked)).endpoints.nodes[0].usage;
}

async function tokenOf(scopes: ('DATA_READ' | 'CONTROL_READ')[]): Promise<string> {
  return (await createApiKey(gql.app.accounts, viewer, { name: `key ${Math.random()}`, scopes })).secret;
}

test('every call that finds the endpoint is counted, and each that is refused is an error that no percentile knows, over REST', async () => {
  const rateLimit = { requests: 2, per: '1d' };
  await publish(
    gql,
    viewer,
    declared({ metadata: { name: 'over_rest', version: 1 }, route: '/over_rest', rateLimit }),
  );
  const [reading, controlling] = [await tokenOf(['DATA_READ']), await tokenOf(['CONTROL_READ'])];
  const call = async (query: string, token: string, accept = '*/*') => {
    const headers = { accept, ...(token !== '' && { authorization: `Bearer ${token}` }) };
    return (await fetch(`${gateway.url}/api/v1/over_rest?${query}`, { headers })).status;
  };
  expect(await call('plan=free', '')).toBe(401);
  expect(await call('plan=free', 'wrong')).toBe(401);
  expect(await usageOf('over_rest')).toEqual({ calls: 0, errors: 0, p50Ms: null, p99Ms: null });

  expect(await call('plan=gold', reading)).toBe(400);
  expect(await call('plan=free&nothing=1', reading)).toBe(400);
  expect(await call('plan=free&first=x', reading)).toBe(400);
  expect(await call('plan=free', reading, 'image/png')).toBe(406);
  expect(await call('plan=free', controlling)).toBe(403);
  expect(await usageOf('over_rest')).toEqual({ calls: 5, errors: 5, p50Ms: null, p99Ms: null });

  expect(await call('plan=free', reading)).toBe(200);
  expect(await call('plan=free&format=csv', reading)).toBe(200);
  expect(await call('plan=free', reading)).toBe(429);
  expect(await call('plan=free&format=csv', reading)).toBe(429);
  expect(await usageOf('over_rest')).toMatchObject({ calls: 9, errors: 7, p50Ms: expect.any(Number) });
});

test('a query that fails with every call is few lines of the log, and none is told what the engine said', async () => {
  const query = "SELECT id, CAST('secret ' || name AS integer) AS n FROM raw.users WHERE id > :above";
  const params = [{ name: 'above', type: 'integer', required: true } as const];
  const { id } = await publish(
    gql,
    viewer,
    declared({ metadata: { name: 'failing', version: 1 }, route: '/failing', query, params }),
  );
  const { all } = await gql.app.endpoints.registry.of(viewer.projectId);
  const endpoint = all.find((each) => each.id === id)!;
  const lines: string[] = [];
  const catalog = { ...gql.app.catalog, log: createLog('warn', (line) => lines.push(line)) };
  const signal = new AbortController().signal;
  const startedAt = performance.now();
  for (let n = 0; n < 100; n += 1) {
    const asker = { projectId: viewer.projectId, requestId: `r${n}`, signal };
    const call = { values: new Map([['above', BigInt(n)]]), page: {} };
    await expect(callEndpoint(catalog, asker, endpoint, call)).rejects.toMatchObject({
      code: 'BAD_USER_INPUT',
      message: 'The query of "failing" fails with these parameters.',
    });
  }
  expect(lines.length).toBeLessThanOrEqual(2 + (performance.now() - startedAt) / 1_000);
  expect(JSON.parse(lines[0]!)).toMatchObject({ endpoint: 'failing', requestId: 'r0' });
  expect(lines[0]).toContain('secret user');
});

test('and over GraphQL, where a document that does not fit the schema reaches no endpoint', async () => {
  const rateLimit = { requests: 1, per: '1d' };
  const params = [{ name: 'above', type: 'integer', minimum: 0, required: true } as const];
  const query = 'SELECT id, name FROM raw.users WHERE id > :above';
  await publish(
    gql,
    viewer,
    declared({ metadata: { name: 'over_graphql', version: 1 }, route: '/g', query, params, rateLimit }),
  );
  const codesOf = async (above: string, by: Viewer) => {
    const { errors } = await gql.answer(by, `{ data { overGraphql(above: ${above}) { nodes { id } } } }`);
    return errors.map(({ extensions }) => extensions['code']);
  };
  const controlling = await gql.apiKey(viewer, ['CONTROL_READ']);
  await codesOf('"many"', viewer);
  expect(await usageOf('over_graphql')).toMatchObject({ calls: 0, errors: 0 });
  expect(await codesOf('-1', viewer)).toEqual(['BAD_USER_INPUT']);
  expect(await codesOf('1', controlling)).toEqual(['FORBIDDEN']);
  expect(await usageOf('over_graphql')).toEqual({ calls: 2, errors: 2, p50Ms: null, p99Ms: null });
  expect(await codesOf('1', viewer)).toEqual([]);
  expect(await codesOf('1', viewer)).toEqual(['RATE_LIMITED']);
  expect(await usageOf('over_graphql')).toMatchObject({ calls: 4, errors: 3, p50Ms: expect.any(Number) });
});
