import { afterAll, beforeAll, expect, test } from 'vitest';
import { logCursor } from '#pipelines/log-cursor.ts';
import { expectStatements, openTestGraphql, type TestGraphql } from '../../support/graphql.ts';
import { insertDestination, insertJob, insertLog, insertSource, insertTask } from '../../support/rows.ts';

let gql: TestGraphql;
beforeAll(async () => {
  gql = await openTestGraphql();
});
afterAll(() => gql[Symbol.asyncDispose]());

test('100 jobs with source, destination, makers, last task and its job cost four statements, as one job does', async () => {
  const carl = await gql.signUp('carl');
  const { db } = gql.app.store;
  const query = `query ($first: Int) { jobs(first: $first) { nodes {
    name createdBy { username } source { name createdBy { username } } destination { name }
    lastTask { status progress rowsRead job { name } streams { name rowsRead } } } } }`;
  const sourceId = await insertSource(db, carl, 'shop');
  const destinationId = await insertDestination(db, carl, 'lake');
  for (let number = 0; number < 100; number++) {
    const jobId = await insertJob(db, carl, { name: `job ${number}`, sourceId, destinationId });
    await insertTask(db, carl, jobId);
    await insertTask(db, carl, jobId, { rowsRead: BigInt(number) });
  }
  await expectStatements(4, async () => {
    const { jobs } = await gql.ask(carl, query, { first: 100 });
    expect(jobs.nodes.length).toBe(100);
    expect(jobs.nodes[7]).toMatchObject({
      name: 'job 7',
      createdBy: { username: 'carl' },
      source: { name: 'shop' },
      lastTask: { rowsRead: 7, job: { name: 'job 7' } },
    });
  });
  await expectStatements(4, () => gql.ask(carl, query, { first: 1 }));
});

test('the pages of many things’ lists cost two statements together, and their counts one', async () => {
  const dora = await gql.signUp('dora');
  const { db } = gql.app.store;
  const destinationId = await insertDestination(db, dora, 'lake');
  for (const source of ['one', 'two', 'three']) {
    const sourceId = await insertSource(db, dora, source);
    for (const job of ['x', 'y', 'z']) {
      const jobId = await insertJob(db, dora, { name: `${source} ${job}`, sourceId, destinationId });
      for (const status of ['SUCCEEDED', 'FAILED', 'SUCCEEDED'] as const)
        await insertTask(db, dora, jobId, { status });
    }
  }
  const query = `{ sources { nodes { name jobs(first: 2) { totalCount pageInfo { hasNextPage endCursor } nodes {
    name tasks(first: 1, status: [SUCCEEDED, RUNNING]) { totalCount pageInfo { hasNextPage hasPreviousPage } edges { node { status createdAt } } } } } } } }`;
  await expectStatements(1 + 2 + 1 + 2 + 1, async () => {
    const { sources } = await gql.ask(dora, query);
    expect(sources.nodes.map(({ name }: { name: string }) => name)).toEqual(['one', 'two', 'three']);
    for (const { name, jobs } of sources.nodes) {
      expect(jobs).toMatchObject({ totalCount: 3, pageInfo: { hasNextPage: true } });
      expect(jobs.nodes.map((job: { name: string }) => job.name)).toEqual([`${name} x`, `${name} y`]);
      for (const { tasks } of jobs.nodes) {
        expect(tasks).toMatchObject({
          totalCount: 2,
          pageInfo: { hasNextPage: true, hasPreviousPage: false },
          edges: [{ node: { status: 'SUCCEEDED' } }],
        });
      }
    }
  });
});

