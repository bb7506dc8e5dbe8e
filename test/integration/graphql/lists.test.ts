import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Viewer } from '#accounts/viewer.ts';
import { openTestGraphql, statementsOf, type TestGraphql } from '../../support/graphql.ts';
import { insertSource } from '../../support/rows.ts';

let gql: TestGraphql;
let ada: Viewer;
const sourceNames = Array.from({ length: 7 }, (_, index) => `source ${index}`);

beforeAll(async () => {
  gql = await openTestGraphql();
  ada = await gql.signUp('ada');
  for (const name of sourceNames) await insertSource(gql.app.store.db, ada, name);
});
afterAll(() => gql[Symbol.asyncDispose]());

const sourcesPage = `query ($first: Int, $after: String, $last: Int, $before: String, $search: String) {
  sources(first: $first, after: $after, last: $last, before: $before, search: $search) {
    totalCount nodes { name } edges { cursor node { name } }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }`;

test('walking forward and walking backward meet every thing once, in one order', async () => {
  const forward: string[] = [];
  for (let after: string | null = null; ;) {
    const { sources } = await gql.ask(ada, sourcesPage, { first: 3, after });
    expect(sources.totalCount).toBe(7);
    expect(sources.nodes).toEqual(sources.edges.map((edge: { node: unknown }) => edge.node));
    forward.push(...sources.nodes.map(({ name }: { name: string }) => name));
    expect(sources.pageInfo.hasPreviousPage).toBe(after !== null);
    if (!sources.pageInfo.hasNextPage) break;
    after = sources.pageInfo.endCursor;
  }
  expect(forward).toEqual(sourceNames);

  const backward: string[] = [];
  for (let before: string | null = null; ;) {
    const { sources } = await gql.ask(ada, sourcesPage, { last: 3, before });
    backward.unshift(...sources.nodes.map(({ name }: { name: string }) => name));
    expect(sources.pageInfo.hasNextPage).toBe(before !== null);
    if (!sources.pageInfo.hasPreviousPage) break;
    before = sources.pageInfo.startCursor;
  }
  expect(backward).toEqual(sourceNames);
});

test('hasPreviousPage is false when what stood before the cursor is gone, and cursors outlive their row', async () => {
  const { db } = gql.app.store;
  const gone = await insertSource(db, ada, 'to be deleted');
  const { sources } = await gql.ask(ada, sourcesPage, { last: 1 });
  await db.source.update({ where: { id: gone }, data: { deletedAt: new Date() } });
  const { sources: rest } = await gql.ask(ada, sourcesPage, { after: sources.pageInfo.endCursor });
  expect(rest).toMatchObject({ nodes: [], pageInfo: { hasNextPage: false, hasPreviousPage: true } });
  const { sources: before } = await gql.ask(ada, sourcesPage, {
    last: 2,
    before: sources.pageInfo.endCursor,
  });
  expect(before).toMatchObject({
    nodes: [{ name: 'source 5' }, { name: 'source 6' }],
    pageInfo: { hasNextPage: false },
  });
});

test('rows of the same millisecond are paged by their ids', async () => {
  const eve = await gql.signUp('eve');
  const { db } = gql.app.store;
  for (const name of ['a', 'b', 'c', 'd', 'e']) await insertSource(db, eve, name);
  await db.source.updateMany({ where: { projectId: eve.projectId }, data: { createdAt: new Date(0) } });
  const { sources: one } = await gql.ask(eve, sourcesPage, { first: 2 });
  const { sources: two } = await gql.ask(eve, sourcesPage, { first: 2, after: one.pageInfo.endCursor });
  const { sources: three } = await gql.ask(eve, sourcesPage, { first: 2, after: two.pageInfo.endCursor });
  expect([one, two, three].flatMap((page) => page.nodes.map(({ name }: { name: string }) => name))).toEqual([
    'a',
    'b',
    'c',
    'd',
    'e',
  ]);
});

test('search finds text anywhere in a name, in any case, and its wildcards mean themselves', async () => {
  const bob = await gql.signUp('bob');
  const { db } = gql.app.store;
  for (const name of ['100% Shop', '1000 shops', 'a_b', 'aXb', 'back\\slash'])
    await insertSource(db, bob, name);
  const found = async (search: string | null) => {
    const { sources } = await gql.ask(bob, sourcesPage, { search });
    return sources.nodes.map(({ name }: { name: string }) => name);
  };
  expect(await found('SHOP')).toEqual(['100% Shop', '1000 shops']);
  expect(await found('0%')).toEqual(['100% Shop']);
  expect(await found('a_b')).toEqual(['a_b']);
  expect(await found('k\\s')).toEqual(['back\\slash']);
  expect((await found('')).length).toBe(5);
});

test.each([
  { first: 101 },
  { last: 101 },
  { first: -1 },
  { first: 1, last: 1 },
  { after: 'garbage' },
  { before: Buffer.from('task_newest|0|01a0b1c2-d3e4-7f50-8a1b-2c3d4e5f6071').toString('base64url') },
])('%j is refused with BAD_USER_INPUT', async (args) => {
  const { errors } = await gql.answer(ada, sourcesPage, args);
  expect(errors.map((error) => error.extensions.code)).toEqual(['BAD_USER_INPUT']);
});

test('only what is asked for is read: no count without totalCount, no rows without edges, no column unasked', async () => {
  const names = await statementsOf(() => gql.ask(ada, '{ sources { nodes { name } } }'));
  expect(names.length).toBe(1);
  expect(names[0]?.text).not.toMatch(/config|secrets|streams|count/i);
  const count = await statementsOf(() => gql.ask(ada, '{ sources { totalCount } }'));
  expect(count.length).toBe(1);
  expect(count[0]?.text).toMatch(/count/i);
});
