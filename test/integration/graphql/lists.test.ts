import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Viewer } from '#accounts/viewer.ts';
import { createdOrder } from '#graphql/created-order.ts';
import { logCursor } from '#pipelines/log-cursor.ts';
import {
  type Data,
  expectStatements,
  openTestGraphql,
  statementsOf,
  type TestGraphql,
} from '../../support/graphql.ts';
import { insertDestination, insertJob, insertLog, insertSource, insertTask } from '../../support/rows.ts';

let gql: TestGraphql;
let ada: Viewer;
const sourceNames = Array.from({ length: 7 }, (_, index) => `source ${index}`);

beforeAll(async () => {
  gql = await openTestGraphql();
  ada = await gql.signUp('ada');
  for (const name of sourceNames) await insertSource(gql.app.store.db, ada, name);
});
afterAll(() => gql[Symbol.asyncDispose]());

const sourcesPage = `query ($first: Int, $after: String, $last: Int, $before: String, $search: String) {
  sources(first: $first, after: $after, last: $last, before: $before, search: $search) {
    totalCount nodes { name } edges { cursor node { name } }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }`;

test('walking forward and walking backward meet every thing once, in one order', async () => {
  const forward: string[] = [];
  for (let after: string | null = null; ;) {
    const { sources } = await gql.ask(ada, sourcesPage, { first: 3, after });
    expect(sources.totalCount).toBe(7);
    expect(sources.nodes).toEqual(sources.edges.map((edge: { node: unknown }) => edge.node));
    forward.push(...sources.nodes.map(({ name }: { name: string }) => name));
    expect(sources.pageInfo.hasPreviousPage).toBe(after !== null);
    if (!sources.pageInfo.hasNextPage) break;
    after = sources.pageInfo.endCursor;
  }
  expect(forward).toEqual(sourceNames);

  const backward: string[] = [];
  for (let before: string | null = null; ;) {
    const { sources } = await gql.ask(ada, sourcesPage, { last: 3, before });
    backward.unshift(...sources.nodes.map(({ name }: { name: string }) => name));
    expect(sources.pageInfo.hasNextPage).toBe(before !== null);
    if (!sources.pageInfo.hasPreviousPage) break;
    before = sources.pageInfo.startCursor;
  }
  expect(backward).toEqual(sourceNames);
});

test('hasPreviousPage is false when what stood before the cursor is gone, and cursors outlive their row', async () => {
  const { db } = gql.app.store;
  const gone = await insertSource(db, ada, 'to be deleted');
  const { sources } = await gql.ask(ada, sourcesPage, { last: 1 });
  await db.source.update({ where: { id: gone }, data: { deletedAt: new Date() } });
  const { sources: rest } = await gql.ask(ada, sourcesPage, { after: sources.pageInfo.endCursor });
  expect(rest).toMatchObject({ nodes: [], pageInfo: { hasNextPage: false, hasPreviousPage: true } });
  const { sources: before } = await gql.ask(ada, sourcesPage, {
    last: 2,
    before: sources.pageInfo.endCursor,
  });
  expect(before).toMatchObject({
    nodes: [{ name: 'source 5' }, { name: 'source 6' }],
    pageInfo: { hasNextPage: false },
  });
});

test('rows of the same millisecond are paged by their ids', async () => {
  const eve = await gql.signUp('eve');
  const { db } = gql.app.store;
  for (const name of ['a', 'b', 'c', 'd', 'e']) await insertSource(db, eve, name);
  await db.source.updateMany({ where: { projectId: eve.projectId }, data: { createdAt: new Date(0) } });
  const { sources: one } = await gql.ask(eve, sourcesPage, { first: 2 });
  const { sources: two } = await gql.ask(eve, sourcesPage, { first: 2, after: one.pageInfo.endCursor });
  const { sources: three } = await gql.ask(eve, sourcesPage, { first: 2, after: two.pageInfo.endCursor });
  expect([one, two, three].flatMap((page) => page.nodes.map(({ name }: { name: string }) => name))).toEqual([
    'a',
    'b',
    'c',
    'd',
    'e',
  ]);
});

test('search finds text anywhere in a name, in any case, and its wildcards mean themselves', async () => {
  const bob = await gql.signUp('bob');
  const { db } = gql.app.store;
  for (const name of ['100% Shop', '1000 shops', 'a_b', 'aXb', 'back\\slash'])
    await insertSource(db, bob, name);
  const found = async (search: string | null) => {
    const { sources } = await gql.ask(bob, sourcesPage, { search });
    return sources.nodes.map(({ name }: { name: string }) => name);
  };
  expect(await found('SHOP')).toEqual(['100% Shop', '1000 shops']);
  expect(await found('0%')).toEqual(['100% Shop']);
  expect(await found('a_b')).toEqual(['a_b']);
  expect(await found('k\\s')).toEqual(['back\\slash']);
  expect((await found('')).length).toBe(5);
});

