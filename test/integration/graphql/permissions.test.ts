import { getNamedType, isObjectType } from 'graphql';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { may } from '#accounts/permissions.ts';
import type { Viewer } from '#accounts/viewer.ts';
import { needsOf } from '#graphql/enforce.ts';
import { schema } from '#graphql/schema.ts';
import { type Answer, openTestGraphql, type TestGraphql } from '../../support/graphql.ts';
import { leastArguments, operationOf, type Root, rootFields } from '../../support/operations.ts';
import { insertProject, type ProjectRows } from '../../support/rows.ts';

let gql: TestGraphql;
let ada: Viewer;
let rows: ProjectRows;

beforeAll(async () => {
  gql = await openTestGraphql();
  ada = await gql.signUp('ada');
  rows = await insertProject(gql.app.store.db, ada);
});
afterAll(() => gql[Symbol.asyncDispose]());

/** What anybody may use; nothing else may be. */
const open = ['Query.viewer', 'Mutation.signUp', 'Mutation.logIn', 'Mutation.logOut'];
const everyField = (['Query', 'Mutation', 'Subscription'] as const).flatMap((root) =>
  rootFields(root).map((field) => [`${root}.${field.name}`, root, field] as const),
);

async function attempt(
  viewer: Viewer | null,
  root: Root,
  field: (typeof everyField)[number][2],
): Promise<Answer> {
  const { query, variables } = operationOf(root, field, leastArguments(field, rows.Source), 1);
  if (root !== 'Subscription') return gql.answer(viewer, query, variables);
  const leaving = new AbortController();
  for await (const answer of gql.follow(viewer, query, variables, leaving.signal)) {
    leaving.abort();
    return answer;
  }
  throw new Error('The subscription ended without an answer.');
}

const codesOf = (answer: Answer) => [...new Set(answer.errors.map((error) => error.extensions.code))];

test.each(everyField.filter(([place]) => !open.includes(place)))(
  '%s is refused to whoever is not signed in',
  async (_place, root, field) => {
    const answer = await attempt(null, root, field);
    expect(codesOf(answer)).toEqual(['UNAUTHENTICATED']);
    expect(Object.values(answer.data ?? {}).filter((value) => value !== null)).toEqual([]);
  },
);

test('whoever is not signed in is nobody', async () => {
  expect(await gql.ask(null, '{ viewer { scopes } }')).toEqual({ viewer: null });
});

test.each(
  rootFields('Mutation')
    .map((field) => [field.name, field] as const)
    .filter(([name]) => !open.includes(`Mutation.${name}`)),
)('%s is refused to a member of role VIEWER and to a key that only reads', async (_name, field) => {
  const viewers = [await gql.member(ada, 'VIEWER'), await gql.apiKey(ada, ['DATA_READ', 'CONTROL_READ'])];
  for (const viewer of viewers) {
    const answer = await attempt(viewer, 'Mutation', field);
    expect(codesOf(answer)).toEqual(['FORBIDDEN']);
  }
});

test('API keys are made and ended by an owner or admin alone', async () => {
  const fields = rootFields('Mutation').filter((field) =>
    ['createApiKey', 'revokeApiKey'].includes(field.name),
  );
  const editor = await gql.member(ada, 'EDITOR');
  const mighty = await gql.apiKey(ada, ['DATA_READ', 'CONTROL_READ', 'CONTROL_WRITE']);
  for (const field of fields) {
    for (const viewer of [editor, mighty])
      expect(codesOf(await attempt(viewer, 'Mutation', field))).toEqual(['FORBIDDEN']);
    expect(codesOf(await attempt(await gql.member(ada, 'ADMIN'), 'Mutation', field))).toEqual([]);
  }
});

/** Every object type that a viewer can reach, by fields that the viewer may have resolved. */
function reachable(viewer: Viewer): string[] {
  const reached = new Set<string>();
  const visit = (typeName: string) => {
    const type = schema.getType(typeName);
    if (!isObjectType(type) || reached.has(typeName)) return;
    reached.add(typeName);
    for (const field of Object.values(type.getFields())) {
      if (needsOf(schema, type, field).every((need) => may(viewer, need)))
        visit(getNamedType(field.type).name);
    }
  };
  visit('Query');
  visit('Subscription');
  return [...reached].filter((name) => !/Connection$|Edge$/.test(name)).sort();
}

