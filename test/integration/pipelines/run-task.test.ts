import { expect, test } from 'vitest';
import { ConnectorError, ColumnMisfit } from '#connectors/contract.ts';
import { cancelTask } from '#pipelines/cancel-task.ts';
import { runTask } from '#pipelines/run-task.ts';
import { startTask } from '#pipelines/start-task.ts';
import { logOf } from '../../support/pipelines.ts';
import { rowsSql } from '../../support/slow-source.ts';
import { ids, numbers, started } from '../../support/slow-task.ts';

const forever = new AbortController().signal;

test('a task moves every stream and says so in its counters, states and log', async () => {
  await using run = await started([
    {
      name: 'users',
      parts: () => [
        { id: 'a', sql: rowsSql(1, 3) },
        { id: 'b', sql: rowsSql(4, 5) },
      ],
      nextState: 5,
    },
    { name: 'orders', parts: () => [{ id: 'a', sql: rowsSql(1, 2) }] },
  ]);
  await runTask(run.deps, run.task.id, forever);
  const task = await run.now();
  expect(ids(run.tables.tables.get('users'))).toEqual([1, 2, 3, 4, 5]);
  expect(task).toMatchObject({
    status: 'SUCCEEDED',
    attempt: 1,
    rowsRead: 7n,
    rowsWritten: 7n,
    bytesRead: 300n,
    lease: null,
    errorKind: null,
  });
  expect(task.streams.map(({ status, rowsRead, checkpoint }) => [status, rowsRead, checkpoint])).toEqual([
    ['SUCCEEDED', 5n, null],
    ['SUCCEEDED', 2n, null],
  ]);
  const state = await run.deps.store.db.streamState.findMany({
    where: { jobId: run.job.id },
    orderBy: { stream: 'asc' },
  });
  expect(state).toMatchObject([
    { stream: 'orders', state: { state: null }, taskId: task.id },
    { stream: 'users', state: { state: 5 }, taskId: task.id },
  ]);
  const log = (await logOf(run.deps, task.id)).map((line) =>
    line.replaceAll(/[\d.]+ s \([\d,]+ rows\/s\)/g, 'T'),
  );
  expect(log[0]).toMatch(
    /^INFO Queued by hand: job "job .*", 2 streams from source "slow .*" to destination "memory .*"\.$/,
  );
  expect(log[1]).toMatch(/^INFO Started: reading from source/);
  expect(log[2]).toBe('INFO users: Reading 2 columns (id, name) in 2 parts, 2 at once.');
  expect(log.slice(3, 5).toSorted()).toEqual([
    expect.stringMatching(/^INFO users: part a: 3 rows, 100 B in T; part [12] of 2\.$/),
    expect.stringMatching(/^INFO users: part b: 2 rows, 100 B in T; part [12] of 2\.$/),
  ]);
  expect(log[5]).toBe('INFO users: Published 5 rows; read 5 rows, 200 B in T.');
  expect(log.at(-1)).toBe('INFO Succeeded: 2 of 2 streams published; read 7 rows, 300 B in T; wrote 7 rows.');
});

test('a task that is not waiting for a worker is not run', async () => {
  await using run = await started([{ name: 'users', parts: () => [{ id: 'a', sql: rowsSql(1, 3) }] }]);
  await Promise.all([1, 2, 3, 4].map(() => runTask(run.deps, run.task.id, forever)));
  expect(run.tables.stagedTimes.get('users a')).toBe(1);
  await runTask(run.deps, run.task.id, forever);
  expect(run.tables.stagedTimes.get('users a')).toBe(1);
});

test('a failing stream does not stop the others, and the task fails with its error', async () => {
  await using run = await started([
    {
      name: 'broken',
      parts: () => [
        {
          id: 'a',
          sql: '',
          before: () => {
            throw new ConnectorError('SOURCE', 'The table "broken" is gone.', {
              fix: 'Take it out of the job.',
            });
          },
        },
      ],
    },
    { name: 'users', parts: () => [{ id: 'a', sql: rowsSql(1, 3) }] },
  ]);
  await runTask(run.deps, run.task.id, forever);
  const task = await run.now();
  expect(task).toMatchObject({
    status: 'FAILED',
    attempt: 1,
    errorKind: 'SOURCE',
    errorMessage: 'The table "broken" is gone.',
    errorFix: 'Take it out of the job.',
    errorRetryable: false,
  });
  expect(task.streams.map((stream) => stream.status)).toEqual(['FAILED', 'SUCCEEDED']);
  expect(ids(run.tables.tables.get('users'))).toEqual([1, 2, 3]);
  expect(run.tables.abandoned).toEqual(['broken']);
});

