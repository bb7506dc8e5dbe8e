import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DuckDBInstance } from '@duckdb/node-api';
import { expect, test } from 'vitest';
import { createDestination } from '#pipelines/destinations.ts';
import { createJob } from '#pipelines/jobs.ts';
import { reviveTasks } from '#pipelines/revive-tasks.ts';
import { runTask } from '#pipelines/run-task.ts';
import { createSource } from '#pipelines/sources.ts';
import { startTask } from '#pipelines/start-task.ts';
import { openTestPipelines } from '../../support/pipelines.ts';

const forever = new AbortController().signal;

/** A job from a folder of CSV files to a folder of Parquet files, that appends what is new. */
async function open() {
  const pipelines = await openTestPipelines();
  const { deps, viewer } = pipelines;
  const put = async (name: string, from: number, to: number): Promise<void> => {
    const lines = Array.from({ length: to - from + 1 }, (_, at) => `${from + at},name ${from + at}`);
    await mkdir(join(deps.filesRoot, 'in', 'users'), { recursive: true });
    await writeFile(join(deps.filesRoot, 'in', 'users', name), `id,name\n${lines.join('\n')}\n`);
  };
  await put('1.csv', 1, 1_000);
  await put('2.csv', 1_001, 2_000);
  await put('3.csv', 2_001, 3_000);
  const source = await createSource(deps, viewer, { name: 'in', type: 'files', config: { path: 'in' } });
  const destination = await createDestination(deps, viewer, {
    name: 'out',
    type: 'parquet',
    config: { path: 'out' },
  });
  const job = await createJob(deps, viewer, {
    name: 'in to out',
    sourceId: source.id,
    destinationId: destination.id,
    streams: [{ name: 'users', syncMode: 'INCREMENTAL', writeMode: 'APPEND' }],
  });
  const start = async (): Promise<string> => (await startTask(deps, viewer, { jobId: job.id })).task.id;
  const taskOf = (id: string) => deps.store.db.task.findUniqueOrThrow({ where: { id } });
  return Object.assign(pipelines, { put, start, taskOf });
}

/** Rows, different ids and their sum in all Parquet files that a reader of the table sees. */
async function tableOf(filesRoot: string): Promise<bigint[]> {
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  try {
    const reader = await connection.runAndReadAll(
      `SELECT count(*), count(DISTINCT id), sum(id)::BIGINT FROM read_parquet('${filesRoot}/out/users/*.parquet')`,
    );
    return (reader.getRowsJS()[0] ?? []).map((value) => value as bigint);
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

const sumTo = (last: bigint): bigint[] => [last, last, (last * (last + 1n)) / 2n];

test('new files are appended by each task, those taken before are not', async () => {
  await using pipelines = await open();
  const { deps, put, start, taskOf } = pipelines;
  const first = await start();
  await runTask(deps, first, forever);
  expect(await taskOf(first)).toMatchObject({ status: 'SUCCEEDED', rowsRead: 3_000n, rowsWritten: 3_000n });
  expect(await tableOf(deps.filesRoot)).toEqual(sumTo(3_000n));
  await put('4.csv', 3_001, 4_000);
  const second = await start();
  await runTask(deps, second, forever);
  expect(await taskOf(second)).toMatchObject({ status: 'SUCCEEDED', rowsRead: 1_000n, rowsWritten: 1_000n });
  const third = await start();
  await runTask(deps, third, forever);
  expect(await taskOf(third)).toMatchObject({ status: 'SUCCEEDED', rowsRead: 0n, rowsWritten: 0n });
  expect(await tableOf(deps.filesRoot)).toEqual(sumTo(4_000n));
});

test.each(['staged', 'published'])(
  'a process that is killed right after it has %s neither loses nor doubles a row, and neither do the tasks after it',
  async (seam) => {
    await using pipelines = await open();
    const { deps, put, start, taskOf } = pipelines;
    const taskId = await start();
    const worker = spawn(
      process.execPath,
      [
        fileURLToPath(new URL('./dying-worker.ts', import.meta.url)),
        pipelines.databaseUrl,
        join(deps.filesRoot, 'home-of-the-dying'),
        deps.filesRoot,
        taskId,
        seam,
      ],
      { stdio: ['ignore', 'inherit', 'inherit'] },
    );
    const [, signal] = await once(worker, 'exit');
    expect(signal).toBe('SIGKILL');
    expect(await taskOf(taskId)).toMatchObject({ status: 'RUNNING', attempt: 1 });
    // Ten seconds later.
    await deps.store.db.task.update({
      where: { id: taskId },
      data: { heartbeatAt: new Date(Date.now() - 11_000) },
    });
    expect(await reviveTasks(deps)).toBe(1);
    await runTask(deps, taskId, forever);
    expect(await taskOf(taskId)).toMatchObject({ status: 'SUCCEEDED', attempt: 2, rowsWritten: 3_000n });
    expect(await tableOf(deps.filesRoot)).toEqual(sumTo(3_000n));
    await put('4.csv', 3_001, 4_000);
    await runTask(deps, await start(), forever);
    expect(await tableOf(deps.filesRoot)).toEqual(sumTo(4_000n));
  },
);
