import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Viewer } from '#accounts/viewer.ts';
import { globalId } from '#graphql/global-id.ts';
import {
  type Data,
  expectStatements,
  openTestGraphql,
  type TestGraphql,
  type Variables,
} from '../../support/graphql.ts';
import { insertDestination, insertJob, insertSource, insertTask } from '../../support/rows.ts';

let gql: TestGraphql;
let ada: Viewer;

beforeAll(async () => {
  gql = await openTestGraphql();
  ada = await gql.signUp('ada');
  await mkdir(join(gql.filesRoot, 'shop'), { recursive: true });
  await writeFile(join(gql.filesRoot, 'shop', 'orders.csv'), 'id,total\n1,2.50\n2,3.00\n');
});
afterAll(() => gql[Symbol.asyncDispose]());

const errors = 'userErrors { code path message fix }';

/** Runs a mutation with its input; fails when it answers with errors at the top. */
async function run(mutation: string, input: Variables, fields: string): Promise<Data> {
  const type = `${mutation[0]?.toUpperCase()}${mutation.slice(1)}Input`;
  const query = `mutation ($input: ${type}!) { ${mutation}(input: $input) { ${fields} ${errors} } }`;
  return (await gql.ask(ada, query, { input }))[mutation];
}

test('connectors are listed with what they need and can do, and found by kind and type', async () => {
  const { connectors, connector, none } = await gql.ask(
    ada,
    `{ connectors { kind type version title spec syncModes writeModes documentationUrl }
       connector(kind: SOURCE, type: "files") { type spec } none: connector(kind: SOURCE, type: "files", version: "999") { type } }`,
  );
  expect(connectors).toContainEqual(
    expect.objectContaining({ kind: 'SOURCE', type: 'files', writeModes: [] }),
  );
  expect(connectors).toContainEqual(
    expect.objectContaining({ kind: 'DESTINATION', type: 'parquet', syncModes: [] }),
  );
  expect(connector.spec).toMatchObject({ type: 'object' });
  expect(none).toBeNull();
});

test('a whole pipeline is made, read, changed, run, stopped and deleted through the schema', async () => {
  expect(await run('testSource', { type: 'files', config: { path: 'shop' } }, 'ok message')).toMatchObject({
    ok: true,
    userErrors: [],
  });
  const { streams } = await run(
    'discoverStreams',
    { type: 'files', config: { path: 'shop' } },
    'streams { namespace name jsonSchema syncModes estimatedRows }',
  );
  expect(streams).toMatchObject([{ name: 'orders', jsonSchema: { type: 'object' } }]);

  const { source } = await run(
    'createSource',
    { name: 'shop', type: 'files', config: { path: 'shop' } },
    'source { id name type version revision config providedSecrets connector { title } streams { name } createdBy { username } updatedBy { username } }',
  );
  expect(source).toMatchObject({
    name: 'shop',
    revision: 1,
    config: { path: 'shop' },
    providedSecrets: [],
    streams: [{ name: 'orders' }],
    createdBy: { username: 'ada' },
  });
  const { destination } = await run(
    'createDestination',
    { name: 'lake', type: 'parquet', config: { path: 'lake' } },
    'destination { id connector { type } }',
  );
  const { job } = await run(
    'createJob',
    {
      name: 'shop to lake',
      sourceId: source.id,
      destinationId: destination.id,
      streams: [{ name: 'orders', syncMode: 'FULL_REFRESH' }],
      schedule: { cron: '0 6 * * *', timeZone: 'Europe/Berlin' },
    },
    'job { id name active schedule { cron timeZone } nextRunAt streams { name syncMode writeMode destinationTable primaryKey selectedColumns } source { name } destination { name } lastTask { id } }',
  );
  expect(job).toMatchObject({
    active: true,
    schedule: { cron: '0 6 * * *', timeZone: 'Europe/Berlin' },
    nextRunAt: expect.any(String),
    streams: [
      {
        name: 'orders',
        syncMode: 'FULL_REFRESH',
        writeMode: 'OVERWRITE',
        destinationTable: 'orders',
        selectedColumns: null,
      },
    ],
    lastTask: null,
  });

  const changed = await run(
    'updateJob',
    { id: job.id, schedule: null, name: 'renamed', expectedRevision: 1 },
    'job { name revision schedule { cron } nextRunAt }',
  );
  expect(changed).toMatchObject({
    job: { name: 'renamed', revision: 2, schedule: null, nextRunAt: null },
    userErrors: [],
  });
  const late = await run('updateJob', { id: job.id, name: 'late', expectedRevision: 1 }, 'job { id }');
  expect(late).toMatchObject({ job: null, userErrors: [{ code: 'CONFLICT', path: ['expectedRevision'] }] });

  const started = await run(
    'syncJob',
    { id: job.id, idempotencyKey: 'k1' },
    'task { id status trigger attempt canCancel progress runtimeMs error { kind } job { id } streams { name status } }',
  );
  expect(started).toMatchObject({
    task: {
      status: 'QUEUED',
      trigger: 'MANUAL',
      attempt: 1,
      canCancel: true,
      runtimeMs: null,
      error: null,
      job: { id: job.id },
      streams: [{ name: 'orders', status: 'QUEUED' }],
    },
    userErrors: [],
  });
  const again = await run('syncJob', { id: job.id }, 'task { id }');
  expect(again).toMatchObject({ task: { id: started.task.id }, userErrors: [{ code: 'ALREADY_RUNNING' }] });
  const repeated = await run('syncJob', { id: job.id, idempotencyKey: 'k1' }, 'task { id }');
  expect(repeated).toMatchObject({ task: { id: started.task.id }, userErrors: [] });

  const stopped = await run(
    'cancelTask',
    { id: started.task.id },
    'task { status canCancel finishedAt error { kind } logs(last: 1) { nodes { message } } }',
  );
  expect(stopped).toMatchObject({
    task: {
      status: 'CANCELED',
      canCancel: false,
      finishedAt: expect.any(String),
      error: { kind: 'CANCELED' },
    },
  });
  expect(await run('cancelTask', { id: started.task.id }, 'task { id }')).toMatchObject({
    task: null,
    userErrors: [{ code: 'NOT_CANCELLABLE' }],
  });

  const used = await run('deleteSource', { id: source.id }, 'deletedId');
  expect(used).toMatchObject({
    deletedId: null,
    userErrors: [{ code: 'IN_USE', message: expect.stringContaining('renamed') }],
  });
  expect(await run('deleteJob', { id: job.id }, 'deletedId')).toEqual({ deletedId: job.id, userErrors: [] });
  expect(await run('deleteSource', { id: source.id }, 'deletedId')).toEqual({
    deletedId: source.id,
    userErrors: [],
  });
  const gone = await gql.ask(
    ada,
    'query ($job: ID!, $task: ID!) { job(id: $job) { id } node(id: $job) { id } task(id: $task) { job { id } status } }',
    {
      job: job.id,
      task: started.task.id,
    },
  );
  expect(gone).toEqual({ job: null, node: null, task: { job: null, status: 'CANCELED' } });
});

