import { webhookHost } from '#metrics/signal-webhook.ts';
import { builder } from './builder.ts';
import { connectionOf, pageCost } from './connection.ts';
import { createdOrder } from './created-order.ts';
import { firstNested, listNested, listRows } from './lists.ts';
import { Grain } from './metric-definition.ts';
import { Resource, resourceFields } from './resource.ts';
import { findRow, whichOne } from './rows.ts';
import { Schedule, scheduleOf } from './schedule.ts';

export const SignalOperator = builder.enumType('SignalOperator', {
  description: 'How a number stands to a threshold for a signal to be triggered.',
  values: {
    GT: { description: 'It is above the threshold.' },
    GTE: { description: 'It is above the threshold, or equal to it.' },
    LT: { description: 'It is below the threshold.' },
    LTE: { description: 'It is below the threshold, or equal to it.' },
    EQ: { description: 'It is equal to the threshold.' },
    NEQ: { description: 'It is anything but the threshold.' },
  },
});

export const SignalMeasure = builder.enumType('SignalMeasure', {
  description: 'What is held against the threshold: the value, or its change from the period before.',
  values: {
    VALUE: { description: 'The value of the last whole period.' },
    CHANGE: { description: 'That value less the one of the period before.' },
    CHANGE_PERCENT: {
      description:
        'The change as a part of the value of the period before, in percent: 50 is half as much again.',
    },
  },
});

const SignalState = builder.enumType('SignalState', {
  description: 'What a signal was found to be.',
  values: {
    OK: { description: 'The threshold is not met.' },
    TRIGGERED: { description: 'The threshold is met.' },
    NO_DATA: {
      description:
        'There is no number to hold against the threshold; the message of the evaluation says why.',
    },
  },
});

builder.prismaObject('WebhookDelivery', {
  description: 'A webhook on its way, or there. Needs CONTROL_READ.',
  fields: (t) => ({
    attempts: t.exposeInt('attempts', { description: 'How often it was sent so far; eight times at most.' }),
    deliveredAt: t.expose('deliveredAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it was answered with a status of 200 to 299. Null while it was not.',
    }),
    nextAttemptAt: t.expose('nextAttemptAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it is sent next. Null when it was taken, and when it was given up.',
    }),
    lastError: t.exposeString('lastError', {
      nullable: true,
      description: 'Why the last attempt did not do. Null before the first, and when it was taken.',
    }),
  }),
});

export const SignalEvaluation = builder.prismaNode('SignalEvaluation', {
  id: { field: 'id' },
  nullable: true,
  select: { id: true },
  description: 'What a signal was found to be at one time. Needs CONTROL_READ.',
  fields: (t) => ({
    at: t.expose('createdAt', { type: 'DateTime', description: 'When it was found.' }),
    state: t.expose('state', { type: SignalState, description: 'What the signal was.' }),
    value: t.exposeFloat('value', {
      nullable: true,
      description: 'The metric in the last whole period. Null when it had no value or could not be answered.',
    }),
    previousValue: t.exposeFloat('previousValue', {
      nullable: true,
      description: 'The metric in the period before. Null when it had no value or could not be answered.',
    }),
    message: t.exposeString('message', {
      description: 'What was found in words: "signups was 12 in the day of 2026-11-20, below 20."',
    }),
    delivery: t.relation('delivery', {
      nullable: true,
      description: 'The webhook that told of it. Null when nothing was to be told, or nobody to be told it.',
    }),
  }),
});

