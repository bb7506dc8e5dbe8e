import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Declaration, ParamType } from '#endpoints/declaration.ts';
import { attacks, confused, jsonAttacks, rawQueries } from '../../support/attacks.ts';
import {
  type EndpointLab,
  type LabAnswer,
  labStores,
  type LabStore,
  openEndpointLab,
  ownName,
} from '../../support/endpoint-lab.ts';
import { publish } from '../../support/endpoints.ts';

// Thousands of calls, on machines that do other things too.
vi.setConfig({ testTimeout: 180_000 });

let lab: EndpointLab;
beforeAll(async () => {
  lab = await openEndpointLab();
  for (const store of labStores) {
    await publish(lab.gql, lab.viewer, finder(store));
    await publish(lab.gql, lab.viewer, echo(store));
    for (const key of keys) await publish(lab.gql, lab.viewer, paged(store, key));
  }
});
afterAll(() => lab[Symbol.asyncDispose]());

const types: [string, ParamType, string][] = [
  ['text', 'string', 'name'],
  ['whole', 'integer', 'id'],
  ['fraction', 'number', 'score'],
  ['flag', 'boolean', 'active'],
  ['day', 'date', 'day'],
  ['moment', 'datetime', 'moment'],
  ['uid', 'uuid', 'uid'],
];
const lists: [string, ParamType, string][] = [
  ['texts', 'string', 'name'],
  ['wholes', 'integer', 'id'],
];

/** What is no value of its type is refused before any engine is asked: of those, one engine tells enough. */
function paramsFor(store: LabStore, payload: unknown): typeof types {
  const all = [...types, ...lists];
  if (store === 'warehouse' || typeof payload !== 'string' || confused.includes(payload)) return all;
  return all.filter(([, type]) => type === 'string');
}

/** Finds the one row that a parameter names; none without parameters. */
function finder(datastore: LabStore): Declaration {
  const ways = [
    ...types.map(([param, , column]) => `${column} = :${param}`),
    ...lists.map(([param, , column]) => `${column} IN (:${param})`),
  ];
  return {
    metadata: { name: `find_${datastore}`, version: 1 },
    route: `/find/${datastore}`,
    datastore,
    query: `SELECT id, name, score, active, day, moment, uid FROM raw.users WHERE ${ways.join(' OR ')} -- :no parameter`,
    params: [
      ...types.map(([name, type]) => ({ name, type })),
      ...lists.map(([name, type]) => ({ name, type, list: true })),
    ],
    pagination: { key: ['id'] },
  };
}

function echo(datastore: LabStore): Declaration {
  return {
    metadata: { name: `echo_${datastore}`, version: 1 },
    route: `/echo/${datastore}`,
    datastore,
    query: 'SELECT :text AS text',
    params: [{ name: 'text', type: 'string', required: true }],
  };
}

const keys = ['id', 'name', 'day', 'moment', 'uid', 'spent'] as const;

function paged(datastore: LabStore, key: string): Declaration {
  return {
    metadata: { name: `by_${key}_${datastore}`, version: 1 },
    route: `/by/${key}/${datastore}`,
    datastore,
    query:
      'SELECT id, name, day, moment, uid, CAST(score AS DECIMAL(12, 2)) AS spent FROM raw.users WHERE id < 100',
    pagination: { key: [key], pageSize: 3 },
  };
}

