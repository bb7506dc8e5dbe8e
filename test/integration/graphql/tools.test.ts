import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRequire } from 'node:module';
import { promisify } from 'node:util';
import graphqlPlugin, { parser } from '@graphql-eslint/eslint-plugin';
import { ESLint, type Linter } from 'eslint';
import { expect, test } from 'vitest';

const require = createRequire(import.meta.url);
const root = join(import.meta.dirname, '..', '..', '..');
const schemaFile = join(root, 'schema.graphql');

const documents = `
import { graphql } from 'react-relay';

export const query = graphql\`
  query JobListQuery($count: Int!, $cursor: String) {
    ...JobList_query @arguments(count: $count, cursor: $cursor)
  }
\`;

export const list = graphql\`
  fragment JobList_query on Query
  @argumentDefinitions(count: { type: "Int", defaultValue: 10 }, cursor: { type: "String" })
  @refetchable(queryName: "JobListPaginationQuery") {
    jobs(first: $count, after: $cursor) @connection(key: "JobList_jobs") {
      edges { node { id ...JobList_job } }
    }
  }
\`;

export const job = graphql\`
  fragment JobList_job on Job @refetchable(queryName: "JobRefetchQuery") {
    name
    lastTask { status progress }
    source { ... on Resource { name revision updatedBy { username } } }
  }
\`;

export const log = graphql\`
  fragment JobList_log on Task
  @argumentDefinitions(count: { type: "Int", defaultValue: 50 }, cursor: { type: "String" })
  @refetchable(queryName: "LogPaginationQuery") {
    logs(last: $count, before: $cursor) @connection(key: "JobList_logs") {
      edges { node { seq message } }
    }
  }
\`;

export const watch = graphql\`
  subscription JobListSubscription($taskId: ID!) { taskUpdated(taskId: $taskId) { ...JobList_log } }
\`;

export const sync = graphql\`
  mutation JobListSyncMutation($input: SyncJobInput!) { syncJob(input: $input) { task { id } userErrors { message path } } }
\`;
`;

test('relay-compiler takes the schema, with fragments that refetch by node and page forward and backward', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-relay-'));
  try {
    await mkdir(join(folder, 'src'));
    await mkdir(join(folder, 'made'));
    await cp(schemaFile, join(folder, 'schema.graphql'));
    await writeFile(join(folder, 'src', 'JobList.ts'), documents);
    const config = {
      src: 'src',
      schema: 'schema.graphql',
      language: 'typescript',
      artifactDirectory: 'made',
    };
    await writeFile(join(folder, 'relay.json'), JSON.stringify({ ...config, noSourceControl: true }));
    // The package is the path of its program for this machine, and has no types.
    const compiler: string = require('relay-compiler');
    await promisify(execFile)(compiler, ['relay.json'], { cwd: folder });
    expect((await readdir(join(folder, 'made'))).sort()).toEqual(
      [
        'JobListPaginationQuery',
        'JobListQuery',
        'JobListSubscription',
        'JobListSyncMutation',
        'JobList_job',
        'JobList_log',
        'JobList_query',
        'JobRefetchQuery',
        'LogPaginationQuery',
      ].map((name) => `${name}.graphql.ts`),
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

const rules: Linter.RulesRecord = {
  'relay-arguments': ['error', { includeBoth: true }],
  'relay-connection-types': 'error',
  // The contract has lists of other things than edges (nodes, streams, columns), and lines of a log without ids.
  'relay-edge-types': [
    'error',
    { withEdgeSuffix: true, listTypeCanWrapOnlyEdgeType: false, shouldImplementNode: false },
  ],
  'relay-page-info': 'error',
  'require-description': [
    'error',
    {
      types: true,
      rootField: true,
      DirectiveDefinition: true,
      EnumValueDefinition: true,
      FieldDefinition: true,
      InputValueDefinition: true,
    },
  ],
  'description-style': 'error',
  'known-type-names': 'error',
  'naming-convention': [
    'error',
    {
      types: 'PascalCase',
      FieldDefinition: 'camelCase',
      InputValueDefinition: 'camelCase',
      EnumValueDefinition: 'UPPER_CASE',
    },
  ],
  'no-hashtag-description': 'error',
  'no-scalar-result-type-on-mutation': 'error',
  'no-unreachable-types': 'error',
  'input-name': ['error', { checkInputType: true, caseSensitiveInputType: false }],
  'no-typename-prefix': 'error',
  'unique-field-definition-names': 'error',
  'unique-enum-value-names': 'error',
};

test('the relay and description rules of @graphql-eslint pass over the schema', async () => {
  const eslint = new ESLint({
    cwd: root,
    overrideConfigFile: true,
    overrideConfig: [
      {
        files: ['**/*.graphql'],
        languageOptions: { parser, parserOptions: { graphQLConfig: { schema: schemaFile } } },
        plugins: { graphql: graphqlPlugin as unknown as ESLint.Plugin },
        rules: Object.fromEntries(Object.entries(rules).map(([name, rule]) => [`graphql/${name}`, rule])),
      },
    ],
  });
  const [result] = await eslint.lintFiles([schemaFile]);
  const messages = result?.messages.map(({ line, ruleId, message }) => `${line} ${ruleId} ${message}`);
  // The contract names it; the first field of it comes with metrics.
  expect(messages?.filter((message) => !message.endsWith('Scalar type `Date` is unreachable.'))).toEqual([]);
});
