import { Prisma } from '#generated/prisma/client.ts';
import { canCancel } from '#pipelines/cancel-task.ts';
import { taskProgress } from '#pipelines/task-progress.ts';
import { builder } from './builder.ts';
import { connectionOf, pageCost } from './connection.ts';
import { createdOrder } from './created-order.ts';
import { uuidOf } from './global-id.ts';
import { Job } from './job.ts';
import { firstNested, listNested, listRows } from './lists.ts';
import { findRow, readRow } from './rows.ts';

export const TaskStatus = builder.enumType('TaskStatus', {
  description: 'How a task, or one of its streams, stands.',
  values: {
    QUEUED: { description: 'Waits for a worker.' },
    RUNNING: { description: 'A worker is at it.' },
    CANCELING: { description: 'It was asked to stop, and its worker is stopping.' },
    SUCCEEDED: { description: 'Ended well: what it wrote can be read.' },
    FAILED: { description: 'Ended badly: error says why. Streams that had succeeded by then can be read.' },
    CANCELED: { description: 'Ended because someone stopped it. Nothing half-written is left.' },
  },
});

const TaskKind = builder.enumType('TaskKind', {
  description: 'What a task does.',
  values: {
    SYNC: { description: "Moves the job's streams." },
    CLEAR: { description: 'Removes what the job has written.' },
    TRANSFORM: { description: 'Makes the table or view of a transformation.' },
  },
});

const TaskTrigger = builder.enumType('TaskTrigger', {
  description: 'Why a task was started.',
  values: {
    MANUAL: { description: 'Someone asked for it, by syncJob or runTransformation.' },
    SCHEDULE: { description: 'The schedule of the job or transformation.' },
    RETRY: { description: 'An earlier task failed.' },
    UPSTREAM: { description: 'A task wrote a table that the transformation or job reads.' },
  },
});

const TaskErrorKind = builder.enumType('TaskErrorKind', {
  description: 'What was to blame for a failure.',
  values: {
    CONFIG: { description: 'The config of the source, the destination or the job.' },
    SOURCE: { description: 'The source.' },
    DESTINATION: { description: 'The destination.' },
    SCHEMA: { description: 'The rows do not fit the table any more.' },
    TRANSIENT: { description: 'Something that passes, such as a lost connection; it was tried three times.' },
    WORKER_LOST: { description: 'The worker died, three times.' },
    CANCELED: { description: 'Someone stopped it.' },
    INTERNAL: { description: 'Sluice itself.' },
  },
});

interface TaskErrorShape {
  kind: typeof TaskErrorKind.$inferType;
  message: string;
  fix: string | null;
  retryable: boolean;
}

const TaskError = builder.objectRef<TaskErrorShape>('TaskError').implement({
  description: 'Why a task failed. Needs CONTROL_READ.',
  fields: (t) => ({
    kind: t.expose('kind', { type: TaskErrorKind, description: 'What was to blame.' }),
    message: t.exposeString('message', { description: 'What happened, for people. Holds no secret.' }),
    fix: t.exposeString('fix', {
      nullable: true,
      description: 'What to do about it. Null when the message says it all.',
    }),
    retryable: t.exposeBoolean('retryable', {
      description: 'Whether a new task may well succeed with nothing changed.',
    }),
  }),
});

builder.prismaObject('TaskStream', {
  select: { taskId: true, position: true },
  description: 'How one stream of a task stands. Needs CONTROL_READ.',
  fields: (t) => ({
    namespace: t.exposeString('namespace', {
      nullable: true,
      description: "The stream's namespace. Null where the source has none.",
    }),
    name: t.exposeString('name', { description: "The stream's name." }),
    status: t.expose('status', { type: TaskStatus, description: 'How it stands.' }),
    rowsRead: t.expose('rowsRead', { type: 'BigInt', description: 'Rows taken from the source so far.' }),
    rowsWritten: t.expose('rowsWritten', {
      type: 'BigInt',
      description: 'Rows written so far; they can be read once the stream has succeeded.',
    }),
    bytesRead: t.expose('bytesRead', { type: 'BigInt', description: 'Bytes taken from the source so far.' }),
    estimatedRows: t.expose('estimatedRows', {
      type: 'BigInt',
      nullable: true,
      description: 'About how many rows there are to read. Null when the source cannot say.',
    }),
    rowsAdded: t.expose('rowsAdded', {
      type: 'BigInt',
      nullable: true,
      description:
        'Rows that the difference found added since the last run; in the first, all. Null for a stream that is read otherwise, and until it has compared.',
    }),
    rowsChanged: t.expose('rowsChanged', {
      type: 'BigInt',
      nullable: true,
      description: 'Rows that the difference found changed, by their key and hash. Null as rowsAdded is.',
    }),
    rowsRemoved: t.expose('rowsRemoved', {
      type: 'BigInt',
      nullable: true,
      description:
        'Rows that the difference found gone from the source, whether or not the job mirrors that. Null as rowsAdded is.',
    }),
  }),
});

const streamOrder = { position: 'asc' } as const;

