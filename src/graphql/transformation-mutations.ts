import { runTransformation } from '#pipelines/start-task.ts';
import { deleteTransformation, upsertTransformation } from '#pipelines/transformations.ts';
import { builder } from './builder.ts';
import { viewerOf } from './context.ts';
import { uuidOfInput } from './global-id.ts';
import { attempt, deletedId, payloadType, writtenThing } from './payload.ts';
import { ScheduleInput } from './schedule.ts';
import { EntityKind, TableKind } from './table.ts';
import { Task } from './task.ts';
import { Transformation } from './transformation.ts';

const FormulaColumnInput = builder.inputType('FormulaColumnInput', {
  description: 'A column to compute for each entity.',
  fields: (t) => ({
    name: t.string({
      required: true,
      description: 'Its name in the table; "key" is taken by the key of the entity.',
    }),
    expression: t.string({
      required: true,
      description:
        'One SQL expression of the engine over the fields and properties of the entity, by their names: "lower(plan)". It sees nothing else.',
    }),
  }),
});

const FormulaInput = builder.inputType('FormulaInput', {
  description: 'A table with one row for each entity of a kind: its key, and these columns.',
  fields: (t) => ({
    entity: t.field({
      type: EntityKind,
      required: true,
      description: 'Of what the table has one row each. It must be mapped by mapEntity.',
    }),
    columns: t.field({
      type: [FormulaColumnInput],
      required: true,
      description: 'The columns that follow the key; at least one.',
    }),
  }),
});

const TransformationTargetInput = builder.inputType('TransformationTargetInput', {
  description: 'The table or view to make. Nothing else may write it.',
  fields: (t) => ({
    kind: t.field({
      type: TableKind,
      description:
        'TABLE keeps the rows of each run; VIEW computes them when it is read. Null for TABLE, or for what it is.',
    }),
    schema: t.string({ required: true, description: 'The schema; it is made when it is missing.' }),
    table: t.string({ required: true, description: 'The name of the table in the schema.' }),
  }),
});

const UpsertTransformationInput = builder.inputType('UpsertTransformationInput', {
  description:
    'Changes the transformation of that id, or else of that name, or makes a new one. A new one needs name, target, and sql or formula.',
  fields: (t) => ({
    id: t.id({ description: 'The transformation to change. Null or left out, it is found by its name.' }),
    name: t.string({
      description:
        'Its name, unique among the transformations of the project. Null or left out, it keeps the old one.',
    }),
    description: t.string({
      description: 'What it is for, in words. Null takes the words away; left out, they stay.',
    }),
    datastoreId: t.id({
      description: 'Where it reads and writes. Null or left out, it stays, and a new one is in the default.',
    }),
    sql: t.string({
      description: 'One SELECT of the engine. Takes the place of a formula. Null or left out, it stays.',
    }),
    formula: t.field({
      type: FormulaInput,
      description: 'What to compute for each entity. Takes the place of sql. Null or left out, it stays.',
    }),
    target: t.field({
      type: TransformationTargetInput,
      description: 'The table or view to make. Null or left out, it stays.',
    }),
    runAfterInputs: t.boolean({
      description:
        'Whether a task starts when a table that it reads was written. Null or left out, it stays, false at first.',
    }),
    schedule: t.field({
      type: ScheduleInput,
      description: 'When tasks start by themselves. Null takes it away; left out, it stays.',
    }),
    active: t.boolean({
      description: 'Whether schedule and inputs start tasks. Null or left out, it stays, true at first.',
    }),
    expectedRevision: t.int({
      description: 'Changes only this revision, CONFLICT otherwise. Null changes any.',
    }),
    idempotencyKey: t.string({
      description:
        'Any text of your own: a repeat with the same key and input changes nothing more, and returns the same one. Null for none.',
    }),
  }),
});

const DeleteTransformationInput = builder.inputType('DeleteTransformationInput', {
  description: 'Which transformation to delete.',
  fields: (t) => ({ id: t.id({ required: true, description: 'The transformation.' }) }),
});

const RunTransformationInput = builder.inputType('RunTransformationInput', {
  description: 'Which transformation to run.',
  fields: (t) => ({
    id: t.id({ required: true, description: 'The transformation.' }),
    idempotencyKey: t.string({
      description:
        'Any text of your own: a repeat with the same key and input starts nothing new, and returns the task that the first started. Null for none.',
    }),
  }),
});

const UpsertTransformationPayload = payloadType<{ id: string }>(
  'UpsertTransformationPayload',
  'What upsertTransformation answers.',
  (t) => ({
    transformation: writtenThing(
      t,
      Transformation,
      'Transformation',
      'The transformation as it is now. Null when there are userErrors. Needs CONTROL_READ.',
    ),
  }),
);
const DeleteTransformationPayload = payloadType<{ id: string }>(
  'DeleteTransformationPayload',
  'What deleteTransformation answers.',
  (t) => ({ deletedId: deletedId(t, 'Transformation') }),
);
const RunTransformationPayload = payloadType<{ id: string }>(
  'RunTransformationPayload',
  'A transformation runs one task at a time: ALREADY_RUNNING names the one that runs, in task.',
  (t) => ({
    task: writtenThing(
      t,
      Task,
      'Task',
      'The new task; with ALREADY_RUNNING, the one that runs. Null with any other userError. Needs CONTROL_READ.',
    ),
  }),
);

builder.mutationFields((t) => ({
  upsertTransformation: t.field({
    type: UpsertTransformationPayload,
    description:
      'Makes a transformation or changes one; a running task goes on with what it began with. It runs by its schedule, after its inputs, or by runTransformation. Needs CONTROL_WRITE.',
    args: {
      input: t.arg({
        type: UpsertTransformationInput,
        required: true,
        description: 'The transformation and its changes.',
      }),
    },
    resolve: (_root, { input }, context) =>
      attempt(async () =>
        upsertTransformation(context.app.pipelines, viewerOf(context), {
          ...input,
          id: input.id == null ? null : uuidOfInput('Transformation', input.id),
          datastoreId:
            input.datastoreId == null ? null : uuidOfInput('Datastore', input.datastoreId, ['datastoreId']),
        }),
      ),
  }),
  deleteTransformation: t.field({
    type: DeleteTransformationPayload,
    description:
      'Deletes a transformation and cancels its live task. What it made stays; its name may be used again. Needs CONTROL_WRITE.',
    args: {
      input: t.arg({ type: DeleteTransformationInput, required: true, description: 'Which transformation.' }),
    },
    resolve: (_root, { input }, context) =>
      attempt(async () =>
        deleteTransformation(context.app.pipelines, viewerOf(context), {
          id: uuidOfInput('Transformation', input.id),
        }),
      ),
  }),
  runTransformation: t.field({
    type: RunTransformationPayload,
    description: 'Starts a task of a transformation, active or not. Needs CONTROL_WRITE.',
    args: {
      input: t.arg({ type: RunTransformationInput, required: true, description: 'Which transformation.' }),
    },
    resolve: async (_root, { input }, context) => {
      const { value, problems } = await attempt(async () =>
        runTransformation(context.app.pipelines, viewerOf(context), {
          id: uuidOfInput('Transformation', input.id),
          idempotencyKey: input.idempotencyKey,
        }),
      );
      return { value: value?.task ?? null, problems: value?.problems ?? problems };
    },
  }),
}));