test.each([
  { first: 101 },
  { last: 101 },
  { first: -1 },
  { first: 1, last: 1 },
  { after: 'garbage' },
  { before: Buffer.from('task_newest|0|01a0b1c2-d3e4-7f50-8a1b-2c3d4e5f6071').toString('base64url') },
])('%j is refused with BAD_USER_INPUT', async (args) => {
  const { errors } = await gql.answer(ada, sourcesPage, args);
  expect(errors.map((error) => error.extensions.code)).toEqual(['BAD_USER_INPUT']);
});

test('only what is asked for is read: no count without totalCount, no rows without edges, no column unasked', async () => {
  const names = await statementsOf(() => gql.ask(ada, '{ sources { nodes { name } } }'));
  expect(names.length).toBe(1);
  expect(names[0]?.text).not.toMatch(/config|secrets|streams|count/i);
  const count = await statementsOf(() => gql.ask(ada, '{ sources { totalCount } }'));
  expect(count.length).toBe(1);
  expect(count[0]?.text).toMatch(/count/i);
});

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

test('page 10,000 of a list touches no more of its index than page 1', async () => {
  const ivy = await gql.signUp('ivy');
  const { db, pool } = gql.app.store;
  const sourceId = await insertSource(db, ivy, 's');
  const destinationId = await insertDestination(db, ivy, 'd');
  await pool.query(
    `INSERT INTO job (id, project_id, name, source_id, destination_id, active, streams, created_at, updated_at)
     SELECT ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, $1, 'job ' || n, $2, $3, true, '[]', timestamptz '2026-01-01' + n * interval '1 second', now()
     FROM generate_series(1, 52000) n`,
    [ivy.projectId, sourceId, destinationId],
  );
  await pool.query('ANALYZE job');
  const query = `query ($after: String) { jobs(first: 5, after: $after) { nodes { name } pageInfo { endCursor } } }`;
  const costOf = async (after: string | null) => {
    const [made] = await statementsOf(() => gql.ask(ivy, query, { after }));
    const { rows } = await pool.query(`EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ${made?.text}`, made?.values);
    const [{ Plan: plan }] = rows[0]['QUERY PLAN'];
    return {
      nodes: nodesOf(plan),
      buffers: plan['Shared Hit Blocks'] + plan['Shared Read Blocks'],
      rows: plan['Actual Rows'],
    };
  };
  const { rows } = await pool.query(
    'SELECT id, created_at FROM job WHERE project_id = $1 ORDER BY created_at, id OFFSET $2 LIMIT 1',
    [ivy.projectId, 5 * 9_999 - 1],
  );
  const last = createdOrder('job', 'oldest first').cursorOf({
    id: rows[0].id,
    createdAt: rows[0].created_at,
  });
  const { jobs } = await gql.ask(ivy, query, { after: last });
  expect(jobs.nodes[0].name).toBe(`job ${5 * 9_999 + 1}`);

  const first = await costOf(null);
  const far = await costOf(last);
  for (const page of [first, far]) {
    expect(page.nodes).toContain('Index Scan');
    expect(page.nodes).not.toContain('Sort');
    expect(page.nodes).not.toContain('Seq Scan');
    expect(page.rows).toBe(6);
  }
  // A page may straddle one more block of table or index.
  expect(far.buffers).toBeLessThanOrEqual(first.buffers + 4);
});

test('a job with few tasks finds them without walking past those of a job with many', async () => {
  const kim = await gql.signUp('kim');
  const { db, pool } = gql.app.store;
  const sourceId = await insertSource(db, kim, 's');
  const destinationId = await insertDestination(db, kim, 'd');
  const busy = await insertJob(db, kim, { name: 'busy', sourceId, destinationId });
  const quiet = await insertJob(db, kim, { name: 'quiet', sourceId, destinationId });
  await insertJob(db, kim, { name: 'idle', sourceId, destinationId });
  await insertTask(db, kim, quiet);
  await pool.query(
    `INSERT INTO task (id, project_id, job_id, kind, status, trigger, created_at)
     SELECT ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, $1, $2, 'SYNC', 'SUCCEEDED', 'SCHEDULE',
       timestamptz '2026-02-01' + n * interval '1 second'
     FROM generate_series(1, 40000) n`,
    [kim.projectId, busy],
  );
  await pool.query('ANALYZE task');
  const query = '{ jobs { nodes { name tasks(first: 5) { nodes { id } pageInfo { hasNextPage } } } } }';
  const { jobs } = await gql.ask(kim, query);
  expect(jobs.nodes.map((job: Data) => job.tasks.nodes.length)).toEqual([5, 1, 0]);
  const made = await statementsOf(() => gql.ask(kim, query));
  const lateral = made.find(({ text }) => text.includes('LATERAL') && text.includes('unnest'));
  const { rows } = await pool.query(
    `EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ${lateral?.text}`,
    lateral?.values,
  );
  const [{ Plan: plan }] = rows[0]['QUERY PLAN'];
  expect(nodesOf(plan)).not.toContain('Seq Scan');
  expect(plan['Shared Hit Blocks'] + plan['Shared Read Blocks']).toBeLessThan(40);
});

interface PlanNode {
  'Node Type': string;
  Plans?: PlanNode[];
}

function nodesOf(plan: PlanNode): string[] {
  return [plan['Node Type'], ...(plan.Plans ?? []).flatMap(nodesOf)];
}
