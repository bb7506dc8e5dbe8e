import type { Aggregation, Grain } from '#warehouse/dialect.ts';
import { labelAt, quantile, type SlowEvent, type SlowPeriod, slowPeriods, wallAt } from './slow-metrics.ts';

/** A metric as the slow computation understands it. */
export type SlowMetric =
  | {
      type: 'simple';
      aggregation: Aggregation;
      value?: (event: SlowEvent) => number | string | null;
      percentile?: number;
      where?: (event: SlowEvent) => boolean;
    }
  | { type: 'calculated'; from: string[]; how: (...values: number[]) => number }
  | { type: 'rolling'; metric: string; count: number; grain: Grain }
  | { type: 'reset'; metric: string; grain: Grain }
  | { type: 'ever'; metric: string }
  | { type: 'conversion'; first: string; second: string; withinMs: number };

/** What a value is computed of: all events that the filter and the group let through, whenever they happened. */
export interface SlowWorld {
  metrics: ReadonlyMap<string, SlowMetric>;
  zone: string;
  grain: Grain;
  from: number;
  to: number;
  asked: ReadonlySet<string>;
  /** What happened, to whomever: what follows a conversion's first step need not be of the group. */
  everything: readonly SlowEvent[];
  /** The periods that the events are of. */
  labels: ReadonlyMap<SlowEvent, string>;
  /** All periods from long before the range to its end. */
  periods: readonly SlowPeriod[];
}

export function openSlowWorld(
  metrics: ReadonlyMap<string, SlowMetric>,
  everything: readonly SlowEvent[],
  range: { zone: string; grain: Grain; from: number; to: number; backMs: number },
): SlowWorld {
  const { zone, grain, from, to, backMs } = range;
  const asked = new Set(slowPeriods(zone, grain, from, to).map(({ label }) => label));
  const labels = new Map(everything.map((event) => [event, labelOf(event, zone, grain)]));
  const periods = slowPeriods(zone, grain, from - backMs, to);
  return { metrics, everything, zone, grain, from, to, asked, labels, periods };
}

/** The value of a metric in a period, by looking at every event. */
export function slowValue(
  world: SlowWorld,
  events: readonly SlowEvent[],
  name: string,
  label: string,
): number | null {
  const metric = world.metrics.get(name)!;
  switch (metric.type) {
    case 'rolling':
    case 'reset':
    case 'ever':
      return measure(world, events.filter(inWindow(world, metric, label)), metric.metric);
    case 'simple':
    case 'calculated':
    case 'conversion':
    default:
      return measure(world, events.filter(inPeriod(world, label)), name);
  }
}

function inPeriod({ labels, from, to, asked }: SlowWorld, label: string): (event: SlowEvent) => boolean {
  return (event) => {
    const { at } = event;
    if (labels.get(event) !== label) return false;
    return !asked.has(label) || (at >= from && at < to);
  };
}

function inWindow(
  { zone, grain, to, periods }: SlowWorld,
  window: Extract<SlowMetric, { type: 'rolling' | 'reset' | 'ever' }>,
  label: string,
): (event: SlowEvent) => boolean {
  const index = periods.findIndex((period) => period.label === label);
  const { end } = periods[index]!;
  const isBefore = ({ at }: SlowEvent) => at < end && at < to;
  if (window.type === 'ever') return isBefore;
  if (window.type === 'reset') {
    const current = labelAt(zone, window.grain, end - 1);
    return (event) => isBefore(event) && labelOf(event, zone, window.grain) === current;
  }
  if (window.grain === grain) {
    const { at } = periods[index - window.count + 1]!;
    return (event) => isBefore(event) && event.at >= at;
  }
  if (window.grain === 'HOUR')
    return (event) => isBefore(event) && event.at >= end - window.count * 3_600_000;
  const begin = wallAt(zone, end, { count: -window.count, grain: window.grain });
  return (event) => isBefore(event) && wallOf(event, zone) >= begin;
}

/** What was computed of an event before: it is asked for again with every value. */
const known = new WeakMap<SlowEvent, Map<string, string>>();

function once(event: SlowEvent, key: string, compute: () => string): string {
  let ofEvent = known.get(event);
  if (!ofEvent) known.set(event, (ofEvent = new Map()));
  let value = ofEvent.get(key);
  if (value === undefined) ofEvent.set(key, (value = compute()));
  return value;
}

const labelOf = (event: SlowEvent, zone: string, grain: Grain) =>
  once(event, `${zone} ${grain}`, () => labelAt(zone, grain, event.at));
const wallOf = (event: SlowEvent, zone: string) => once(event, zone, () => wallAt(zone, event.at));

function measure(world: SlowWorld, events: readonly SlowEvent[], name: string): number | null {
  const metric = world.metrics.get(name)!;
  if (metric.type === 'simple') return slowAggregate(events, metric);
  if (metric.type === 'conversion') return convert(events, world.everything, metric);
  if (metric.type !== 'calculated') throw new Error(`${name} is a window.`);
  const values = metric.from.map((each) => measure(world, events, each));
  if (values.includes(null)) return null;
  const value = metric.how(...(values as number[]));
  return Number.isFinite(value) ? value : null;
}

/** The value of a simple metric over these events. */
export function slowAggregate(
  among: readonly SlowEvent[],
  { aggregation, value, percentile, where }: Extract<SlowMetric, { type: 'simple' }>,
): number | null {
  const events = where ? among.filter(where) : among;
  if (!value) return events.length;
  const values = events.map(value).filter((each) => each !== null);
  if (aggregation === 'COUNT') return values.length;
  if (aggregation === 'COUNT_DISTINCT') return new Set(values).size;
  const numbers = values as number[];
  const sum = numbers.reduce((total, each) => total + each, 0);
  if (aggregation === 'SUM') return sum;
  if (numbers.length === 0) return null;
  if (aggregation === 'AVG') return sum / numbers.length;
  if (aggregation === 'MIN') return Math.min(...numbers);
  if (aggregation === 'MAX') return Math.max(...numbers);
  return quantile(numbers, aggregation === 'MEDIAN' ? 0.5 : percentile!);
}

function convert(
  events: readonly SlowEvent[],
  all: readonly SlowEvent[],
  { first, second, withinMs }: Extract<SlowMetric, { type: 'conversion' }>,
): number | null {
  const firsts = new Map<string, number>();
  for (const { name, user, at } of events) {
    if (name === first && user !== null) firsts.set(user, Math.min(at, firsts.get(user) ?? Infinity));
  }
  const converted = [...firsts].filter(([user, at]) =>
    all.some(
      (event) => event.name === second && event.user === user && event.at > at && event.at <= at + withinMs,
    ),
  );
  return firsts.size === 0 ? null : converted.length / firsts.size;
}
