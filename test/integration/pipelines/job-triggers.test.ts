import { expect, test } from 'vitest';
import { createDestination } from '#pipelines/destinations.ts';
import { createJob, updateJob } from '#pipelines/jobs.ts';
import { runAfterInputs } from '#pipelines/run-after-inputs.ts';
import { createSource } from '#pipelines/sources.ts';
import { problemsOf } from '../../support/pipelines.ts';
import { type Ended, openTransformations } from './open-transformations.ts';

const after = { runAfterInputs: true };

/** A warehouse with jobs that read tables of it and write others there: "raw.users" to "copied.people". */
async function open() {
  const all = await openTransformations();
  const { deps, viewer } = all;
  const source = await createSource(deps, viewer, { name: 'warehouse', type: 'datastore', config: {} });
  const ends = new Map<string, string>();
  const copy = async (name: string, from: string, to: string, more: object = after) => {
    const [namespace, stream] = from.split('.') as [string, string];
    const [schema, destinationTable] = to.split('.') as [string, string];
    if (!ends.has(schema)) {
      const config = { schema };
      const end = await createDestination(deps, viewer, { name: schema, type: 'datastore', config });
      ends.set(schema, end.id);
    }
    const streams = [{ namespace, name: stream, syncMode: 'FULL_REFRESH' as const, destinationTable }];
    const ids = { sourceId: source.id, destinationId: ends.get(schema)! };
    return createJob(deps, viewer, { name, ...ids, streams, ...more });
  };
  const jobs = new Map<string, string>();
  const namesOf = async (ended: readonly Ended[]) => {
    for (const { id, name } of await deps.store.db.job.findMany()) jobs.set(id, name);
    return ended.map(
      ({ jobId, transformation, trigger, status }) =>
        `${jobId === null ? transformation?.name : jobs.get(jobId)} ${trigger} ${status}`,
    );
  };
  /** Starts what is due and runs it, until nothing is: what ran, in order. Fails when that does not end. */
  const settle = async (): Promise<string[]> => {
    const ran: string[] = [];
    while ((await runAfterInputs(deps)) > 0) {
      ran.push(...(await namesOf(await all.runWaiting())));
      if (ran.length > 20) throw new Error(`It does not end: ${ran.join(', ')}`);
    }
    return ran;
  };
  return Object.assign(all, { copy, settle });
}

test('a job that runs after its inputs starts at once when it is new, then once for each time that they are written', async () => {
  await using all = await open();
  const users = await all.job('users', 'visits');
  await users.sync();
  const { id } = await all.copy('people', 'raw.users', 'copied.people');
  expect(await all.settle()).toEqual(['people UPSTREAM SUCCEEDED']);
  await users.sync();
  const started = await Promise.all(Array.from({ length: 3 }, () => runAfterInputs(all.deps)));
  expect(started.reduce((sum, each) => sum + each, 0)).toBe(1);
  expect(await all.runWaiting()).toMatchObject([{ jobId: id, trigger: 'UPSTREAM', status: 'SUCCEEDED' }]);
  expect(await all.settle()).toEqual([]);
  await updateJob(all.deps, all.viewer, { id, active: false });
  await users.sync();
  expect(await all.settle()).toEqual([]);
  await updateJob(all.deps, all.viewer, { id, active: true });
  expect(await all.settle()).toEqual(['people UPSTREAM SUCCEEDED']);
  await updateJob(all.deps, all.viewer, { id, runAfterInputs: false });
  await users.sync();
  expect(await all.settle()).toEqual([]);
});

test('a job whose first task failed is not started again and again', async () => {
  await using all = await open();
  await (await all.job('users')).sync();
  await all.copy('people', 'raw.users', 'copied.people');
  await all.sql('DROP TABLE raw.users');
  expect(await all.settle()).toEqual(['people UPSTREAM FAILED']);
});

test('jobs and transformations set each other off in the order in which they read each other, each once', async () => {
  await using all = await open();
  const users = await all.job('users');
  await users.sync();
  const sums = { name: 'sums', sql: 'SELECT sum(id) AS n FROM copied.people', ...after };
  await all.copy('people', 'raw.users', 'copied.people');
  expect(await all.settle()).toEqual(['people UPSTREAM SUCCEEDED']);
  await all.run(await all.upsert({ ...sums, target: { schema: 'made', table: 'sums' } }));
  await all.copy('sums out', 'made.sums', 'copied.sums');
  expect(await all.settle()).toEqual(['sums out UPSTREAM SUCCEEDED']);
  await users.sync();
  expect(await all.settle()).toEqual([
    'people UPSTREAM SUCCEEDED',
    'sums UPSTREAM SUCCEEDED',
    'sums out UPSTREAM SUCCEEDED',
  ]);
});

test('a job that would start itself through others is refused, when it is made and when it is changed', async () => {
  await using all = await open();
  const { deps, viewer } = all;
  await (await all.job('users')).sync();
  await all.copy('there', 'raw.users', 'copied.people');
  await all.settle();
  // What it writes is what the first one reads.
  const back = (more: object) => all.copy('back', 'copied.people', 'raw.users', more);
  expect(await problemsOf(back(after))).toEqual(['INVALID runAfterInputs']);
  const { id } = await back({});
  expect(await problemsOf(updateJob(deps, viewer, { id, ...after }))).toEqual(['INVALID runAfterInputs']);
  const slow = await all.deps.store.db.job.findFirstOrThrow({ where: { name: 'daily sync' } });
  expect(await problemsOf(updateJob(deps, viewer, { id: slow.id, ...after }))).toEqual([
    'UNSUPPORTED runAfterInputs',
  ]);
});

test('a circle that is closed later ends with the job that would start itself', async () => {
  await using all = await open();
  await all.run(
    await all.upsert({ name: 'seed', sql: 'SELECT 1 AS id', target: { schema: 'made', table: 'one' } }),
  );
  await all.copy('there', 'made.one', 'copied.one');
  expect(await all.settle()).toEqual(['there UPSTREAM SUCCEEDED']);
  await all.upsert({ name: 'seed', sql: 'SELECT id FROM copied.one', ...after });
  await all.run({ id: (await all.deps.store.db.transformation.findFirstOrThrow()).id });
  expect(await all.settle()).toEqual([]);
  expect(await all.sql('SELECT id FROM made.one')).toEqual([[1]]);
});
