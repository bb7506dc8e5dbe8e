import { inProject, visible } from '#accounts/visible.ts';
import { AppError } from '#base/errors.ts';
import { followLog } from '#pipelines/follow-log.ts';
import { parseLogCursor } from '#pipelines/log-cursor.ts';
import type { TaskLogBatch as TaskLogBatchShape } from '#pipelines/log-reader.ts';
import { followTask, followTasks } from '#pipelines/follow-task.ts';
import { builder } from './builder.ts';
import { type Context, viewerOf } from './context.ts';
import { uuidOf } from './global-id.ts';
import { readRow } from './rows.ts';
import { Task } from './task.ts';
import { LogLevel, TaskLog } from './task-log.ts';

const TaskLogBatch = builder.objectRef<TaskLogBatchShape>('TaskLogBatch').implement({
  description: 'Lines of a log that came together. Needs CONTROL_READ.',
  fields: (t) => ({
    lines: t.field({
      type: [TaskLog],
      description: 'The lines, in order. May be empty: then only caughtUp or cursor has changed.',
      resolve: ({ lines }) => lines,
    }),
    cursor: t.exposeString('cursor', { description: 'Resumes exactly after this batch.' }),
    caughtUp: t.exposeBoolean('caughtUp', { description: 'False while history is still being replayed.' }),
  }),
});

builder.subscriptionFields((t) => ({
  taskUpdated: t.field({
    type: Task,
    description:
      'The task now, then at every change of status or progress; ends when the task has ended. NOT_FOUND when the project has none such. Needs CONTROL_READ.',
    args: { taskId: t.arg.id({ required: true, description: 'The task.' }) },
    subscribe: async (_root, args, context) => {
      const { projectId } = viewerOf(context);
      const taskId = await knownTask(context, args.taskId);
      return follow(context, (signal) => followTask(context.app.pipelines, { projectId, taskId, signal }));
    },
    resolve: async ({ taskId }, _args, context, info) =>
      taskNow(await readRow(context, info, 'Task', taskId)),
  }),
  tasksUpdated: t.field({
    type: Task,
    description:
      'Every change of any task of one job, or of the whole project, those of transformations included. Does not end. NOT_FOUND when the project has no such job. Needs CONTROL_READ.',
    args: { jobId: t.arg.id({ description: 'The job. Null for all tasks of the project.' }) },
    subscribe: async (_root, args, context) => {
      const { projectId } = viewerOf(context);
      const jobId = args.jobId == null ? null : await knownJob(context, args.jobId);
      return follow(context, (signal) => followTasks(context.app.pipelines, { projectId, jobId, signal }));
    },
    resolve: async ({ taskId }, _args, context, info) =>
      taskNow(await readRow(context, info, 'Task', taskId)),
  }),
  taskLogs: t.field({
    type: TaskLogBatch,
    description:
      'History after the cursor, then live, in order, no line lost or sent twice; ends when the task has ended and all is sent. NOT_FOUND when the project has no such task. Needs CONTROL_READ.',
    args: {
      taskId: t.arg.id({ required: true, description: 'The task.' }),
      after: t.arg.string({
        description: 'The cursor of a line or batch: only what follows it. Null for all.',
      }),
      minLevel: t.arg({ type: LogLevel, description: 'Only lines of this level and above. Null for all.' }),
      stream: t.arg.string({
        description: 'Only lines about this stream, as "namespace.name". Null for all.',
      }),
    },
    subscribe: async (_root, args, context) => {
      const { projectId } = viewerOf(context);
      const taskId = await knownTask(context, args.taskId);
      const { after = null, minLevel = null, stream = null } = args;
      // A cursor that cannot be used refuses the subscription, rather than ending it after it was accepted.
      if (after !== null) parseLogCursor(taskId, after);
      return follow(context, (signal) =>
        followLog(context.app.pipelines, { projectId, taskId, after, minLevel, stream, signal }),
      );
    },
    // The very object that all followers of the log share: whoever serves them may share its execution too.
    resolve: (batch) => batch,
  }),
}));

function taskNow(task: typeof Task.$inferType | null): typeof Task.$inferType {
  if (task !== null) return task;
  throw unknown('task');
}

async function knownTask(context: Context, id: string): Promise<string> {
  const where = { id: uuidOf('Task', id), ...inProject(viewerOf(context)) };
  const task = await context.app.store.db.task.findFirst({ where, select: { id: true } });
  if (task === null) throw unknown('task');
  return task.id;
}

async function knownJob(context: Context, id: string): Promise<string> {
  const where = { id: uuidOf('Job', id), ...visible(viewerOf(context)) };
  const job = await context.app.store.db.job.findFirst({ where, select: { id: true } });
  if (job === null) throw unknown('job');
  return job.id;
}

/** What whoever subscribes to something unknown, foreign or deleted is told. */
export function unknown(what: string): AppError {
  return new AppError('NOT_FOUND', `There is no such ${what} in this project.`, {
    fix: `Use the id of a ${what}, as the API gave it.`,
  });
}

/**
 * What `open` follows, until the subscriber leaves. Leaving aborts the signal at once: a generator that waits for its
 * next event would hear of return() only after that event.
 */
export function follow<Event>(
  context: Context,
  open: (signal: AbortSignal) => AsyncIterable<Event>,
): AsyncIterableIterator<Event> {
  const left = new AbortController();
  const events = open(AbortSignal.any([left.signal, context.signal]))[Symbol.asyncIterator]();
  return {
    next: () => events.next(),
    async return() {
      left.abort();
      await events.return?.();
      return { done: true, value: undefined };
    },
    async throw(error) {
      left.abort();
      await events.return?.();
      throw error;
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
