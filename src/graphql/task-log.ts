import { Prisma } from '#generated/prisma/client.ts';
import type { LogLevel as LogLevelName } from '#generated/prisma/enums.ts';
import { logCursor, parseLogCursor } from '#pipelines/log-cursor.ts';
import { batchedByKey } from './batch.ts';
import { builder } from './builder.ts';
import { pageCost } from './connection.ts';
import { viewerOf } from './context.ts';
import { escapeLike } from './lists.ts';
import { connect, type Order, type Page, parsePage } from './page.ts';

const levels = ['DEBUG', 'INFO', 'WARN', 'ERROR'] as const satisfies LogLevelName[];

export const LogLevel = builder.enumType('LogLevel', {
  description: 'How much a line matters, from least to most.',
  values: {
    DEBUG: { description: 'For those who look for a fault.' },
    INFO: { description: 'What went on.' },
    WARN: { description: 'Went on, but someone should know.' },
    ERROR: { description: 'Went wrong.' },
  },
});

/** A line as the table keeps it. */
export interface TaskLogShape {
  taskId: string;
  seq: number;
  at: Date;
  level: LogLevelName;
  stream: string | null;
  message: string;
}

export const TaskLog = builder.objectRef<TaskLogShape>('TaskLog').implement({
  description:
    'seq rises by one within a task; cursor resumes a subscription or a page exactly after this line. Needs CONTROL_READ.',
  fields: (t) => ({
    seq: t.exposeInt('seq', { description: 'The number of the line in its task: 1 for the first.' }),
    cursor: t.string({
      description: 'Resumes taskLogs or logs exactly after this line.',
      resolve: (line) => logCursor(line),
    }),
    at: t.expose('at', { type: 'DateTime', description: 'When it was written.' }),
    level: t.expose('level', { type: LogLevel, description: 'How much it matters.' }),
    stream: t.exposeString('stream', {
      nullable: true,
      description: 'The stream it is about, as "namespace.name". Null when it is about the whole task.',
    }),
    message: t.exposeString('message', { description: 'What happened, for people. Holds no secret.' }),
  }),
});

const TaskLogEdge = builder.edgeObject({
  type: TaskLog,
  name: 'TaskLogEdge',
  description: 'A line of a log, and its place.',
});

const TaskLogConnection = builder.connectionObject(
  {
    type: TaskLog,
    name: 'TaskLogConnection',
    description: 'A page of a log.',
    fields: (t) => ({
      totalCount: t.int({
        nullable: true,
        description:
          'How many lines fit the filters, whatever the page. Counted only when asked for; never null.',
        resolve: (page) => page.totalCount(),
      }),
    }),
  },
  TaskLogEdge,
);

/** The order of one task's log; a cursor of another's is refused. */
function logOrder(taskId: string): Order<TaskLogShape, number> {
  return { cursorOf: logCursor, keyOf: (cursor) => parseLogCursor(taskId, cursor) };
}

interface LogFilter {
  minLevel?: LogLevelName | null;
  stream?: string | null;
  search?: string | null;
}

builder.prismaObjectField('Task', 'logs', (t) =>
  t.field({
    type: TaskLogConnection,
    description: 'Its log, oldest line first: the same lines that taskLogs sends.',
    args: {
      minLevel: t.arg({ type: LogLevel, description: 'Only lines of this level and above. Null for all.' }),
      stream: t.arg.string({
        description: 'Only lines about this stream, as "namespace.name". Null for all.',
      }),
      search: t.arg.string({
        description: 'Only lines whose message holds this, in any case. Null for all.',
      }),
      ...t.arg.connectionArgs(),
    },
    complexity: pageCost,
    select: { id: true },
    resolve: (task, args, context, info) => {
      const order = logOrder(task.id);
      const page = parsePage(args, order);
      const scope = Prisma.sql`c.project_id = ${viewerOf(context).projectId}::uuid AND ${filterSql(args)}`;
      const { db } = context.app.store;
      return connect<TaskLogShape, number>(page, order, {
        rows: () =>
          batchedByKey<TaskLogShape[]>(context, info, 'rows', task.id, [], (ids) =>
            readLines(db, ids, scope, page),
          ),
        existsFrom: (seq, side) =>
          batchedByKey(context, info, side, task.id, false, (ids) => existLines(db, ids, scope, seq, side)),
        count: () => batchedByKey(context, info, 'count', task.id, 0, (ids) => countLines(db, ids, scope)),
      });
    },
  }),
);

