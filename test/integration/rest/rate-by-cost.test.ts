import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type App, openApp } from '#app.ts';
import { createLog } from '#base/log.ts';
import type { Declaration } from '#endpoints/declaration.ts';
import { serve } from '#server/serve.ts';
import { type EndpointLab, openEndpointLab } from '../../support/endpoint-lab.ts';
import { publish } from '../../support/endpoints.ts';

let lab: EndpointLab;
/** Another process over the same store: what the home holds is not served there. */
let elsewhere: { app: App; url: string };
const opened = new AsyncDisposableStack();
beforeAll(async () => {
  lab = opened.use(await openEndpointLab());
  await lab.postgres.load([
    `CREATE FUNCTION raw.wait(seconds float8) RETURNS float8 LANGUAGE plpgsql IMMUTABLE STRICT
      AS 'BEGIN PERFORM pg_sleep(seconds); RETURN seconds; END'`,
  ]);
  const home = await mkdtemp(join(tmpdir(), 'sluice-elsewhere-'));
  opened.defer(() => rm(home, { recursive: true, force: true }));
  const config = { ...lab.gql.app.config, home, endpoints: join(home, 'endpoints') };
  const app = opened.use(await openApp(config, 'serve', { log: createLog('error') }));
  const { url } = opened.use(await serve(app, { host: '127.0.0.1', port: 0 }));
  elsewhere = { app, url };
});
afterAll(() => opened.disposeAsync());

/** An endpoint whose statement takes as long as its caller says. */
async function sleeper(name: string, changes: Partial<Declaration> = {}): Promise<string> {
  await publish(lab.gql, lab.viewer, {
    metadata: { name, version: 1 },
    route: `/${name}`,
    datastore: 'hot',
    query: 'SELECT id, raw.wait(:seconds) AS waited FROM raw.users WHERE id = 1',
    params: [{ name: 'seconds', type: 'number', required: true }],
    rateLimit: { cost: '1s', per: '1d' },
    ...changes,
  });
  return `v1/${name}`;
}

/** How a call went, what it says is left of the budget, and how long its caller waited. */
interface Stands {
  status: number;
  left: number;
  limit: number;
  tookMs: number;
}

interface CallOptions {
  at?: string;
  signal?: AbortSignal;
}

async function call(path: string, { at = lab.url, signal }: CallOptions = {}): Promise<Stands> {
  const startedAt = performance.now();
  const authorization = `Bearer ${lab.token}`;
  const response = await fetch(`${at}/api/${path}`, {
    headers: { authorization },
    ...(signal && { signal }),
  });
  await response.text();
  const { status, headers } = response;
  const [, left] = /"cost";r=(\d+);t=\d+/.exec(headers.get('ratelimit')!)!;
  const [, limit] = /"cost";q=(\d+);qu="milliseconds";w=86400/.exec(headers.get('ratelimit-policy')!)!;
  return { status, left: Number(left), limit: Number(limit), tookMs: performance.now() - startedAt };
}

/** What was spent lies between the two; clocks of whole milliseconds may be one off at either end of a statement. */
function expectSpent({ limit, left }: Stands, atLeastMs: number, atMostMs: number): void {
  expect(limit - left).toBeGreaterThanOrEqual(atLeastMs - 2);
  expect(limit - left).toBeLessThanOrEqual(atMostMs + 2);
}

const exchanged = async () => {
  await elsewhere.app.endpoints.rates.exchange();
  await lab.gql.app.endpoints.rates.exchange();
};

test('two processes share what calls cost, over REST and GraphQL, and tell it in both shapes of headers', async () => {
  const path = await sleeper('both', { rateLimit: { requests: 50, cost: '1s', per: '1d' } });
  const first = await call(`${path}?seconds=0.4`);
  expect(first).toMatchObject({ status: 200, limit: 1_000 });
  expectSpent(first, 400, first.tookMs);
  await exchanged();
  expect((await call(`${path}?seconds=0.41`, { at: elsewhere.url })).status).toBe(200);
  await exchanged();
  const asked = '{ data { both(seconds: 0.42) { nodes { id } } } }';
  const graphql = (at: string) =>
    fetch(`${at}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${lab.token}` },
      body: JSON.stringify({ query: asked }),
    }).then((response) => response.json());
  expect((await graphql(lab.url)).errors).toBeUndefined();
  await exchanged();
  const refused = await graphql(lab.url);
  expect(refused.errors[0]).toMatchObject({
    message: expect.stringMatching(/^both takes 1 s of its datastore's time in 86400 s: 1\.\d s are used\.$/),
    extensions: { code: 'RATE_LIMITED', fix: expect.stringMatching(/^Try again in \d+ s\.$/) },
  });
  const { status, headers, text } = await lab.call(`${path}?seconds=0`);
  expect(status).toBe(429);
  const secondsLeft = 86_400 - (Math.floor(Date.now() / 1_000) % 86_400);
  expect(Math.abs(Number(headers['retry-after']) - secondsLeft)).toBeLessThanOrEqual(2);
  expect(headers['ratelimit']).toMatch(/^"requests";r=\d+;t=\d+, "cost";r=0;t=\d+$/);
  expect(headers['ratelimit-policy']).toBe(
    '"requests";q=50;w=86400, "cost";q=1000;qu="milliseconds";w=86400',
  );
  expect(headers['ratelimit-limit']).toBe('50');
  expect(headers['ratelimit-reset']).toBe(headers['retry-after']);
  expect(JSON.parse(text).errors[0]).toMatchObject({ code: 'RATE_LIMITED' });
});

