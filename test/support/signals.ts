import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { Viewer } from '#accounts/viewer.ts';
import { newId } from '#base/id.ts';
import { markWritten } from '#catalog/mark-written.ts';
import type { Signal } from '#generated/prisma/client.ts';
import type { TaskStatus } from '#generated/prisma/enums.ts';
import { createSignal, type CreateSignalInput } from '#metrics/create-signal.ts';
import type { SignalDeps } from '#metrics/signal-deps.ts';
import { openTestGraphql, type TestGraphql } from './graphql.ts';
import { insertDestination, insertJob, insertSource, insertTask } from './rows.ts';

/** What somebody was sent by webhook. */
export interface Received {
  headers: IncomingHttpHeaders;
  body: string;
  path: string;
}

export interface Receiver extends AsyncDisposable {
  url: string;
  received: Received[];
  /** What the next requests are answered with; 200 after these. */
  statuses: number[];
}

/** Takes webhooks at 127.0.0.1. A redirect leads to its path /elsewhere. */
export async function openReceiver(): Promise<Receiver> {
  const received: Received[] = [];
  const statuses: number[] = [];
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      received.push({ headers: request.headers, body, path: request.url ?? '' });
      response.writeHead(statuses.shift() ?? 200, { location: '/elsewhere' }).end('thank you');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/hook?token=hush`,
    received,
    statuses,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Signals over sign-ups that come and go as a test wants, at a time of its own. */
export interface SignalLab extends AsyncDisposable {
  gql: TestGraphql;
  viewer: Viewer;
  deps: SignalDeps;
  metricId: string;
  /** What deps.now() gives. */
  clock: { now: Date };
  /** Goes on by so many minutes. */
  pass(minutes: number): void;
  /** Leaves so many sign-ups on a day, written by a task that stands so. The id of the task. */
  signUps(day: string, count: number, status?: TaskStatus): Promise<string>;
  /** A signal of the day's sign-ups, triggered below 20 unless said otherwise. */
  signal(input?: Partial<CreateSignalInput>): Promise<{ id: string; webhookSecret: string | null }>;
  /** The signal with its evaluations, oldest first. */
  read(id: string): Promise<Signal & { found: { state: string; message: string }[] }>;
}

export async function openSignalLab(webhookHosts: string[] = ['127.0.0.1']): Promise<SignalLab> {
  const gql = await openTestGraphql({ webhookHosts });
  const viewer = await gql.signUp('ada');
  const { db } = gql.app.store;
  const clock = { now: new Date('2026-11-21T10:00:00Z') };
  const { warehouse } = await gql.app.catalog.datastores.open(viewer.projectId);
  await warehouse.run({ sql: 'CREATE SCHEMA raw' });
  await warehouse.run({ sql: 'CREATE TABLE raw.signups (made_at TIMESTAMPTZ)' });
  const sourceId = await insertSource(db, viewer, 'shop');
  const destinationId = await insertDestination(db, viewer, 'lake');
  const table = { datastore: 'warehouse', database: 'warehouse', schema: 'raw', name: 'signups' };

  const signUps: SignalLab['signUps'] = async (day, count, status = 'SUCCEEDED') => {
    await warehouse.run({ sql: `DELETE FROM raw.signups WHERE made_at::DATE = DATE '${day}'` });
    const noon = `TIMESTAMPTZ '${day} 12:00:00+00'`;
    await warehouse.run({ sql: `INSERT INTO raw.signups SELECT ${noon} FROM range(${count})` });
    const jobId = await insertJob(db, viewer, { name: newId(), sourceId, destinationId });
    const taskId = await insertTask(db, viewer, jobId, { status });
    const feed = { jobId, stream: 'signups' };
    const written = { projectId: viewer.projectId, taskId, table, at: clock.now, feed };
    await markWritten(db, gql.app.catalog.datastores, written);
    return taskId;
  };
  await signUps('2026-11-01', 0);

  const metricId = newId();
  const definition = {
    table: 'warehouse.warehouse.raw.signups',
    time: 'made_at',
    measure: { aggregation: 'COUNT' },
  };
  await db.metric.create({
    data: {
      id: metricId,
      projectId: viewer.projectId,
      name: 'signups',
      title: 'Sign-ups',
      kind: 'SIMPLE',
      definition: { simple: definition },
      createdAt: clock.now,
      updatedAt: clock.now,
    },
  });
  const deps: SignalDeps = { ...gql.app.metrics, now: () => clock.now };
  let names = 0;
  return {
    gql,
    viewer,
    deps,
    metricId,
    clock,
    signUps,
    pass(minutes) {
      clock.now = new Date(clock.now.getTime() + minutes * 60_000);
    },
    async signal(input = {}) {
      names += 1;
      const threshold = { operator: 'LT', threshold: 20, grain: 'DAY' } as const;
      return createSignal(deps, viewer, { name: `few sign-ups ${names}`, metricId, ...threshold, ...input });
    },
    async read(id) {
      const { evaluations: found, ...signal } = await db.signal.findUniqueOrThrow({
        where: { id },
        include: { evaluations: { orderBy: [{ createdAt: 'asc' }, { id: 'asc' }] } },
      });
      return { ...signal, found };
    },
    [Symbol.asyncDispose]: () => gql[Symbol.asyncDispose](),
  };
}
