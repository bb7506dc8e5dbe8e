import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Viewer } from '#accounts/viewer.ts';
import { newId } from '#base/id.ts';
import { globalId } from '#graphql/global-id.ts';
import { fillWarehouse, mapEntity } from '../../support/entities.ts';
import { type Data, openTestGraphql, type TestGraphql } from '../../support/graphql.ts';

interface Person {
  key: string;
  name: string | null;
  /** Microseconds of 2026. */
  createdAt: number | null;
  group: string;
}

let gql: TestGraphql;
let ada: Viewer;

let state = 20_261_121;
/** A whole number below the bound, the same in every run. */
function drawn(bound: number): number {
  state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
  return Math.floor((state / 2_147_483_648) * bound);
}

const people: Person[] = Array.from({ length: 60 }, (_, index) => ({
  key: String(index * 7 - 20),
  name: drawn(4) === 0 ? null : ['ann', 'Bob', 'bob', 'Zoë', ''][drawn(5)]!,
  // Few moments, which differ by microseconds alone.
  createdAt: drawn(4) === 0 ? null : drawn(6),
  group: ['a', 'b', 'c'][drawn(3)]!,
}));

beforeAll(async () => {
  gql = await openTestGraphql();
  ada = await gql.signUp('ada');
  const literal = (text: string | null) => (text === null ? 'NULL' : `'${text}'`);
  const rows = people.map(({ key, name, createdAt, group }) => {
    const at = createdAt === null ? 'NULL' : `TIMESTAMP '2026-01-01 00:00:00.00000${createdAt}'`;
    return `(${key}, ${literal(name)}, ${at}, '${group}')`;
  });
  await fillWarehouse(gql, ada, [
    'CREATE SCHEMA raw',
    'CREATE TABLE raw.people (id INTEGER, name VARCHAR, created_at TIMESTAMP, team VARCHAR)',
    `INSERT INTO raw.people VALUES ${rows.join(', ')}`,
    "CREATE TABLE raw.teams AS SELECT * FROM (VALUES ('a'), ('b'), ('c'), ('d')) AS t(id)",
  ]);
  await mapEntity(gql, ada, { kind: 'ORGANIZATION', table: 'raw.teams', key: 'id' });
  await mapEntity(gql, ada, {
    kind: 'USER',
    table: 'raw.people',
    key: 'id',
    name: 'name',
    createdAt: 'created_at',
    organizationKey: 'team',
  });
});
afterAll(() => gql[Symbol.asyncDispose]());

const page = `query ($orderBy: UserOrder, $first: Int, $after: String, $last: Int, $before: String) {
  users(orderBy: $orderBy, first: $first, after: $after, last: $last, before: $before) {
    edges { cursor node { key } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }`;

const fields = { KEY: 'key', NAME: 'name', CREATED_AT: 'createdAt' } as const;
const orders = (Object.keys(fields) as (keyof typeof fields)[]).flatMap((field) =>
  (['ASC', 'DESC'] as const).map((direction) => ({ field, direction })),
);
type AskedOrder = (typeof orders)[number];

/** The keys in that order, by comparing every two: without a value last, by key among equals. */
function sorted({ field, direction }: AskedOrder, of = people): string[] {
  const sign = direction === 'ASC' ? 1 : -1;
  const valueOf = (person: Person) => (field === 'KEY' ? null : person[fields[field]]);
  return of
    .toSorted((one, other) => {
      const [a, b] = [valueOf(one), valueOf(other)];
      if (a !== b) {
        if (a === null) return 1;
        if (b === null) return -1;
        return sign * compared(a, b);
      }
      return sign * (Number(one.key) - Number(other.key));
    })
    .map(({ key }) => key);
}

