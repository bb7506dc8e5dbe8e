import { createSignal, type WrittenSignal } from '#metrics/create-signal.ts';
import { deleteSignal } from '#metrics/delete-signal.ts';
import { evaluateSignal } from '#metrics/evaluate-signal.ts';
import { updateSignal } from '#metrics/update-signal.ts';
import { builder } from './builder.ts';
import { viewerOf } from './context.ts';
import { uuidOfInput } from './global-id.ts';
import { Grain } from './metric-definition.ts';
import { attempt, deletedId, payloadType, writtenThing } from './payload.ts';
import { ScheduleInput } from './schedule.ts';
import { Signal, SignalEvaluation, SignalMeasure, SignalOperator } from './signal.ts';

const CreateSignalInput = builder.inputType('CreateSignalInput', {
  description: 'A new signal.',
  fields: (t) => ({
    name: t.string({ required: true, description: 'Its name, unique among the signals of the project.' }),
    metricId: t.id({ required: true, description: 'The metric to watch.' }),
    operator: t.field({
      type: SignalOperator,
      required: true,
      description: 'How the number stands to the threshold when the signal is triggered.',
    }),
    threshold: t.float({ required: true, description: 'What the number is held against.' }),
    measure: t.field({
      type: SignalMeasure,
      description: 'Which number is held against the threshold. Null for VALUE.',
    }),
    grain: t.field({
      type: Grain,
      required: true,
      description: 'How long the periods are that it looks at.',
    }),
    schedule: t.field({
      type: ScheduleInput,
      description:
        'When it is evaluated, besides after tasks that write what the metric reads. Null for no other time.',
    }),
    cooldownMinutes: t.int({
      description:
        'No webhook says "triggered" for so long after the last one that did; what stays triggered is told again after it. Null for 0: told once, until it is over.',
    }),
    webhookUrl: t.string({
      description:
        'Where to POST what is to be told: http or https, at a public address or a host of SLUICE_WEBHOOK_HOSTS. Null for nowhere.',
    }),
    idempotencyKey: t.string({
      description:
        'Any text of your own: a repeat with the same key and input makes nothing new, and returns what the first made, but for webhookSecret. Null for none.',
    }),
  }),
});

const UpdateSignalInput = builder.inputType('UpdateSignalInput', {
  description: 'schedule: null takes the schedule away, webhookUrl: null the webhook.',
  fields: (t) => ({
    id: t.id({ required: true, description: 'The signal to change.' }),
    name: t.string({ description: 'Its new name. Null or left out, it keeps the old one.' }),
    metricId: t.id({ description: 'The metric to watch now. Null or left out, it stays.' }),
    operator: t.field({
      type: SignalOperator,
      description: 'How the number stands to the threshold from now on. Null or left out, it stays.',
    }),
    threshold: t.float({ description: 'The new threshold. Null or left out, it stays.' }),
    measure: t.field({
      type: SignalMeasure,
      description: 'Which number to hold against it now. Null or left out, it stays.',
    }),
    grain: t.field({
      type: Grain,
      description: 'How long the periods are from now on. Null or left out, it stays.',
    }),
    schedule: t.field({
      type: ScheduleInput,
      description: 'The new schedule. Null takes it away; left out, it stays.',
    }),
    cooldownMinutes: t.int({ description: 'The new cooldown. Null or left out, it stays.' }),
    webhookUrl: t.string({
      description:
        'Where to POST from now on, signed with a new secret. Null takes the webhook away; left out, it stays.',
    }),
    expectedRevision: t.int({
      description: 'Changes only this revision, CONFLICT otherwise. Null changes any.',
    }),
  }),
});

const DeleteSignalInput = builder.inputType('DeleteSignalInput', {
  description: 'Which signal to delete.',
  fields: (t) => ({ id: t.id({ required: true, description: 'The signal.' }) }),
});

const EvaluateSignalInput = builder.inputType('EvaluateSignalInput', {
  description: 'Which signal to evaluate.',
  fields: (t) => ({ id: t.id({ required: true, description: 'The signal.' }) }),
});

