import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Viewer } from '#accounts/viewer.ts';
import type { ParamDeclaration } from '#endpoints/declaration.ts';
import { announceWritten } from '#catalog/written.ts';
import { deleteEndpoint, deprecateEndpoint } from '#endpoints/save.ts';
import { openApiOf } from '#rest/openapi.ts';
import { declared, publish, signUpWithUsers } from '../../support/endpoints.ts';
import { type Answer, type Data, openTestGraphql, type TestGraphql } from '../../support/graphql.ts';

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

test('a default may be written in any way that a call may, and is the same in GraphQL, over REST and in OpenAPI', async () => {
  const query = `SELECT id, CAST(:a AS VARCHAR) AS a, CAST(:b AS VARCHAR) AS b, CAST(:c AS VARCHAR) AS c, CAST(:d AS VARCHAR) AS d,
    CAST(:e AS VARCHAR) AS e, :f AS f FROM raw.users WHERE id = 1 AND active NOT IN (:g)`;
  const params: ParamDeclaration[] = [
    { name: 'a', type: 'boolean', default: 'true' },
    { name: 'b', type: 'number', default: '1.5' },
    { name: 'c', type: 'datetime', default: '2026-01-01 00:00:00.123456789+01:00' },
    { name: 'd', type: 'integer', default: '12' },
    { name: 'e', type: 'uuid', default: 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11' },
    { name: 'f', type: 'string', enum: ['x', 'y'], default: 'y' },
    { name: 'g', type: 'boolean', list: true, default: ['true'] },
  ];
  const metadata = { name: 'written', version: 1 };
  await publish(gql, viewer, declared({ metadata, route: '/written', query, params }));
  const { data } = await gql.ask(viewer, '{ data { written { nodes { a b c d e f } } } }');
  expect(data.written.nodes).toEqual([
    {
      a: 'true',
      b: '1.5',
      c: '2025-12-31 23:00:00.123+00',
      d: '12',
      e: 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11',
      f: 'y',
    },
  ]);
  const { __type } = await gql.ask(
    viewer,
    '{ __type(name: "Data") { fields { name args { name defaultValue } } } }',
  );
  const { args } = __type.fields.find(({ name }: { name: string }) => name === 'written');
  expect(args.map(({ defaultValue }: { defaultValue: string }) => defaultValue).slice(0, 7)).toEqual([
    'true',
    '1.5',
    '"2025-12-31T23:00:00.123Z"',
    '12',
    '"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"',
    'y',
    '[true]',
  ]);
  const { all } = await gql.app.endpoints.registry.of(viewer.projectId);
  const { paths } = openApiOf(all) as Data;
  const schemas = paths['/v1/written'].get.parameters.map(({ schema }: Data) => schema.default).slice(0, 7);
  const e = 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11';
  expect(schemas).toEqual([true, 1.5, '2025-12-31T23:00:00.123456Z', 12, e, 'y', [true]]);
});

test('a subscription ends when its endpoint is gone, and gives nothing of it any more', async () => {
  const declaration = declared({ metadata: { name: 'left', version: 1 }, route: '/left' });
  const { id } = await publish(gql, viewer, declaration);
  const { all } = await gql.app.endpoints.registry.of(viewer.projectId);
  const { tableIds } = all.find((endpoint) => endpoint.id === id)!;
  const { db } = gql.app.store;
  const write = () => announceWritten(db, gql.app.catalog.datastores.cache, tableIds);
  const author = { projectId: viewer.projectId, memberId: viewer.memberId, file: null };
  const leave = new AbortController();
  const query = 'subscription { dataLeft(plan: free, first: 1) { nodes { id } } }';
  const answers = gql.follow(viewer, query, {}, leave.signal);
  const next = async () => ((await answers.next()).value as Answer | undefined) ?? null;
  const row = { data: { dataLeft: { nodes: [{ id: 6 }] } }, errors: [] };
  expect(await next()).toMatchObject(row);
  await deprecateEndpoint(gql.app.endpoints, author, { id, deprecated: true });
  await write();
  expect(await next()).toMatchObject(row);
  await deleteEndpoint(gql.app.endpoints, author, { id });
  await write();
  const told = await next().catch((error: unknown) => error);
  expect(told).toMatchObject({ message: '"left" version 1 is not served any more as it was.' });
  leave.abort();
});
