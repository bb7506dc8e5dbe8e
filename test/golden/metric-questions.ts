import type { CatalogedTable, Mapping, Mappings } from '#catalog/mappings.ts';
import { knownDefinition, type MetricDefinition } from '#metrics/definition.ts';
import type { Question } from '#metrics/question.ts';
import type { KnownMetrics } from '#metrics/read-definitions.ts';
import type { Ground } from '#metrics/rows.ts';
import { grains } from '#warehouse/dialect.ts';
import type { Warehouse } from '#warehouse/warehouse.ts';
import { type GoldenTypes, goldenType } from './dialects.ts';

/* The metrics and questions of the golden files, and the tables that they are asked of. */

/** When the questions are asked. */
export const goldenNow = new Date('2025-04-01T00:00:00Z');

export const goldenMetrics: Record<string, MetricDefinition> = {
  events: { simple: { entity: 'EVENT', measure: { aggregation: 'COUNT' } } },
  active_users: {
    simple: { entity: 'EVENT', measure: { aggregation: 'COUNT_DISTINCT', column: 'userKey' } },
  },
  revenue: {
    simple: {
      entity: 'EVENT',
      measure: { aggregation: 'SUM', column: 'amount' },
      filter: [{ property: 'name', eq: 'purchased' }],
    },
  },
  median_amount: { simple: { entity: 'EVENT', measure: { aggregation: 'MEDIAN', column: 'amount' } } },
  revenue_per_user: { ratio: { numerator: 'revenue', denominator: 'active_users' } },
  margin: { derived: { expression: '(revenue - 2 * events) / 100' } },
  users_7_days: { cumulative: { metric: 'active_users', windowCount: 7, windowGrain: 'DAY' } },
  revenue_to_date: { cumulative: { metric: 'revenue', resetGrain: 'MONTH' } },
  events_ever: { cumulative: { metric: 'events' } },
  signed_up_to_purchased: {
    conversion: {
      first: { name: { eq: 'signed_up' } },
      second: { name: { eq: 'purchased' } },
      windowCount: 2,
      windowGrain: 'DAY',
    },
  },
};

export const goldenKinds: Record<string, string[]> = {
  simple: ['events', 'active_users', 'revenue', 'median_amount'],
  ratio: ['revenue_per_user'],
  derived: ['margin'],
  cumulative: ['users_7_days', 'revenue_to_date', 'events_ever'],
  conversion: ['signed_up_to_purchased'],
};

/** Ranges of three periods or so around the events, which lie around the change to summer time in Berlin. */
const ranges: Record<(typeof grains)[number], [string, string]> = {
  MINUTE: ['2025-03-30T00:00:00Z', '2025-03-30T00:03:00Z'],
  HOUR: ['2025-03-29T23:00:00Z', '2025-03-30T03:00:00Z'],
  DAY: ['2025-03-28T23:00:00Z', '2025-03-31T22:00:00Z'],
  WEEK: ['2025-03-16T23:00:00Z', '2025-04-06T22:00:00Z'],
  MONTH: ['2025-01-31T23:00:00Z', '2025-04-30T22:00:00Z'],
  QUARTER: ['2024-09-30T22:00:00Z', '2025-06-30T22:00:00Z'],
  YEAR: ['2023-12-31T23:00:00Z', '2025-12-31T23:00:00Z'],
};

/** The questions of a kind by their titles. */
export function goldenQuestions(kind: string): Record<string, Partial<Question> & { metrics: string[] }> {
  const metrics = goldenKinds[kind]!;
  const byGrain = grains.map((grain) => {
    const [from, to] = ranges[grain].map((moment) => new Date(moment)) as [Date, Date];
    return [grain, { metrics, grain, from, to, timeZone: 'Europe/Berlin' }] as const;
  });
  const [from, to] = ranges.MONTH.map((moment) => new Date(moment)) as [Date, Date];
  return {
    ...Object.fromEntries(byGrain),
    'by plan, the largest and the rest, with the period before': {
      metrics,
      grain: 'MONTH',
      from,
      to,
      by: ['organization.plan'],
      limit: 1,
      compareTo: 'PREVIOUS_PERIOD',
    },
    'one period, with the year before': {
      metrics,
      from,
      to,
      filter: [{ property: 'channel', neq: 'mail' }],
      compareTo: 'PREVIOUS_YEAR',
    },
  };
}

/** What questions are planned on without a store: the golden metrics, and the tables as the engine's catalog would name them. */
export function goldenKnown(engine: Warehouse['engine']): { metrics: KnownMetrics; ground: Ground } {
  const metrics = new Map(
    Object.entries(goldenMetrics).map(([name, definition]) => [
      name,
      { id: name, name, definition: knownDefinition(definition)! },
    ]),
  );
  const ground = { mappings: goldenMappings(engine), tables: new Map(), missing: new Map() };
  return { metrics, ground };
}

/** A table of "warehouse"."raw". */
export function goldenTable(
  engine: Warehouse['engine'],
  name: string,
  columns: Record<string, keyof GoldenTypes>,
): CatalogedTable {
  const described = Object.entries(columns).map(([column, type], index) => ({
    name: column,
    dataType: goldenType(engine, type),
    nullable: true,
    ordinal: index + 1,
  }));
  const datastore = { id: 'datastore', name: 'warehouse', engine };
  return { id: name, database: 'warehouse', schema: 'raw', name, columns: described, datastore };
}

function goldenMappings(engine: Warehouse['engine']): Mappings {
  const plain: Omit<Mapping, 'kind' | 'table' | 'columns'> = {
    key: 'id',
    propertiesColumn: null,
    properties: null,
    alias: null,
  };
  const events = {
    id: 'integer',
    at: 'timestamptz',
    name: 'text',
    user_id: 'text',
    amount: 'decimal',
    channel: 'text',
  } as const;
  const users = { id: 'text', organization_id: 'text', created_at: 'timestamp' } as const;
  return {
    EVENT: {
      ...plain,
      kind: 'EVENT',
      table: goldenTable(engine, 'events', events),
      columns: { name: 'name', at: 'at', userKey: 'user_id' },
    },
    USER: {
      ...plain,
      kind: 'USER',
      table: goldenTable(engine, 'users', users),
      columns: { createdAt: 'created_at', organizationKey: 'organization_id' },
    },
    ORGANIZATION: {
      ...plain,
      kind: 'ORGANIZATION',
      table: goldenTable(engine, 'organizations', { id: 'text', name: 'text', plan: 'text' }),
      columns: { name: 'name' },
    },
  };
}