test('a job’s tasks page both ways, newest first, with the cursors of one job good for another', async () => {
  const finn = await gql.signUp('finn');
  const { db } = gql.app.store;
  const sourceId = await insertSource(db, finn, 's');
  const destinationId = await insertDestination(db, finn, 'd');
  const jobId = await insertJob(db, finn, { name: 'j', sourceId, destinationId });
  for (let attempt = 1; attempt <= 5; attempt++) await insertTask(db, finn, jobId, { attempt });
  const page = async (args: string) => {
    const { job } = await gql.ask(
      finn,
      `{ job(name: "j") { tasks(${args}) { nodes { attempt } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } } }`,
    );
    return {
      ...job.tasks.pageInfo,
      attempts: job.tasks.nodes.map((task: { attempt: number }) => task.attempt),
    };
  };
  const first = await page('first: 2');
  expect(first).toMatchObject({ attempts: [5, 4], hasNextPage: true, hasPreviousPage: false });
  const second = await page(`first: 2, after: "${first.endCursor}"`);
  expect(second).toMatchObject({ attempts: [3, 2], hasNextPage: true, hasPreviousPage: true });
  expect(await page('last: 2')).toMatchObject({
    attempts: [2, 1],
    hasNextPage: false,
    hasPreviousPage: true,
  });
  expect(await page(`last: 5, before: "${second.startCursor}"`)).toMatchObject({
    attempts: [5, 4],
    hasNextPage: true,
    hasPreviousPage: false,
  });
});

test('the log of a task pages both ways by seq, with filters, for many tasks in one statement', async () => {
  const gina = await gql.signUp('gina');
  const { db } = gql.app.store;
  const sourceId = await insertSource(db, gina, 's');
  const destinationId = await insertDestination(db, gina, 'd');
  const jobId = await insertJob(db, gina, { name: 'j', sourceId, destinationId });
  const other = await insertTask(db, gina, jobId);
  await insertLog(db, gina, other, ['other']);
  const taskId = await insertTask(db, gina, jobId);
  await insertLog(db, gina, taskId, [
    'Queued.',
    'Read orders: 10%',
    'warn: orders is slow',
    'Read users',
    'Done.',
  ]);
  const logs = async (args: string) => {
    const { job } = await gql.ask(
      gina,
      `{ job(name: "j") { lastTask { logs(${args}) { totalCount nodes { seq cursor message level stream } edges { cursor } pageInfo { hasNextPage hasPreviousPage endCursor } } } } }`,
    );
    const { nodes, ...rest } = job.lastTask.logs;
    return { ...rest, seqs: nodes.map((line: { seq: number }) => line.seq), nodes };
  };
  const first = await logs('first: 2');
  expect(first).toMatchObject({
    seqs: [1, 2],
    totalCount: 5,
    pageInfo: { hasNextPage: true, hasPreviousPage: false },
  });
  expect(first.edges[1].cursor).toBe(first.nodes[1].cursor);
  expect(await logs(`first: 2, after: "${first.pageInfo.endCursor}"`)).toMatchObject({
    seqs: [3, 4],
    pageInfo: { hasNextPage: true, hasPreviousPage: true },
  });
  expect(await logs('last: 2')).toMatchObject({
    seqs: [4, 5],
    pageInfo: { hasNextPage: false, hasPreviousPage: true },
  });
  expect(await logs('minLevel: WARN')).toMatchObject({ seqs: [3], totalCount: 1 });
  expect(await logs('stream: "public.orders"')).toMatchObject({ seqs: [2, 3] });
  expect(await logs('search: "10%"')).toMatchObject({ seqs: [2] });
  expect(await logs('search: "READ"')).toMatchObject({ seqs: [2, 4] });
  await expectStatements(1 + 2 + 1, () =>
    gql.ask(
      gina,
      '{ jobs { nodes { tasks { nodes { logs(first: 1) { nodes { message } pageInfo { hasNextPage } } } } } } }',
    ),
  );
});

