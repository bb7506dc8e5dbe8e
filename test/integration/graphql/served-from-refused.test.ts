import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { Viewer } from '#accounts/viewer.ts';
import {
  answerOfMapping,
  copyEntities,
  entityMappings,
  fillEntities,
  fillWarehouse,
  mapEntities,
} from '../../support/entities.ts';
import { type Data, openTestGraphql, type TestGraphql } from '../../support/graphql.ts';
import { openPostgresWarehouse, type TestPostgresWarehouse } from '../../support/postgres-warehouse.ts';

/* Which copies entities cannot be read from: said when they are mapped, and not when they are asked for. */

let gql: TestGraphql;
let ada: Viewer;
let postgres: TestPostgresWarehouse;

const copies = {
  USER: { servedFrom: 'live.users', aliasServedFrom: 'live.identities' },
  ORGANIZATION: { servedFrom: 'live.organizations' },
  EVENT: { servedFrom: 'live.events' },
} as const;

beforeAll(async () => {
  gql = await openTestGraphql();
  ada = await gql.signUp('ada');
  postgres = await openPostgresWarehouse();
  await fillEntities(gql, ada);
  await copyEntities(gql, ada, postgres);
  await gql.app.store.db.entityMapping.deleteMany();
});
afterEach(async () => {
  await gql.app.store.db.entityMapping.deleteMany();
});
afterAll(async () => {
  await gql[Symbol.asyncDispose]();
  await postgres[Symbol.asyncDispose]();
});

test('a copy that lacks columns, or holds others under their names, is refused with each of them', async () => {
  await postgres.load([
    "CREATE TABLE live.half AS SELECT 1::text AS id, 'x'::text AS nme, now() AS created_on, '{}'::text AS props, 'o'::text AS org",
  ]);
  await fillWarehouse(gql, ada, []);
  const { mapping, userErrors } = await answerOfMapping(gql, ada, {
    ...entityMappings.USER,
    servedFrom: 'live.half',
    aliasServedFrom: 'live.half',
  });
  expect(mapping).toBeNull();
  const path = ['servedFrom'];
  expect(userErrors).toMatchObject([
    { code: 'INVALID', path, message: /"id" is of type text in live\.half and of type BIGINT in raw\.users/ },
    { code: 'NOT_FOUND', path, message: /live\.half has no column "name"\. Did you mean "nme"\?/ },
    { code: 'NOT_FOUND', path, message: /no column "email"/ },
    { code: 'INVALID', path, message: /"created_on" is of type timestamp with time zone/ },
    { code: 'NOT_FOUND', path: ['aliasServedFrom'], message: /no column "alias"/ },
    { code: 'NOT_FOUND', path: ['aliasServedFrom'], message: /no column "user_id"/ },
  ]);
  expect(await gql.app.store.db.entityMapping.count()).toBe(0);
});

test.each<[string, object, object]>([
  [
    'a copy that is nowhere',
    { ...entityMappings.USER, servedFrom: 'live.user', aliasServedFrom: 'live.identitie' },
    [
      {
        code: 'NOT_FOUND',
        path: ['servedFrom'],
        message: expect.stringMatching(/Did you mean "live.users"/),
      },
      { code: 'NOT_FOUND', path: ['aliasServedFrom'] },
    ],
  ],
  [
    'the table itself as its copy',
    { ...entityMappings.ORGANIZATION, servedFrom: 'raw.organizations' },
    [{ code: 'INVALID', path: ['servedFrom'], message: expect.stringMatching(/is the table itself/) }],
  ],
  [
    'a copy of aliases that are not mapped',
    { kind: 'USER', table: 'raw.users', key: 'id', aliasServedFrom: 'live.identities' },
    [{ code: 'INVALID', path: ['aliasServedFrom'] }],
  ],
  [
    'users whose aliases are not beside them',
    { ...entityMappings.USER, servedFrom: 'live.users' },
    [
      {
        code: 'INVALID',
        path: ['aliasServedFrom'],
        message: expect.stringMatching(/aliases .* "warehouse" and users in "ops"/),
      },
    ],
  ],
])('%s is refused', async (_, input, problems) => {
  const { mapping, userErrors } = await answerOfMapping(gql, ada, { ...input });
  expect(mapping).toBeNull();
  expect(userErrors).toMatchObject(problems);
});

test('what other kinds need of a copy is looked at, whichever of them is mapped', async () => {
  await mapEntities(gql, ada);
  const refusalOf = async (input: object) =>
    (await answerOfMapping(gql, ada, { ...input })).userErrors as Data[];
  expect(await refusalOf({ ...entityMappings.EVENT, ...copies.EVENT })).toMatchObject([
    { path: ['servedFrom'], message: /aliases .* "warehouse" and events in "ops"/ },
    { path: ['servedFrom'], message: /no column of their organization/ },
  ]);
  await mapEntities(gql, ada, { USER: copies.USER, EVENT: copies.EVENT });
  // The mapping of users is what the events' copy stands on.
  expect(await refusalOf(entityMappings.USER)).toMatchObject([
    { path: ['aliasServedFrom'] },
    { path: ['servedFrom'], message: /no table of users lies in the datastore "ops"/ },
  ]);
  const { entityMapping } = await gql.ask(
    ada,
    '{ entityMapping(kind: USER) { table { fqn } servedFrom { fqn } aliasServedFrom { name } } }',
  );
  expect(entityMapping).toMatchObject({
    table: { fqn: 'warehouse.warehouse.raw.users' },
    servedFrom: { fqn: `ops.${postgres.server.database}.live.users` },
    aliasServedFrom: { name: 'identities' },
  });
});

test('a copy of another project is unknown', async () => {
  const bob = await gql.signUp('bob');
  await fillEntities(gql, bob);
  const { servedFrom } = (
    await answerOfMapping(gql, ada, { ...entityMappings.ORGANIZATION, ...copies.ORGANIZATION })
  ).mapping;
  for (const name of ['live.organizations', servedFrom.fqn, await idOf(ada, servedFrom.fqn)]) {
    const { userErrors } = await answerOfMapping(gql, bob, {
      ...entityMappings.ORGANIZATION,
      servedFrom: name,
    });
    expect(userErrors).toMatchObject([{ code: 'NOT_FOUND', path: ['servedFrom'] }]);
    expect(JSON.stringify(userErrors)).not.toContain(postgres.server.database + '.live.users');
  }
});

async function idOf(viewer: Viewer, fqn: string): Promise<string> {
  return (await gql.ask(viewer, 'query ($fqn: String) { table(fqn: $fqn) { id } }', { fqn })).table
    .id as string;
}
