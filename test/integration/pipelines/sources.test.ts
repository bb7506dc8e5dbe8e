import { expect, test } from 'vitest';
import { ConnectorError, type SourceConnector } from '#connectors/contract.ts';
import { createDestination } from '#pipelines/destinations.ts';
import { configOfRow } from '#pipelines/end-config.ts';
import { discoverStreams, storedStreams } from '#pipelines/source-streams.ts';
import { createSource, deleteSource, updateSource } from '#pipelines/sources.ts';
import { testSource } from '#pipelines/test-end.ts';
import { memoryDestination, memoryTables } from '../../support/memory-destination.ts';
import { createProject, createSlowJob, openTestPipelines, problemsOf } from '../../support/pipelines.ts';
import { slowSource, type SlowStream } from '../../support/slow-source.ts';

const users: SlowStream = { name: 'users', parts: () => [] };

async function open(change: Partial<SourceConnector> = {}) {
  return openTestPipelines({
    source: { ...slowSource(() => [users]), ...change },
    destination: memoryDestination(memoryTables()),
  });
}

test('a source is made with its streams, its secrets sealed and never in its config', async () => {
  await using pipelines = await open();
  const { deps, viewer } = pipelines;
  const source = await createSource(deps, viewer, {
    name: '  prod  ',
    type: 'slow',
    config: { host: 'db', password: 'hunter2' },
  });
  expect(source).toMatchObject({
    name: 'prod',
    version: '1.0.0',
    config: { host: 'db' },
    revision: 1,
    createdById: viewer.memberId,
  });
  expect(Object.keys(source.secrets as object)).toEqual(['password']);
  expect(JSON.stringify(source)).not.toContain('hunter2');
  expect(storedStreams(source.streams)).toMatchObject([{ name: 'users', estimatedRows: null }]);
  expect(configOfRow(deps, 'source', source).config).toEqual({ host: 'db', port: 5432, password: 'hunter2' });
});

test('every problem of name and config comes at once, each with its path', async () => {
  await using pipelines = await open();
  const { deps, viewer } = pipelines;
  const config = { prot: 1, port: 'x' };
  expect(await problemsOf(createSource(deps, viewer, { name: ' ', type: 'slow', config }))).toEqual(
    expect.arrayContaining([
      'REQUIRED name',
      'REQUIRED config.host',
      'INVALID config.port',
      'INVALID config.prot',
    ]),
  );
  expect(
    await problemsOf(createSource(deps, viewer, { name: 'x'.repeat(201), type: 'solw', config })),
  ).toEqual(['INVALID name', 'INVALID type']);
  expect(
    await problemsOf(createSource(deps, viewer, { name: 'x', type: 'slow', config: 'host=db' })),
  ).toEqual(['INVALID config']);
  expect(
    await problemsOf(
      createSource(deps, viewer, { name: 'x', type: 'slow', config: { host: 1, password: 2 } }),
    ),
  ).toEqual(expect.arrayContaining(['INVALID config.host', 'INVALID config.password']));
});

test('a secret left out of an update stays, null clears it, another replaces it', async () => {
  await using pipelines = await open();
  const { deps, viewer } = pipelines;
  const { id } = await createSource(deps, viewer, {
    name: 'prod',
    type: 'slow',
    config: { host: 'a', password: 'one' },
  });
  const passwordAfter = async (config: unknown) =>
    configOfRow(deps, 'source', await updateSource(deps, viewer, { id, config })).config.password;
  expect(await passwordAfter({ host: 'b' })).toBe('one');
  expect(await passwordAfter({ host: 'b', password: 'two' })).toBe('two');
  expect(await passwordAfter({ host: 'b', password: null })).toBeUndefined();
});

test('an update under an old revision is refused with the current one, and changes nothing', async () => {
  await using pipelines = await open();
  const { deps, viewer } = pipelines;
  const { id } = await createSource(deps, viewer, { name: 'prod', type: 'slow', config: { host: 'a' } });
  expect(await updateSource(deps, viewer, { id, name: 'live', expectedRevision: 1 })).toMatchObject({
    name: 'live',
    revision: 2,
  });
  await expect(updateSource(deps, viewer, { id, name: 'again', expectedRevision: 1 })).rejects.toMatchObject({
    problems: [
      {
        code: 'CONFLICT',
        path: ['expectedRevision'],
        message: expect.stringContaining('at revision 2, not 1'),
      },
    ],
  });
  expect(await deps.store.db.source.findUniqueOrThrow({ where: { id } })).toMatchObject({
    name: 'live',
    revision: 2,
  });
});

test('a name is taken by one source of a project, also when two are made at once, until it is deleted', async () => {
  await using pipelines = await open();
  const { deps, viewer } = pipelines;
  const make = () => createSource(deps, viewer, { name: 'prod', type: 'slow', config: { host: 'a' } });
  const made = await Promise.allSettled([make(), make(), make()]);
  expect(made.filter((each) => each.status === 'fulfilled').length).toBe(1);
  expect(await problemsOf(make())).toEqual(['NOT_UNIQUE name']);
  const { id } = await deps.store.db.source.findFirstOrThrow({ where: { name: 'prod' } });
  await deleteSource(deps, viewer, { id });
  await make();
  const elsewhere = await createProject(deps);
  await createSource(deps, elsewhere, { name: 'prod', type: 'slow', config: { host: 'a' } });
});

