import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Viewer } from '#accounts/viewer.ts';
import { type EngineLab, labEngines, openEngineLab } from '../../support/engine-lab.ts';
import { mapEntity } from '../../support/entities.ts';
import type { TestGraphql } from '../../support/graphql.ts';
import type { LabTable } from '../../support/lab-tables.ts';
import { expectWarehouseStatements, warehouseStatementsOf } from '../../support/warehouse.ts';

const sizes = { organizations: 120, users: 400, events: 4_000 };
const numbers = (count: number) => Array.from({ length: count }, (_, at) => at + 1);
const minute = (n: number) => new Date(Date.UTC(2026, 0, 1) + n * 60_000).toISOString();

const tables: LabTable[] = [
  { name: 'organizations', columns: { id: 'integer' }, rows: numbers(sizes.organizations).map((n) => [n]) },
  {
    name: 'users',
    columns: { id: 'integer', organization_id: 'integer' },
    rows: numbers(sizes.users).map((n) => [n, organizationOf(n)]),
  },
  {
    name: 'events',
    columns: { id: 'integer', user_id: 'integer', name: 'text', at: 'timestamptz' },
    rows: numbers(sizes.events).map((n) => [n, 1 + (n % sizes.users), 'seen', minute(n)]),
  },
  {
    name: 'identities',
    columns: { alias: 'integer', id: 'integer' },
    rows: numbers(10).map((n) => [1_000 + n, n]),
  },
];

function organizationOf(user: number): number {
  return 1 + (user % sizes.organizations);
}

async function mapAll({ gql, viewer }: EngineLab): Promise<void> {
  await mapEntity(gql, viewer, { kind: 'ORGANIZATION', table: 'raw.organizations', key: 'id' });
  await mapEntity(gql, viewer, {
    kind: 'USER',
    table: 'raw.users',
    key: 'id',
    organizationKey: 'organization_id',
    aliasTable: 'raw.identities',
    aliasKey: 'alias',
    canonicalKey: 'id',
  });
  await mapEntity(gql, viewer, {
    kind: 'EVENT',
    table: 'raw.events',
    key: 'id',
    name: 'name',
    at: 'at',
    userKey: 'user_id',
  });
}

const ofUsers: [field: string, statements: number][] = [
  ['events(first: 2) { nodes { key } }', 1],
  ['events(last: 2, filter: { name: { eq: "seen" } }) { nodes { key } pageInfo { hasPreviousPage } }', 1],
  ['events(first: 2) { nodes { key } totalCount }', 2],
  ['events(first: 2) { nodes { key user { key organization { key } } } }', 3],
  ['eventCount', 1],
  ['eventCount few: eventCount(filter: { at: { lt: "2026-01-02T00:00:00Z" } })', 2],
  ['organization { key }', 1],
  ['organization { key userCount }', 2],
  ['firstSeenAt', 1],
  ['firstSeenAt lastSeenAt', 1],
];
const ofOrganizations: [field: string, statements: number][] = [
  ['users(first: 2) { nodes { key } }', 1],
  ['users(first: 2) { nodes { key eventCount lastSeenAt } }', 3],
  ['userCount', 1],
  ['events(first: 2) { nodes { key } }', 1],
  ['eventCount', 1],
];

describe.each(labEngines)('on %s', (engine) => {
  let lab: EngineLab;
  let gql: TestGraphql;
  let ada: Viewer;

  beforeAll(async () => {
    lab = await openEngineLab(engine);
    ({ gql, viewer: ada } = lab);
    await lab.load(tables);
    await mapAll(lab);
  });
  afterAll(() => lab[Symbol.asyncDispose]());

  test.each([
    ...ofUsers.map((each) => ['users', ...each] as const),
    ...ofOrganizations.map((each) => ['organizations', ...each] as const),
  ])(
    '%s with %s: %d statements beside the one of the list, for 1, 10 and 100 parents',
    async (list, field, statements) => {
      const texts: string[][] = [];
      for (const first of [1, 10, 100]) {
        const run = () => gql.ask(ada, `{ ${list}(first: ${first}) { nodes { key ${field} } } }`);
        gql.app.catalog.datastores.cache.clear();
        const made = await warehouseStatementsOf(run);
        expect(made.length, made.map(({ sql }) => sql).join('\n')).toBe(statements + 1);
        texts.push(
          made
            .slice(1)
            .map(({ sql }) => sql)
            .toSorted((one, other) => one.localeCompare(other)),
        );
      }
      // The text is the same for any number of parents, so that an engine can keep its plan.
      expect(texts[1]).toEqual(texts[0]);
      expect(texts[2]).toEqual(texts[0]);
    },
  );

  test('what many parents are answered is what each is answered alone', async () => {
    const fields = `key eventCount firstSeenAt lastSeenAt organization { key userCount eventCount }
    events(first: 3) { totalCount nodes { key at user { key } organization { key } } pageInfo { hasNextPage } }`;
    const { users } = await gql.ask(ada, `{ users(first: 12) { nodes { ${fields} } } }`);
    for (const each of users.nodes) {
      const { user } = await gql.ask(ada, `query ($key: String) { user(key: $key) { ${fields} } }`, {
        key: each.key,
      });
      expect(user).toEqual(each);
      expect(user.events.nodes.length).toBe(3);
    }
  });

  test('nodes reads as many statements as there are types among the ids', async () => {
    const { users, organizations } = await gql.ask(
      ada,
      '{ users(first: 40) { nodes { id } } organizations(first: 40) { nodes { id } } }',
    );
    const ids = [...users.nodes, ...organizations.nodes].map(({ id }: { id: string }) => id);
    gql.app.catalog.datastores.cache.clear();
    await expectWarehouseStatements(2, () =>
      gql.ask(ada, 'query ($ids: [ID!]!) { nodes(ids: $ids) { id } }', { ids }),
    );
  });

  test('a page of pages of pages is answered whole', async () => {
    const query =
      '{ organizations(first: 100) { nodes { key users(first: 100) { nodes { key events(first: 100) { nodes { key } } } } } } }';
    const { organizations } = await gql.ask(ada, query);
    const users = organizations.nodes.flatMap((each: { users: { nodes: unknown[] } }) => each.users.nodes);
    const events = users.flatMap((each: { events: { nodes: unknown[] } }) => each.events.nodes);
    // Those of the first hundred keys; each user has as many events.
    const found = numbers(sizes.users).filter((n) => organizationOf(n) <= 100).length;
    expect([users.length, events.length]).toEqual([found, (found * sizes.events) / sizes.users]);
  });

  test('without totalCount nothing is counted, and without rows nothing is read', async () => {
    const [list] = await warehouseStatementsOf(() => gql.ask(ada, '{ events(first: 5) { nodes { key } } }'));
    expect(list?.sql).not.toMatch(/count\(/);
    const counted = await warehouseStatementsOf(() => gql.ask(ada, '{ events { totalCount } }'));
    expect(counted.map(({ sql }) => sql)).toEqual([expect.stringMatching(/^SELECT count\(\*\)/)]);
  });
});
