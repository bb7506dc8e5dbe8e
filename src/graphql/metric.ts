import type { GraphQLResolveInfo } from 'graphql';
import { builder } from './builder.ts';
import { connectionOf, pageCost } from './connection.ts';
import { askerOf, type Context, viewerOf } from './context.ts';
import { createdOrder } from './created-order.ts';
import { listRows, nameHolds } from './lists.ts';
import { awaitLookup, awaitPage } from './metric-loader.ts';
import { Resource, resourceFields } from './resource.ts';
import { rowsOf, selectionOf, whichOne } from './rows.ts';

const MetricKind = builder.enumType('MetricKind', {
  description: 'What a metric is made of.',
  values: {
    SIMPLE: { description: 'A measure over the rows of an entity or a table.' },
    RATIO: { description: 'One metric over another.' },
    DERIVED: { description: 'An expression over metrics.' },
    CUMULATIVE: { description: 'A metric over a rolling window, to date, or since ever.' },
    CONVERSION: { description: 'The share of users who go from one event to another.' },
  },
});

export const Metric = builder.prismaNode('Metric', {
  id: { field: 'id' },
  nullable: true,
  select: { id: true },
  interfaces: [Resource],
  description: 'A number that the warehouse answers: what is measured, over which rows. Needs DATA_READ.',
  fields: (t) => ({
    ...resourceFields(t, {
      name: 'What expressions and questions call it, unique among the metrics of the project.',
      by: 'Null for an API key, or a member who is gone. Needs CONTROL_READ.',
    }),
    title: t.exposeString('title', { description: 'Its name for people.' }),
    description: t.exposeString('description', {
      nullable: true,
      description: 'What it tells, in words. Null when nobody said.',
    }),
    kind: t.expose('kind', { type: MetricKind, description: 'What it is made of.' }),
    definition: t.expose('definition', {
      type: 'JSON',
      description: 'The one field of MetricDefinitionInput that it was defined by, as it was given.',
    }),
  }),
});

const MetricConnection = connectionOf(Metric, 'Metric', 'metrics');
const metricOrder = createdOrder('metric', 'oldest first');

builder.queryFields((t) => ({
  metrics: t.field({
    type: MetricConnection,
    description: 'The metrics of the project, oldest first. Needs DATA_READ.',
    args: {
      search: t.arg.string({
        description: 'Only those whose name or title holds this, in any case. Null for all.',
      }),
      ...t.arg.connectionArgs(),
    },
    complexity: pageCost,
    resolve: (_root, args, context, info) => {
      const holds = nameHolds(args.search);
      const where = holds && { OR: [{ name: holds }, { title: holds }] };
      const order = metricOrder;
      const page = listRows({ context, info, args, type: 'Metric', order, ...(where && { where }) });
      return awaitPage(context, page);
    },
  }),
  metric: t.field({
    type: Metric,
    nullable: true,
    description:
      'One metric, by id or by name; by both it must be the same. Null when the project has none such. Needs DATA_READ.',
    args: {
      id: t.arg.id({ description: 'Its id. Null to find it by name.' }),
      name: t.arg.string({ description: 'Its name, exactly. Null to find it by id.' }),
    },
    resolve: (_root, args, context, info) =>
      awaitLookup(context, findMetric(context, info, whichOne('Metric', args))),
  }),
}));

type MetricRow = typeof Metric.$inferType;

/** Remembered whole by the project's revision, but where rows of others are selected with it: these change without it. One statement, where it is not. */
async function findMetric(
  context: Context,
  info: GraphQLResolveInfo,
  where: { id?: string; name?: string },
): Promise<MetricRow | null> {
  const selection = selectionOf(context, info, 'Metric');
  const memory = hasColumnsOnly(selection) ? context.app.catalog.memory.of(askerOf(context)) : null;
  const name = `row of metric ${JSON.stringify(where)}`;
  const known = memory?.get(name) as MetricRow | undefined;
  if (known) return known;
  const { rows, scope } = rowsOf('Metric');
  const found = await rows(context.app.store.db).findFirst({
    ...(memory === null && selection),
    where: { AND: [where, scope(viewerOf(context))] },
  });
  // Names of no metric are not remembered: there is no end of them.
  if (found) memory?.set(name, found);
  return found as MetricRow | null;
}

function hasColumnsOnly({ select = {} }: { select?: object }): boolean {
  return Object.values(select).every((selected) => selected === true);
}
