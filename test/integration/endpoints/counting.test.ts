import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Viewer } from '#accounts/viewer.ts';
import { createLog } from '#base/log.ts';
import { markWritten } from '#catalog/mark-written.ts';
import { openRates } from '#endpoints/rates.ts';
import { openUsage } from '#endpoints/usage.ts';
import { declared, publish, signUpWithUsers } from '../../support/endpoints.ts';
import { openTestGraphql, type TestGraphql } from '../../support/graphql.ts';
import { insertDestination, insertJob, insertSource, insertTask } from '../../support/rows.ts';

let gql: TestGraphql;
let viewer: Viewer;
const log = createLog('error');
beforeAll(async () => {
  gql = await openTestGraphql();
  viewer = await signUpWithUsers(gql, 'ada');
});
afterAll(() => gql[Symbol.asyncDispose]());

async function published(name: string, changes: Parameters<typeof declared>[0] = {}) {
  const { id } = await publish(
    gql,
    viewer,
    declared({ metadata: { name, version: 1 }, route: `/${name}`, ...changes }),
  );
  const { all } = await gql.app.endpoints.registry.of(viewer.projectId);
  return all.find((endpoint) => endpoint.id === id)!;
}

test('two processes share a window, and each begins the next one anew', async () => {
  const endpoint = await published('shared', { rateLimit: { requests: 5, per: '1h' } });
  const { store } = gql.app;
  let now = Date.UTC(2026, 5, 1, 12, 30);
  await using one = openRates(store, log, () => now);
  await using other = openRates(store, log, () => now);
  const caller = { viewer, address: null };
  const left = (rates: typeof one) => {
    rates.take(endpoint, caller);
    return rates.stateOf(endpoint, caller)!.requests!.remaining;
  };

  expect([left(one), left(one), left(other)]).toEqual([4, 3, 4]);
  // Exchanges that overlap count nothing twice.
  await Promise.all([one.exchange(), one.exchange(), one.exchange()]);
  await other.exchange();
  expect(left(other)).toBe(1);
  await other.exchange();
  expect(left(one)).toBe(2);
  await one.exchange();
  expect(() => left(one)).toThrow('takes 5 calls in 3600 s');
  left(other);
  await other.exchange();
  expect(() => left(other)).toThrow('takes 5 calls');
  // Another caller has a window of its own.
  const stranger = { viewer: null, address: '10.0.0.1' };
  one.take(endpoint, stranger);
  expect(one.stateOf(endpoint, stranger)).toMatchObject({
    requests: { limit: 5, remaining: 4 },
    cost: null,
    resetSeconds: 1_800,
  });
  now += 1_800_000;
  expect([left(one), left(other)]).toEqual([4, 4]);
});

test('callers are told apart by key, member or address, and where no address is known by key', async () => {
  const { store } = gql.app;
  await using rates = openRates(store, log);
  const key = { ...viewer, apiKeyId: 'k1' };
  const session = { ...viewer, apiKeyId: null };
  const callers = [
    { viewer: key, address: '10.0.0.1' },
    { viewer: key, address: '10.0.0.2' },
    { viewer: { ...key, apiKeyId: 'k2' }, address: '10.0.0.1' },
    { viewer: session, address: '10.0.0.2' },
    { viewer: key, address: null },
    { viewer: session, address: null },
  ];
  for (const [by, left] of [
    ['key', [9, 8, 9, 9, 7, 8]],
    ['member', [9, 8, 7, 6, 5, 4]],
    ['address', [9, 9, 8, 8, 9, 9]],
  ] as const) {
    const endpoint = await published(`by_${by}`, { rateLimit: { requests: 10, per: '1d', by } });
    const remaining = callers.map((caller) => {
      rates.take(endpoint, caller);
      return rates.stateOf(endpoint, caller)!.requests!.remaining;
    });
    expect(remaining, by).toEqual(left);
  }
});

