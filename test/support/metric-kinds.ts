import type { MetricDefinition } from '#metrics/definition.ts';
import type { Grain } from '#warehouse/dialect.ts';
import type { SlowMetric } from './slow-evaluate.ts';

const dayMs = 86_400_000;

/** Of the lab's own datastore and database when it is defined. */
export const plainTable = 'raw.plain';

export type Kind = { definition: MetricDefinition; slow: SlowMetric };

function simple(
  aggregation: Extract<SlowMetric, { type: 'simple' }>['aggregation'],
  column: 'amount' | 'userKey' | null,
  extra: { percentile?: number; only?: string; table?: boolean } = {},
): Kind {
  const { percentile, only, table } = extra;
  const place = table ? { table: plainTable, time: 'at' } : { entity: 'EVENT' as const };
  return {
    definition: {
      simple: {
        ...place,
        measure: { aggregation, column, ...(percentile !== undefined && { percentile }) },
        ...(only !== undefined && { filter: [{ property: 'name', eq: only }] }),
      },
    },
    slow: {
      type: 'simple',
      aggregation,
      ...(column && { value: (event) => (column === 'amount' ? event.amount : event.user) }),
      ...(percentile !== undefined && { percentile }),
      ...(only !== undefined && { where: (event) => event.name === only }),
    },
  };
}

function rolling(metric: string, count: number, grain: Grain): Kind {
  return {
    definition: { cumulative: { metric, windowCount: count, windowGrain: grain } },
    slow: { type: 'rolling', metric, count, grain },
  };
}

function reset(metric: string, grain: Grain): Kind {
  return {
    definition: { cumulative: { metric, resetGrain: grain } },
    slow: { type: 'reset', metric, grain },
  };
}

function conversion(one: string, two: string, windowCount: number, windowGrain: Grain): Kind {
  const withinMs = windowCount * { HOUR: 3_600_000, DAY: dayMs, WEEK: 7 * dayMs }[windowGrain as 'HOUR'];
  return {
    definition: {
      conversion: { first: { name: { eq: one } }, second: { name: { eq: two } }, windowCount, windowGrain },
    },
    slow: { type: 'conversion', first: one, second: two, withinMs },
  };
}

export const kinds: Record<string, Kind> = {
  events: simple('COUNT', null),
  amounts: simple('COUNT', 'amount'),
  purchases: simple('COUNT', null, { only: 'purchased' }),
  users: simple('COUNT_DISTINCT', 'userKey'),
  revenue: simple('SUM', 'amount', { only: 'purchased' }),
  average: simple('AVG', 'amount'),
  least: simple('MIN', 'amount', { only: 'viewed' }),
  most: simple('MAX', 'amount'),
  median: simple('MEDIAN', 'amount'),
  p90: simple('PERCENTILE', 'amount', { percentile: 0.9 }),
  plain: simple('SUM', 'amount', { table: true }),
  per_user: {
    definition: { ratio: { numerator: 'revenue', denominator: 'users' } },
    slow: { type: 'calculated', from: ['revenue', 'users'], how: (one, two) => one / two },
  },
  mixed: {
    definition: { derived: { expression: '-(revenue - 2.5 * purchases) / (users - 1) + average' } },
    slow: {
      type: 'calculated',
      from: ['revenue', 'purchases', 'users', 'average'],
      how: (revenue, purchases, users, average) => -(revenue - 2.5 * purchases) / (users - 1) + average,
    },
  },
  events_ever: { definition: { cumulative: { metric: 'events' } }, slow: { type: 'ever', metric: 'events' } },
  users_ever: { definition: { cumulative: { metric: 'users' } }, slow: { type: 'ever', metric: 'users' } },
  revenue_7_days: rolling('revenue', 7, 'DAY'),
  average_3_weeks: rolling('average', 3, 'WEEK'),
  users_2_months: rolling('users', 2, 'MONTH'),
  median_10_days: rolling('median', 10, 'DAY'),
  most_2_quarters: rolling('most', 2, 'QUARTER'),
  per_user_month: rolling('per_user', 1, 'MONTH'),
  events_5_hours: rolling('events', 5, 'HOUR'),
  revenue_to_date: reset('revenue', 'YEAR'),
  users_to_date: reset('users', 'MONTH'),
  average_of_week: reset('average', 'WEEK'),
  converted: conversion('signed_up', 'purchased', 3, 'DAY'),
  converted_soon: conversion('viewed', 'purchased', 12, 'HOUR'),
};

/** Hours cannot be taken off a calendar's day without saying which of two equal hours is meant: see the unit tests. */
export const ofHours = ['events_5_hours'];
export const ofDays = [
  'revenue_7_days',
  'average_3_weeks',
  'users_2_months',
  'median_10_days',
  'most_2_quarters',
  'per_user_month',
];

/** So many measures under several conditions are made from cells. */
export const many = ['events', 'amounts', 'purchases', 'revenue', 'average', 'least', 'most'];
