import { expect, test } from 'vitest';
import type { Json } from '#connectors/contract.ts';
import { createDestination } from '#pipelines/destinations.ts';
import { createJob, deleteJob, setJobActive, updateJob } from '#pipelines/jobs.ts';
import { runSchedules } from '#pipelines/run-schedules.ts';
import { runTask } from '#pipelines/run-task.ts';
import { createSource } from '#pipelines/sources.ts';
import { startTask } from '#pipelines/start-task.ts';
import { memoryDestination, memoryTables } from '../../support/memory-destination.ts';
import {
  createProject,
  createSlowJob,
  logOf,
  openTestPipelines,
  problemsOf,
} from '../../support/pipelines.ts';
import { rowsSql, slowSource, type SlowStream } from '../../support/slow-source.ts';

const forever = new AbortController().signal;

async function open(options: { now?(): Date; databaseUrl?: string } = {}) {
  const states: (Json | null)[] = [];
  const streams: SlowStream[] = ['users', 'orders'].map((name) => ({
    name,
    nextState: 3,
    parts: ({ state }) => {
      states.push(state);
      return [{ id: 'a', sql: rowsSql(1, 3) }];
    },
  }));
  const tables = memoryTables();
  const pipelines = await openTestPipelines({
    source: slowSource(() => streams),
    destination: memoryDestination(tables),
    ...options,
  });
  return Object.assign(pipelines, { states, tables });
}

const users = { name: 'users', syncMode: 'FULL_REFRESH' } as const;
const usersSince = { name: 'users', syncMode: 'INCREMENTAL', cursorField: 'id' } as const;

test('a job is made with every default, active, with its next run', async () => {
  await using pipelines = await open({ now: () => new Date('2026-11-21T09:00:00Z') });
  const job = await createSlowJob(pipelines, {
    streams: [users, { ...usersSince, name: 'orders' }],
    schedule: { cron: '30 2 * * *', timeZone: 'Europe/Berlin' },
  });
  expect(job).toMatchObject({ active: true, revision: 1, cron: '30 2 * * *', timeZone: 'Europe/Berlin' });
  expect(job.nextRunAt?.toISOString()).toBe('2026-11-22T01:30:00.000Z');
  expect(job.streams).toMatchObject([
    {
      name: 'users',
      namespace: null,
      writeMode: 'OVERWRITE',
      primaryKey: ['id'],
      destinationTable: 'users',
      selectedColumns: null,
    },
    { name: 'orders', writeMode: 'UPSERT', cursorField: 'id' },
  ]);
});

test('every problem of a job comes at once', async () => {
  await using pipelines = await open();
  const { deps, viewer } = pipelines;
  const foreign = await createProject(deps);
  const theirs = await createSource(deps, foreign, { name: 'theirs', type: 'slow', config: { host: 'x' } });
  const destination = await createDestination(deps, viewer, { name: 'there', type: 'memory', config: {} });
  const source = await createSource(deps, viewer, { name: 'here', type: 'slow', config: { host: 'x' } });
  const input = {
    name: '',
    destinationId: destination.id,
    streams: [users],
    schedule: { cron: 'x', timeZone: 'y' },
  };
  expect(await problemsOf(createJob(deps, viewer, { ...input, sourceId: theirs.id }))).toEqual([
    'REQUIRED name',
    'INVALID schedule.timeZone',
    'INVALID schedule.cron',
    'NOT_FOUND sourceId',
  ]);
  const streams = [{ ...users, name: 'usres' }, usersSince];
  expect(await problemsOf(createJob(deps, viewer, { ...input, sourceId: source.id, streams }))).toEqual([
    'REQUIRED name',
    'INVALID schedule.timeZone',
    'INVALID schedule.cron',
    'NOT_FOUND streams.0.name',
  ]);
});