test('processes share the window of another length as soon as one is declared', async () => {
  const { store } = gql.app;
  const now = Date.UTC(2026, 5, 1, 12, 30);
  await using one = openRates(store, log, () => now);
  await using other = openRates(store, log, () => now);
  const caller = { viewer, address: null };
  const short = await published('lengthened', { rateLimit: { requests: 5, per: '1m' } });
  one.take(short, caller);
  await one.exchange();
  const long = await published('lengthened', { rateLimit: { requests: 5, per: '1d' } });
  expect(long.id).toBe(short.id);
  for (const rates of [one, other]) rates.take(long, caller);
  for (const rates of [one, other, one]) {
    await rates.exchange();
    rates.take(long, caller);
  }
  await one.exchange();
  await other.exchange();
  expect(() => other.take(long, caller)).toThrow('lengthened takes 5 calls in 86400 s.');
});

test('usage tells calls, errors, percentiles and the share of kept answers, of 30 days and of both processes', async () => {
  const endpoint = await published('used');
  const { store } = gql.app;
  let now = Date.now() - 31 * 86_400_000;
  await using one = openUsage(store, log, () => now);
  await using other = openUsage(store, log, () => now);
  one.count(endpoint, { durationMs: 900_000, failed: true });
  await one.write();
  now = Date.now();
  for (let n = 0; n < 98; n += 1)
    (n % 2 === 0 ? one : other).count(endpoint, { durationMs: 3, cached: n < 49 });
  one.count(endpoint, { durationMs: 1_000, failed: true });
  one.count(endpoint, { durationMs: 1_000 });
  await Promise.all([one.write(), other.write()]);
  const { endpoints } = await gql.ask(
    viewer,
    '{ endpoints(search: "used") { nodes { usage { calls errors cacheShare p50Ms p99Ms } } } }',
  );
  const [{ usage }] = endpoints.nodes;
  expect(usage).toMatchObject({ calls: 100, errors: 1, cacheShare: 0.49 });
  // Right within a step: up to 41 % more than it was.
  expect(usage.p50Ms).toBeGreaterThanOrEqual(3);
  expect(usage.p50Ms).toBeLessThan(3 * 1.42);
  expect(usage.p99Ms).toBeGreaterThanOrEqual(1_000);
  expect(usage.p99Ms).toBeLessThan(1_420);

  const never = await gql.ask(
    viewer,
    '{ endpoints(search: "shared") { nodes { usage { calls cacheShare p50Ms p99Ms } } } }',
  );
  expect(never.endpoints.nodes[0].usage).toEqual({ calls: 0, cacheShare: null, p50Ms: null, p99Ms: null });
});

test('an answer comes anew when a task has written a table behind it, and not for any other', async () => {
  await published('followed', {
    query: 'SELECT count(*) AS n FROM raw.users',
    params: [],
    pagination: undefined as never,
  });
  const { app } = gql;
  const { db } = app.store;
  const { warehouse } = await app.catalog.datastores.open(viewer.projectId);
  const run = (sql: string) => warehouse.run({ sql });
  await run('CREATE TABLE raw.others AS SELECT 1 AS a');
  const [sourceId, destinationId] = [
    await insertSource(db, viewer, 's'),
    await insertDestination(db, viewer, 'd'),
  ];
  const jobId = await insertJob(db, viewer, { name: 'j', sourceId, destinationId });
  const write = async (name: string) => {
    const taskId = await insertTask(db, viewer, jobId);
    const table = { datastore: 'warehouse', database: 'warehouse', schema: 'raw', name };
    const feed = { jobId, stream: name };
    await markWritten(db, app.catalog.datastores, {
      projectId: viewer.projectId,
      taskId,
      table,
      at: new Date(),
      feed,
    });
  };

  const leave = new AbortController();
  const answers = gql.follow(viewer, 'subscription { dataFollowed { nodes { n } } }', {}, leave.signal);
  const next = async () => (await answers.next()).value!.data.dataFollowed.nodes[0].n as number;
  expect(await next()).toBe(1_000);
  await run('DELETE FROM raw.users WHERE id = 1');
  await write('users');
  expect(await next()).toBe(999);
  // Had the write of others told anything, it would have been what was kept of users.
  await run('DELETE FROM raw.users WHERE id = 2');
  const waiting = next();
  await write('others');
  await run('DELETE FROM raw.users WHERE id = 3');
  await write('users');
  expect(await waiting).toBe(997);
  leave.abort();
  await answers.return(undefined);
});
