import { createMetric } from '#metrics/create-metric.ts';
import { deleteMetric } from '#metrics/delete-metric.ts';
import { updateMetric, type UpdatedMetric } from '#metrics/update-metric.ts';
import { builder } from './builder.ts';
import { viewerOf } from './context.ts';
import { uuidOfInput } from './global-id.ts';
import { MetricDefinitionInput } from './metric-definition.ts';
import { Metric } from './metric.ts';
import { attempt, deletedId, payloadType, writtenThing } from './payload.ts';
import { readRows, selectionOf } from './rows.ts';

const CreateMetricInput = builder.inputType('CreateMetricInput', {
  description: 'A new metric.',
  fields: (t) => ({
    name: t.string({
      required: true,
      description:
        'What expressions and questions call it: letters, digits and _, not a digit first. Unique among the metrics of the project.',
    }),
    title: t.string({ description: 'Its name for people. Null for the name.' }),
    description: t.string({ description: 'What it tells, in words. Null for none.' }),
    definition: t.field({ type: MetricDefinitionInput, required: true, description: 'What it is.' }),
    idempotencyKey: t.string({
      description:
        'Any text of your own: a repeat with the same key and input makes nothing new, and returns what the first made. Null for none.',
    }),
  }),
});

const UpdateMetricInput = builder.inputType('UpdateMetricInput', {
  description: 'A metric and its changes.',
  fields: (t) => ({
    id: t.id({ required: true, description: 'The metric to change.' }),
    name: t.string({ description: 'Its new name. Null or left out, it keeps the old one.' }),
    title: t.string({
      description: 'Its new name for people. Null for its name; left out, it keeps the old one.',
    }),
    description: t.string({
      description: 'What it tells, in words. Null takes the words away; left out, they stay.',
    }),
    definition: t.field({
      type: MetricDefinitionInput,
      description: 'What it is from now on, whole. Null or left out, it stays.',
    }),
    expectedRevision: t.int({
      description: 'Changes only this revision, CONFLICT otherwise. Null changes any.',
    }),
  }),
});

const DeleteMetricInput = builder.inputType('DeleteMetricInput', {
  description: 'Which metric to delete.',
  fields: (t) => ({ id: t.id({ required: true, description: 'The metric.' }) }),
});

const CreateMetricPayload = payloadType<{ id: string }>(
  'CreateMetricPayload',
  'What createMetric answers.',
  (t) => ({
    metric: writtenThing(
      t,
      Metric,
      'Metric',
      'The new metric. Null when there are userErrors. Needs DATA_READ.',
    ),
  }),
);
const UpdateMetricPayload = payloadType<UpdatedMetric>(
  'UpdateMetricPayload',
  'What updateMetric answers.',
  (t) => ({
    metric: writtenThing(
      t,
      Metric,
      'Metric',
      'The metric as it is now. Null when there are userErrors. Needs DATA_READ.',
    ),
    usedBy: t.field({
      type: [Metric],
      description:
        'The metrics that use it, directly or through others: what the change is a change of too. Empty when there are userErrors. Needs DATA_READ.',
      resolve: async ({ value }, _args, context, info) => {
        const selection = selectionOf(context, info, 'Metric');
        const ids = value?.usedBy ?? [];
        const rows = await readRows<typeof Metric.$inferType>(context, selection, 'Metric', ids);
        return rows.filter((row) => row !== null);
      },
    }),
  }),
);
const DeleteMetricPayload = payloadType<{ id: string }>(
  'DeleteMetricPayload',
  'What deleteMetric answers.',
  (t) => ({ deletedId: deletedId(t, 'Metric') }),
);

builder.mutationFields((t) => ({
  createMetric: t.field({
    type: CreateMetricPayload,
    description: 'Defines a metric. It can be asked at once. Needs CONTROL_WRITE.',
    args: { input: t.arg({ type: CreateMetricInput, required: true, description: 'The new metric.' }) },
    resolve: (_root, { input }, context) =>
      attempt(() => createMetric(context.app.metrics, viewerOf(context), input)),
  }),
  updateMetric: t.field({
    type: UpdateMetricPayload,
    description:
      'Changes a metric, from the next question on. Refused when a metric that uses it would not work any more. Needs CONTROL_WRITE.',
    args: {
      input: t.arg({ type: UpdateMetricInput, required: true, description: 'The metric and its changes.' }),
    },
    resolve: (_root, { input }, context) =>
      attempt(async () =>
        updateMetric(context.app.metrics, viewerOf(context), {
          ...input,
          id: uuidOfInput('Metric', input.id),
        }),
      ),
  }),
  deleteMetric: t.field({
    type: DeleteMetricPayload,
    description: 'Deletes a metric that no other metric and no signal uses. Needs CONTROL_WRITE.',
    args: { input: t.arg({ type: DeleteMetricInput, required: true, description: 'Which metric.' }) },
    resolve: (_root, { input }, context) =>
      attempt(async () =>
        deleteMetric(context.app.metrics, viewerOf(context), { id: uuidOfInput('Metric', input.id) }),
      ),
  }),
}));
