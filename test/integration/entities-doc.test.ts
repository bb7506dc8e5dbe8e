import { expect, test } from 'vitest';
import { fillDemoData } from '../support/demo-data.ts';
import { docBlocks, runBlock } from '../support/doc-blocks.ts';
import { type Data, openTestGraphql } from '../support/graphql.ts';

test('every block of docs/entities.md does on the tables of the demo what the page says', async () => {
  await using gql = await openTestGraphql({ workers: 1 });
  const ada = await gql.signUp('ada');
  await fillDemoData(gql, ada);
  const answers: Record<string, Data> = {};
  for (const { language, text } of await docBlocks('entities.md')) {
    if (language !== 'graphql') continue;
    const [, name = ''] = /^\w+ (\w+)/.exec(text) ?? [];
    answers[name] = await runBlock(gql, ada, text, {});
  }
  const { MapEverything, WhatSpeaksOfUsers, ActiveUsers, OneOfEach, NewestUsers } = answers;
  for (const { userErrors } of Object.values<Data>(MapEverything)) expect(userErrors).toEqual([]);
  expect(WhatSpeaksOfUsers.entityMapping).toMatchObject({
    key: 'id',
    properties: ['logins', 'theme'],
    table: { freshness: { syncedAt: expect.any(String) } },
  });
  expect(ActiveUsers.users.totalCount).toBeGreaterThan(5);
  for (const user of ActiveUsers.users.nodes) {
    expect(user.properties.theme).toBe('dark');
    expect(['team', 'enterprise']).toContain(user.organization.properties.plan);
  }
  expect(OneOfEach.events.nodes.length).toBe(3);
  expect(OneOfEach.organization.users.nodes.length).toBe(3);
  expect(OneOfEach.user.events.nodes.length).toBe(1);
  const moments = NewestUsers.users.edges.map(({ node }: Data) => node.createdAt);
  expect(moments).toEqual(moments.toSorted().toReversed());
});