test('an answer that is kept costs nothing, and one statement is paid once however many wait for it', async () => {
  const path = await sleeper('shared', { rateLimit: { cost: '10s', per: '1d' } });
  const all = await Promise.all(Array.from({ length: 8 }, () => call(`${path}?seconds=0.5`)));
  for (const each of all) {
    expect(each.status).toBe(200);
    expectSpent(each, 500, Math.max(...all.map(({ tookMs }) => tookMs)));
  }
  const { left } = await call(`${path}?seconds=0.5`);
  for (let n = 0; n < 5; n += 1) expect((await call(`${path}?seconds=0.5`)).left).toBe(left);
});

test('what is over its timeout costs what it took', async () => {
  const path = await sleeper('late', { limits: { timeout: '300ms' } });
  const late = await call(`${path}?seconds=5`);
  expect(late.status).toBe(504);
  const { tookMs, ...stands } = await call(`${path}?seconds=0`);
  expectSpent({ ...stands, tookMs }, 300, late.tookMs + tookMs);
});

test('what the engine refuses costs what it took', async () => {
  const path = await sleeper('refused', {
    query:
      'SELECT id, CAST(1 / (raw.wait(:seconds) - 0.3 + id - 1) AS integer) AS n FROM raw.users WHERE id = 1',
  });
  const refused = await call(`${path}?seconds=0.3`);
  expect(refused.status).toBe(400);
  const { tookMs, ...stands } = await call(`${path}?seconds=0`);
  expectSpent({ ...stands, tookMs }, 300, refused.tookMs + tookMs);
});

test('what its client has left costs what it took until the engine stopped it', async () => {
  const path = await sleeper('left', { rateLimit: { cost: '20s', per: '1d' } });
  const leave = new AbortController();
  const leaving = call(`${path}?seconds=15`, { signal: leave.signal });
  setTimeout(() => leave.abort(), 400);
  await expect(leaving).rejects.toThrow();
  const startedAt = performance.now();
  await vi.waitFor(async () => expectSpent(await call(`${path}?seconds=0`), 300, 14_000), 10_000);
  // Nobody pays for it any longer.
  const { left } = await call(`${path}?seconds=0`);
  await new Promise((resolve) => setTimeout(resolve, 200));
  const later = await call(`${path}?seconds=0`);
  expect(left - later.left).toBeLessThan(100);
  expect(performance.now() - startedAt).toBeLessThan(12_000);
});

test('a stream that is left early costs what it took until then', async () => {
  const path = await sleeper('streamed', {
    // Of each row, so that the server does not wait once for all of them while it plans.
    query: `SELECT n, CASE WHEN n % 1000 = 0 THEN raw.wait(:seconds + 0 * n) END AS waited, repeat('x', 1000) AS x
      FROM generate_series(1, 20000) AS t(n)`,
    limits: { rows: 1_000_000, timeout: '60s' },
    rateLimit: { cost: '60s', per: '1d' },
  });
  const stop = new AbortController();
  const startedAt = performance.now();
  const headers = { authorization: `Bearer ${lab.token}` };
  const { body } = await fetch(`${lab.url}/api/${path}?seconds=0.05&format=csv`, {
    headers,
    signal: stop.signal,
  });
  const reader = body!.getReader();
  let bytes = 0;
  while (bytes < 5_000_000) bytes += (await reader.read()).value!.length;
  stop.abort();
  const after = await call(`${path}?seconds=0&format=csv`);
  expectSpent(after, 4 * 50, performance.now() - startedAt);
});

test('a reader who is slow pays for the work of the datastore, and not for his time', async () => {
  const path = await sleeper('slowly', {
    query: "SELECT n, repeat('x', 1000) AS x FROM generate_series(1, 30000) AS t(n) WHERE n <= :rows",
    params: [{ name: 'rows', type: 'integer', required: true }],
    limits: { rows: 1_000_000, timeout: '60s' },
    rateLimit: { cost: '60s', per: '1d' },
  });
  const startedAt = performance.now();
  const headers = { authorization: `Bearer ${lab.token}` };
  const { body } = await fetch(`${lab.url}/api/${path}?rows=30000&format=csv`, { headers });
  const reader = body!.getReader();
  await reader.read();
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  while (!(await reader.read()).done);
  const after = await call(`${path}?rows=1`);
  expectSpent(after, 1, performance.now() - startedAt - 2_500);
});

test('OpenAPI, introspection and the JSON Schema say what a call may cost', async () => {
  const path = await sleeper('told', { rateLimit: { requests: 7, cost: '90s', per: '1h', by: 'member' } });
  const { paths } = JSON.parse((await lab.call('openapi.json')).text);
  const { description, responses } = paths[`/${path}`].get;
  expect(description).toBe("Takes 7 calls and 90 s of its datastore's time in 3600 s for each member.");
  expect(Object.keys(responses['200'].headers)).toEqual(
    expect.arrayContaining(['RateLimit', 'RateLimit-Policy', 'RateLimit-Limit']),
  );
  const { __type } = await lab.gql.ask(
    lab.viewer,
    '{ __type(name: "Data") { fields { name description } } }',
  );
  expect(__type.fields.find(({ name }: { name: string }) => name === 'told').description).toContain(
    "Takes 7 calls and 90 s of its datastore's time in 3600 s for each member, RATE_LIMITED beyond.",
  );
  const { properties } = JSON.parse((await lab.call('endpoint.schema.json')).text);
  expect(Object.keys(properties.rateLimit.properties)).toEqual(['requests', 'cost', 'per', 'by']);
});
