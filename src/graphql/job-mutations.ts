import { createJob, deleteJob, setJobActive, updateJob } from '#pipelines/jobs.ts';
import { builder } from './builder.ts';
import { SyncMode, WriteMode } from './connector.ts';
import { viewerOf } from './context.ts';
import { uuidOfInput } from './global-id.ts';
import { Job } from './job.ts';
import { attempt, deletedId, payloadType, writtenThing } from './payload.ts';
import { ScheduleInput } from './schedule.ts';

const DifferenceInput = builder.inputType('DifferenceInput', {
  description:
    'That INCREMENTAL finds added, changed and removed rows by comparing them, by key and hash, with those of the last run.',
  fields: (t) => ({
    mirrorRemovals: t.boolean({
      description:
        "Whether rows that are gone from the source go from the destination's table too, which only UPSERT can. Null for false.",
    }),
  }),
});

const JobStreamInput = builder.inputType('JobStreamInput', {
  description: 'A stream to move, and how.',
  fields: (t) => ({
    namespace: t.string({
      description: "The stream's namespace, as discovered. Null where the source has none.",
    }),
    name: t.string({ required: true, description: "The stream's name, as discovered." }),
    syncMode: t.field({ type: SyncMode, required: true, description: 'How much of it a task reads.' }),
    writeMode: t.field({
      type: WriteMode,
      description: 'What becomes of the rows that its table has. Null for what goes best with syncMode.',
    }),
    cursorField: t.string({
      description: 'The column that INCREMENTAL goes by. Null to take the only one there is.',
    }),
    primaryKey: t.stringList({
      description: "The columns that UPSERT tells rows apart by. Null for the source's own primary key.",
    }),
    destinationTable: t.string({
      description: "The table, or folder of files, to write to. Null for the stream's name.",
    }),
    selectedColumns: t.stringList({
      description: 'The columns to move. Null for all, those to come included.',
    }),
    difference: t.field({
      type: DifferenceInput,
      description: 'INCREMENTAL by difference, for streams that are comparable. Null to go by the cursor.',
    }),
  }),
});

const CreateJobInput = builder.inputType('CreateJobInput', {
  description: 'A new job.',
  fields: (t) => ({
    name: t.string({ required: true, description: 'Its name, unique among the jobs of the project.' }),
    sourceId: t.id({ required: true, description: 'The source to read from.' }),
    destinationId: t.id({ required: true, description: 'The destination to write to.' }),
    streams: t.field({
      type: [JobStreamInput],
      required: true,
      description: 'The streams to move; at least one.',
    }),
    schedule: t.field({
      type: ScheduleInput,
      description: 'When tasks start by themselves. Null for never.',
    }),
    runAfterInputs: t.boolean({
      description:
        'Whether a task starts when a table that it reads was written, and the first one at once. For sources of type "datastore" alone. Null for false.',
    }),
    active: t.boolean({ description: 'Whether tasks start by themselves. Null for true.' }),
    idempotencyKey: t.string({
      description:
        'Any text of your own: a repeat with the same key and input makes nothing new, and returns what the first made. Null for none.',
    }),
  }),
});

const UpdateJobInput = builder.inputType('UpdateJobInput', {
  description: 'schedule: null takes the schedule away.',
  fields: (t) => ({
    id: t.id({ required: true, description: 'The job to change.' }),
    name: t.string({ description: 'Its new name. Null or left out, it keeps the old one.' }),
    sourceId: t.id({ description: 'The source to read from now. Null or left out, it stays.' }),
    destinationId: t.id({ description: 'The destination to write to now. Null or left out, it stays.' }),
    streams: t.field({
      type: [JobStreamInput],
      description: 'All the streams to move from now on. Null or left out, they stay.',
    }),
    schedule: t.field({
      type: ScheduleInput,
      description: 'The new schedule. Null takes it away; left out, it stays.',
    }),
    runAfterInputs: t.boolean({
      description:
        'Whether a task starts when a table that it reads was written. Null or left out, it stays.',
    }),
    active: t.boolean({ description: 'Whether tasks start by themselves. Null or left out, it stays.' }),
    expectedRevision: t.int({
      description: 'Changes only this revision, CONFLICT otherwise. Null changes any.',
    }),
  }),
});

