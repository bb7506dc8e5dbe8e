import { builder } from './builder.ts';
import { EventFilterRef, PropertyFilterRef } from './filter.ts';
import { EntityKind } from './table.ts';

export const Grain = builder.enumType('Grain', {
  description: 'How long a period is. Periods begin where the calendar of a time zone has them begin.',
  values: {
    MINUTE: { description: 'From one full minute to the next.' },
    HOUR: { description: 'From one full hour to the next.' },
    DAY: { description: 'From midnight to midnight: 23 or 25 hours where the clock changes.' },
    WEEK: { description: 'From Monday to Monday.' },
    MONTH: { description: 'From the first of a month to the first of the next.' },
    QUARTER: { description: 'Three months, from the first of January, April, July or October.' },
    YEAR: { description: 'From the first of January to the next.' },
  },
});

const Aggregation = builder.enumType('Aggregation', {
  description:
    'What is made of many rows. Rows without a value of the column do not count, but for COUNT without a column.',
  values: {
    COUNT: { description: 'How many rows; with a column, how many have a value of it.' },
    COUNT_DISTINCT: { description: 'How many different values.' },
    SUM: { description: 'The sum of the values.' },
    AVG: { description: 'The mean of the values.' },
    MIN: { description: 'The smallest value.' },
    MAX: { description: 'The largest value.' },
    MEDIAN: { description: 'The value in the middle; the mean of the two there when their number is even.' },
    PERCENTILE: { description: 'The value that the share `percentile` of all lies below, interpolated.' },
  },
});

const MeasureInput = builder.inputType('MeasureInput', {
  description: 'What is made of the rows of a period.',
  fields: (t) => ({
    aggregation: t.field({ type: Aggregation, required: true, description: 'How the values become one.' }),
    column: t.string({
      description:
        'The column, or the field or property of the entity. Null only for COUNT, which then counts rows.',
    }),
    percentile: t.float({ description: '0 to 1, of PERCENTILE: 0.95 is the 95th. Null for all others.' }),
  }),
});

const SimpleMetricInput = builder.inputType('SimpleMetricInput', {
  description: 'A measure over the rows of an entity or of a table: exactly one of the two.',
  fields: (t) => ({
    entity: t.field({
      type: EntityKind,
      description: 'Measures users, organizations or events, as they are mapped. Null for a table.',
    }),
    table: t.string({
      description:
        'Measures this table: datastore.database.schema.table, or the end of that such as "raw.orders" where one table alone ends so. Null for an entity.',
    }),
    time: t.string({
      description:
        'The column whose moment puts a row into a period. Null for that of the entity: `at` of events, `createdAt` of users and organizations. A table needs one.',
    }),
    measure: t.field({ type: MeasureInput, required: true, description: 'What is measured.' }),
    filter: t.field({
      type: [PropertyFilterRef],
      description: 'Only rows for which all of these hold. Null or left out, all rows.',
    }),
    dimensions: t.stringList({
      description: 'What it may be grouped and filtered by when it is asked. Null or left out, all there is.',
    }),
  }),
});

const RatioMetricInput = builder.inputType('RatioMetricInput', {
  description: 'One metric over another. Without a denominator, or with one that is 0, there is no value.',
  fields: (t) => ({
    numerator: t.string({ required: true, description: 'The name of the metric above the line.' }),
    denominator: t.string({ required: true, description: 'The name of the metric below it.' }),
  }),
});

const DerivedMetricInput = builder.inputType('DerivedMetricInput', {
  description: 'expression over other metrics by name: + - * / and parentheses.',
  fields: (t) => ({
    expression: t.string({
      required: true,
      description: 'Such as "(revenue - refunds) / orders". Division by zero gives no value.',
    }),
  }),
});

const CumulativeMetricInput = builder.inputType('CumulativeMetricInput', {
  description: 'window such as 7 DAY; without it, from the beginning, or from each start of resetGrain.',
  fields: (t) => ({
    metric: t.string({
      required: true,
      description:
        'The name of the metric that is measured over the window: SIMPLE, or made of SIMPLE ones alone.',
    }),
    windowCount: t.int({
      description:
        'How many periods of windowGrain the window has, that of the question as the last. Null without a window.',
    }),
    windowGrain: t.field({ type: Grain, description: 'The length of one of them. Null without a window.' }),
    resetGrain: t.field({
      type: Grain,
      description:
        'Begins anew with each of these: MONTH is "month to date". Null with a window, or to begin never anew.',
    }),
  }),
});

const ConversionMetricInput = builder.inputType('ConversionMetricInput', {
  description: 'Users who did first and then second within the window, over users who did first.',
  fields: (t) => ({
    first: t.field({ type: EventFilterRef, required: true, description: 'The events that begin it.' }),
    second: t.field({ type: EventFilterRef, required: true, description: 'The events that complete it.' }),
    windowCount: t.int({
      required: true,
      description: 'How many of windowGrain may pass from the first to the second.',
    }),
    windowGrain: t.field({ type: Grain, required: true, description: 'What windowCount counts.' }),
  }),
});

/** Exactly one of its fields is to be given, which checkDefinition holds. */
export const MetricDefinitionInput = builder.inputType('MetricDefinitionInput', {
  description: 'What a metric is: exactly one of these.',
  fields: (t) => ({
    simple: t.field({
      type: SimpleMetricInput,
      description: 'A measure over rows. Null when it is another.',
    }),
    ratio: t.field({
      type: RatioMetricInput,
      description: 'One metric over another. Null when it is another.',
    }),
    derived: t.field({
      type: DerivedMetricInput,
      description: 'Metrics in an expression. Null when it is another.',
    }),
    cumulative: t.field({
      type: CumulativeMetricInput,
      description: 'A metric over a rolling window, to date, or since ever. Null when it is another.',
    }),
    conversion: t.field({
      type: ConversionMetricInput,
      description: 'How many users go from one event to another. Null when it is another.',
    }),
  }),
});
