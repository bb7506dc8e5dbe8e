import { afterAll, beforeAll, expect, test } from 'vitest';
import { createApiKey } from '#accounts/api-keys.ts';
import type { Viewer } from '#accounts/viewer.ts';
import { serve, type Serving } from '#server/serve.ts';
import { declared, publish, signUpWithUsers } from '../../support/endpoints.ts';
import { askOverHttp } from '../../support/ask-over-http.ts';
import { fillWarehouse, mapEntity } from '../../support/entities.ts';
import { openTestGraphql, statementsDuring, type TestGraphql } from '../../support/graphql.ts';
import { defineMetric, ofEvents } from '../../support/shop.ts';

/* What a request asks of the store once the process knows the project, over HTTP: who asks, and, where the warehouse is asked, what
 * is behind the answer. */

let gql: TestGraphql;
let serving: Serving;
let ada: Viewer;
let token: string;

beforeAll(async () => {
  gql = await openTestGraphql();
  serving = await serve(gql.app, { host: '127.0.0.1', port: 0 });
  ada = await signUpWithUsers(gql, 'ada');
  token = (await createApiKey(gql.app.accounts, ada, { name: 'asks', scopes: ['DATA_READ'] })).secret;
  await fillWarehouse(gql, ada, [
    `CREATE TABLE raw.events AS SELECT n AS id, TIMESTAMPTZ '2026-01-01 00:00:00Z' AS at FROM range(7) t(n)`,
  ]);
  await mapEntity(gql, ada, { kind: 'USER', table: 'raw.users', key: 'id', name: 'name' });
  await mapEntity(gql, ada, { kind: 'EVENT', table: 'raw.events', key: 'id', at: 'at' });
  await defineMetric(gql, ada, 'events', ofEvents({ aggregation: 'COUNT' }));
  const params = [{ name: 'id', type: 'integer' as const, required: true }];
  await publish(gql, ada, declared({ query: 'SELECT id, name FROM raw.users WHERE id >= :id', params }));
});
afterAll(async () => {
  await serving?.[Symbol.asyncDispose]();
  await gql?.[Symbol.asyncDispose]();
});

const ask = (query: string) => askOverHttp(serving, token, query);

async function call(id: number): Promise<string> {
  const response = await fetch(`${serving.url}/api/v1/users/active?id=${id}`, {
    headers: { authorization: `Bearer ${token}` },
  });
  expect(response.status).toBe(200);
  return ((await response.json()) as { data: { name: string }[] }).data[0]!.name;
}

/** Each asks for another thing by another number, and says which it was told of. */
const requests: Record<string, (n: number) => Promise<unknown>> = {
  'a series of a metric': async (n) => {
    const from = new Date(Date.UTC(2026, 0, 1) - n * 86_400_000).toISOString();
    const { metric } = await ask(
      `{ metric(name: "events") { series(grain: DAY, from: "${from}", to: "2026-01-02T00:00:00Z") { points { value } } } }`,
    );
    return metric.series.points.length - 1;
  },
  'a user by key': async (n) => Number((await ask(`{ user(key: "${n}") { name } }`)).user.name.split(' ')[1]),
  'an endpoint over REST': async (n) => Number((await call(n)).split(' ')[1]),
  // Of rows that the one before it has not asked for, since both give the same ones.
  'an endpoint over GraphQL': async (n) => {
    const { data } = await ask(`{ data { activeUsers(id: ${n + 500}) { nodes { id } } } }`);
    return Number(data.activeUsers.nodes[0].id) - 500;
  },
};

/** The fewest of some runs, since what goes on by itself makes statements too. */
async function fewest(run: (at: number) => Promise<void>): Promise<string[]> {
  const runs: string[][] = [];
  for (let at = 0; at < 5; at += 1) {
    runs.push((await statementsDuring(() => run(at))).map(({ text }) => text));
  }
  return runs.toSorted((one, other) => one.length - other.length)[0]!;
}

test.each(Object.entries(requests))(
  '%s asks the store twice, and once where the answer is kept',
  async (_name, request) => {
    expect(await request(11)).toBe(11);
    const kept = await fewest(async () => expect(await request(11)).toBe(11));
    expect(kept.length, kept.join('\n')).toBe(1);
    const asked = await fewest(async (at) => expect(await request(20 + at)).toBe(20 + at));
    expect(asked.length, asked.join('\n')).toBe(2);
  },
);