test('a schedule that is taken away, turned off or on again changes the next run with it', async () => {
  await using pipelines = await open({ now: () => new Date('2026-11-21T09:00:00Z') });
  const { deps, viewer } = pipelines;
  const { id } = await createSlowJob(pipelines, { streams: [users], schedule: { cron: '0 10 * * *' } });
  const nextRunAt = async (change: object) =>
    (await updateJob(deps, viewer, { id, ...change })).nextRunAt?.toISOString() ?? null;
  expect(await nextRunAt({ schedule: { cron: '0 11 * * *' } })).toBe('2026-11-21T11:00:00.000Z');
  expect((await setJobActive(deps, viewer, { id, active: false })).nextRunAt).toBeNull();
  expect(await nextRunAt({ active: true })).toBe('2026-11-21T11:00:00.000Z');
  expect(await nextRunAt({ schedule: null })).toBeNull();
  expect(await nextRunAt({ name: 'other' })).toBeNull();
});

test('a change that is not of the schedule leaves a run that is due to be made up', async () => {
  let now = new Date('2026-11-21T09:00:00Z');
  await using pipelines = await open({ now: () => now });
  const { deps, viewer } = pipelines;
  const { id } = await createSlowJob(pipelines, { streams: [users], schedule: { cron: '0 10 * * *' } });
  now = new Date('2026-11-21T10:00:01Z');
  await updateJob(deps, viewer, { id, name: 'other' });
  expect(await runSchedules(deps)).toBe(1);
});

test('an update under an old revision is refused, and of two at once one goes through', async () => {
  await using pipelines = await open();
  const { deps, viewer } = pipelines;
  const { id } = await createSlowJob(pipelines, { streams: [users] });
  await updateJob(deps, viewer, { id, name: 'one', expectedRevision: 1 });
  expect(await problemsOf(updateJob(deps, viewer, { id, name: 'two', expectedRevision: 1 }))).toEqual([
    'CONFLICT expectedRevision',
  ]);
  const both = await Promise.allSettled(
    ['a', 'b'].map((name) => updateJob(deps, viewer, { id, name, expectedRevision: 2 })),
  );
  expect(both.map((each) => each.status).toSorted()).toEqual(['fulfilled', 'rejected']);
});

test('a stream goes on where it was, unless what is read or where it is written has changed', async () => {
  await using pipelines = await open();
  const { deps, viewer, states } = pipelines;
  const job = await createSlowJob(pipelines, { streams: [usersSince] });
  const stateOfNextRun = async (): Promise<Json | null | undefined> => {
    const { task } = await startTask(deps, viewer, { jobId: job.id });
    await runTask(deps, task.id, forever);
    return states.at(-1);
  };
  const change = (streams: object) =>
    updateJob(deps, viewer, { id: job.id, streams: [{ ...usersSince, ...streams }] });
  expect(await stateOfNextRun()).toBeNull();
  expect(await stateOfNextRun()).toBe(3);
  await change({ writeMode: 'APPEND' });
  expect(await stateOfNextRun()).toBe(3);
  await change({ destinationTable: 'people' });
  expect(await stateOfNextRun()).toBeNull();
  expect(await stateOfNextRun()).toBe(3);
  await change({ syncMode: 'FULL_REFRESH', destinationTable: 'people' });
  expect(await stateOfNextRun()).toBeNull();
  await change({ destinationTable: 'people' });
  expect(await stateOfNextRun()).toBeNull();
  expect(await stateOfNextRun()).toBe(3);
  const destination = await createDestination(deps, viewer, {
    name: 'elsewhere',
    type: 'memory',
    config: {},
  });
  await updateJob(deps, viewer, { id: job.id, destinationId: destination.id });
  expect(await stateOfNextRun()).toBeNull();
});

test('a job that is changed while its task waits does not take the state of another table for its own', async () => {
  await using pipelines = await open();
  const { deps, viewer, states, tables } = pipelines;
  const job = await createSlowJob(pipelines, { streams: [usersSince] });
  const run = async (change?: object): Promise<void> => {
    const { task } = await startTask(deps, viewer, { jobId: job.id });
    if (change) await updateJob(deps, viewer, { id: job.id, streams: [{ ...usersSince, ...change }] });
    await runTask(deps, task.id, forever);
  };
  await run();
  await run({ destinationTable: 'people' });
  await run();
  expect(states).toEqual([null, null, 3]);
  expect(tables.tables.get('people')).toHaveLength(3);
});