const secrets = /the secret|424242(?!' |, )|99999999-9999/;

type Row = Record<string, unknown>;

/** Whether that row is what the value names, by the plainest reading of it. */
function isOwn(param: string, payload: string, row: Row): boolean {
  switch (param) {
    case 'text':
    case 'texts':
      return row['name'] === payload;
    case 'whole':
    case 'wholes':
      return /^-?\d+$/.test(payload) && BigInt(row['id'] as number) === BigInt(payload);
    case 'fraction':
      return Number(row['score']) === Number(payload);
    case 'flag':
      return String(row['active']) === payload;
    case 'day':
      return row['day'] === payload;
    case 'moment':
      return new Date(row['moment'] as string).getTime() === new Date(payload).getTime();
    case 'uid':
      return row['uid'] === payload.toLowerCase();
    default:
      return false;
  }
}

function judge(answer: LabAnswer, name: string, isOwnRow: (row: Row) => boolean): void {
  const shown = `${name} → ${answer.status} ${answer.text.slice(0, 300)}`;
  expect([200, 400], shown).toContain(answer.status);
  const { data, errors } = JSON.parse(answer.text) as { data: Row[]; errors: { code: string }[] };
  if (answer.status === 400) {
    expect(data, shown).toEqual([]);
    expect(errors[0]!.code, shown).toBe('BAD_USER_INPUT');
  } else {
    expect(
      data.filter((row) => !isOwnRow(row)),
      shown,
    ).toEqual([]);
  }
}

test('there are at least 120 attacks, no two alike', () => {
  expect(new Set([...attacks, ...rawQueries]).size).toBe(attacks.length + rawQueries.length);
  expect(attacks.length).toBeGreaterThan(120);
});

describe.each(labStores)('on %s', (store) => {
  test('as the value of any parameter over REST, each is 400 or finds nothing but what it names', async () => {
    for (const payload of attacks) {
      const asked = paramsFor(store, payload).map(async ([param]) => {
        const answer = await lab.call(
          `v1/find/${store}?${param}=${encodeURIComponent(payload.toWellFormed())}`,
        );
        judge(answer, `${param}=${JSON.stringify(payload)}`, (row) => isOwn(param, payload, row));
      });
      await Promise.all(asked);
    }
  });

  test('a text comes back as it was sent, or is refused', async () => {
    for (const payload of attacks.map((each) => each.toWellFormed())) {
      const answer = await lab.call(`v1/echo/${store}?text=${encodeURIComponent(payload)}`);
      judge(answer, JSON.stringify(payload), (row) => row['text'] === payload);
    }
    const own = await lab.call(`v1/find/${store}?text=${encodeURIComponent(ownName)}`);
    expect(JSON.parse(own.text)).toMatchObject({ data: [{ id: 7, name: ownName }] });
  });

  test('a query string of any shape is 400 or finds nothing but what it names', async () => {
    for (const query of rawQueries) {
      const answer = await lab.call(`v1/find/${store}?${query}`);
      if (answer.status === 200 && !answer.text.startsWith('{')) expect(answer.text).not.toMatch(secrets);
      else judge(answer, query.slice(0, 200), ({ id }) => id === 1 || id === 2);
    }
  });

  test('over GraphQL each is BAD_USER_INPUT or finds nothing but what it names', async () => {
    const field = store === 'hot' ? 'findHot' : 'findWarehouse';
    const scalars = ['String', 'BigInt', 'Float', 'Boolean', 'Date', 'DateTime', 'String'];
    const questions = [
      ...types.map(([param], index) => ({ param, type: scalars[index]! })),
      { param: 'texts', type: '[String!]' },
      { param: 'wholes', type: '[BigInt!]' },
    ].map(({ param, type }) => ({
      param,
      query: `query ($v: ${type}) { data { ${field}(${param}: $v) { nodes { id name score active day moment uid } } } }`,
    }));
    const values = [...attacks, ...jsonAttacks];
    for (const value of values) {
      const params = new Set(paramsFor(store, value).map(([param]) => param));
      for (const { param, query } of questions.filter((each) => params.has(each.param))) {
        const { data, errors } = await lab.gql.answer(lab.viewer, query, { v: value });
        const shown = `${param}: ${JSON.stringify(value)?.slice(0, 200)} → ${JSON.stringify({ data, errors }).slice(0, 400)}`;
        for (const { extensions } of errors)
          expect(extensions['code'] ?? 'BAD_USER_INPUT', shown).toBe('BAD_USER_INPUT');
        const rows: Row[] = data?.data?.[field]?.nodes ?? [];
        const given = Array.isArray(value) ? value.flat() : [value];
        const strangers = rows.filter((row) => !given.some((each) => isOwn(param, String(each), row)));
        expect(strangers, shown).toEqual([]);
      }
    }
  });

  test.each(keys)(
    'a cursor of pages by %s that was tampered with is 400, or a place in the same list',
    async (key) => {
      const path = `v1/by/${key}/${store}`;
      const first = JSON.parse((await lab.call(path)).text) as { data: Row[]; paging: { after: string } };
      const cursor = first.paging.after;
      const [tag] = JSON.parse(Buffer.from(cursor, 'base64url').toString()) as [string];
      const made = (...values: unknown[]) =>
        Buffer.from(JSON.stringify([tag, ...values])).toString('base64url');
      const all = JSON.parse((await lab.call(`${path}?first=100`)).text) as { data: Row[] };
      const ids = new Set(all.data.map(({ id }) => id));
      const cursors = [
        ...(key === 'name' ? attacks : confused).map((each) => made(each)),
        ...jsonAttacks.map((each) => made(each)),
        made(),
        made('1', '2'),
        Buffer.from(JSON.stringify(['other', '1'])).toString('base64url'),
        cursor.slice(0, -1),
        `${cursor}A`,
        `${cursor}%00`,
        cursor.toUpperCase(),
        'W'.repeat(5_000),
      ];
      for (const [index, each] of cursors.entries()) {
        const side = index % 2 === 0 ? 'after' : 'before';
        const answer = await lab.call(`${path}?${side}=${each}`);
        judge(answer, `${side} ${Buffer.from(each, 'base64url').toString()}`, ({ id }) => ids.has(id));
      }
    },
  );
});

test.each(labStores)(
  'on %s what the engine says of a row that fails is told to nobody who calls',
  async (datastore) => {
    await publish(lab.gql, lab.viewer, {
      metadata: { name: `failing_${datastore}`, version: 1 },
      route: `/failing/${datastore}`,
      datastore,
      query: 'SELECT CAST(name AS integer) AS n FROM raw.users WHERE id > :id',
      params: [{ name: 'id', type: 'integer', default: 100 }],
    });
    const field = datastore === 'hot' ? 'failingHot' : 'failingWarehouse';
    const { errors } = await lab.gql.answer(lab.viewer, `{ data { ${field} { nodes { n } } } }`);
    const answers = [
      errors[0]!.message,
      (await lab.call(`v1/failing/${datastore}`)).text,
      (await lab.call(`v1/failing/${datastore}?format=csv`)).text,
    ];
    for (const answer of answers) {
      expect(answer).toContain('fails with these parameters');
      expect(answer).not.toMatch(secrets);
    }
  },
);

test('what an engine in trouble says of the machine that it runs on is told to nobody who calls', async () => {
  await publish(lab.gql, lab.viewer, {
    metadata: { name: 'heavy', version: 1 },
    route: '/heavy',
    auth: { public: true },
    query: `SELECT n, repeat('x', 4000000) AS text FROM range(1, 200) AS t(n)`,
    pagination: { key: ['n'] },
  });
  const paged = await lab.call('v1/heavy?first=100');
  const { errors } = await lab.gql.answer(lab.viewer, '{ data { heavy { nodes { n text } } } }');
  expect(paged.status).toBe(503);
  for (const answer of [paged.text, JSON.stringify(errors)]) {
    expect(answer).toContain('The datastore of \\"heavy\\" cannot answer now.');
    expect(answer).not.toMatch(/memory|MiB|duckdb/i);
  }
});

test('nothing that was sent has changed anything', async () => {
  const { warehouse } = await lab.gql.app.catalog.datastores.open(lab.viewer.projectId);
  const sql = 'SELECT count(*), count(DISTINCT name) FROM raw.users';
  expect((await warehouse.run({ sql })).rows).toEqual([[21n, 21n]]);
  expect((await lab.postgres.warehouse.run({ sql })).rows).toEqual([[21n, 21n]]);
});
