import { afterAll, beforeAll, expect, test } from 'vitest';
import { openUsage, usageOf } from '#endpoints/usage.ts';
import { declared, publish, signUpWithUsers } from '../../support/endpoints.ts';
import { openTestGraphql, type TestGraphql } from '../../support/graphql.ts';

let gql: TestGraphql;
beforeAll(async () => {
  gql = await openTestGraphql();
});
afterAll(() => gql[Symbol.asyncDispose]());

const dayMs = 86_400_000;

test('calls of the last 30 days are counted, and hours older than 35 days are removed', async () => {
  const { store, log } = gql.app;
  const viewer = await signUpWithUsers(gql, 'ada');
  const { id } = await publish(gql, viewer, declared());
  const endpoint = { id, projectId: viewer.projectId };
  let now = Date.UTC(2026, 0, 1);
  await using usage = openUsage(store, log, () => now);
  const countsAt = async (day: number) => {
    now = Date.UTC(2026, 0, 1) + day * dayMs;
    usage.count(endpoint, { durationMs: 3, cached: true });
    usage.count(endpoint, { durationMs: 100, failed: true });
    await usage.write();
    const of = await usageOf(store, viewer.projectId, [id], new Date(now));
    const hours = await store.db.endpointUsage.count({ where: { endpointId: id } });
    return [Number(of.get(id)!.calls), hours];
  };
  expect(await countsAt(0)).toEqual([2, 1]);
  expect(await countsAt(29)).toEqual([4, 2]);
  expect(await countsAt(33)).toEqual([4, 3]);
  // Of a day whose calls are all gone nothing is left behind.
  expect(await countsAt(36)).toEqual([6, 3]);
  expect(await countsAt(100)).toEqual([2, 1]);
});
