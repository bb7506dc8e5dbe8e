import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Viewer } from '#accounts/viewer.ts';
import { openTestGraphql, type TestGraphql } from '../../support/graphql.ts';
import { defineMetric, fillShop, ofEvents } from '../../support/shop.ts';
import { openReceiver } from '../../support/signals.ts';

let gql: TestGraphql;
let ada: Viewer;

beforeAll(async () => {
  gql = await openTestGraphql({ workers: 1, webhookHosts: ['127.0.0.1'] });
  ada = await gql.signUp('ada');
  await fillShop(gql, ada);
});
afterAll(() => gql[Symbol.asyncDispose]());

test('where workers run, a new signal is evaluated and its webhook sent without anybody asking', async () => {
  await using receiver = await openReceiver();
  const metricId = await defineMetric(gql, ada, 'actions', ofEvents({ aggregation: 'COUNT' }));
  const input = {
    name: 'quiet',
    metricId,
    operator: 'LT',
    threshold: 1,
    grain: 'DAY',
    webhookUrl: receiver.url,
  };
  const query =
    'mutation ($input: CreateSignalInput!) { createSignal(input: $input) { userErrors { message } } }';
  expect(await gql.ask(ada, query, { input })).toEqual({ createSignal: { userErrors: [] } });
  const deadline = Date.now() + 15_000;
  while (receiver.received.length === 0 && Date.now() < deadline) await wait(50);
  await wait(1_500);
  expect(receiver.received.map(({ body }) => JSON.parse(body) as object)).toMatchObject([
    { event: 'triggered', value: 0 },
  ]);
  const { signal } = await gql.ask(
    ada,
    '{ signal(name: "quiet") { state evaluations { totalCount nodes { delivery { attempts deliveredAt lastError } } } } }',
  );
  expect(signal).toEqual({
    state: 'TRIGGERED',
    evaluations: {
      totalCount: 1,
      nodes: [{ delivery: { attempts: 1, deliveredAt: expect.any(String), lastError: null } }],
    },
  });
});