function compared(a: string | number, b: string | number): number {
  if (typeof a === 'number' || typeof b === 'number') return Number(a) - Number(b);
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

const keysOf = (edges: Data): string[] => edges.map(({ node }: Data) => node.key);

test.each(orders)(
  'walking users by %j, forward and backward, meets each once and in order',
  async (orderBy) => {
    const expected = sorted(orderBy);
    const forward: string[] = [];
    for (let after: string | null = null; ;) {
      const { users } = await gql.ask(ada, page, { orderBy, first: 1 + drawn(20), after });
      forward.push(...keysOf(users.edges));
      expect(users.pageInfo.hasPreviousPage).toBe(after !== null);
      if (!users.pageInfo.hasNextPage) break;
      after = users.pageInfo.endCursor;
    }
    expect(forward).toEqual(expected);
    const backward: string[] = [];
    for (let before: string | null = null; ;) {
      const { users } = await gql.ask(ada, page, { orderBy, last: 1 + drawn(20), before });
      backward.unshift(...keysOf(users.edges));
      expect(users.pageInfo.hasNextPage).toBe(before !== null);
      if (!users.pageInfo.hasPreviousPage) break;
      before = users.pageInfo.startCursor;
    }
    expect(backward).toEqual(expected);
  },
);

test.each(orders)(
  'any part of users by %j between two cursors is that part of the whole',
  async (orderBy) => {
    const { users } = await gql.ask(ada, page, { orderBy, first: 100 });
    const whole: { cursor: string; node: { key: string } }[] = users.edges;
    for (let round = 0; round < 12; round += 1) {
      const [from, to] = [drawn(whole.length), drawn(whole.length)];
      const between = keysOf(whole.slice(from + 1, Math.max(from + 1, to)));
      const count = 1 + drawn(10);
      const side = drawn(2) === 0 ? { first: count } : { last: count };
      const { users: part } = await gql.ask(ada, page, {
        orderBy,
        ...side,
        after: whole[from]!.cursor,
        before: whole[to]!.cursor,
      });
      expect(keysOf(part.edges)).toEqual('first' in side ? between.slice(0, count) : between.slice(-count));
      expect(part.pageInfo).toMatchObject({ hasNextPage: true, hasPreviousPage: true });
    }
  },
);

test('the lists of many parents are each paged as if they were asked for alone', async () => {
  const query = `query ($orderBy: UserOrder, $first: Int, $after: String) { organizations { nodes { key
    users(orderBy: $orderBy, first: $first, after: $after) { totalCount edges { cursor node { key } } pageInfo { hasNextPage hasPreviousPage } } } } }`;
  for (const orderBy of orders) {
    const all = await gql.ask(ada, page, { orderBy, first: 100 });
    const cursor = all.users.edges[20].cursor;
    const rest = new Set(sorted(orderBy).slice(21));
    const { organizations } = await gql.ask(ada, query, { orderBy, first: 5, after: cursor });
    for (const { key, users } of organizations.nodes) {
      const own = people.filter(({ group }) => group === key);
      const after = sorted(orderBy, own).filter((each) => rest.has(each));
      expect(keysOf(users.edges)).toEqual(after.slice(0, 5));
      expect(users.totalCount).toBe(own.length);
      expect(users.pageInfo).toEqual({
        hasNextPage: after.length > 5,
        hasPreviousPage: own.length > after.length,
      });
    }
    expect(organizations.nodes.length).toBe(4);
  }
});

test.each([
  // The moments of pandas have nanoseconds; these differ by them alone.
  ['nanoseconds and UUIDs', 'uuid()', 'make_timestamp_ns(1767225600000000000 + n % 3)'],
  [
    'days and numbers wider than 64 bits',
    'n + 18446744073709551616::HUGEINT',
    "DATE '2026-01-01' + (n % 3)::INT",
  ],
  ['seconds and texts', "'k' || n", "(TIMESTAMP '2026-01-01' + to_seconds(n % 3))::TIMESTAMP_S"],
  [
    'infinite moments and decimals',
    'n::DECIMAL(10, 2)',
    "CASE WHEN n < 20 THEN 'infinity' ELSE '-infinity' END::TIMESTAMPTZ",
  ],
  [
    'moments with a zone and booleans as text',
    '(n % 2 = 0)::VARCHAR || n',
    "TIMESTAMPTZ '2026-01-01 00:00:00+02' + to_microseconds(n % 3)",
  ],
])('no event is lost or met twice at the edge of a page: %s', async (_what, key, at) => {
  const owner = await gql.signUp(`owner${key.length}${at.length}`);
  await fillWarehouse(gql, owner, [
    `CREATE TABLE ticks AS SELECT ${key} AS id, ${at} AS at FROM range(40) t(n)`,
  ]);
  await mapEntity(gql, owner, { kind: 'EVENT', table: 'ticks', key: 'id', at: 'at' });
  const seen: string[] = [];
  for (let after: string | null = null; ;) {
    const query =
      'query ($after: String) { events(first: 7, after: $after) { nodes { key } pageInfo { hasNextPage endCursor } } }';
    const { events }: Data = await gql.ask(owner, query, { after });
    seen.push(...events.nodes.map((event: { key: string }) => event.key));
    if (!events.pageInfo.hasNextPage) break;
    after = events.pageInfo.endCursor;
  }
  expect([seen.length, new Set(seen).size]).toEqual([40, 40]);
  const { user } = await gql.ask(
    owner,
    'query ($ids: [ID!]!) { user: nodes(ids: $ids) { ... on Event { key } } }',
    {
      ids: seen.slice(0, 3).map((each) => globalId('Event', each)),
    },
  );
  expect(user).toEqual(seen.slice(0, 3).map((each) => ({ key: each })));
});

test('an enumeration is filtered by its words and sorted as they are, not by its own order', async () => {
  const mei = await gql.signUp('mei');
  await fillWarehouse(gql, mei, [
    "CREATE TABLE people AS SELECT n AS id, ['low', 'high', 'mid'][1 + n % 3]::ENUM('low', 'mid', 'high') AS level FROM range(6) t(n)",
  ]);
  await mapEntity(gql, mei, { kind: 'USER', table: 'people', key: 'id', name: 'level' });
  const query = `query ($after: String, $filter: UserFilter) {
    users(filter: $filter, first: 3, after: $after, orderBy: { field: NAME, direction: ASC }) { nodes { name } pageInfo { endCursor } } }`;
  const names = (answer: Data) => answer.users.nodes.map(({ name }: Data) => name);
  const first = await gql.ask(mei, query, {});
  const second = await gql.ask(mei, query, { after: first.users.pageInfo.endCursor });
  expect([names(first), names(second)]).toEqual([
    ['high', 'high', 'low'],
    ['low', 'mid', 'mid'],
  ]);
  for (const name of [{ in: ['mid', 'none'] }, { eq: 'mid' }, { startsWith: 'm' }, { contains: 'ID' }]) {
    expect(names(await gql.ask(mei, query, { filter: { name } }))).toEqual(['mid', 'mid']);
  }
  expect(names(await gql.ask(mei, query, { filter: { name: { eq: 'none' } } }))).toEqual([]);
});

test('a cursor outlives its row, and new rows shift no page', async () => {
  const eve = await gql.signUp('eve');
  await fillWarehouse(gql, eve, ['CREATE TABLE people AS SELECT n AS id FROM range(10) t(n)']);
  await mapEntity(gql, eve, { kind: 'USER', table: 'people', key: 'id' });
  const { users } = await gql.ask(eve, page, { first: 4 });
  const { warehouse } = await gql.app.catalog.datastores.open(eve.projectId);
  await warehouse.run({ sql: 'DELETE FROM people WHERE id = 3' });
  await warehouse.run({ sql: 'INSERT INTO people VALUES (-1), (10)' });
  const { users: next } = await gql.ask(eve, page, { first: 3, after: users.pageInfo.endCursor });
  expect(keysOf(next.edges)).toEqual(['4', '5', '6']);
});

const cursorOf = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

test.each([
  { first: 101 },
  { first: -1 },
  { first: 1, last: 1 },
  { after: 'garbage' },
  { after: cursorOf(['EVENT:at:DESC', 'e1', '2026-01-01T00:00:00.000000Z']) },
  { after: cursorOf(['USER:name:ASC', '1', 'ann']) },
  { after: cursorOf(['USER:key:ASC', 'not a number', null]) },
  {
    orderBy: { field: 'CREATED_AT', direction: 'ASC' },
    after: cursorOf(['USER:createdAt:ASC', '1', 'soon']),
  },
  { orderBy: { field: 'EMAIL', direction: 'ASC' } },
  { before: Buffer.from(`source_oldest|0|${newId()}`).toString('base64url') },
])('%j is refused with BAD_USER_INPUT', async (args) => {
  const { errors } = await gql.answer(ada, page, args);
  expect([...new Set(errors.map((error) => error.extensions.code))]).toEqual(['BAD_USER_INPUT']);
});
