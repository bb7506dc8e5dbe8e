import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Viewer } from '#accounts/viewer.ts';
import { newId } from '#base/id.ts';
import { globalId } from '#graphql/global-id.ts';
import { writeTask } from '#pipelines/write-task.ts';
import {
  type Answer,
  openTestGraphql,
  statementsDuring,
  type TestGraphql,
  type Variables,
} from '../../support/graphql.ts';
import { insertDestination, insertJob, insertLog, insertSource, insertTask } from '../../support/rows.ts';

let gql: TestGraphql;
let ada: Viewer;

beforeAll(async () => {
  gql = await openTestGraphql();
  ada = await gql.signUp('ada');
});
afterAll(() => gql[Symbol.asyncDispose]());

/** A task of a job of its own: a job has one that lives. */
async function newTask(
  task: { status: 'RUNNING'; finishedAt: null } | Record<string, never> = {},
): Promise<string> {
  const { db } = gql.app.store;
  const sourceId = await insertSource(db, ada, newId());
  const destinationId = await insertDestination(db, ada, newId());
  const jobId = await insertJob(db, ada, { name: newId(), sourceId, destinationId });
  return insertTask(db, ada, jobId, task);
}

const running = { status: 'RUNNING', finishedAt: null } as const;

/** Writes lines to the task's log and changes it, as its worker does. */
async function write(taskId: string, messages: string[], status?: 'SUCCEEDED'): Promise<void> {
  const at = new Date();
  const lines = messages.map((message) => ({ at, level: 'INFO' as const, stream: null, message }));
  await gql.app.store.db.$transaction((tx) =>
    writeTask(tx, { taskId, from: ['RUNNING'], set: status ? { status, finishedAt: at } : {}, lines }),
  );
}

/** Collects the answers of a subscription until it ends. */
function collect(
  query: string,
  variables: Variables,
  signal?: AbortSignal,
): { answers: Answer[]; ended: Promise<void> } {
  const answers: Answer[] = [];
  const ended = (async () => {
    for await (const answer of gql.follow(ada, query, variables, signal)) answers.push(answer);
  })();
  return { answers, ended };
}

async function until(what: string, condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`Waited 10 s in vain: ${what}`);
    await wait(10);
  }
}

const logs = `subscription ($taskId: ID!, $after: String, $minLevel: LogLevel) {
  taskLogs(taskId: $taskId, after: $after, minLevel: $minLevel) { cursor caughtUp lines { seq cursor message level at stream } } }`;

test('taskUpdated gives the task now, again at its changes, and ends with it', async () => {
  const taskId = await newTask(running);
  const query =
    'subscription ($taskId: ID!) { taskUpdated(taskId: $taskId) { id status canCancel job { name } } }';
  const { answers, ended } = collect(query, { taskId: globalId('Task', taskId) });
  await until('the task as it is now', () => answers.length === 1);
  await write(taskId, ['Done.'], 'SUCCEEDED');
  await ended;
  expect(answers.flatMap((answer) => answer.errors)).toEqual([]);
  expect(answers.map((answer) => answer.data?.taskUpdated.status)).toEqual(['RUNNING', 'SUCCEEDED']);
  expect(answers.at(-1)?.data?.taskUpdated).toMatchObject({
    canCancel: false,
    job: { name: expect.any(String) },
  });
});

test('taskLogs gives history, then what comes, each line once, and ends with the task', async () => {
  const taskId = await newTask(running);
  await insertLog(gql.app.store.db, ada, taskId, ['one', 'two', 'warn: three']);
  const { answers, ended } = collect(logs, { taskId: globalId('Task', taskId) });
  const seqs = () =>
    answers.flatMap((answer) => answer.data?.taskLogs.lines.map((line: { seq: number }) => line.seq));
  await until('history', () => answers.some((answer) => answer.data?.taskLogs.caughtUp));
  await write(taskId, ['four', 'five']);
  await until('the live lines', () => seqs().length === 5);
  await write(taskId, ['six'], 'SUCCEEDED');
  await ended;
  expect(seqs()).toEqual([1, 2, 3, 4, 5, 6]);

  const third = answers.flatMap((answer) => answer.data?.taskLogs.lines)[2];
  const resumed = collect(logs, { taskId: globalId('Task', taskId), after: third.cursor });
  await resumed.ended;
  expect(
    resumed.answers.flatMap((answer) => answer.data?.taskLogs.lines.map((line: { seq: number }) => line.seq)),
  ).toEqual([4, 5, 6]);

  const warnings = collect(logs, { taskId: globalId('Task', taskId), minLevel: 'WARN' });
  await warnings.ended;
  expect(
    warnings.answers.flatMap((answer) =>
      answer.data?.taskLogs.lines.map((line: { seq: number }) => line.seq),
    ),
  ).toEqual([3]);
});