test('a key that reads data reaches data, who it is, and nothing else', async () => {
  const key = await gql.apiKey(ada, ['DATA_READ']);
  expect(reachable(key)).toEqual([
    'Account',
    'ApiKey',
    'Column',
    'Datastore',
    'DatastoreSchema',
    'Event',
    'Freshness',
    'Metric',
    'MetricPoint',
    'MetricProblem',
    'MetricSeries',
    'MetricTable',
    'Organization',
    'PageInfo',
    'Project',
    'Query',
    'RowSet',
    'RowSetColumn',
    'Subscription',
    'Table',
    'User',
    'Viewer',
  ]);
});

/** What a key that reads data may ask for; whatever else there is refuses it. */
const dataFields = [
  'Query.tables',
  'Query.table',
  'Query.column',
  'Query.columns',
  'Query.users',
  'Query.user',
  'Query.organizations',
  'Query.organization',
  'Query.events',
  'Query.metrics',
  'Query.metric',
  'Query.metricTable',
  'Query.viewer',
  'Query.apiKeys',
];

test.each(everyField.filter(([place]) => !open.includes(place) && !dataFields.includes(place)))(
  '%s is refused to a key that reads data',
  async (_place, root, field) => {
    const answer = await attempt(await gql.apiKey(ada, ['DATA_READ']), root, field);
    expect(codesOf(answer)).toEqual(['FORBIDDEN']);
  },
);

test('a setting below data is refused in its own place, and the data still comes', async () => {
  const key = await gql.apiKey(ada, ['DATA_READ']);
  const answer = await gql.answer(key, '{ tables { nodes { name freshness { syncedAt task { id } } } } }');
  expect(answer.data).toEqual({
    tables: { nodes: [{ name: 'orders', freshness: { syncedAt: expect.any(String), task: null } }] },
  });
  expect(answer.errors.map(({ path, extensions }) => [path?.join('.'), extensions.code])).toEqual([
    ['tables.nodes.0.freshness.task', 'FORBIDDEN'],
  ]);
});

test('a key that reads data learns where a table lies and not how that is reached, and that it is no member', async () => {
  const key = await gql.apiKey(ada, ['DATA_READ']);
  const said =
    '{ viewer { member { id } } tables { nodes { datastore { id name engine role isDefault } } } }';
  expect(await gql.ask(key, said)).toEqual({
    viewer: { member: null },
    tables: {
      nodes: [
        {
          datastore: {
            id: rows.Datastore,
            name: 'warehouse',
            engine: 'DUCKDB',
            role: 'WAREHOUSE',
            isDefault: true,
          },
        },
      ],
    },
  });
  for (const field of ['config', 'providedSecrets']) {
    const query = `query ($id: ID!) { node(id: $id) { ... on Datastore { ${field} } } }`;
    expect(codesOf(await gql.answer(key, query, { id: rows.Datastore })), field).toEqual(['FORBIDDEN']);
  }
});

test('node asks for the permission of the type that the id names, before it looks for the thing', async () => {
  const key = await gql.apiKey(ada, ['DATA_READ']);
  const query = 'query ($id: ID!) { node(id: $id) { id } }';
  expect(await gql.ask(key, query, { id: rows.Table })).toEqual({ node: { id: rows.Table } });
  for (const id of [rows.Source, rows.Job, rows.Task, rows.Destination]) {
    expect(codesOf(await gql.answer(key, query, { id }))).toEqual(['FORBIDDEN']);
  }
});

test('an API key sees itself among the keys, and no other', async () => {
  const key = await gql.apiKey(ada, ['DATA_READ']);
  const { apiKeys, viewer } = await gql.ask(
    key,
    '{ apiKeys { totalCount nodes { id } } viewer { apiKey { id } } }',
  );
  expect(apiKeys).toEqual({ totalCount: 1, nodes: [viewer.apiKey] });
});

test('a key that may only write sees that it wrote, not the settings', async () => {
  const key = await gql.apiKey(ada, ['CONTROL_WRITE']);
  const answer = await gql.answer(
    key,
    'mutation ($id: ID!) { setJobActive(input: { id: $id, active: false }) { userErrors { code } job { id } } }',
    { id: rows.Job },
  );
  expect(answer.data?.setJobActive).toEqual({ userErrors: [], job: null });
  expect(codesOf(answer)).toEqual(['FORBIDDEN']);
});