test('everything wrong with a config is reported at once, each at its place, and nothing is made', async () => {
  const { source, userErrors } = await run(
    'createSource',
    { name: '', type: 'files', config: { pth: 'x', csv: { delimiter: 7 } } },
    'source { id }',
  );
  expect(source).toBeNull();
  const paths = userErrors.map(({ path }: { path: string[] }) => path.join('.'));
  expect(paths).toEqual(
    expect.arrayContaining(['name', 'config.pth', 'config.path', 'config.csv.delimiter']),
  );
  expect(
    (await run('createSource', { name: 'x', type: 'fils', config: {} }, 'source { id }')).userErrors,
  ).toMatchObject([{ path: ['type'] }]);
});

test('an id of another type, or none at all, is a userError NOT_FOUND at its place', async () => {
  const sourceId = globalId('Source', await insertSource(gql.app.store.db, ada, 'typed'));
  for (const id of [sourceId, 'nonsense']) {
    expect((await run('deleteJob', { id }, 'deletedId')).userErrors).toMatchObject([
      { code: 'NOT_FOUND', path: ['id'] },
    ]);
  }
});

test('a malformed id is BAD_USER_INPUT, one of another type finds nothing', async () => {
  const sourceId = globalId('Source', await insertSource(gql.app.store.db, ada, 'other'));
  const codes = async (query: string) =>
    (await gql.answer(ada, query)).errors.map((error) => error.extensions.code);
  expect(await codes('{ node(id: "nonsense") { id } }')).toEqual(['BAD_USER_INPUT']);
  expect(await codes(`{ node(id: "${globalId('Nothing', sourceId)}") { id } }`)).toEqual(['BAD_USER_INPUT']);
  expect(await codes('{ job(id: "nonsense") { id } }')).toEqual(['BAD_USER_INPUT']);
  expect(await codes('{ jobs(sourceId: "nonsense") { totalCount } }')).toEqual(['BAD_USER_INPUT']);
  expect(await codes('{ job { id } }')).toEqual(['BAD_USER_INPUT']);
  expect(await codes(`{ nodes(ids: [${`"${sourceId}",`.repeat(101)}]) { id } }`)).toEqual(['BAD_USER_INPUT']);
  expect(await gql.ask(ada, `{ job(id: "${sourceId}") { id } }`)).toEqual({ job: null });
});

