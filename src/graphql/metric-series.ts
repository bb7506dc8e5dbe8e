import type { Json } from '#connectors/contract.ts';
import type { MetricAnswer, MetricPoint as Point, MetricValue, Question } from '#metrics/question.ts';
import { builder } from './builder.ts';
import { PropertyFilterRef } from './filter.ts';
import { Freshness } from './freshness.ts';
import { Grain } from './metric-definition.ts';
import { askTogether } from './metric-loader.ts';
import './metric.ts';
import { RowSetColumn } from './row-set.ts';

/** What a statement costs beside the fields of its answer, and the points that an answer is taken to have. */
const statementCost = 50;
const pointsCounted = 25;

const CompareTo = builder.enumType('CompareTo', {
  description: 'What is set beside a period.',
  values: {
    PREVIOUS_PERIOD: {
      description: 'The period just before; without a grain, the range of the same length just before.',
    },
    PREVIOUS_YEAR: { description: 'The same period a year before; of weeks, the one 52 weeks before.' },
  },
});

const CacheStatus = builder.enumType('CacheStatus', {
  description: 'Where an answer came from. Of several statements it is the worst: MISS, STALE, SHARED, HIT.',
  values: {
    HIT: { description: 'Kept from an equal question; nothing it reads was written since.' },
    MISS: { description: 'The warehouse was asked for it.' },
    SHARED: { description: 'An equal question was under way, and its answer serves both.' },
    STALE: { description: 'Kept from an equal question, and being asked for anew right now.' },
  },
});

const MetricPoint = builder.objectRef<Point>('MetricPoint').implement({
  description: 'A metric in one period, of one group. Needs DATA_READ.',
  fields: (t) => ({
    at: t.expose('at', {
      type: 'DateTime',
      description: 'When the period begins, in the time zone that was asked for.',
    }),
    dimensions: t.field({
      type: 'JSON',
      description:
        'The group: the value of each dimension in `by`, by its name. {} without any; "other" in each for the groups that limit left over.',
      resolve: ({ dimensions }) => dimensions,
    }),
    value: t.float({
      nullable: true,
      description:
        'The value. Null where there is none: nothing to take a mean, an extreme or a percentile of, or a division by zero.',
      resolve: ({ values }) => values[0]?.value,
    }),
    previousValue: t.float({
      nullable: true,
      description: 'The value of what compareTo names. Null without compareTo, and where there is none.',
      resolve: ({ values }) => values[0]?.previousValue,
    }),
    change: t.float({
      nullable: true,
      description: 'value / previousValue - 1. Null where either is missing, or previousValue is 0.',
      resolve: ({ values }) => values[0]?.change,
    }),
  }),
});

const MetricSeries = builder.objectRef<MetricAnswer>('MetricSeries').implement({
  description: 'A metric over time, and where its numbers come from. Needs DATA_READ.',
  fields: (t) => ({
    points: t.field({
      type: [MetricPoint],
      description:
        'One a period and group, by period, then by group. Periods without rows are there too: 0 for counts and sums, no value for the others.',
      complexity: { field: 1, multiplier: pointsCounted },
      resolve: ({ points }) => points,
    }),
    sql: t.string({
      description:
        'The statements that were run for it, with their binds; other metrics may stand in them too.',
      resolve: ({ sql }) => sql.join(';\n\n'),
    }),
    cache: t.expose('cache', { type: CacheStatus, description: 'Where the numbers came from.' }),
    freshness: t.field({
      type: Freshness,
      description: 'When the oldest of the tables behind it was last written.',
      resolve: ({ freshness }) => freshness,
    }),
  }),
});

const MetricTable = builder.objectRef<{ question: Question; answer: MetricAnswer }>('MetricTable').implement({
  description:
    'Several metrics in one table; those over the same table, filter and grain cost one statement. Needs DATA_READ.',
  fields: (t) => ({
    columns: t.field({
      type: [RowSetColumn],
      description:
        'at where a grain was asked for, one a dimension by its name, and one a metric by its name; with compareTo also "<metric> previous" and "<metric> change" behind each.',
      complexity: { field: 1, multiplier: 1 },
      resolve: ({ question }) => columnsOf(question),
    }),
    rows: t.field({
      type: t.listRef(t.listRef('JSON', { nullable: true })),
      description: 'One a period and group; in each the values in the order of columns.',
      complexity: 1,
      resolve: ({ question, answer }) => answer.points.map((point) => rowOf(question, point)),
    }),
    sql: t.stringList({
      description: 'The statements that were run for it, with their binds.',
      resolve: ({ answer }) => [...answer.sql],
    }),
    cache: t.field({
      type: CacheStatus,
      description: 'Where the numbers came from.',
      resolve: ({ answer }) => answer.cache,
    }),
    freshness: t.field({
      type: Freshness,
      description: 'When the oldest of the tables behind it was last written.',
      resolve: ({ answer }) => answer.freshness,
    }),
  }),
});

type Maybe<T> = T | null | undefined;
/** The arguments of a question as GraphQL gives them. */
type Asked = { [Name in keyof Omit<Question, 'metrics'>]?: Maybe<Question[Name]> };

