import { expect, test } from 'vitest';
import { InputError } from '#base/errors.ts';
import { cancelTask } from '#pipelines/cancel-task.ts';
import { followTask, followTasks } from '#pipelines/follow-task.ts';
import { runTask } from '#pipelines/run-task.ts';
import { startTask } from '#pipelines/start-task.ts';
import { memoryDestination, memoryTables } from '../../support/memory-destination.ts';
import { createProject, createSlowJob, logOf, openTestPipelines } from '../../support/pipelines.ts';
import { rowsSql, slowSource } from '../../support/slow-source.ts';
import { eventually } from '../../support/gateway.ts';

const forever = new AbortController().signal;

async function open() {
  const pipelines = await openTestPipelines({
    source: slowSource(() => [{ name: 'users', parts: () => [{ id: 'a', sql: rowsSql(1, 3) }] }]),
    destination: memoryDestination(memoryTables()),
  });
  const job = await createSlowJob(pipelines, { streams: [{ name: 'users', syncMode: 'FULL_REFRESH' }] });
  return Object.assign(pipelines, { job });
}

/** The work items that wait, by the task they are for. */
async function itemsFor(pipelines: Awaited<ReturnType<typeof open>>, taskId: string): Promise<number> {
  const [row] = await pipelines.deps.store.db.$queryRaw<{ count: number }[]>`
    SELECT count(*)::int AS count FROM pgboss.job WHERE data->>'taskId' = ${taskId} AND state = 'created'`;
  return row?.count ?? 0;
}

test('a task, its streams, its first line and its work item are made together', async () => {
  await using pipelines = await open();
  const { deps, viewer, job } = pipelines;
  const { task, problems } = await startTask(deps, viewer, { jobId: job.id });
  expect(problems).toEqual([]);
  expect(task).toMatchObject({
    status: 'QUEUED',
    kind: 'SYNC',
    trigger: 'MANUAL',
    attempt: 1,
    lastSeq: 1,
    startedAt: null,
  });
  expect(await deps.store.db.taskStream.findMany({ where: { taskId: task.id } })).toMatchObject([
    { name: 'users', status: 'QUEUED' },
  ]);
  expect(await logOf(deps, task.id)).toHaveLength(1);
  expect(await itemsFor(pipelines, task.id)).toBe(1);
});

test('of many starts at once one makes a task, the others are told of it', async () => {
  await using pipelines = await open();
  const { deps, viewer, job } = pipelines;
  const starts = await Promise.all(
    Array.from({ length: 8 }, () => startTask(deps, viewer, { jobId: job.id })),
  );
  expect(new Set(starts.map((start) => start.task.id)).size).toBe(1);
  expect(starts.map((start) => start.problems[0]?.code ?? 'started').toSorted()).toEqual([
    ...Array.from({ length: 7 }, () => 'ALREADY_RUNNING'),
    'started',
  ]);
  expect(await deps.store.db.task.count()).toBe(1);
});

test('the same idempotency key gives the same task again, even when it has ended', async () => {
  await using pipelines = await open();
  const { deps, viewer, job } = pipelines;
  const input = { jobId: job.id, idempotencyKey: 'one' };
  const first = await startTask(deps, viewer, input);
  await runTask(deps, first.task.id, forever);
  expect(await startTask(deps, viewer, input)).toMatchObject({
    task: { id: first.task.id, status: 'SUCCEEDED' },
    problems: [],
  });
  expect((await startTask(deps, viewer, { jobId: job.id })).task.id).not.toBe(first.task.id);
});

test('a task that waits is canceled at once, is not run any more, and leaves room for another', async () => {
  await using pipelines = await open();
  const { deps, viewer, job } = pipelines;
  const { task } = await startTask(deps, viewer, { jobId: job.id });
  const canceled = await cancelTask(deps, viewer, { id: task.id });
  expect(canceled).toMatchObject({ status: 'CANCELED', errorKind: 'CANCELED', startedAt: null });
  expect(canceled.finishedAt).not.toBeNull();
  await runTask(deps, task.id, forever);
  expect(await deps.store.db.task.findUniqueOrThrow({ where: { id: task.id } })).toMatchObject({
    status: 'CANCELED',
  });
  expect(await deps.store.db.taskStream.findMany({ where: { taskId: task.id } })).toMatchObject([
    { status: 'CANCELED' },
  ]);
  await expect(cancelTask(deps, viewer, { id: task.id })).rejects.toMatchObject({
    problems: [{ code: 'NOT_CANCELLABLE' }],
  });
  expect((await startTask(deps, viewer, { jobId: job.id })).problems).toEqual([]);
});

test("another project's job and task are as unknown as ones that never were", async () => {
  await using pipelines = await open();
  const { deps, viewer, job } = pipelines;
  const { task } = await startTask(deps, viewer, { jobId: job.id });
  const foreign = await createProject(deps);
  const notFound = { problems: [{ code: 'NOT_FOUND', path: ['id'] }] };
  await expect(startTask(deps, foreign, { jobId: job.id })).rejects.toMatchObject(notFound);
  await expect(cancelTask(deps, foreign, { id: task.id })).rejects.toMatchObject(notFound);
  await expect(startTask(deps, foreign, { jobId: job.id })).rejects.toBeInstanceOf(InputError);
  const { projectId } = foreign;
  const signal = forever;
  await expect(followTask(deps, { projectId, taskId: task.id, signal }).next()).rejects.toMatchObject({
    code: 'NOT_FOUND',
  });
  await expect(followTasks(deps, { projectId, jobId: job.id, signal }).next()).rejects.toMatchObject({
    code: 'NOT_FOUND',
  });
});

test('followers of a task hear of it now, at its changes and at its end; those of a job or project of every task', async () => {
  await using pipelines = await open();
  const { deps, viewer, job } = pipelines;
  const { projectId } = viewer;
  const stop = new AbortController();
  const heard = { job: [] as string[], project: [] as string[], foreign: [] as string[] };
  const foreign = await createProject(deps);
  const collect = async (into: string[], ticks: AsyncIterable<{ taskId: string }>): Promise<void> => {
    for await (const { taskId } of ticks) into.push(taskId);
  };
  const following = [
    collect(heard.job, followTasks(deps, { projectId, jobId: job.id, signal: stop.signal })),
    collect(heard.project, followTasks(deps, { projectId, jobId: null, signal: stop.signal })),
    collect(
      heard.foreign,
      followTasks(deps, { projectId: foreign.projectId, jobId: null, signal: stop.signal }),
    ),
  ];
  const { task } = await startTask(deps, viewer, { jobId: job.id });
  const ticks: string[] = [];
  const one = collect(ticks, followTask(deps, { projectId, taskId: task.id, signal: forever }));
  await eventually('the first tick', async () => ticks.length > 0 || undefined);
  await runTask(deps, task.id, forever);
  await one;
  expect(ticks.length).toBeGreaterThan(1);
  await eventually('the others', async () => (heard.job.length > 1 && heard.project.length > 1) || undefined);
  stop.abort();
  await Promise.all(following);
  expect(new Set([...heard.job, ...heard.project])).toEqual(new Set([task.id]));
  expect(heard.foreign).toEqual([]);
});
