import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { cli, startCli, untilShown } from '../support/cli.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { signUp, startGateway, temporaryFolder, type Gateway } from '../support/gateway.ts';
import { createPipeline } from '../support/pipeline.ts';

let home: Awaited<ReturnType<typeof temporaryFolder>>;
let database: TestDatabase;
let gateway: Gateway;
let env: Record<string, string>;
let taskId: string;

const watched = 'subscription ($id: ID!) { taskUpdated(taskId: $id) { status } }';

beforeAll(async () => {
  home = await temporaryFolder();
  database = await createTestDatabase();
  const files = join(home.path, 'files');
  await mkdir(join(files, 'in'), { recursive: true });
  await writeFile(join(files, 'in', 'numbers.csv'), 'n\n1\n');
  gateway = await startGateway({
    home: join(home.path, 'home'),
    env: { DATABASE_URL: database.url, SLUICE_FILES_ROOT: files },
  });
  await signUp(gateway);
  env = { SLUICE_URL: gateway.url, SLUICE_TOKEN: gateway.token! };
  const job = await createPipeline(gateway, {
    source: { type: 'files', config: { path: 'in' } },
    destination: { type: 'parquet', config: { path: 'out' } },
    streams: [{ name: 'numbers', syncMode: 'FULL_REFRESH' }],
  });
  taskId = (await cli(['sync', job, '--detach'], env)).stdout.trim();
});
afterAll(async () => {
  await gateway?.[Symbol.asyncDispose]();
  await database?.[Symbol.asyncDispose]();
  await home?.[Symbol.asyncDispose]();
});

test('query prints each event of a subscription in a line, until it ends', async () => {
  const { code, stdout, stderr } = await cli(
    ['query', watched, '--variables', JSON.stringify({ id: taskId })],
    env,
  );
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const events = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);
  expect(events.at(-1)).toEqual({ taskUpdated: { status: 'SUCCEEDED' } });
});

test('query asks what is typed, what a file holds or what comes in, and prints its data as JSON', async () => {
  const source =
    'query Task($id: ID!) { node(id: $id) { ...Named } } fragment Named on Task { status } query Jobs { jobs { totalCount } }';
  const file = join(home.path, 'task.graphql');
  const variables = join(home.path, 'variables.json');
  await writeFile(file, source);
  await writeFile(variables, JSON.stringify({ id: taskId }));
  const asked = await cli(['query', `@${file}`, '--operation', 'Task', '--variables', `@${variables}`], env);
  expect(asked).toEqual({
    code: 0,
    stdout: `${JSON.stringify({ node: { status: 'SUCCEEDED' } }, null, 2)}\n`,
    stderr: '',
  });
  const typed = await cli(
    ['query', source, '--operation=Task', '--variables', JSON.stringify({ id: taskId })],
    env,
  );
  expect(typed).toEqual(asked);
  const piped = startCli(['query', '-'], env, '{ viewer { member { username } } }');
  expect(JSON.parse((await piped.ended).stdout)).toMatchObject({ viewer: { member: {} } });
});

test.each([
  {
    what: 'an error beside data',
    args: ['{ viewer { project { slug } } metric(name: "none") { id } table(fqn: "orders") { fqn } }'],
    code: 1,
    stdout: '"metric": null',
    stderr: 'table: "orders" is not the fqn of a table.\nWrite datastore.database.schema.table',
  },
  {
    what: 'what the schema does not have',
    args: ['{ jbos { id } }'],
    code: 1,
    stdout: '',
    stderr: 'Did you mean "jobs"',
  },
  {
    what: 'a userError',
    args: ['mutation { deleteMetric(input: { id: "x" }) { userErrors { code } } }'],
    code: 1,
    stdout: '"code": "NOT_FOUND"',
    stderr: '',
  },
  {
    what: 'a document that cannot be read',
    args: ['{ jobs {'],
    code: 1,
    stdout: '',
    stderr: 'The document cannot be read: Syntax Error: Expected Name, found <EOF>. (line 1, column 9)',
  },
  {
    what: 'a document of several operations',
    args: ['query A { __typename } query B { __typename }'],
    code: 1,
    stdout: '',
    stderr: 'The document holds 2 operations.\nChoose one by --operation: A, B.',
  },
  {
    what: 'a file that is not there',
    args: ['@none.graphql'],
    code: 1,
    stdout: '',
    stderr: 'The file "none.graphql" cannot be read',
  },
  {
    what: 'variables that are no object',
    args: ['{ __typename }', '--variables', '[1]'],
    code: 2,
    stdout: '',
    stderr: '--variables is no JSON object.',
  },
])('query says $what, and ends with $code', async ({ args, code, stdout, stderr }) => {
  const answer = await cli(['query', ...args], env);
  expect(answer.code).toBe(code);
  for (const [said, expected] of [
    [answer.stdout, stdout],
    [answer.stderr, stderr],
  ] as const) {
    if (expected === '') expect(said).toBe('');
    else expect(said).toContain(expected);
  }
});

test('Ctrl-C on a query that subscribes leaves it, with 130', async () => {
  await using idle = await createTestDatabase();
  await using waiting = await startGateway({
    home: join(home.path, 'waiting'),
    env: { DATABASE_URL: idle.url, SLUICE_FILES_ROOT: join(home.path, 'files'), SLUICE_WORKERS: '0' },
  });
  await signUp(waiting);
  const job = await createPipeline(waiting, {
    source: { type: 'files', config: { path: 'in' } },
    destination: { type: 'parquet', config: { path: 'out' } },
    streams: [{ name: 'numbers', syncMode: 'FULL_REFRESH' }],
  });
  const asks = { SLUICE_URL: waiting.url, SLUICE_TOKEN: waiting.token! };
  const id = (await cli(['sync', job, '--detach'], asks)).stdout.trim();
  const following = startCli(['query', watched, '--variables', JSON.stringify({ id })], asks);
  await untilShown(following, '"QUEUED"');
  following.child.kill('SIGINT');
  expect(await following.ended).toMatchObject({ code: 130, stderr: '' });
});
