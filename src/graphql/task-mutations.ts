import { cancelTask } from '#pipelines/cancel-task.ts';
import { startTask } from '#pipelines/start-task.ts';
import { builder } from './builder.ts';
import { viewerOf } from './context.ts';
import { uuidOfInput } from './global-id.ts';
import { attempt, payloadType, writtenThing } from './payload.ts';
import { Task } from './task.ts';

const SyncJobInput = builder.inputType('SyncJobInput', {
  description: 'Which job to run.',
  fields: (t) => ({
    id: t.id({ required: true, description: 'The job.' }),
    idempotencyKey: t.string({
      description:
        'Any text of your own: a repeat with the same key and input starts nothing new, and returns the task that the first started. Null for none.',
    }),
  }),
});

const CancelTaskInput = builder.inputType('CancelTaskInput', {
  description: 'Which task to stop.',
  fields: (t) => ({ id: t.id({ required: true, description: 'The task.' }) }),
});

const SyncJobPayload = payloadType<{ id: string }>(
  'SyncJobPayload',
  'A job runs one task at a time: ALREADY_RUNNING names the one that runs, in task.',
  (t) => ({
    task: writtenThing(
      t,
      Task,
      'Task',
      'The new task; with ALREADY_RUNNING, the one that runs. Null with any other userError. Needs CONTROL_READ.',
    ),
  }),
);
const CancelTaskPayload = payloadType<{ id: string }>(
  'CancelTaskPayload',
  'What cancelTask answers.',
  (t) => ({
    task: writtenThing(
      t,
      Task,
      'Task',
      'The task as it is now. Null when there are userErrors. Needs CONTROL_READ.',
    ),
  }),
);

builder.mutationFields((t) => ({
  syncJob: t.field({
    type: SyncJobPayload,
    description: 'Starts a task of a job, active or not. Needs CONTROL_WRITE.',
    args: { input: t.arg({ type: SyncJobInput, required: true, description: 'Which job.' }) },
    resolve: async (_root, { input }, context) => {
      const { value, problems } = await attempt(async () =>
        startTask(context.app.pipelines, viewerOf(context), {
          jobId: uuidOfInput('Job', input.id),
          idempotencyKey: input.idempotencyKey,
        }),
      );
      return { value: value?.task ?? null, problems: value?.problems ?? problems };
    },
  }),
  cancelTask: t.field({
    type: CancelTaskPayload,
    description:
      'Stops a task: one that is queued at once, one that runs within seconds, through CANCELING. Needs CONTROL_WRITE.',
    args: { input: t.arg({ type: CancelTaskInput, required: true, description: 'Which task.' }) },
    resolve: (_root, { input }, context) =>
      attempt(async () =>
        cancelTask(context.app.pipelines, viewerOf(context), { id: uuidOfInput('Task', input.id) }),
      ),
  }),
}));
