import type { Viewer } from '#accounts/viewer.ts';
import { newId } from '#base/id.ts';
import type { Prisma } from '#generated/prisma/client.ts';
import { globalId } from '#graphql/global-id.ts';
import type { Db } from '#store/open-store.ts';

/** The ids of one of everything that a project may have. */
export interface ProjectRows {
  Datastore: string;
  Table: string;
  Source: string;
  Destination: string;
  Job: string;
  Transformation: string;
  Task: string;
  ApiKey: string;
  Metric: string;
  Endpoint: string;
  Signal: string;
  SignalEvaluation: string;
}

let minute = 0;

/** Later than every moment given before, so that rows come in the order they were made in. */
export function nextMoment(): Date {
  minute += 1;
  return new Date(Date.UTC(2026, 0, 1) + minute * 60_000);
}

export const testStream = {
  namespace: 'public',
  name: 'orders',
  syncMode: 'FULL_REFRESH',
  writeMode: 'OVERWRITE',
  cursorField: null,
  primaryKey: ['id'],
  destinationTable: 'orders',
  selectedColumns: null,
};

export async function insertSource(db: Db, owner: Viewer, name: string): Promise<string> {
  const row = {
    id: newId(),
    projectId: owner.projectId,
    name,
    type: 'postgres',
    version: '1',
    config: { host: 'db' },
  };
  const at = nextMoment();
  await db.source.create({
    data: {
      ...row,
      secrets: { password: { sealed: true } },
      createdAt: at,
      updatedAt: at,
      createdById: owner.memberId,
    },
  });
  return row.id;
}

export async function insertDestination(db: Db, owner: Viewer, name: string): Promise<string> {
  const row = { id: newId(), projectId: owner.projectId, name, type: 'datastore', version: '1', config: {} };
  const at = nextMoment();
  await db.destination.create({
    data: { ...row, createdAt: at, updatedAt: at, createdById: owner.memberId },
  });
  return row.id;
}

export async function insertJob(
  db: Db,
  owner: Viewer,
  job: { name: string; sourceId: string; destinationId: string },
): Promise<string> {
  const at = nextMoment();
  const data = { ...job, id: newId(), projectId: owner.projectId, active: true, streams: [testStream] };
  await db.job.create({ data: { ...data, createdAt: at, updatedAt: at, createdById: owner.memberId } });
  return data.id;
}

/** A transformation that reads these tables; its target is named after it. */
export async function insertTransformation(
  db: Db,
  owner: Viewer,
  transformation: { name: string; datastoreId: string; inputIds?: string[] },
): Promise<string> {
  const { inputIds = [], ...row } = transformation;
  const id = newId();
  const at = nextMoment();
  await db.transformation.create({
    data: {
      ...row,
      id,
      projectId: owner.projectId,
      sql: 'SELECT id FROM raw.orders',
      targetKind: 'TABLE',
      targetSchema: 'made',
      targetTable: row.name,
      runAfterInputs: false,
      active: true,
      createdAt: at,
      updatedAt: at,
      createdById: owner.memberId,
      inputs: { create: inputIds.map((tableId) => ({ tableId })) },
    },
  });
  return id;
}

/** A task as if it had run; one that runs has just been heard of, so that nobody takes its worker for lost. */
export async function insertTask(
  db: Db,
  owner: Viewer,
  jobId: string,
  task: Partial<Prisma.TaskUncheckedCreateInput> = {},
): Promise<string> {
  const id = newId();
  const at = nextMoment();
  const ended = { startedAt: at, finishedAt: new Date(at.getTime() + 5_000) };
  const data = {
    kind: 'SYNC',
    status: 'SUCCEEDED',
    trigger: 'MANUAL',
    createdAt: at,
    ...ended,
    // Just heard of, so that nobody takes the worker of one that runs for lost.
    heartbeatAt: new Date(),
    ...task,
  } as const;
  await db.task.create({ data: { id, projectId: owner.projectId, jobId, ...data } });
  return id;
}

export async function insertLog(db: Db, owner: Viewer, taskId: string, messages: string[]): Promise<void> {
  const at = nextMoment();
  const { projectId } = owner;
  await db.taskLog.createMany({
    data: messages.map((message, index) => ({
      taskId,
      seq: index + 1,
      projectId,
      at,
      level: message.startsWith('warn') ? 'WARN' : 'INFO',
      stream: message.includes('orders') ? 'public.orders' : null,
      message,
    })),
  });
  await db.task.update({ where: { id: taskId }, data: { lastSeq: messages.length } });
}

