import type { PropertyFilter } from '#catalog/filter-sql.ts';
import type { CacheStatus, FreshnessOf } from '#catalog/ask.ts';
import type { Json } from '#connectors/contract.ts';
import type { Grain } from '#warehouse/dialect.ts';

export type CompareTo = 'PREVIOUS_PERIOD' | 'PREVIOUS_YEAR';

/** What is asked, as it was asked: nothing of it is checked yet. */
export interface Question {
  /** By their names; the answer has a value for each, in this order. */
  metrics: readonly string[];
  /** Null for one period, the whole range. */
  grain: Grain | null;
  /** The first moment that counts; null for 30 periods before `to`, or 30 days without a grain. */
  from: Date | null;
  /** Where `from` is null and there is a grain: how many periods instead of 30, that of `to` included. */
  periods?: number;
  /** The first moment that counts no more; null for now. */
  to: Date | null;
  /** Dimensions: paths of what the metrics' rows have. */
  by: readonly string[];
  filter: readonly PropertyFilter[];
  compareTo: CompareTo | null;
  /** Null for UTC. */
  timeZone: string | null;
  /** Keeps so many groups, the largest, and makes one of the rest. */
  limit: number | null;
}

export interface MetricValue {
  value: number | null;
  /** Null without compareTo too. */
  previousValue: number | null;
  /** value / previousValue - 1. */
  change: number | null;
}

export interface MetricPoint {
  /** The start of the period. */
  at: Date;
  /** By their paths; "other" in each for what a limit left over. */
  dimensions: Record<string, Json>;
  /** One a metric, in the order of the question. */
  values: MetricValue[];
}

export interface MetricAnswer {
  /** By period, then by group. */
  points: MetricPoint[];
  /** Each statement with its binds, as people read it. */
  sql: readonly string[];
  /** The worst of its statements: MISS, STALE, SHARED, HIT. */
  cache: CacheStatus;
  freshness: FreshnessOf;
  /** The tables of the catalog that it was made from. */
  tableIds: readonly string[];
}
