import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Viewer } from '#accounts/viewer.ts';
import { globalId } from '#graphql/global-id.ts';
import { fillEntities } from '../../support/entities.ts';
import { type EngineLab, labEngines, openEngineLab } from '../../support/engine-lab.ts';
import { warehouseStatementsOf } from '../../support/warehouse.ts';
import type { Data, TestGraphql } from '../../support/graphql.ts';

describe.each(labEngines)('on %s', (engine) => {
  let lab: EngineLab;
  let gql: TestGraphql;
  let ada: Viewer;

  beforeAll(async () => {
    lab = await openEngineLab(engine);
    ({ gql, viewer: ada } = lab);
    await fillEntities(gql, ada, lab.database);
  });
  afterAll(() => lab[Symbol.asyncDispose]());

  const keysOf = (connection: Data): string[] => connection.nodes.map(({ key }: { key: string }) => key);

  async function users(filter: object): Promise<string[]> {
    return keysOf(
      (
        await gql.ask(ada, 'query ($filter: UserFilter) { users(filter: $filter) { nodes { key } } }', {
          filter,
        })
      ).users,
    );
  }
  async function organizations(filter: object): Promise<string[]> {
    const query = 'query ($filter: OrganizationFilter) { organizations(filter: $filter) { nodes { key } } }';
    return keysOf((await gql.ask(ada, query, { filter })).organizations);
  }
  async function eventCount(filter: object): Promise<number> {
    const query = 'query ($filter: EventFilter) { events(filter: $filter, first: 0) { totalCount } }';
    return (await gql.ask(ada, query, { filter })).events.totalCount;
  }

  test('a user is shown with what is mapped, its properties parsed and exact', async () => {
    const { user } = await gql.ask(
      ada,
      '{ user(key: "1") { id key name email createdAt properties organization { key name plan: properties } firstSeenAt lastSeenAt eventCount } }',
    );
    // A NUMERIC of BigQuery's has no zeros behind its last digit.
    const price = engine === 'BIGQUERY' ? '12.5' : '12.50';
    expect(user).toEqual({
      id: globalId('User', '1'),
      key: '1',
      name: 'User 1',
      email: 'u1@example.com',
      createdAt: '2025-06-02T00:00:00.000Z',
      properties: { theme: 'light', logins: 10, big: '9007199254740993', 'a.b': true, nested: { n: 1 } },
      organization: {
        key: 'acme',
        name: 'Acme',
        plan: { plan: 'team', seats: 10, big: '9007199254740993', price },
      },
      firstSeenAt: '2026-01-01T06:00:00.000Z',
      lastSeenAt: '2026-01-03T12:00:00.000Z',
      eventCount: 14,
    });
  });

  test('users come by key, events newest first, and rows without a key not at all', async () => {
    expect(await users({})).toEqual(['1', '2', '3', '4', '5', '6', '7']);
    const { events } = await gql.ask(
      ada,
      '{ events(first: 3) { totalCount nodes { key name at properties user { key } } } }',
    );
    expect(events).toEqual({
      totalCount: 60,
      nodes: [
        {
          key: 'e060',
          name: 'page_viewed',
          at: '2026-01-03T12:00:00.000Z',
          properties: { path: '/p0' },
          user: { key: '1' },
        },
        {
          key: 'e059',
          name: 'signed_up',
          at: '2026-01-03T11:00:00.000Z',
          properties: { path: '/p3' },
          user: { key: '6' },
        },
        {
          key: 'e058',
          name: 'query_run',
          at: '2026-01-03T10:00:00.000Z',
          properties: { path: '/p2' },
          user: { key: '5' },
        },
      ],
    });
  });

  test.each<[object, string[]]>([
    [{ key: { eq: '3' } }, ['3']],
    [{ key: { eq: '03' } }, []],
    [{ key: { eq: 'three' } }, []],
    [{ key: { eq: '99999999999999999999' } }, []],
    [{ key: { neq: '3' } }, ['1', '2', '4', '5', '6', '7']],
    [{ key: { in: ['1', 'x', '7', '99999999999999999999'] } }, ['1', '7']],
    [{ key: { in: [] } }, []],
    [{ key: { nin: ['1', 'x', '7'] } }, ['2', '3', '4', '5', '6']],
    [{ name: { contains: 'SER 4' } }, ['4']],
    [{ name: { startsWith: 'User 5' } }, ['5']],
    [{ name: { startsWith: 'user 5' } }, []],
    [{ email: { eq: 'u2@example.com' } }, ['2']],
    [{ email: { isNull: true } }, []],
    [{ createdAt: { gte: '2025-06-05T00:00:00Z', lt: '2025-06-07T00:00:00Z' } }, ['4', '5']],
    [{ createdAt: { gt: '2025-06-07T00:00:00Z' } }, ['7']],
    [{ createdAt: { lte: '2025-06-02T00:00:00Z' } }, ['1']],
    [{ properties: [{ property: 'logins', gt: 40 }] }, ['5', '6', '7']],
    [{ properties: [{ property: 'logins', gte: 20, lte: 30 }] }, ['2', '3']],
    [{ properties: [{ property: 'logins', eq: 70 }] }, ['7']],
    [{ properties: [{ property: 'logins', lt: 15.5 }] }, ['1']],
    [
      {
        properties: [
          { property: 'theme', eq: 'dark' },
          { property: 'logins', neq: 20 },
        ],
      },
      ['4', '6'],
    ],
    [{ properties: [{ property: 'theme', in: ['dark', 3] }] }, ['2', '4', '6']],
    [{ properties: [{ property: 'theme', contains: 'IGH' }] }, ['1', '3', '5', '7']],
    [
      {
        properties: [
          { property: 'a.b', eq: true },
          { property: 'logins', eq: 10 },
        ],
      },
      ['1'],
    ],
    [
      {
        properties: [
          { property: 'missing', isNull: true },
          { property: 'theme', eq: 'dark' },
        ],
      },
      ['2', '4', '6'],
    ],
    [
      {
        properties: [
          { property: 'missing', eq: null },
          { property: 'logins', lt: 15 },
        ],
      },
      ['1'],
    ],
    [{ properties: [{ property: 'organization.plan', eq: 'free' }] }, ['2', '5']],
    [{ properties: [{ property: 'organizationKey', isNull: true }] }, ['7']],
    [{ or: [{ key: { eq: '1' } }, { name: { eq: 'User 2' } }] }, ['1', '2']],
    [{ or: [] }, ['1', '2', '3', '4', '5', '6', '7']],
    [{ and: [{ key: { neq: '1' } }, { not: { key: { in: ['2', '3', '4'] } } }] }, ['5', '6', '7']],
    [{ not: { properties: [{ property: 'missing', gt: 1 }] }, key: { eq: '1' } }, ['1']],
    [{ properties: [{ property: 'properties.organisation.plan', isNull: true }], key: { eq: '1' } }, ['1']],
  ])('users for whom %j holds', async (filter, expected) => {
    expect(await users(filter)).toEqual(expected);
  });

  test.each<[object, string[]]>([
    [{ name: { isNull: true } }, ['core']],
    [{ name: { neq: 'Acme' } }, ['blue', 'core']],
    [{ name: { nin: ['Acme', 'Blue'] } }, ['core']],
    [{ properties: [{ property: 'seats', gt: 3 }] }, ['acme']],
    [{ properties: [{ property: 'seats', neq: 10 }] }, ['blue', 'core']],
    [{ properties: [{ property: 'seats', lt: '3.5' }] }, ['core']],
    [{ properties: [{ property: 'big', eq: '9007199254740993' }] }, ['acme']],
    [{ properties: [{ property: 'big', in: ['9007199254740993', 2] }] }, ['acme', 'blue']],
    [{ properties: [{ property: 'price', eq: 12.5 }] }, ['acme']],
    [{ properties: [{ property: 'price', eq: 0.1 }] }, ['blue']],
    [{ properties: [{ property: 'price', gte: '12.50' }] }, ['acme']],
    [{ properties: [{ property: 'price', isNull: true }] }, ['core']],
    [{ properties: [{ property: 'createdAt', eq: '2025-01-01T10:00:00.123456Z' }] }, ['acme']],
    [
      { properties: [{ property: 'createdAt', gt: '2025-01-01T12:00:00.123455+02:00', lt: '2025-02-01' }] },
      ['acme'],
    ],
    [{ createdAt: { gte: '2025-01-01T10:00:00.124Z' } }, ['core']],
  ])('organizations for which %j holds: columns are compared by their types', async (filter, expected) => {
    expect(await organizations(filter)).toEqual(expected);
  });

  test.each<[object, number]>([
    [{ name: { eq: 'query_run' } }, 20],
    [{ userKey: { eq: '1' } }, 14],
    [{ userKey: { in: ['anon-1'] } }, 0],
    [{ organizationKey: { eq: 'acme' } }, 23],
    [{ at: { gte: '2026-01-03T00:00:00Z' } }, 13],
    [{ properties: [{ property: 'path', eq: '/p1' }] }, 15],
    [{ properties: [{ property: 'user.theme', eq: 'dark' }] }, 27],
    [{ properties: [{ property: 'organization.plan', eq: 'free' }] }, 19],
  ])('of events %j holds for %d', async (filter, expected) => {
    expect(await eventCount(filter)).toBe(expected);
  });

  test.each<[string, object, RegExp]>([
    [
      'users',
      { properties: [{ property: 'createdAt', gt: 'yesterday' }] },
      /"createdAt", which is of type date/,
    ],
    ['users', { properties: [{ property: 'logins' }] }, /asks for nothing/],
    [
      'users',
      { properties: [{ property: 'organisation.plan', eq: 'free' }] },
      /A user belongs to no "organisation"\. Did you mean "organization\.plan"\?/,
    ],
    [
      'users',
      { properties: [{ property: 'logins', in: Array.from({ length: 1001 }, () => 1) }] },
      /at most 1000/,
    ],
    [
      'organizations',
      { properties: [{ property: 'seats', eq: 'ten' }] },
      /"ten" cannot be compared with "seats".*a number can/,
    ],
    [
      'organizations',
      { properties: [{ property: 'plam', eq: 'x' }] },
      /has no "plam"\. Did you mean "plan"\? It has: key, name, createdAt, plan/,
    ],
    ['events', { properties: [{ property: 'user.nothing.here', eq: {} }] }, /cannot be compared/],
  ])('a filter on %s that cannot be answered says why', async (field, filter, message) => {
    const type = { users: 'UserFilter', organizations: 'OrganizationFilter', events: 'EventFilter' }[field];
    const { errors } = await gql.answer(
      ada,
      `query ($filter: ${type}) { ${field}(filter: $filter) { nodes { key } } }`,
      { filter },
    );
    expect(errors.map((error) => error.extensions.code)).toEqual(['BAD_USER_INPUT']);
    expect(errors[0]?.message).toMatch(message);
  });

  test('a filter that is nested without end is refused, not run', async () => {
    const nested = (depth: number) => {
      let filter: object = { key: { eq: '1' } };
      for (let level = 0; level < depth; level += 1)
        filter = level % 2 === 0 ? { not: filter } : { and: [filter] };
      return filter;
    };
    expect(await users(nested(16))).toEqual(['1']);
    for (const depth of [20, 300]) {
      const query = 'query ($filter: UserFilter) { users(filter: $filter) { totalCount } }';
      const { errors } = await gql.answer(ada, query, { filter: nested(depth) });
      expect(errors.map((error) => error.extensions.code)).toEqual(['BAD_USER_INPUT']);
    }
  });

  test('an alias counts as the user that it is, everywhere', async () => {
    const { user, events, anon } = await gql.ask(
      ada,
      `{ user(key: "anon-2") { key eventCount(filter: { at: { gte: "2026-01-02T17:00:00Z", lt: "2026-01-02T22:00:00Z" } })
       events(filter: { at: { gte: "2026-01-02T17:00:00Z", lt: "2026-01-02T22:00:00Z" } }) { totalCount nodes { key user { key } } } }
       events(filter: { at: { gte: "2026-01-02T17:00:00Z", lt: "2026-01-02T19:00:00Z" } }) { nodes { key user { key name } organization { key } } }
       anon: user(id: "${globalId('User', 'anon-1')}") { key } }`,
    );
    const keys = ['e045', 'e044', 'e043', 'e042', 'e041'];
    expect(user).toEqual({
      key: '1',
      eventCount: 5,
      events: { totalCount: 5, nodes: keys.map((key) => ({ key, user: { key: '1' } })) },
    });
    const one = { user: { key: '1', name: 'User 1' }, organization: { key: 'acme' } };
    expect(events.nodes).toEqual([
      { key: 'e042', ...one },
      { key: 'e041', ...one },
    ]);
    expect(anon).toBeNull();
  });

  test('user finds by id, by key, and by both only when they are the same', async () => {
    const id = globalId('User', '2');
    const query = 'query ($id: ID, $key: String) { user(id: $id, key: $key) { key } }';
    const find = async (args: object) => (await gql.ask(ada, query, { ...args })).user;
    expect(await find({ id })).toEqual({ key: '2' });
    expect(await find({ key: '2' })).toEqual({ key: '2' });
    expect(await find({ id, key: '2' })).toEqual({ key: '2' });
    expect(await find({ id, key: '3' })).toBeNull();
    expect(await find({ key: 'nobody' })).toBeNull();
    expect(await find({ id: globalId('Organization', 'acme') })).toBeNull();
    for (const args of [{}, { id: 'nonsense' }]) {
      const { errors } = await gql.answer(ada, query, args);
      expect(errors.map((error) => error.extensions.code)).toEqual(['BAD_USER_INPUT']);
    }
  });

  test('node and nodes find users, organizations and events by their ids, in the order of the ids', async () => {
    const ids = [
      globalId('Event', 'e001'),
      globalId('User', '3'),
      globalId('Organization', 'core'),
      globalId('User', 'x'),
      globalId('User', '1'),
    ];
    const query = `query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id ... on User { name organization { key } } ... on Event { at user { key } } ... on Organization { userCount } } }`;
    const { nodes } = await gql.ask(ada, query, { ids });
    expect(nodes).toEqual([
      { __typename: 'Event', id: ids[0], at: '2026-01-01T01:00:00.000Z', user: { key: '2' } },
      { __typename: 'User', id: ids[1], name: 'User 3', organization: { key: 'core' } },
      { __typename: 'Organization', id: ids[2], userCount: 2 },
      null,
      { __typename: 'User', id: ids[4], name: 'User 1', organization: { key: 'acme' } },
    ]);
  });

  test('until a kind is mapped, its lists say how to map it, and node knows none of it', async () => {
    const eve = await gql.signUp('eve');
    for (const field of ['users', 'organizations', 'events']) {
      const { errors } = await gql.answer(eve, `{ ${field} { nodes { key } } }`);
      expect(errors[0]).toMatchObject({
        extensions: {
          code: 'BAD_USER_INPUT',
          fix: expect.stringMatching(/mapEntity\(input: \{ kind: [A-Z]+, table: "raw\./),
        },
      });
    }
    const { node, user } = (await gql.answer(eve, `{ node(id: "${globalId('User', '1')}") { id } }`)).data;
    expect({ node, user }).toEqual({ node: null, user: undefined });
  });

  test('a key with DATA_READ reads users and does not see how they are mapped', async () => {
    const key = await gql.apiKey(ada, ['DATA_READ']);
    expect(await gql.ask(key, '{ user(key: "2") { name } }')).toEqual({ user: { name: 'User 2' } });
    const { errors } = await gql.answer(key, '{ entityMapping(kind: USER) { key } }');
    expect(errors.map((error) => error.extensions.code)).toEqual(['FORBIDDEN']);
  });

  test('only the columns that are selected are read', async () => {
    const made = await warehouseStatementsOf(() => gql.ask(ada, '{ users(first: 4) { nodes { key } } }'));
    expect(made.map(({ sql }) => sql)).toEqual([expect.not.stringMatching(/name["`]|props|email/)]);
    const [full] = await warehouseStatementsOf(() =>
      gql.ask(ada, '{ users(first: 4) { edges { node { ...N } } } } fragment N on User { name properties }'),
    );
    expect(full?.sql).toMatch(/["`]name["`].*["`]props["`]/);
  });
});
