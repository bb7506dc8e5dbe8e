import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type EndpointLab, openEndpointLab } from '../../support/endpoint-lab.ts';
import { declared, publish } from '../../support/endpoints.ts';

/* The rows of an endpoint are written as a whole; below a fragment graphql-js completes them itself. Both give the same bytes. */

let lab: EndpointLab;
beforeAll(async () => {
  lab = await openEndpointLab();
  const route = '/people';
  const params = [{ name: 'from', type: 'integer' as const, required: true }];
  const columns = 'id, name, score, active, day, moment, uid';
  const query = `SELECT ${columns}, CAST('{"a":[1]}' AS JSON) AS made, 9007199254740993 AS large FROM raw.users WHERE id >= :from`;
  for (const datastore of ['warehouse', 'hot']) {
    const metadata = { name: `people_${datastore}`, version: 1 };
    await publish(
      lab.gql,
      lab.viewer,
      declared({ metadata, datastore, route: route + datastore, query, params }),
    );
  }
  await publish(lab.gql, lab.viewer, {
    metadata: { name: 'endless', version: 1 },
    datastore: 'hot',
    route: '/endless',
    query: `SELECT n AS id, CASE n WHEN 2 THEN TIMESTAMPTZ 'infinity' ELSE TIMESTAMPTZ '2026-01-01 00:00:00Z' END AS at FROM generate_series(1, 3) AS t(n)`,
  });
});
afterAll(() => lab[Symbol.asyncDispose]());

async function answer(query: string, variables: object = {}): Promise<string> {
  const response = await fetch(`${lab.url}/graphql`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      authorization: `Bearer ${lab.token}`,
      'x-request-id': 'the-same-always',
    },
    body: JSON.stringify({ query, variables }),
  });
  return response.text();
}

const fields = 'id name score active day moment uid made large';

describe.each(['Warehouse', 'Hot'])('of people%s', (store) => {
  const list = (selection: string, args = 'from: 1') =>
    `{ data { people${store}(${args}, first: 9) { ${selection} pageInfo { endCursor } } } }`;

  test.each([
    ['all fields', fields],
    ['some, under other names, twice, and the type', 'b: name __typename a: id id a: id'],
  ])('%s', async (_name, selection) => {
    const whole = await answer(list(`nodes { ${selection} }`));
    expect(JSON.parse(whole).data.data[`people${store}`].nodes).toHaveLength(9);
    expect(whole).toBe(await answer(list(`nodes { ... on People${store} { ${selection} } }`)));
    // Kept by now, and written for another time.
    expect(await answer(list(`nodes { ${selection} }`))).toBe(whole);
    expect(await answer(list(`nodes { ${selection} }`))).toBe(whole);
  });

  test('one list that is selected in pieces, beside another of the same rows', async () => {
    const one = list('nodes { id } freshness { syncedAt } nodes { name id } edges { node { day } }');
    const { nodes } = JSON.parse(await answer(one)).data.data[`people${store}`];
    expect(nodes[0]).toEqual({ id: 1, name: 'user 1' });
    const two = `{ data { one: people${store}(from: 1) { nodes { id } } other: people${store}(from: 1) { nodes { name } } } }`;
    const { data } = JSON.parse(await answer(two)).data;
    expect([data.one.nodes[0], data.other.nodes[0]]).toEqual([{ id: 1 }, { name: 'user 1' }]);
  });

  test('what is left out by a directive, of rows and of lists', async () => {
    const query = `query ($yes: Boolean!) { data { people${store}(from: 1, first: 1) {
      nodes { id name @include(if: $yes) } nodes @skip(if: $yes) { day } } } }`;
    const rows = async (yes: boolean) =>
      JSON.parse(await answer(query, { yes })).data.data[`people${store}`].nodes;
    expect([await rows(true), await rows(false)]).toEqual([
      [{ id: 1, name: 'user 1' }],
      [{ id: 1, day: '2026-01-10' }],
    ]);
    const lists = `query ($yes: Boolean!) { data { people${store}(from: 1, first: 1) { nodes @include(if: $yes) { id } nodes { day } } } }`;
    const of = async (yes: boolean) =>
      JSON.parse(await answer(lists, { yes })).data.data[`people${store}`].nodes;
    expect([await of(true), await of(false)]).toEqual([
      [{ id: 1, day: '2026-01-10' }],
      [{ day: '2026-01-10' }],
    ]);
  });
});

test('a value that cannot be given is null and an error at its place, each time', async () => {
  const whole = await answer('{ data { endless { nodes { id when: at } } } }');
  const { data, errors } = JSON.parse(whole);
  expect(data.data.endless.nodes.map(({ when }: { when: unknown }) => when)).toEqual([
    '2026-01-01T00:00:00.000Z',
    null,
    '2026-01-01T00:00:00.000Z',
  ]);
  expect(errors).toMatchObject([{ path: ['data', 'endless', 'nodes', 1, 'when'] }]);
  expect(errors[0].message).toContain('holds infinity, which no DateTime is');
  expect(await answer('{ data { endless { nodes { id when: at } } } }')).toBe(whole);
  const plain = JSON.parse(await answer('{ data { endless { nodes { ... on Endless { id when: at } } } } }'));
  const { locations: _, ...said } = plain.errors[0];
  expect([plain.data, said]).toEqual([data, (({ locations: _at, ...rest }) => rest)(errors[0])]);
});