test('the character U+0000 is refused by name in every argument, however deep, rather than failing a statement', async () => {
  const nul = '\0';
  const refused = async (query: string, variables: Variables) => {
    const { errors: shown } = await gql.answer(ada, query, variables);
    expect(shown.map((error) => error.extensions.code)).toEqual(['BAD_USER_INPUT']);
    return shown[0]?.message;
  };
  expect(await refused('query ($v: String) { sources(search: $v) { totalCount } }', { v: nul })).toMatch(
    /^search holds/,
  );
  expect(await refused('query ($v: String) { job(name: $v) { id } }', { v: nul })).toMatch(/^name holds/);
  const config = { path: 'shop', csv: { delimiter: nul } };
  const create = 'mutation ($input: CreateSourceInput!) { createSource(input: $input) { source { id } } }';
  expect(await refused(create, { input: { name: 'n', type: 'files', config } })).toMatch(
    /^input\.config\.csv\.delimiter holds/,
  );
});

test('nodes gives many types in the order asked, twice where asked twice, with one statement a type', async () => {
  const { db } = gql.app.store;
  const ids = [
    globalId('Source', await insertSource(db, ada, 'n1')),
    globalId('Destination', await insertDestination(db, ada, 'n2')),
    globalId('Source', await insertSource(db, ada, 'n3')),
  ];
  const asked = [ids[2], ids[0], ids[1], globalId('Job', '01a0b1c2-d3e4-7f50-8a1b-2c3d4e5f6071'), ids[0]];
  const query =
    'query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id ... on Resource { name createdBy { username } } } }';
  const { nodes } = await gql.ask(ada, query, { ids: asked });
  await expectStatements(3, () => gql.ask(ada, query, { ids: asked }));
  expect(nodes.map((node: { name: string } | null) => node?.name ?? null)).toEqual([
    'n3',
    'n1',
    'n2',
    null,
    'n1',
  ]);
  expect(nodes[2]).toMatchObject({ __typename: 'Destination', createdBy: { username: 'ada' } });
});

test('a source shows its config without secrets and the names of those that are set', async () => {
  const id = globalId('Source', await insertSource(gql.app.store.db, ada, 'secret'));
  const { source } = await gql.ask(
    ada,
    'query ($id: ID!) { source(id: $id) { config providedSecrets connector { type title } } }',
    { id },
  );
  expect(source).toMatchObject({
    config: { host: 'db' },
    providedSecrets: ['password'],
    connector: { type: 'postgres' },
  });
});

test('a task’s numbers stay exact beyond what JSON numbers hold, also below a list', async () => {
  const { db } = gql.app.store;
  const sourceId = await insertSource(db, ada, 'big');
  const destinationId = await insertDestination(db, ada, 'big');
  const jobId = await insertJob(db, ada, { name: 'big', sourceId, destinationId });
  const huge = 9_007_199_254_740_993n;
  const taskId = await insertTask(db, ada, jobId, { status: 'RUNNING', finishedAt: null, rowsRead: huge });
  const stream = { taskId, projectId: ada.projectId, status: 'RUNNING', bytesRead: huge } as const;
  await db.taskStream.createMany({
    data: [
      { ...stream, position: 1, name: 'second', rowsRead: 10n, estimatedRows: 30n },
      { ...stream, position: 0, name: 'first', rowsRead: 20n, estimatedRows: 30n },
    ],
  });
  const { job } = await gql.ask(
    ada,
    '{ job(name: "big") { lastTask { rowsRead rowsWritten progress runtimeMs streams { name rowsRead bytesRead estimatedRows } } } }',
  );
  expect(job.lastTask).toMatchObject({
    rowsRead: '9007199254740993',
    rowsWritten: 0,
    progress: 0.5,
    runtimeMs: expect.any(Number),
    streams: [
      { name: 'first', rowsRead: 20, bytesRead: '9007199254740993', estimatedRows: 30 },
      { name: 'second', rowsRead: 10, bytesRead: '9007199254740993', estimatedRows: 30 },
    ],
  });
});

test('a failed task says why and what to do', async () => {
  const { db } = gql.app.store;
  const sourceId = await insertSource(db, ada, 'bad');
  const destinationId = await insertDestination(db, ada, 'bad');
  const jobId = await insertJob(db, ada, { name: 'bad', sourceId, destinationId });
  await insertTask(db, ada, jobId, {
    status: 'FAILED',
    errorKind: 'SOURCE',
    errorMessage: 'No such table.',
    errorFix: 'Make it.',
    errorRetryable: false,
  });
  const { job } = await gql.ask(
    ada,
    '{ job(name: "bad") { lastTask { error { kind message fix retryable } runtimeMs } } }',
  );
  expect(job.lastTask).toEqual({
    error: { kind: 'SOURCE', message: 'No such table.', fix: 'Make it.', retryable: false },
    runtimeMs: 5000,
  });
});
