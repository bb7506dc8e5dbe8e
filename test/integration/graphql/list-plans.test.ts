import { afterAll, beforeAll, expect, test } from 'vitest';
import { createdOrder } from '#graphql/created-order.ts';
import { type Data, openTestGraphql, statementsOf, type TestGraphql } from '../../support/graphql.ts';
import { insertDestination, insertJob, insertSource, insertTask } from '../../support/rows.ts';

let gql: TestGraphql;
beforeAll(async () => {
  gql = await openTestGraphql();
});
afterAll(() => gql[Symbol.asyncDispose]());

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