export const Task = builder.prismaNode('Task', {
  id: { field: 'id' },
  nullable: true,
  select: { id: true },
  description: 'One execution of a job or a transformation. Needs CONTROL_READ.',
  fields: (t) => ({
    job: t.field({
      type: Job,
      nullable: true,
      description: 'The job it executes. Null once the job was deleted, and for a task of kind TRANSFORM.',
      select: { jobId: true },
      resolve: ({ jobId }, _args, context, info) =>
        readRow<typeof Job.$inferType>(context, info, 'Job', jobId),
    }),
    kind: t.expose('kind', { type: TaskKind, description: 'What it does.' }),
    status: t.expose('status', { type: TaskStatus, description: 'How it stands.' }),
    trigger: t.expose('trigger', { type: TaskTrigger, description: 'Why it was started.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was queued.' }),
    startedAt: t.expose('startedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When a worker first took it. Null while it is queued for the first time.',
    }),
    finishedAt: t.expose('finishedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it ended. Null while it has not.',
    }),
    runtimeMs: t.field({
      type: 'BigInt',
      nullable: true,
      description: 'Milliseconds from start to end, or to now. Null while it was never started.',
      select: { startedAt: true, finishedAt: true },
      resolve: ({ startedAt, finishedAt }, _args, context) =>
        startedAt === null
          ? null
          : Math.max(0, (finishedAt ?? context.app.pipelines.now()).getTime() - startedAt.getTime()),
    }),
  }),
});

builder.prismaObjectFields('Task', (t) => ({
  attempt: t.exposeInt('attempt', {
    description: '1 for the first; rises when its worker is lost or a transient failure is tried again.',
  }),
  rowsRead: t.expose('rowsRead', { type: 'BigInt', description: 'Rows taken from the source so far.' }),
  rowsWritten: t.expose('rowsWritten', { type: 'BigInt', description: 'Rows written so far.' }),
  bytesRead: t.expose('bytesRead', { type: 'BigInt', description: 'Bytes taken from the source so far.' }),
  progress: t.float({
    nullable: true,
    description: '0 to 1 where the size is known, else null.',
    select: {
      status: true,
      // Ordered as the field streams is, so that both are one join: what differs is loaded again, with a statement of its own.
      streams: { select: { status: true, rowsRead: true, estimatedRows: true }, orderBy: streamOrder },
    },
    resolve: (task) => taskProgress(task, task.streams),
  }),
  streams: t.relation('streams', {
    description:
      'How each of its streams stands, in the order of the job. A task of kind TRANSFORM has one, named as its table.',
    query: { orderBy: streamOrder },
  }),
  error: t.field({
    type: TaskError,
    nullable: true,
    description: 'Why it failed, or what a running one is trying again for. Null when nothing is wrong.',
    select: { errorKind: true, errorMessage: true, errorFix: true, errorRetryable: true },
    resolve: (task) =>
      task.errorKind === null
        ? null
        : {
            kind: task.errorKind,
            message: task.errorMessage ?? '',
            fix: task.errorFix,
            retryable: task.errorRetryable ?? false,
          },
  }),
  canCancel: t.boolean({
    description: 'Whether cancelTask would do something: it has not ended and was not asked to stop.',
    select: { status: true },
    resolve: (task) => canCancel(task),
  }),
}));

export const TaskConnection = connectionOf(Task, 'Task', 'tasks');
export const taskOrder = createdOrder('task', 'newest first');

builder.prismaObjectFields('Job', (t) => ({
  lastTask: t.field({
    type: Task,
    nullable: true,
    description: 'Its newest task. Null when it never ran.',
    select: { id: true },
    resolve: (job, _args, context, info) =>
      firstNested<typeof Task.$inferType & { createdAt: Date }>({
        context,
        info,
        type: 'Task',
        order: taskOrder,
        parentId: job.id,
        table: 'task',
        parentColumn: 'job_id',
      }),
  }),
  tasks: t.field({
    type: TaskConnection,
    description: 'Its tasks, newest first.',
    args: {
      status: t.arg({
        type: [TaskStatus],
        description: 'Only those that stand so. Null for all, empty for none.',
      }),
      ...t.arg.connectionArgs(),
    },
    complexity: pageCost,
    select: { id: true },
    resolve: (job, args, context, info) =>
      listNested({
        context,
        info,
        args,
        type: 'Task',
        order: taskOrder,
        parentId: job.id,
        table: 'task',
        parentColumn: 'job_id',
        ...(args.status != null && { where: Prisma.sql`c.status::text = ANY(${args.status}::text[])` }),
      }),
  }),
}));

builder.queryFields((t) => ({
  task: t.field({
    type: Task,
    nullable: true,
    description: 'One task. Null when the project has none such. Needs CONTROL_READ.',
    args: { id: t.arg.id({ required: true, description: 'Its id.' }) },
    resolve: (_root, { id }, context, info) =>
      findRow<typeof Task.$inferType>(context, info, 'Task', { id: uuidOf('Task', id) }),
  }),
  tasks: t.field({
    type: TaskConnection,
    description:
      'The tasks of all jobs and transformations of the project, those of deleted ones included, newest first. Needs CONTROL_READ.',
    args: {
      status: t.arg({
        type: [TaskStatus],
        description: 'Only those that stand so. Null for all, empty for none.',
      }),
      ...t.arg.connectionArgs(),
    },
    complexity: pageCost,
    resolve: (_root, args, context, info) =>
      listRows({
        context,
        info,
        args,
        type: 'Task',
        order: taskOrder,
        where: args.status == null ? {} : { status: { in: args.status } },
      }),
  }),
}));
