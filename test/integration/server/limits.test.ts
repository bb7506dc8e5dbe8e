import { createClient } from 'graphql-ws';
import { getIntrospectionQuery } from 'graphql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { openScratch, type ScratchServer } from './open-scratch.ts';

let server: ScratchServer;
beforeAll(async () => {
  server = await openScratch();
});
afterAll(() => server[Symbol.asyncDispose]());

type Errors = { message: string; extensions: { code: string; requestId: string; fix?: string } }[];
type Transport = (query: string, variables?: Record<string, unknown>) => Promise<Errors>;

const overHttp: Transport = async (query, variables) =>
  (await server.ask(query, { variables: variables ?? {} })).errors;

const overEvents: Transport = async (query, variables) => {
  const response = await fetch(`${server.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'text/event-stream' },
    body: JSON.stringify({ query, variables }),
  });
  const data = /data: (\{.*\})/.exec(await response.text())?.[1] ?? '{}';
  return (JSON.parse(data) as { errors?: Errors }).errors ?? [];
};

const overSocket: Transport = async (query, variables) => {
  const client = createClient({
    url: `${server.url.replace('http', 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    retryAttempts: 0,
  });
  try {
    for await (const result of client.iterate({ query, variables }))
      return (result.errors ?? []) as unknown as Errors;
    return [];
  } catch (errors) {
    return errors as Errors;
  } finally {
    await client.dispose();
  }
};

const nested = (levels: number) => `${'{ one '.repeat(levels)}{ id }${' }'.repeat(levels)}`;
const aliases = (count: number) => `{ ${Array.from({ length: count }, (_, at) => `a${at}: id`).join(' ')} }`;

const refused: [string, string, Record<string, unknown>, string][] = [
  ['depth', nested(12), {}, 'The operation is 13 levels deep; 12 are allowed.'],
  [
    'depth through fragments',
    `{ one { ...A } } fragment A on Thing ${nested(11)}`,
    {},
    'The operation is 13 levels deep; 12 are allowed.',
  ],
  ['aliases', `{ one ${aliases(31)} }`, {}, 'The operation is 31 aliases long; 30 are allowed.'],
  [
    'aliases multiplied by fragments',
    `{ one { ...A one { ...A one { ...A one { ...A } } } } } fragment A on Thing ${aliases(10)}`,
    {},
    'The operation is 40 aliases long; 30 are allowed.',
  ],
  ['root fields', `{ ${'hello '.repeat(21)} }`, {}, 'The operation is 21 root fields wide; 20 are allowed.'],
  [
    'directives',
    `{ hello ${'@skip(if: false) '.repeat(51)} }`,
    {},
    'The operation is 51 directives long; 50 are allowed.',
  ],
  [
    'tokens',
    `{ one { ${'id '.repeat(2_000)} } }`,
    {},
    'The document has more than 2000 tokens; 2000 are allowed.',
  ],
  [
    'cost by page sizes',
    '{ things(first: 100) { things(first: 100) { id name } } }',
    {},
    'The operation may read 20101 fields; 20000 are allowed.',
  ],
  [
    'cost by page sizes in variables',
    'query ($n: Int) { things(first: $n) { things(first: $n) { id name } } }',
    { n: 100 },
    'The operation may read 20101 fields; 20000 are allowed.',
  ],
  [
    'cost by page sizes in the defaults of variables',
    'query ($n: Int = 100) { things(first: $n) { things(first: $n) { id name } } }',
    {},
    'The operation may read 20101 fields; 20000 are allowed.',
  ],
];

const transports: [string, Transport][] = [
  ['HTTP', overHttp],
  ['server-sent events', overEvents],
  ['WebSocket', overSocket],
];

for (const [name, ask] of transports) {
  describe(`over ${name}`, () => {
    test.each(refused)(
      'too much %s is QUERY_TOO_COMPLEX with figures and bound',
      async (_what, query, variables, message) => {
        const [error] = await ask(query, variables);
        expect(error).toMatchObject({ message, extensions: { code: 'QUERY_TOO_COMPLEX' } });
        expect(error?.extensions.requestId).toBeTruthy();
        expect(error?.extensions.fix).toBeTruthy();
      },
    );

    test('what lies within the bounds passes', async () => {
      const passing = [
        nested(11),
        `{ one ${aliases(30)} }`,
        `{ ${'hello '.repeat(20)} }`,
        '{ things(first: 100) { things(first: 99) { id name } } }',
        getIntrospectionQuery({
          descriptions: true,
          inputValueDeprecation: true,
          directiveIsRepeatable: true,
          schemaDescription: true,
          specifiedByUrl: true,
          oneOf: true,
        }),
      ];
      for (const query of passing) expect(await ask(query)).toEqual([]);
    });

    test('introspection has a bound of its own', async () => {
      const deep = `{ __schema { types { ${'ofType { '.repeat(18)} name ${'} '.repeat(18)} } } }`;
      expect((await ask(deep))[0]?.extensions.code).toBe('QUERY_TOO_COMPLEX');
    });
  });
}

test('a subscription is bounded like a query', async () => {
  const query = `subscription { events { ${Array.from({ length: 31 }, (_, at) => `a${at}: text`).join(' ')} } }`;
  for (const ask of [overEvents, overSocket]) {
    expect((await ask(query))[0]).toMatchObject({
      message: 'The operation is 31 aliases long; 30 are allowed.',
    });
  }
});

test('the worst document within the bounds is checked in well under a second', async () => {
  const fields = Array.from({ length: 640 }, () => 'id').join(' ');
  const documents = [
    `{ one { ${fields} } }`,
    `{ ${Array.from({ length: 15 }, (_, at) => `...F${at}`).join(' ')} } ${Array.from({ length: 15 }, (_, at) => `fragment F${at} on Query { one { ${'id '.repeat(100)} } }`).join(' ')}`,
    `{ ...F0 } ${Array.from({ length: 150 }, (_, at) => `fragment F${at} on Query { ...F${at + 1} ...F${at + 1} }`).join(' ')} fragment F150 on Query { hello }`,
  ];
  for (const query of documents) {
    const startedAt = performance.now();
    await server.ask(query);
    expect(performance.now() - startedAt).toBeLessThan(800);
  }
});

test('a fragment that spreads itself is refused, and ends nothing', async () => {
  const [error] = await overHttp('{ ...A } fragment A on Query { hello ...A }');
  expect(error?.extensions.code).toBe('BAD_USER_INPUT');
});
