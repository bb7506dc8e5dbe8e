import { parseArgs } from 'node:util';
import { newId } from '#base/id.ts';
import { type BenchGateway, openBenchGateway } from './support/gateway.ts';
import { fewestStatements } from './support/statements.ts';
import { machine, printTable, quantile } from './support/table.ts';

interface Page {
  jobs: {
    nodes: { id: string }[];
    pageInfo: { startCursor: string; endCursor: string; hasNextPage: boolean; hasPreviousPage: boolean };
  };
}

const pageSize = 100;
const page = `query ($first: Int, $after: String, $last: Int, $before: String) {
  jobs(first: $first, after: $after, last: $last, before: $before) {
    nodes { id name active createdAt }
    pageInfo { startCursor endCursor hasNextPage hasPreviousPage }
  }
}`;
const withRelations = `query ($first: Int) {
  jobs(first: $first) {
    nodes {
      id name
      source { id name type }
      destination { id name type }
      lastTask { id status rowsRead startedAt finishedAt }
    }
  }
}`;

/** Jobs page 1 against the last page, over HTTP; and the statements that a page of jobs makes with all it hangs on. */
export async function benchLists(options: { jobs: number; rounds: number }): Promise<void> {
  await using gateway = await openBenchGateway();
  await insertJobs(gateway, options.jobs);

  const last = await ask<Page>(gateway, page, { last: pageSize });
  const before = await ask<Page>(gateway, page, { last: 1, before: last.jobs.pageInfo.startCursor });
  const first = { first: pageSize };
  const deep = { first: pageSize, after: before.jobs.pageInfo.endCursor };
  const found = await ask<Page>(gateway, page, deep);
  if (found.jobs.nodes.length !== pageSize || found.jobs.pageInfo.hasNextPage)
    throw new Error('Not the last page.');

  // Alternating, so that both are measured in the same moments of the machine.
  const [firstMs, deepMs]: [number[], number[]] = [[], []];
  for (let round = 0; round < options.rounds + 20; round += 1) {
    const [one, other] = [await timed(gateway, first), await timed(gateway, deep)];
    if (round < 20) continue;
    firstMs.push(one);
    deepMs.push(other);
  }
  const [p50First, p50Deep] = [median(firstMs), median(deepMs)];
  const statements = new Map<number, number>();
  for (const size of [1, 10, 100]) {
    statements.set(size, await fewestStatements(() => ask(gateway, withRelations, { first: size })));
  }
  printTable(
    `lists: ${options.jobs.toLocaleString('en')} jobs, pages of ${pageSize}, over HTTP`,
    ['figure', 'value'],
    [
      ['page 1, median', `${p50First.toFixed(2)} ms`],
      [`page ${(options.jobs / pageSize).toLocaleString('en')}, median`, `${p50Deep.toFixed(2)} ms`],
      ['ratio', (p50Deep / p50First).toFixed(2)],
      ...[...statements].map(([size, count]) => [
        `statements for ${size} jobs with source, destination and lastTask, signing in included`,
        count,
      ]),
      ['machine', machine()],
    ],
  );
}

async function timed(gateway: BenchGateway, variables: object): Promise<number> {
  const startedAt = performance.now();
  await ask(gateway, page, variables);
  return performance.now() - startedAt;
}

function median(samples: number[]): number {
  return quantile(
    samples.toSorted((one, other) => one - other),
    0.5,
  );
}

async function ask<Data>({ url, token }: BenchGateway, query: string, variables: object): Promise<Data> {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = (await response.json()) as { data?: Data; errors?: unknown };
  if (errors || !data) throw new Error(JSON.stringify(errors));
  return data;
}

/** Jobs made one a second, of 100 sources and destinations; each of the newest 100 with three tasks. */
async function insertJobs({ app, viewer }: BenchGateway, jobs: number): Promise<void> {
  const { db, pool } = app.store;
  const now = new Date();
  const ends = Array.from({ length: 100 }, (_, at) => ({
    id: newId(),
    projectId: viewer.projectId,
    name: `end ${at}`,
    type: 'files',
    version: '1',
    config: {},
    createdAt: now,
    updatedAt: now,
  }));
  await db.source.createMany({ data: ends });
  await db.destination.createMany({ data: ends });
  const ids = ends.map(({ id }) => id);
  await pool.query(
    `INSERT INTO job (id, project_id, name, source_id, destination_id, active, streams, created_at, updated_at)
     SELECT gen_random_uuid(), $1, 'job ' || n, ($2::uuid[])[n % 100 + 1], ($2::uuid[])[n % 100 + 1], true, '[]',
       now() - make_interval(secs => n), now()
     FROM generate_series(1, $3::int) n`,
    [viewer.projectId, ids, jobs],
  );
  await pool.query(
    `INSERT INTO task (id, project_id, job_id, kind, status, trigger, created_at, finished_at)
     SELECT gen_random_uuid(), j.project_id, j.id, 'SYNC', 'SUCCEEDED', 'MANUAL', now() - make_interval(mins => n), now()
     FROM (SELECT * FROM job ORDER BY created_at DESC LIMIT 100) j, generate_series(1, 3) n`,
  );
  await pool.query('VACUUM ANALYZE job, task, source, destination');
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: { jobs: { type: 'string', default: '1000000' }, rounds: { type: 'string', default: '200' } },
  });
  await benchLists({ jobs: Number(values.jobs), rounds: Number(values.rounds) });
}
