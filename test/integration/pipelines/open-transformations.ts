import type { Transformation } from '#generated/prisma/client.ts';
import { createDestination } from '#pipelines/destinations.ts';
import { createJob } from '#pipelines/jobs.ts';
import { runTask } from '#pipelines/run-task.ts';
import { createSource } from '#pipelines/sources.ts';
import { runTransformation, startTask } from '#pipelines/start-task.ts';
import { upsertTransformation, type UpsertTransformationInput } from '#pipelines/transformations.ts';
import { openTestPipelines, type TestPipelines } from '../../support/pipelines.ts';
import { rowsSql, slowSource } from '../../support/slow-source.ts';

const forever = new AbortController().signal;

export interface TestTransformations extends TestPipelines {
  /** Runs statements in the project's warehouse, and gives the rows of the last. */
  sql(...statements: string[]): Promise<unknown[][]>;
  upsert(input: UpsertTransformationInput): Promise<Transformation>;
  /** Starts a task and runs it to its end; what it came to. */
  run(transformation: { id: string }): Promise<Ended>;
  /** Runs the tasks that wait, in the order they were made; what they came to. */
  runWaiting(): Promise<Ended[]>;
  /** A job that writes 3 rows of id and name to each of these tables of the schema raw. */
  job(...tables: string[]): Promise<{ id: string; name: string; sync(): Promise<Ended> }>;
}

export type Ended = Awaited<ReturnType<typeof taskOf>>;

/** The pipelines of a serving process, whose project's warehouse has raw.orders with the ids 1 to 3. */
export async function openTransformations(options: { now?(): Date } = {}): Promise<TestTransformations> {
  const source = slowSource(() =>
    ['users', 'visits'].map((name) => ({ name, parts: () => [{ id: 'a', sql: rowsSql(1, 3) }] })),
  );
  const pipelines = await openTestPipelines({ role: 'serve', source, ...options });
  const { deps, viewer } = pipelines;
  const sql = async (...statements: string[]): Promise<unknown[][]> => {
    const { warehouse } = await deps.datastores.open(viewer.projectId);
    let rows: unknown[][] = [];
    for (const each of statements) ({ rows } = await warehouse.run({ sql: each }));
    return rows;
  };
  const toEnd = async (taskId: string): Promise<Ended> => {
    await runTask(deps, taskId, forever);
    return taskOf(pipelines, taskId);
  };
  await sql(
    'CREATE SCHEMA raw',
    `CREATE TABLE raw.orders AS SELECT range AS id, 'order ' || range AS note FROM range(1, 4)`,
  );
  return {
    ...pipelines,
    sql,
    upsert: (input) => upsertTransformation(deps, viewer, input),
    run: async ({ id }) => toEnd((await runTransformation(deps, viewer, { id })).task.id),
    async runWaiting() {
      const waiting = await deps.store.db.task.findMany({
        where: { status: 'QUEUED' },
        orderBy: [{ createdAt: 'asc' }, { id: 'asc' }],
      });
      const ended: Ended[] = [];
      for (const { id } of waiting) ended.push(await toEnd(id));
      return ended;
    },
    async job(...tables) {
      const from = await createSource(deps, viewer, { name: 'slow', type: 'slow', config: { host: 'x' } });
      const to = await createDestination(deps, viewer, { name: 'in', type: 'datastore', config: {} });
      const job = await createJob(deps, viewer, {
        name: 'daily sync',
        sourceId: from.id,
        destinationId: to.id,
        streams: tables.map((name) => ({ name, syncMode: 'FULL_REFRESH' })),
      });
      const sync = async () => toEnd((await startTask(deps, viewer, { jobId: job.id })).task.id);
      return { id: job.id, name: job.name, sync };
    },
    [Symbol.asyncDispose]: () => pipelines[Symbol.asyncDispose](),
  };
}

function taskOf({ deps }: TestPipelines, id: string) {
  return deps.store.db.task.findUniqueOrThrow({
    where: { id },
    include: { streams: true, transformation: { select: { name: true } } },
  });
}