type Db = { $queryRaw<T>(query: Prisma.Sql): PromiseLike<T> };

function filterSql({ minLevel, stream, search }: LogFilter): Prisma.Sql {
  const wanted = minLevel == null ? null : levels.slice(levels.indexOf(minLevel));
  return Prisma.join(
    [
      Prisma.sql`TRUE`,
      ...(wanted === null ? [] : [Prisma.sql`c.level::text = ANY(${wanted}::text[])`]),
      ...(stream == null ? [] : [Prisma.sql`c.stream = ${stream}`]),
      ...(search ? [Prisma.sql`c.message ILIKE ${`%${escapeLike(search)}%`}`] : []),
    ],
    ' AND ',
  );
}

/** One statement for the pages of all tasks: each walks its part of the index (task, seq). */
async function readLines(
  db: Db,
  taskIds: readonly string[],
  scope: Prisma.Sql,
  page: Page<number>,
): Promise<Map<string, TaskLogShape[]>> {
  const bounds = Prisma.join(
    [
      Prisma.sql`TRUE`,
      ...(page.after === null ? [] : [Prisma.sql`c.seq > ${page.after}::bigint`]),
      ...(page.before === null ? [] : [Prisma.sql`c.seq < ${page.before}::bigint`]),
    ],
    ' AND ',
  );
  const direction = page.fromEnd ? Prisma.sql`DESC` : Prisma.sql`ASC`;
  const lines = await db.$queryRaw<TaskLogShape[]>(Prisma.sql`
    SELECT p.id::text AS "taskId", n.seq, n.at, n.level::text AS level, n.stream, n.message
    FROM unnest(${[...taskIds]}::uuid[]) AS p(id)
    CROSS JOIN LATERAL (
      SELECT c.* FROM task_log c WHERE c.task_id = p.id AND ${scope} AND ${bounds}
      ORDER BY c.seq ${direction} LIMIT ${page.size + 1}
    ) n
    ORDER BY n.seq ${direction}`);
  return Map.groupBy(lines, ({ taskId }) => taskId);
}

async function existLines(
  db: Db,
  taskIds: readonly string[],
  scope: Prisma.Sql,
  seq: number,
  side: 'before' | 'after',
): Promise<Map<string, boolean>> {
  const bound = side === 'after' ? Prisma.sql`c.seq >= ${seq}::bigint` : Prisma.sql`c.seq <= ${seq}::bigint`;
  const found = await db.$queryRaw<{ task: string }[]>(Prisma.sql`
    SELECT p.id::text AS task FROM unnest(${[...taskIds]}::uuid[]) AS p(id)
    WHERE EXISTS (SELECT 1 FROM task_log c WHERE c.task_id = p.id AND ${scope} AND ${bound})`);
  return new Map(found.map(({ task }) => [task, true]));
}

async function countLines(
  db: Db,
  taskIds: readonly string[],
  scope: Prisma.Sql,
): Promise<Map<string, number>> {
  const counted = await db.$queryRaw<{ task: string; count: number }[]>(Prisma.sql`
    SELECT c.task_id::text AS task, count(*)::int AS count FROM task_log c
    WHERE c.task_id = ANY(${[...taskIds]}::uuid[]) AND ${scope} GROUP BY c.task_id`);
  return new Map(counted.map(({ task, count }) => [task, count]));
}