const DeleteJobInput = builder.inputType('DeleteJobInput', {
  description: 'Which job to delete.',
  fields: (t) => ({ id: t.id({ required: true, description: 'The job.' }) }),
});

const SetJobActiveInput = builder.inputType('SetJobActiveInput', {
  description: 'Whether tasks of a job start by themselves.',
  fields: (t) => ({
    id: t.id({ required: true, description: 'The job.' }),
    active: t.boolean({
      required: true,
      description:
        'True to start tasks by its schedule and after its inputs, false to stop that. A running task goes on.',
    }),
  }),
});

const CreateJobPayload = payloadType<{ id: string }>('CreateJobPayload', 'What createJob answers.', (t) => ({
  job: writtenThing(t, Job, 'Job', 'The new job. Null when there are userErrors. Needs CONTROL_READ.'),
}));
const UpdateJobPayload = payloadType<{ id: string }>('UpdateJobPayload', 'What updateJob answers.', (t) => ({
  job: writtenThing(
    t,
    Job,
    'Job',
    'The job as it is now. Null when there are userErrors. Needs CONTROL_READ.',
  ),
}));
const DeleteJobPayload = payloadType<{ id: string }>('DeleteJobPayload', 'What deleteJob answers.', (t) => ({
  deletedId: deletedId(t, 'Job'),
}));
const SetJobActivePayload = payloadType<{ id: string }>(
  'SetJobActivePayload',
  'What setJobActive answers.',
  (t) => ({
    job: writtenThing(
      t,
      Job,
      'Job',
      'The job as it is now. Null when there are userErrors. Needs CONTROL_READ.',
    ),
  }),
);

builder.mutationFields((t) => ({
  createJob: t.field({
    type: CreateJobPayload,
    description:
      'Makes a job. It runs when its schedule says so, after its inputs where it is to, or by syncJob. Needs CONTROL_WRITE.',
    args: { input: t.arg({ type: CreateJobInput, required: true, description: 'The new job.' }) },
    resolve: (_root, { input }, context) =>
      attempt(async () =>
        createJob(context.app.pipelines, viewerOf(context), {
          ...input,
          sourceId: uuidOfInput('Source', input.sourceId, ['sourceId']),
          destinationId: uuidOfInput('Destination', input.destinationId, ['destinationId']),
        }),
      ),
  }),
  updateJob: t.field({
    type: UpdateJobPayload,
    description: 'Changes a job; a running task goes on with what it began with. Needs CONTROL_WRITE.',
    args: { input: t.arg({ type: UpdateJobInput, required: true, description: 'The job and its changes.' }) },
    resolve: (_root, { input }, context) =>
      attempt(async () =>
        updateJob(context.app.pipelines, viewerOf(context), {
          ...input,
          id: uuidOfInput('Job', input.id),
          sourceId: input.sourceId == null ? undefined : uuidOfInput('Source', input.sourceId, ['sourceId']),
          destinationId:
            input.destinationId == null
              ? undefined
              : uuidOfInput('Destination', input.destinationId, ['destinationId']),
        }),
      ),
  }),
  deleteJob: t.field({
    type: DeleteJobPayload,
    description:
      'Deletes a job and cancels its live task. What it wrote stays; its name may be used again. Needs CONTROL_WRITE.',
    args: { input: t.arg({ type: DeleteJobInput, required: true, description: 'Which job.' }) },
    resolve: (_root, { input }, context) =>
      attempt(async () =>
        deleteJob(context.app.pipelines, viewerOf(context), { id: uuidOfInput('Job', input.id) }),
      ),
  }),
  setJobActive: t.field({
    type: SetJobActivePayload,
    description: 'Lets tasks of a job start by themselves, or stops that. Needs CONTROL_WRITE.',
    args: {
      input: t.arg({ type: SetJobActiveInput, required: true, description: 'Which job, and whether.' }),
    },
    resolve: (_root, { input }, context) =>
      attempt(async () =>
        setJobActive(context.app.pipelines, viewerOf(context), {
          id: uuidOfInput('Job', input.id),
          active: input.active,
        }),
      ),
  }),
}));