test('a page of logs and a subscription resume at each other’s cursors', async () => {
  const taskId = await newTask();
  await insertLog(gql.app.store.db, ada, taskId, ['one', 'two', 'three']);
  const id = globalId('Task', taskId);
  const page = await gql.ask(
    ada,
    'query ($id: ID!) { task(id: $id) { logs(first: 1) { pageInfo { endCursor } } } }',
    { id },
  );
  const { answers, ended } = collect(logs, { taskId: id, after: page.task.logs.pageInfo.endCursor });
  await ended;
  expect(
    answers.flatMap((answer) => answer.data?.taskLogs.lines.map((line: { seq: number }) => line.seq)),
  ).toEqual([2, 3]);
  const after = answers[0]?.data?.taskLogs.lines[0].cursor;
  const rest = await gql.ask(
    ada,
    'query ($id: ID!, $after: String) { task(id: $id) { logs(after: $after) { nodes { seq } } } }',
    { id, after },
  );
  expect(rest.task.logs.nodes).toEqual([{ seq: 3 }]);
});

test('a cursor of another task is refused with BAD_USER_INPUT', async () => {
  const one = await newTask();
  const other = await newTask();
  await insertLog(gql.app.store.db, ada, one, ['one']);
  const { task } = await gql.ask(ada, 'query ($id: ID!) { task(id: $id) { logs { nodes { cursor } } } }', {
    id: globalId('Task', one),
  });
  const { answers, ended } = collect(
    logs,
    { taskId: globalId('Task', other), after: task.logs.nodes[0].cursor },
    AbortSignal.timeout(5_000),
  );
  await ended.catch(() => {});
  expect(answers[0]?.errors.map((error) => error.extensions.code)).toEqual(['BAD_USER_INPUT']);
});

test('followers at the live edge are given the very same batch, and resolving it makes no statement', async () => {
  const taskId = await newTask(running);
  const followers = Array.from({ length: 12 }, () => collect(logs, { taskId: globalId('Task', taskId) }));
  await until('everyone to have caught up', () =>
    followers.every(({ answers }) => answers.some((answer) => answer.data?.taskLogs.caughtUp)),
  );
  let fewest: string[] | undefined;
  // The fewest of some turns: the look that makes up for lost notices may fall into one of them.
  for (const line of ['one line', 'another', 'a third']) {
    const made = await statementsDuring(async () => {
      await write(taskId, [line]);
      await until('everyone to have the line', () =>
        followers.every(({ answers }) => answers.at(-1)?.data?.taskLogs.lines.at(-1)?.message === line),
      );
    });
    const reads = made
      .map(({ text }) => text)
      .filter((text) => /task_log/.test(text) && !/INSERT/i.test(text));
    if (fewest === undefined || reads.length < fewest.length) fewest = reads;
  }
  expect(fewest?.length, fewest?.join('\n')).toBeLessThanOrEqual(1);
  await write(taskId, ['Done.'], 'SUCCEEDED');
  await Promise.all(followers.map(({ ended }) => ended));
});

test('whoever leaves is let go at once, though nothing happens', async () => {
  const taskId = await newTask(running);
  const taskIdOf = { taskId: globalId('Task', taskId) };
  for (const [query, variables] of [
    ['subscription ($taskId: ID!) { taskUpdated(taskId: $taskId) { id } }', taskIdOf],
    ['subscription { tasksUpdated { id } }', {}],
    [logs, taskIdOf],
  ] as const) {
    const leaving = new AbortController();
    const { ended } = collect(query, variables, leaving.signal);
    await wait(50);
    leaving.abort();
    await Promise.race([ended, wait(2_000).then(() => Promise.reject(new Error('It did not end.')))]);
  }
});