test('a transient failure is tried three times in all, streams and parts that are done are not done again', async () => {
  let tries = 0;
  const flaky = (): void => {
    tries += 1;
    throw new ConnectorError('TRANSIENT', 'The connection was lost.');
  };
  await using run = await started([
    { name: 'done', parts: () => [{ id: 'a', sql: rowsSql(1, 3) }] },
    {
      name: 'flaky',
      parts: () => [
        { id: 'a', sql: rowsSql(1, 3) },
        { id: 'b', sql: rowsSql(4, 6), before: flaky },
      ],
    },
  ]);
  run.deps.parallel = 1;
  for (const attempt of [1, 2]) {
    await runTask(run.deps, run.task.id, forever);
    const task = await run.now();
    expect(task).toMatchObject({
      status: 'QUEUED',
      attempt: attempt + 1,
      lease: null,
      errorKind: 'TRANSIENT',
    });
    expect(task.streams.map((stream) => stream.status)).toEqual(['SUCCEEDED', 'QUEUED']);
  }
  await runTask(run.deps, run.task.id, forever);
  expect(await run.now()).toMatchObject({
    status: 'FAILED',
    attempt: 3,
    errorKind: 'TRANSIENT',
    errorRetryable: true,
  });
  expect(tries).toBe(3);
  expect(run.tables.stagedTimes).toEqual(
    new Map([
      ['done a', 1],
      ['flaky a', 1],
    ]),
  );
  expect(run.tables.abandoned).toEqual(['flaky']);
  expect((await logOf(run.deps, run.task.id)).filter((line) => line.includes('follows'))).toEqual([
    'WARN The connection was lost. Attempt 2 of 3 follows in 5.0 s.',
    'WARN The connection was lost. Attempt 3 of 3 follows in 20.0 s.',
  ]);
});

test('a transient failure that passes leaves the task succeeded, without an error', async () => {
  let tries = 0;
  await using run = await started([
    {
      name: 'users',
      parts: () => [
        {
          id: 'a',
          sql: rowsSql(1, 3),
          before: () => {
            if (++tries === 1) throw new ConnectorError('TRANSIENT', 'The connection was lost.');
          },
        },
      ],
    },
  ]);
  await runTask(run.deps, run.task.id, forever);
  await runTask(run.deps, run.task.id, forever);
  expect(await run.now()).toMatchObject({
    status: 'SUCCEEDED',
    attempt: 2,
    errorKind: null,
    errorMessage: null,
  });
});

test('a crash between publish and checkpoint neither loses nor doubles a row, APPEND included', async () => {
  let crashes = 1;
  const crash = (): void => {
    if (crashes-- > 0) throw new ConnectorError('TRANSIENT', 'The power went.');
  };
  // What the writer throws after its commit, and a marker that cannot be read right then: as if the process had died.
  await using run = await started(
    [
      {
        name: 'users',
        parts: ({ state }) => [{ id: 'a', sql: rowsSql(Number(state ?? 0) + 1, Number(state ?? 0) + 3) }],
        nextState: 3,
      },
    ],
    { afterPublish: crash },
    'INCREMENTAL',
  );
  await runTask(run.deps, run.task.id, forever);
  expect(await run.now()).toMatchObject({ status: 'SUCCEEDED', rowsRead: 3n, rowsWritten: 3n });
  const second = await startTask(run.deps, run.viewer, { jobId: run.job.id });
  await runTask(run.deps, second.task.id, forever);
  expect(ids(run.tables.tables.get('users'))).toEqual(numbers(1, 6));
});

test('a publish that the store never heard of is adopted by the next attempt, and not done again', async () => {
  await using run = await started(
    [
      {
        name: 'users',
        parts: ({ state }) => [{ id: 'a', sql: rowsSql(Number(state ?? 0) + 1, Number(state ?? 0) + 3) }],
        nextState: 3,
      },
    ],
    {},
    'INCREMENTAL',
  );
  // The destination as a worker leaves it that dies right after its publish.
  run.tables.tables.set('users', [{ id: 1n }, { id: 2n }, { id: 3n }]);
  run.tables.markers.set(`${run.job.id} users`, { taskId: run.task.id, state: run.kept(3), rowsWritten: 3n });
  await runTask(run.deps, run.task.id, forever);
  const task = await run.now();
  expect(task).toMatchObject({ status: 'SUCCEEDED', rowsWritten: 3n });
  expect(run.tables.stagedTimes.size).toBe(0);
  expect(await run.deps.store.db.streamState.findMany()).toMatchObject([
    { stream: 'users', state: run.kept(3), taskId: task.id },
  ]);
});

