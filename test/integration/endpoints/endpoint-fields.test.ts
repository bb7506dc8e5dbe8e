import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Viewer } from '#accounts/viewer.ts';
import { declared, publish, signUpWithUsers } from '../../support/endpoints.ts';
import { openTestGraphql, type TestGraphql } from '../../support/graphql.ts';

let gql: TestGraphql;
let viewer: Viewer;
beforeAll(async () => {
  gql = await openTestGraphql();
  viewer = await signUpWithUsers(gql, 'ada');
});
afterAll(() => gql[Symbol.asyncDispose]());

test('a published endpoint is a field of its project at once, and of no other', async () => {
  const other = await signUpWithUsers(gql, 'bea');
  const query = '{ data { activeUsers(plan: team, first: 2) { nodes { id name plan } } } }';
  expect((await gql.answer(viewer, query)).errors[0]?.message).toContain('"data"');
  await publish(gql, viewer, declared());
  expect(await gql.ask(viewer, query)).toEqual({
    data: {
      activeUsers: {
        nodes: [
          { id: 4, name: 'user 4', plan: 'team' },
          { id: 10, name: 'user 10', plan: 'team' },
        ],
      },
    },
  });
  expect((await gql.answer(other, query)).errors[0]?.message).toContain('"data"');
});

test('pages go forward and back to the same rows', async () => {
  const ask = async (args: string) =>
    (
      await gql.ask(
        viewer,
        `{ data { activeUsers(plan: free, ${args}) { nodes { id } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } } }`,
      )
    ).data.activeUsers;
  const seen: number[] = [];
  const sizes: number[] = [];
  let after = '';
  let last;
  do {
    last = await ask(`first: 60${after}`);
    sizes.push(last.nodes.length);
    seen.push(...last.nodes.map((node: { id: number }) => node.id));
    after = `, after: "${last.pageInfo.endCursor}"`;
  } while (last.pageInfo.hasNextPage);
  expect(seen).toEqual(
    Array.from({ length: 1000 }, (_, index) => index + 1).filter((n) => n % 2 === 0 && n % 3 === 0),
  );
  const back = await ask(`last: 60, before: "${last.pageInfo.startCursor}"`);
  expect(back.nodes.map((node: { id: number }) => node.id)).toEqual(seen.slice(60, 120));
  expect(back.pageInfo).toMatchObject({ hasNextPage: true, hasPreviousPage: true });
});

test('a column that a table gets later changes nothing, and one that it loses is told', async () => {
  const { warehouse } = await gql.app.catalog.datastores.open(viewer.projectId);
  const sql = (statement: string) => warehouse.run({ sql: statement });
  await sql('CREATE TABLE raw.things AS SELECT 1 AS id, 2 AS size');
  await gql.ask(viewer, 'mutation { refreshCatalog(input: {}) { tables } }');
  const query = 'SELECT t.*, 3 AS own FROM raw.things t';
  const metadata = { name: 'things', version: 1 };
  await publish(gql, viewer, declared({ metadata, route: '/things', query, params: [] }));
  const ask = '{ data { things { nodes { id size own } } } }';
  const things = { things: { nodes: [{ id: 1, size: 2, own: 3 }] } };
  expect((await gql.ask(viewer, ask)).data).toEqual(things);
  await sql('ALTER TABLE raw.things ADD COLUMN note VARCHAR');
  gql.app.catalog.datastores.cache.clear();
  expect((await gql.ask(viewer, ask)).data).toEqual(things);
  await sql('ALTER TABLE raw.things DROP COLUMN size');
  gql.app.catalog.datastores.cache.clear();
  expect((await gql.answer(viewer, ask)).errors[0]?.message).toBe(
    'The query of "things" does not give size any more.',
  );
});