export const Signal = builder.prismaNode('Signal', {
  id: { field: 'id' },
  nullable: true,
  select: { id: true },
  interfaces: [Resource],
  description: 'A metric with a threshold. Needs CONTROL_READ.',
  fields: (t) => ({
    ...resourceFields(t, { name: 'Its name, unique among the signals of the project.' }),
    metric: t.relation('metric', { description: 'The metric that is watched. Needs DATA_READ.' }),
    operator: t.expose('operator', {
      type: SignalOperator,
      description: 'How the number stands to the threshold when the signal is triggered.',
    }),
    threshold: t.exposeFloat('threshold', { description: 'What the number is held against.' }),
    measure: t.expose('measure', {
      type: SignalMeasure,
      description: 'Which number is held against the threshold.',
    }),
    grain: t.expose('grain', { type: Grain, description: 'How long the periods are that it looks at.' }),
    cooldownMinutes: t.exposeInt('cooldownMinutes', {
      description:
        'No webhook says "triggered" for so long after the last one that did; what stays triggered is told again after it. At 0 it is told once, until it is over.',
    }),
  }),
});

builder.prismaObjectFields('Signal', (t) => ({
  schedule: t.field({
    type: Schedule,
    nullable: true,
    description:
      'When it is evaluated, besides after tasks that write what the metric reads; its time zone is that of the periods too. Null without: periods are then in UTC.',
    select: { cron: true, timeZone: true },
    resolve: scheduleOf,
  }),
  nextRunAt: t.expose('nextRunAt', {
    type: 'DateTime',
    nullable: true,
    description: 'When the schedule evaluates it next. Null without a schedule.',
  }),
  state: t.expose('state', {
    type: SignalState,
    description: 'What its last evaluation found; NO_DATA before the first.',
  }),
  hasWebhook: t.boolean({
    description: 'Whether anybody is told by webhook. The URL itself never comes back.',
    select: { webhook: true },
    resolve: ({ webhook }) => webhookHost(webhook) !== null,
  }),
  webhookHost: t.string({
    nullable: true,
    description: 'The host, and port, of the webhook. Null without one.',
    select: { webhook: true },
    resolve: ({ webhook }) => webhookHost(webhook),
  }),
}));

const SignalConnection = connectionOf(Signal, 'Signal', 'signals');
const SignalEvaluationConnection = connectionOf(SignalEvaluation, 'SignalEvaluation', 'evaluations');
const signalOrder = createdOrder('signal', 'oldest first');
const ofSignal = {
  type: 'SignalEvaluation',
  order: createdOrder('evaluation', 'newest first'),
  table: 'signal_evaluation',
  parentColumn: 'signal_id',
} as const;

builder.prismaObjectFields('Signal', (t) => ({
  lastEvaluation: t.field({
    type: SignalEvaluation,
    nullable: true,
    description: 'The newest of its evaluations. Null before the first.',
    select: { id: true },
    resolve: (signal, _args, context, info) =>
      firstNested<typeof SignalEvaluation.$inferType & { createdAt: Date }>({
        ...ofSignal,
        context,
        info,
        parentId: signal.id,
      }),
  }),
  evaluations: t.field({
    type: SignalEvaluationConnection,
    description: 'All its evaluations, newest first. None is ever dropped.',
    args: t.arg.connectionArgs(),
    complexity: pageCost,
    select: { id: true },
    resolve: (signal, args, context, info) =>
      listNested({ ...ofSignal, context, info, args, parentId: signal.id }),
  }),
}));

builder.prismaObjectField('SignalEvaluation', 'signal', (t) =>
  t.relation('signal', { description: 'The signal that was evaluated, as it is now.' }),
);

builder.queryFields((t) => ({
  signals: t.field({
    type: SignalConnection,
    description: 'The signals of the project, oldest first. Needs CONTROL_READ.',
    args: t.arg.connectionArgs(),
    complexity: pageCost,
    resolve: (_root, args, context, info) =>
      listRows({ context, info, args, type: 'Signal', order: signalOrder }),
  }),
  signal: t.field({
    type: Signal,
    nullable: true,
    description:
      'One signal, by id or by name; by both it must be the same. Null when the project has none such. Needs CONTROL_READ.',
    args: {
      id: t.arg.id({ description: 'Its id. Null to find it by name.' }),
      name: t.arg.string({ description: 'Its name, exactly. Null to find it by id.' }),
    },
    resolve: (_root, args, context, info) =>
      findRow<typeof Signal.$inferType>(context, info, 'Signal', whichOne('Signal', args)),
  }),
}));
