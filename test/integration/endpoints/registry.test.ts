import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Viewer } from '#accounts/viewer.ts';
import { openRegistry } from '#endpoints/registry.ts';
import { declared, publish, signUpWithUsers } from '../../support/endpoints.ts';
import { openTestGraphql, type TestGraphql } from '../../support/graphql.ts';

let gql: TestGraphql;
const viewers: Viewer[] = [];
beforeAll(async () => {
  gql = await openTestGraphql();
  for (const name of ['ada', 'bea', 'carl']) {
    const viewer = await signUpWithUsers(gql, name);
    viewers.push(viewer);
    for (let n = 0; n < 3; n += 1) {
      const metadata = { name: `endpoint_${n}`, version: 1 };
      await publish(gql, viewer, declared({ metadata, route: `/endpoint/n${n}` }));
    }
  }
});
afterAll(() => gql[Symbol.asyncDispose]());

test('of as many projects as fit the endpoints are kept, those asked for last, and one of any size', async () => {
  const { store, log } = gql.app;
  const [ada, bea, carl] = viewers.map(({ projectId }) => projectId) as [string, string, string];
  // Each project counts as 6.
  await using two = await openRegistry(store, log, 13);
  const kept = await two.of(ada);
  expect(kept.all).toHaveLength(3);
  await two.of(bea);
  expect(await two.of(ada)).toBe(kept);
  await two.of(carl);
  expect(await two.of(ada)).toBe(kept);
  await two.of(bea);
  await two.of(carl);
  const again = await two.of(ada);
  expect([again === kept, again.all.length]).toEqual([false, 3]);

  await using less = await openRegistry(store, log, 2);
  expect(await less.of(ada)).toBe(await less.of(ada));
});