test('a cursor far behind the last line of a log gives an empty page', async () => {
  const mona = await gql.signUp('mona');
  const { db } = gql.app.store;
  const sourceId = await insertSource(db, mona, 's');
  const destinationId = await insertDestination(db, mona, 'd');
  const taskId = await insertTask(
    db,
    mona,
    await insertJob(db, mona, { name: 'j', sourceId, destinationId }),
  );
  await insertLog(db, mona, taskId, ['one']);
  const query =
    'query ($after: String) { tasks { nodes { logs(after: $after) { nodes { seq } pageInfo { hasPreviousPage } } } } }';
  const { tasks } = await gql.ask(mona, query, { after: logCursor({ taskId, seq: 9_999_999_999 }) });
  expect(tasks.nodes).toEqual([{ logs: { nodes: [], pageInfo: { hasPreviousPage: true } } }]);
});

test('one field asked for twice with other arguments is answered for each', async () => {
  const hugo = await gql.signUp('hugo');
  const { db } = gql.app.store;
  const sourceId = await insertSource(db, hugo, 's');
  const destinationId = await insertDestination(db, hugo, 'd');
  for (const name of ['j', 'k']) {
    const jobId = await insertJob(db, hugo, { name, sourceId, destinationId });
    for (let attempt = 1; attempt <= 3; attempt++) await insertTask(db, hugo, jobId, { attempt });
  }
  const { jobs } = await gql.ask(
    hugo,
    `{ jobs { nodes { one: tasks(first: 1) { nodes { attempt } } all: tasks { totalCount nodes { attempt job { name } } } lastTask { attempt } } } }`,
  );
  for (const [index, name] of ['j', 'k'].entries()) {
    expect(jobs.nodes[index]).toEqual({
      one: { nodes: [{ attempt: 3 }] },
      all: { totalCount: 3, nodes: [3, 2, 1].map((attempt) => ({ attempt, job: { name } })) },
      lastTask: { attempt: 3 },
    });
  }
});

test('a fragment that is widened in one place and not in another gives each place what it asked for', async () => {
  const jana = await gql.signUp('jana');
  const { db } = gql.app.store;
  const sourceId = await insertSource(db, jana, 's');
  const destinationId = await insertDestination(db, jana, 'd');
  const jobId = await insertJob(db, jana, { name: 'j', sourceId, destinationId });
  await insertTask(db, jana, jobId, { rowsRead: 7n });
  const query = `{
    narrow: jobs { nodes { ...Last } }
    wide: jobs { nodes { ...Last lastTask { rowsRead job { name } } tasks { nodes { rowsRead } } } }
  }
  fragment Last on Job { lastTask { status } tasks { nodes { status } } }`;
  const status = 'SUCCEEDED';
  expect(await gql.ask(jana, query)).toEqual({
    narrow: { nodes: [{ lastTask: { status }, tasks: { nodes: [{ status }] } }] },
    wide: {
      nodes: [
        {
          lastTask: { status, rowsRead: 7, job: { name: 'j' } },
          tasks: { nodes: [{ status, rowsRead: 7 }] },
        },
      ],
    },
  });
});

test('a thing that is met many times in one answer is the same each time', async () => {
  const lena = await gql.signUp('lena');
  const { db } = gql.app.store;
  const sourceId = await insertSource(db, lena, 's');
  const destinationId = await insertDestination(db, lena, 'd');
  const jobId = await insertJob(db, lena, { name: 'j', sourceId, destinationId });
  for (let attempt = 1; attempt <= 4; attempt++) await insertTask(db, lena, jobId, { attempt });
  const { tasks } = await gql.ask(
    lena,
    `{ tasks { nodes { job { name lastTask { attempt } tasks(first: 3) { totalCount nodes { attempt } pageInfo { hasNextPage } } source { jobs { nodes { name } } } } } } }`,
  );
  expect(tasks.nodes.length).toBe(4);
  for (const { job } of tasks.nodes) {
    expect(job).toEqual({
      name: 'j',
      lastTask: { attempt: 4 },
      tasks: {
        totalCount: 4,
        nodes: [{ attempt: 4 }, { attempt: 3 }, { attempt: 2 }],
        pageInfo: { hasNextPage: true },
      },
      source: { jobs: { nodes: [{ name: 'j' }] } },
    });
  }
});