test('the same idempotency key makes one source', async () => {
  await using pipelines = await open();
  const { deps, viewer } = pipelines;
  const input = { name: 'prod', type: 'slow', config: { host: 'a' }, idempotencyKey: 'key' };
  const [one, two] = await Promise.all([
    createSource(deps, viewer, input),
    createSource(deps, viewer, input),
  ]);
  expect(one.id).toBe(two.id);
  expect(await problemsOf(createSource(deps, viewer, { ...input, name: 'other' }))).toEqual([
    'IDEMPOTENCY_KEY_REUSED idempotencyKey',
  ]);
});

test('a source in use cannot be deleted, and the jobs that use it are named', async () => {
  await using pipelines = await open();
  const { deps, viewer } = pipelines;
  const job = await createSlowJob(pipelines, {
    name: 'nightly',
    streams: [{ name: 'users', syncMode: 'FULL_REFRESH' }],
  });
  await expect(deleteSource(deps, viewer, { id: job.sourceId })).rejects.toMatchObject({
    problems: [{ code: 'IN_USE', path: ['id'], message: expect.stringContaining('"nightly"') }],
  });
});

test("another project's source is as unknown as one that never was", async () => {
  await using pipelines = await open();
  const { deps, viewer } = pipelines;
  const { id } = await createSource(deps, viewer, { name: 'prod', type: 'slow', config: { host: 'a' } });
  const foreign = await createProject(deps);
  expect(await problemsOf(updateSource(deps, foreign, { id, name: 'mine' }))).toEqual(['NOT_FOUND id']);
  expect(await problemsOf(deleteSource(deps, foreign, { id }))).toEqual(['NOT_FOUND id']);
  expect(await problemsOf(discoverStreams(deps, foreign, { id }))).toEqual(['NOT_FOUND id']);
  expect(await testSource(deps, foreign, { id })).toMatchObject({
    ok: false,
    problems: [{ code: 'NOT_FOUND' }],
  });
  await deleteSource(deps, viewer, { id });
  expect(await problemsOf(updateSource(deps, viewer, { id, name: 'back' }))).toEqual(['NOT_FOUND id']);
});

test('a source that cannot be reached is made all the same, without streams, and discovering says why', async () => {
  await using pipelines = await open({
    discover: async () => {
      throw new ConnectorError('SOURCE', 'No host "db" is known.', {
        path: ['host'],
        fix: 'Check the name.',
      });
    },
  });
  const { deps, viewer } = pipelines;
  const { id, streams } = await createSource(deps, viewer, {
    name: 'prod',
    type: 'slow',
    config: { host: 'db' },
  });
  expect(streams).toEqual([]);
  await expect(discoverStreams(deps, viewer, { id })).rejects.toMatchObject({
    problems: [
      {
        code: 'CONNECTION_FAILED',
        path: ['config', 'host'],
        message: 'No host "db" is known.',
        fix: 'Check the name.',
      },
    ],
  });
});

test('a source that does not answer does not keep its making waiting, and what hung is said', async () => {
  let aborted = false;
  await using pipelines = await open({
    discover: (_config, context) => {
      context.log('INFO', 'Connecting to db:5432.');
      context.signal.addEventListener('abort', () => (aborted = true));
      return new Promise(() => {});
    },
  });
  const reasons: unknown[] = [];
  const log = {
    ...pipelines.deps.log,
    info: (_message: string, fields?: Record<string, unknown>) => void reasons.push(fields?.reason),
  };
  const startedAt = Date.now();
  await createSource({ ...pipelines.deps, log }, pipelines.viewer, {
    name: 'prod',
    type: 'slow',
    config: { host: 'db' },
  });
  expect(Date.now() - startedAt).toBeLessThan(8_000);
  expect(aborted).toBe(true);
  expect(reasons).toEqual([
    'Discovering the streams of the "slow" source did not answer within 5 s. It last said: Connecting to db:5432.',
  ]);
});

test('testing works for what is saved and for what is not, and wrong input is its result', async () => {
  await using pipelines = await open();
  const { deps, viewer } = pipelines;
  expect(await testSource(deps, viewer, { type: 'slow', config: { host: 'db' } })).toEqual({
    ok: true,
    message: 'There.',
    problems: [],
  });
  expect(await testSource(deps, viewer, { type: 'slow', config: {} })).toMatchObject({
    ok: false,
    problems: [{ code: 'REQUIRED', path: ['config', 'host'] }],
  });
  expect(await testSource(deps, viewer, {})).toMatchObject({
    ok: false,
    problems: [{ code: 'REQUIRED', path: ['type'] }],
  });
  const destination = await createDestination(deps, viewer, { name: 'there', type: 'memory', config: {} });
  expect(destination).toMatchObject({ name: 'there', config: {}, secrets: {} });
});