/** A metric that counts the rows of a table of that name. */
export async function insertMetric(db: Db, owner: Viewer, name: string): Promise<string> {
  const id = newId();
  const at = nextMoment();
  const { projectId, memberId } = owner;
  const table = `warehouse.warehouse.raw.${name}`;
  const definition = { simple: { table, time: 'id', measure: { aggregation: 'COUNT' } } };
  const times = { createdAt: at, updatedAt: at, createdById: memberId };
  await db.metric.create({
    data: { id, projectId, name, title: name, kind: 'SIMPLE', definition, ...times },
  });
  return id;
}

/** A signal of the metric, which was evaluated so many times; the ids of it and of its evaluations, oldest first. */
export async function insertSignal(
  db: Db,
  owner: Viewer,
  metricId: string,
  evaluations = 1,
): Promise<{ id: string; evaluationIds: string[] }> {
  const id = newId();
  const { projectId, memberId } = owner;
  const at = nextMoment();
  const threshold = { operator: 'LT', threshold: 20, measure: 'VALUE', grain: 'DAY' } as const;
  const times = { createdAt: at, updatedAt: at, evaluatedAt: at, createdById: memberId };
  await db.signal.create({ data: { id, projectId, name: `signal ${id}`, metricId, ...threshold, ...times } });
  const found = Array.from({ length: evaluations }, (_, n) => ({
    id: newId(),
    projectId,
    signalId: id,
    createdAt: nextMoment(),
    state: 'OK' as const,
    value: n,
    message: `It was ${n}.`,
  }));
  await db.signalEvaluation.createMany({ data: found });
  return { id, evaluationIds: found.map((each) => each.id) };
}

/** One of everything, as if it had been made and run. Returns global ids. */
/** A draft with a revision. */
export async function insertEndpoint(db: Db, owner: Viewer, name: string): Promise<string> {
  const at = nextMoment();
  const { projectId } = owner;
  const id = newId();
  const declaration = { metadata: { name, version: 1 }, route: `/${name}`, query: 'SELECT 1 AS n' };
  const data = { id, projectId, name, version: 1, route: declaration.route, declaration, isPublic: false };
  const revision = {
    id: newId(),
    projectId,
    revision: 1,
    change: 'SAVED',
    declaration,
    createdAt: at,
  } as const;
  await db.endpoint.create({
    data: {
      ...data,
      state: 'DRAFT',
      origin: 'API',
      createdAt: at,
      updatedAt: at,
      revisions: { create: revision },
    },
  });
  return id;
}

export async function insertProject(db: Db, owner: Viewer): Promise<ProjectRows> {
  const { projectId } = owner;
  const datastore = await db.datastore.findFirstOrThrow({ where: { projectId } });
  const sourceId = await insertSource(db, owner, 'shop');
  const destinationId = await insertDestination(db, owner, 'lake');
  const jobId = await insertJob(db, owner, { name: 'shop to lake', sourceId, destinationId });
  const taskId = await insertTask(db, owner, jobId);
  await insertLog(db, owner, taskId, ['Queued.', 'Read orders.']);
  const at = nextMoment();
  const table = {
    id: newId(),
    projectId,
    datastoreId: datastore.id,
    database: 'warehouse',
    schema: 'raw',
    name: 'orders',
  };
  const columns = [{ name: 'id', dataType: 'BIGINT', nullable: false, ordinal: 1, description: null }];
  await db.catalogTable.create({
    data: {
      ...table,
      kind: 'TABLE',
      columns,
      rowCount: 3n,
      taskId,
      syncedAt: at,
      createdAt: at,
      updatedAt: at,
      feeds: { create: { id: newId(), projectId, jobId, stream: 'public.orders', taskId, writtenAt: at } },
    },
  });
  const transformationId = await insertTransformation(db, owner, {
    name: 'daily orders',
    datastoreId: datastore.id,
    inputIds: [table.id],
  });
  const key = {
    id: newId(),
    accountId: owner.accountId,
    projectId,
    name: 'key',
    scopes: ['DATA_READ' as const],
  };
  await db.apiKey.create({
    data: { ...key, prefix: key.id, secretHash: Buffer.from(key.id), createdAt: at },
  });
  const metricId = await insertMetric(db, owner, 'orders');
  const signal = await insertSignal(db, owner, metricId);
  return {
    Datastore: globalId('Datastore', datastore.id),
    Table: globalId('Table', table.id),
    Source: globalId('Source', sourceId),
    Destination: globalId('Destination', destinationId),
    Job: globalId('Job', jobId),
    Transformation: globalId('Transformation', transformationId),
    Task: globalId('Task', taskId),
    ApiKey: globalId('ApiKey', key.id),
    Metric: globalId('Metric', metricId),
    Endpoint: globalId('Endpoint', await insertEndpoint(db, owner, 'orders')),
    Signal: globalId('Signal', signal.id),
    SignalEvaluation: globalId('SignalEvaluation', signal.evaluationIds[0] as string),
  };
}