const secretSays = 'What its webhooks are signed with from now on. Shown this once;';

const CreateSignalPayload = payloadType<WrittenSignal>(
  'CreateSignalPayload',
  'What createSignal answers.',
  (t) => ({
    signal: writtenThing(
      t,
      Signal,
      'Signal',
      'The new signal. Null when there are userErrors. Needs CONTROL_READ.',
    ),
    webhookSecret: t.string({
      nullable: true,
      description: `${secretSays} null when no webhookUrl was given, when an idempotencyKey was repeated, and when there are userErrors.`,
      resolve: ({ value }) => value?.webhookSecret,
    }),
  }),
);
const UpdateSignalPayload = payloadType<WrittenSignal>(
  'UpdateSignalPayload',
  'What updateSignal answers.',
  (t) => ({
    signal: writtenThing(
      t,
      Signal,
      'Signal',
      'The signal as it is now. Null when there are userErrors. Needs CONTROL_READ.',
    ),
    webhookSecret: t.string({
      nullable: true,
      description: `${secretSays} null when no webhookUrl was given, and when there are userErrors.`,
      resolve: ({ value }) => value?.webhookSecret,
    }),
  }),
);
const DeleteSignalPayload = payloadType<{ id: string }>(
  'DeleteSignalPayload',
  'What deleteSignal answers.',
  (t) => ({ deletedId: deletedId(t, 'Signal') }),
);
const EvaluateSignalPayload = payloadType<{ id: string }>(
  'EvaluateSignalPayload',
  'What evaluateSignal answers.',
  (t) => ({
    evaluation: writtenThing(
      t,
      SignalEvaluation,
      'SignalEvaluation',
      'What was found. Null when there are userErrors. Needs CONTROL_READ.',
    ),
  }),
);

builder.mutationFields((t) => ({
  createSignal: t.field({
    type: CreateSignalPayload,
    description:
      'Makes a signal. It is evaluated at once, then by its schedule and after tasks that write what its metric reads. Needs CONTROL_WRITE.',
    args: { input: t.arg({ type: CreateSignalInput, required: true, description: 'The new signal.' }) },
    resolve: (_root, { input }, context) =>
      attempt(async () =>
        createSignal(context.app.metrics, viewerOf(context), {
          ...input,
          metricId: uuidOfInput('Metric', input.metricId, ['metricId']),
        }),
      ),
  }),
  updateSignal: t.field({
    type: UpdateSignalPayload,
    description:
      'Changes a signal, which is evaluated at once when it means something else now. Needs CONTROL_WRITE.',
    args: {
      input: t.arg({ type: UpdateSignalInput, required: true, description: 'The signal and its changes.' }),
    },
    resolve: (_root, { input }, context) =>
      attempt(async () =>
        updateSignal(context.app.metrics, viewerOf(context), {
          ...input,
          id: uuidOfInput('Signal', input.id),
          metricId: input.metricId == null ? undefined : uuidOfInput('Metric', input.metricId, ['metricId']),
        }),
      ),
  }),
  deleteSignal: t.field({
    type: DeleteSignalPayload,
    description:
      'Deletes a signal; webhooks that were not taken yet are not sent any more. Its name may be used again. Needs CONTROL_WRITE.',
    args: { input: t.arg({ type: DeleteSignalInput, required: true, description: 'Which signal.' }) },
    resolve: (_root, { input }, context) =>
      attempt(async () =>
        deleteSignal(context.app.metrics, viewerOf(context), { id: uuidOfInput('Signal', input.id) }),
      ),
  }),
  evaluateSignal: t.field({
    type: EvaluateSignalPayload,
    description:
      'Evaluates a signal now, as its schedule would: what is found is kept, and told. Needs CONTROL_WRITE.',
    args: { input: t.arg({ type: EvaluateSignalInput, required: true, description: 'Which signal.' }) },
    resolve: (_root, { input }, context) =>
      attempt(async () =>
        evaluateSignal(
          context.app.metrics,
          viewerOf(context),
          { id: uuidOfInput('Signal', input.id) },
          context,
        ),
      ),
  }),
}));
