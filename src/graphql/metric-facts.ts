import type { GraphQLResolveInfo } from 'graphql';
import type { Problem } from '#base/errors.ts';
import { describeMetrics, type MetricFacts } from '#metrics/describe-metrics.ts';
import { batched } from './batch.ts';
import { builder } from './builder.ts';
import { type Context, viewerOf } from './context.ts';
import { Freshness } from './freshness.ts';
import { Metric } from './metric.ts';
import { readRows, selectionOf } from './rows.ts';
import { Table } from './table.ts';

/** What is counted of the lists of a metric, which have no pages. */
const listed = { field: 1, multiplier: 5 };

const unknown: MetricFacts = {
  dimensions: [],
  tableIds: [],
  freshness: { syncedAt: null, taskId: null },
  usedBy: [],
  problems: [],
};

const MetricProblem = builder.objectRef<Problem>('MetricProblem').implement({
  description: 'Why a metric cannot be asked as it is defined. Needs DATA_READ.',
  fields: (t) => ({
    message: t.exposeString('message', { description: 'What does not hold any more, and what is there.' }),
    path: t.stringList({
      description: 'Where in the definition, such as ["definition", "simple", "measure", "column"].',
      resolve: ({ path }) => [...path],
    }),
    fix: t.string({
      nullable: true,
      description: 'What the reader can do. Null when the message says it all.',
      resolve: ({ fix }) => fix,
    }),
  }),
});

const underWay = new WeakMap<Context, Promise<Map<string, MetricFacts>>>();

/** The facts of a metric. All that ask for some while they are read share them; nothing is remembered beyond that. */
async function factsOf(context: Context, id: string): Promise<MetricFacts> {
  const reading =
    underWay.get(context) ??
    describeMetrics(context.app.metrics, viewerOf(context).projectId).finally(() => underWay.delete(context));
  underWay.set(context, reading);
  return (await reading).get(id) ?? unknown;
}

builder.prismaObjectFields('Metric', (t) => ({
  dimensions: t.stringList({
    description:
      'What `by` and `filter` may name. Properties of a JSON column that a mapping does not name are no part of it, and may be named all the same. Empty when what it measures is not there any more.',
    select: { id: true },
    resolve: async ({ id }, _args, context) => (await factsOf(context, id)).dimensions,
  }),
  freshness: t.field({
    type: Freshness,
    description: 'When the oldest of the tables that it reads was last written.',
    select: { id: true },
    resolve: async ({ id }, _args, context) => (await factsOf(context, id)).freshness,
  }),
  tables: t.field({
    type: [Table],
    description:
      'The tables that it reads; grouping and filtering may join others. Empty when what it measures is not there any more.',
    complexity: listed,
    select: { id: true },
    resolve: async ({ id }, _args, context, info) => {
      const { tableIds } = await factsOf(context, id);
      return readEach<typeof Table.$inferType>(context, info, 'Table', tableIds);
    },
  }),
  usedBy: t.field({
    type: [Metric],
    description: 'The metrics that are made of it, directly or through others, oldest first.',
    complexity: listed,
    select: { id: true },
    resolve: async ({ id }, _args, context, info) => {
      const { usedBy } = await factsOf(context, id);
      return readEach<typeof Metric.$inferType>(context, info, 'Metric', usedBy);
    },
  }),
  problems: t.field({
    type: [MetricProblem],
    description:
      'Why it cannot be asked as it is defined, such as a column that is gone, without asking the warehouse. Empty when it can.',
    complexity: listed,
    select: { id: true },
    resolve: async ({ id }, _args, context) => (await factsOf(context, id)).problems,
  }),
}));

/** The rows of these ids, those of many metrics by one statement. */
async function readEach<Row>(
  context: Context,
  info: GraphQLResolveInfo,
  type: 'Table' | 'Metric',
  ids: readonly string[],
): Promise<Row[]> {
  const selection = selectionOf(context, info, type);
  const rows = await Promise.all(
    ids.map((id) =>
      batched<Row | null>(context, info, 'rows', id, (all) => readRows<Row>(context, selection, type, all)),
    ),
  );
  return rows.filter((row) => row !== null);
}