test('a publish of a task that never ended well is where the next task goes on, also after others that did', async () => {
  await using run = await started(
    [
      {
        name: 'users',
        parts: ({ state }) => [{ id: 'a', sql: rowsSql(Number(state ?? 0) + 1, Number(state ?? 0) + 3) }],
        nextState: 3,
      },
    ],
    {},
    'INCREMENTAL',
  );
  await runTask(run.deps, run.task.id, forever);
  const lost = await startTask(run.deps, run.viewer, { jobId: run.job.id });
  // The destination as a worker leaves it that dies right after its publish; then nobody runs the task again.
  run.tables.tables.get('users')?.push({ id: 4n }, { id: 5n }, { id: 6n });
  run.tables.markers.set(`${run.job.id} users`, {
    taskId: lost.task.id,
    state: run.kept(6),
    rowsWritten: 3n,
  });
  await cancelTask(run.deps, run.viewer, { id: lost.task.id });
  const { task } = await startTask(run.deps, run.viewer, { jobId: run.job.id });
  await runTask(run.deps, task.id, forever);
  expect(ids(run.tables.tables.get('users'))).toEqual(numbers(1, 9));
});

test('a destination that has forgotten what was published gets everything again, and the log warns', async () => {
  await using run = await started(
    [
      {
        name: 'users',
        parts: ({ state }) => [{ id: 'a', sql: rowsSql(Number(state ?? 0) + 1, 3) }],
        nextState: 3,
      },
    ],
    {},
    'INCREMENTAL',
  );
  await runTask(run.deps, run.task.id, forever);
  run.tables.tables.clear();
  run.tables.markers.clear();
  const { task } = await startTask(run.deps, run.viewer, { jobId: run.job.id });
  await runTask(run.deps, task.id, forever);
  expect(ids(run.tables.tables.get('users'))).toEqual([1, 2, 3]);
  expect((await logOf(run.deps, task.id)).filter((line) => line.startsWith('WARN'))).toEqual([
    'WARN users: The destination knows nothing of what was published before: the stream begins anew.',
  ]);
});

test('a value that does not fit begins its stream anew with the column as text, and warns once', async () => {
  let asked: string[][] = [];
  await using run = await started([
    {
      name: 'users',
      parts: ({ asText }) => {
        asked.push(asText);
        return [
          { id: 'a', sql: rowsSql(1, 3) },
          {
            id: 'b',
            sql: rowsSql(4, 6),
            before: () => {
              if (asText.length === 0) throw new ColumnMisfit('id', '1e400');
            },
          },
        ];
      },
    },
  ]);
  run.deps.parallel = 1;
  await runTask(run.deps, run.task.id, forever);
  expect(asked).toEqual([[], ['id']]);
  expect(run.tables.tables.get('users')?.map((row) => row.id)).toEqual(['1', '2', '3', '4', '5', '6']);
  expect(await run.now()).toMatchObject({ status: 'SUCCEEDED', rowsRead: 6n, rowsWritten: 6n });
  expect((await logOf(run.deps, run.task.id)).filter((line) => line.startsWith('WARN'))).toEqual([
    'WARN users: The column "id" cannot keep the value 1e400 exactly: the stream begins anew with the column as text.',
  ]);
});

test('a stream that had rows and has none now succeeds with a warning', async () => {
  let rows = 3;
  await using run = await started([
    { name: 'users', parts: () => (rows ? [{ id: 'a', sql: rowsSql(1, rows) }] : []) },
  ]);
  await runTask(run.deps, run.task.id, forever);
  rows = 0;
  const { task } = await startTask(run.deps, run.viewer, { jobId: run.job.id });
  await runTask(run.deps, task.id, forever);
  expect(run.tables.tables.get('users')).toEqual([]);
  expect((await logOf(run.deps, task.id)).filter((line) => line.startsWith('WARN'))).toEqual([
    'WARN users: The stream had rows when it was last read, and has none now.',
  ]);
});

test('what nobody expected fails the task as INTERNAL without its text, and is not tried again', async () => {
  await using run = await started([
    {
      name: 'users',
      parts: () => [
        {
          id: 'a',
          sql: '',
          before: () => {
            throw new Error('password=hunter2');
          },
        },
      ],
    },
  ]);
  run.deps.log = { ...run.deps.log, error: () => {} };
  await runTask(run.deps, run.task.id, forever);
  expect(await run.now()).toMatchObject({ status: 'FAILED', errorKind: 'INTERNAL', errorRetryable: false });
  expect(JSON.stringify([await logOf(run.deps, run.task.id), (await run.now()).errorMessage])).not.toContain(
    'hunter2',
  );
});