function questionOf(metrics: readonly string[], asked: Asked): Question {
  return {
    metrics,
    grain: asked.grain ?? null,
    from: asked.from ?? null,
    to: asked.to ?? null,
    by: asked.by ?? [],
    filter: asked.filter ?? [],
    compareTo: asked.compareTo ?? null,
    timeZone: asked.timeZone ?? null,
    limit: asked.limit ?? null,
  };
}

function columnsOf({ metrics, grain, by, compareTo }: Question): { name: string; dataType: string }[] {
  return [
    ...(grain === null ? [] : [{ name: 'at', dataType: 'TIMESTAMP WITH TIME ZONE' }]),
    // Any of them may hold "other" beside its own values.
    ...by.map((name) => ({ name, dataType: 'JSON' })),
    ...metrics
      .flatMap((name) => (compareTo === null ? [name] : [name, `${name} previous`, `${name} change`]))
      .map((name) => ({ name, dataType: 'DOUBLE' })),
  ];
}

function rowOf({ grain, by, compareTo }: Question, { at, dimensions, values }: Point): Json[] {
  const cells = ({ value, previousValue, change }: MetricValue) =>
    compareTo === null ? [value] : [value, previousValue, change];
  return [
    ...(grain === null ? [] : [at.toISOString()]),
    ...by.map((name) => dimensions[name] ?? null),
    ...values.flatMap(cells),
  ];
}

builder.prismaObjectField('Metric', 'value', (t) =>
  t.float({
    nullable: true,
    description:
      'The metric over a whole range, asked right now. Null where there is none, such as a division by zero, and when that failed; errors says why.',
    args: {
      from: t.arg({ type: 'DateTime', description: 'From this moment on. Null for 30 days before `to`.' }),
      to: t.arg({
        type: 'DateTime',
        description: 'Up to this moment, which counts no more. Null for the end of this minute.',
      }),
      filter: t.arg({
        type: [PropertyFilterRef],
        description: 'Only what has these dimensions; all must hold. Null for all.',
      }),
    },
    complexity: statementCost,
    select: { name: true },
    resolve: async ({ name }, args, context) => {
      const { points } = await askTogether(context, questionOf([name], args));
      return points[0]?.values[0]?.value;
    },
  }),
);

builder.prismaObjectField('Metric', 'series', (t) =>
  t.field({
    type: MetricSeries,
    description:
      'The metric by periods and groups, asked right now. All that one operation asks of metrics over the same rows, range, grain, filter and dimensions is one statement.',
    args: {
      grain: t.arg({ type: Grain, required: true, description: 'How long a period is.' }),
      from: t.arg({
        type: 'DateTime',
        description:
          'From this moment on; a period that began before counts from here. Null for 30 periods up to `to`.',
      }),
      to: t.arg({
        type: 'DateTime',
        description: 'Up to this moment, which counts no more. Null for the end of this minute.',
      }),
      by: t.arg.stringList({
        description:
          'What to group by: names of `dimensions`, such as "organization.plan". Null for no groups.',
      }),
      filter: t.arg({
        type: [PropertyFilterRef],
        description: 'Only what has these dimensions; all must hold. Null for all.',
      }),
      compareTo: t.arg({ type: CompareTo, description: 'What to set beside each period. Null for nothing.' }),
      timeZone: t.arg.string({
        description:
          'The IANA time zone whose calendar cuts the periods, such as "Europe/Berlin". Null for UTC.',
      }),
      limit: t.arg.int({
        description:
          'Keeps this many groups, the largest over the whole range, and makes one named "other" of the rest. Null keeps all.',
      }),
    },
    complexity: { field: statementCost, multiplier: 1 },
    select: { name: true },
    resolve: ({ name }, args, context) => askTogether(context, questionOf([name], args)),
  }),
);

builder.queryField('metricTable', (t) =>
  t.field({
    type: MetricTable,
    description: 'Several metrics side by side, asked right now. Needs DATA_READ.',
    args: {
      metrics: t.arg.stringList({
        required: true,
        description: 'The metrics, by their names; at least one.',
      }),
      by: t.arg.stringList({
        description: 'What to group by: dimensions that all of them have. Null for no groups.',
      }),
      grain: t.arg({ type: Grain, description: 'How long a period is. Null for one, the whole range.' }),
      from: t.arg({
        type: 'DateTime',
        description:
          'From this moment on; a period that began before counts from here. Null for 30 periods, or without a grain 30 days, up to `to`.',
      }),
      to: t.arg({
        type: 'DateTime',
        description: 'Up to this moment, which counts no more. Null for the end of this minute.',
      }),
      filter: t.arg({
        type: [PropertyFilterRef],
        description: 'Only what has these dimensions; all must hold. Null for all.',
      }),
      compareTo: t.arg({ type: CompareTo, description: 'What to set beside each period. Null for nothing.' }),
      timeZone: t.arg.string({
        description:
          'The IANA time zone whose calendar cuts the periods, such as "Europe/Berlin". Null for UTC.',
      }),
      limit: t.arg.int({
        description:
          'Keeps this many groups, the largest by the first metric, and makes one named "other" of the rest. Null keeps all.',
      }),
    },
    complexity: ({ metrics }) => ({ field: statementCost + 10 * metrics.length, multiplier: 1 }),
    resolve: async (_root, { metrics, ...asked }, context) => {
      const question = questionOf(metrics, asked);
      return { question, answer: await askTogether(context, question) };
    },
  }),
);
