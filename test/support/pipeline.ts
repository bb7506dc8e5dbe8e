import { createHash } from 'node:crypto';
import pg from 'pg';
import { eventually, type Gateway } from './gateway.ts';

/** Runs statements on a PostgreSQL by its URL. */
export async function execute(url: string, ...statements: string[]): Promise<pg.QueryResult[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const results: pg.QueryResult[] = [];
    for (const statement of statements) results.push(await client.query(statement));
    return results;
  } finally {
    await client.end();
  }
}

/** The config of a postgres source for that URL. */
export function postgresConfig(url: string) {
  const { hostname, port, pathname, username, password } = new URL(url);
  return {
    host: hostname,
    port: Number(port),
    database: decodeURIComponent(pathname.slice(1)),
    username: decodeURIComponent(username),
    password: decodeURIComponent(password),
    ssl: { mode: 'disable' },
    schemas: ['public'],
  };
}

interface Payload {
  userErrors: { message: string }[];
  [thing: string]: unknown;
}

async function create(
  gateway: Gateway,
  field: string,
  thing: string,
  input: Record<string, unknown>,
): Promise<string> {
  const type = `${field[0]?.toUpperCase()}${field.slice(1)}Input`;
  const answer = await gateway.ask<Record<string, Payload>>(
    `mutation ($input: ${type}!) { ${field}(input: $input) { ${thing} { id } userErrors { code message path fix } } }`,
    { input },
  );
  const payload = answer[field] as Payload;
  if (payload.userErrors.length > 0) throw new Error(JSON.stringify(payload));
  return (payload[thing] as { id: string }).id;
}

export interface StreamInput {
  name: string;
  syncMode: 'FULL_REFRESH' | 'INCREMENTAL';
  writeMode?: 'OVERWRITE' | 'APPEND' | 'UPSERT';
  cursorField?: string;
  destinationTable?: string;
}

/** A source, a destination and a job that joins them; names are made from what they are. Returns the job's id. */
export async function createPipeline(
  gateway: Gateway,
  pipeline: {
    source: { type: string; config: unknown };
    destination: { type: string; config: unknown };
    streams: StreamInput[];
    schedule?: { cron: string; timeZone?: string };
  },
): Promise<string> {
  const name = `p ${createHash('sha256')
    .update(`${JSON.stringify(pipeline)}${Math.random()}`)
    .digest('hex')
    .slice(0, 8)}`;
  const sourceId = await create(gateway, 'createSource', 'source', { name, ...pipeline.source });
  const destinationId = await create(gateway, 'createDestination', 'destination', {
    name,
    ...pipeline.destination,
  });
  return create(gateway, 'createJob', 'job', {
    name,
    sourceId,
    destinationId,
    streams: pipeline.streams,
    schedule: pipeline.schedule,
  });
}

/** Starts the job; returns its task's id. */
export function startSync(gateway: Gateway, jobId: string): Promise<string> {
  return create(gateway, 'syncJob', 'task', { id: jobId });
}

export interface TaskNow {
  status: string;
  attempt: number;
  rowsRead: number;
  rowsWritten: number;
  error: { kind: string; message: string } | null;
  logs: { nodes: { seq: number; level: string; message: string }[] };
}

export async function readTask(gateway: Gateway, id: string): Promise<TaskNow> {
  const { task } = await gateway.ask<{ task: TaskNow }>(
    `query ($id: ID!) { task(id: $id) {
      status attempt rowsRead rowsWritten error { kind message } logs(last: 100) { nodes { seq level message } } } }`,
    { id },
  );
  return task;
}

/** Waits until the task has ended; fails with its log when that takes too long. */
export async function untilEnded(gateway: Gateway, id: string, deadlineMs = 120_000): Promise<TaskNow> {
  return eventually(
    'the task to end',
    async () => {
      const task = await readTask(gateway, id);
      return ['SUCCEEDED', 'FAILED', 'CANCELED'].includes(task.status) ? task : undefined;
    },
    deadlineMs,
  );
}

/** Waits until the task runs and has moved at least that many rows; fails when it has ended before. */
export async function untilMoved(gateway: Gateway, id: string, rows: number): Promise<TaskNow> {
  return eventually(`the task to move ${rows} rows`, async () => {
    const task = await readTask(gateway, id);
    if (task.status !== 'QUEUED' && task.status !== 'RUNNING') {
      throw new Error(`The task ended too early: ${JSON.stringify(task)}`);
    }
    return task.rowsWritten >= rows || task.rowsRead >= rows ? task : undefined;
  });
}