test('deleting a job cancels its task, frees its name and its ends, and stops its schedule', async () => {
  let now = new Date('2026-11-21T09:00:00Z');
  await using pipelines = await open({ now: () => now });
  const { deps, viewer } = pipelines;
  const job = await createSlowJob(pipelines, {
    name: 'nightly',
    streams: [users],
    schedule: { cron: '0 10 * * *' },
  });
  const { task } = await startTask(deps, viewer, { jobId: job.id });
  await deleteJob(deps, viewer, { id: job.id });
  expect(await deps.store.db.task.findUniqueOrThrow({ where: { id: task.id } })).toMatchObject({
    status: 'CANCELED',
  });
  now = new Date('2026-11-21T12:00:00Z');
  expect(await runSchedules(deps)).toBe(0);
  await createSlowJob(pipelines, { name: 'nightly', streams: [users] });
  expect(await problemsOf(deleteJob(deps, viewer, { id: job.id }))).toEqual(['NOT_FOUND id']);
  expect(await problemsOf(startTask(deps, viewer, { jobId: job.id }))).toEqual(['NOT_FOUND id']);
});

test('missed runs of a schedule are made up by one task, and the next run is the next to come', async () => {
  let now = new Date('2026-11-21T09:00:00Z');
  await using pipelines = await open({ now: () => now });
  const { deps } = pipelines;
  const job = await createSlowJob(pipelines, { streams: [users], schedule: { cron: '0 * * * *' } });
  expect(await runSchedules(deps)).toBe(0);
  now = new Date('2026-11-23T15:30:00Z');
  expect(await runSchedules(deps)).toBe(1);
  expect(await runSchedules(deps)).toBe(0);
  const tasks = await deps.store.db.task.findMany({ where: { jobId: job.id } });
  expect(tasks).toMatchObject([{ trigger: 'SCHEDULE', status: 'QUEUED' }]);
  const after = await deps.store.db.job.findUniqueOrThrow({ where: { id: job.id } });
  expect(after.nextRunAt?.toISOString()).toBe('2026-11-23T16:00:00.000Z');
  expect((await logOf(deps, tasks[0]?.id ?? ''))[0]).toContain('Queued by its schedule');
});

test('a job that is due in several processes is started by one of them', async () => {
  let now = new Date('2026-11-21T09:00:00Z');
  await using one = await open({ now: () => now });
  await using other = await open({ now: () => now, databaseUrl: one.databaseUrl });
  const jobs = await Promise.all(
    Array.from({ length: 5 }, () =>
      createSlowJob(one, { streams: [users], schedule: { cron: '* * * * *' } }),
    ),
  );
  now = new Date('2026-11-21T09:01:10Z');
  const runs = await Promise.all([one, other, one, other].map((each) => runSchedules(each.deps)));
  expect(runs.reduce((sum, run) => sum + run, 0)).toBe(5);
  for (const { id } of jobs) expect(await one.deps.store.db.task.count({ where: { jobId: id } })).toBe(1);
});

test('a job that is due while its task still runs is passed over, and its log says so', async () => {
  let now = new Date('2026-11-21T09:00:00Z');
  await using pipelines = await open({ now: () => now });
  const { deps, viewer } = pipelines;
  const job = await createSlowJob(pipelines, { streams: [users], schedule: { cron: '* * * * *' } });
  const { task } = await startTask(deps, viewer, { jobId: job.id });
  now = new Date('2026-11-21T09:05:00Z');
  expect(await runSchedules(deps)).toBe(1);
  expect(await deps.store.db.task.count({ where: { jobId: job.id } })).toBe(1);
  expect((await logOf(deps, task.id)).at(-1)).toBe(
    'WARN The job was due by its schedule; this task of it still runs, so that time is passed over.',
  );
  expect(
    (await deps.store.db.job.findUniqueOrThrow({ where: { id: job.id } })).nextRunAt?.toISOString(),
  ).toBe('2026-11-21T09:06:00.000Z');
});

test('a job that was turned off is not started', async () => {
  let now = new Date('2026-11-21T09:00:00Z');
  await using pipelines = await open({ now: () => now });
  const { deps, viewer } = pipelines;
  const job = await createSlowJob(pipelines, { streams: [users], schedule: { cron: '* * * * *' } });
  await setJobActive(deps, viewer, { id: job.id, active: false });
  now = new Date('2026-11-22T09:00:00Z');
  expect(await runSchedules(deps)).toBe(0);
});
