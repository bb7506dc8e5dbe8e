import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AppError } from '#base/errors.ts';
import type { MetricDefinition } from '#metrics/definition.ts';
import type { MetricAnswer, Question } from '#metrics/question.ts';
import type { Grain } from '#warehouse/dialect.ts';
import type { LabEngine } from '../../support/engine-lab.ts';
import type { LabTable } from '../../support/lab-tables.ts';
import { kinds, many, ofDays, ofHours, plainTable } from '../../support/metric-kinds.ts';
import { type MetricLab, openMetricLab } from '../../support/metric-lab.ts';
import {
  openSlowWorld,
  slowAggregate,
  type SlowMetric,
  type SlowWorld,
  slowValue,
} from '../../support/slow-evaluate.ts';
import { labelYearBefore, type SlowEvent, slowPeriods } from '../../support/slow-metrics.ts';

const dayMs = 86_400_000;
/** Of each engine a share: another seed asks other questions of other events, and one engine's mistakes are not the other's. */
const shares: readonly (readonly [LabEngine, seed: number, questions: number])[] = [
  ['DUCKDB', 1, 70],
  ['DUCKDB', 2, 70],
  ['POSTGRES', 5, 60],
  ['REDSHIFT', 6, 30],
  ['SNOWFLAKE', 7, 30],
  ['BIGQUERY', 8, 30],
  ['DATABRICKS', 9, 30],
];

/** Clock changes of Berlin, New York and Lord Howe, and a leap day lie within. */
const first = Date.UTC(2023, 1, 1);
const last = Date.UTC(2025, 3, 10);

/** Days around which questions are asked, for what happens on them. */
const oddDays = [
  '2024-02-29',
  '2023-10-29',
  '2024-03-31',
  '2024-10-27',
  '2024-03-10',
  '2024-11-03',
  '2024-04-07',
  '2024-10-06',
  '2024-12-31',
];

function random(seed: number): () => number {
  let state = seed * 2_654_435_761;
  return () => {
    state = (state + 0x6d_2b_79_f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const names = ['signed_up', 'purchased', 'viewed'];
const channels = ['mail', 'web', null, 'store', 'partner'];
const plans = ['free', 'team', 'max', null];

function makeEvents(next: () => number): SlowEvent[] {
  const pick = <T>(of: readonly T[]) => of[Math.floor(next() * of.length)] as T;
  return Array.from({ length: 900 }, () => {
    // Half of them lie close to what is odd, on whole minutes and on the very bounds.
    const odd = Date.parse(pick(oddDays)) + Math.floor(next() * 72 - 36) * 3_600_000;
    const any = first + Math.floor((next() * (last - first)) / 60_000) * 60_000;
    const user = Math.floor(next() * 12);
    return {
      at: next() < 0.6 ? odd + pick([0, 0, 1, 900_000, 1_800_000, 3_599_999]) : any,
      name: pick(names),
      user: user === 11 ? null : `u${user}`,
      amount: next() < 0.2 ? null : Math.floor(next() * 400 - 100) / 4,
      channel: pick(channels),
      plan: user === 11 ? null : plans[user % plans.length]!,
    };
  });
}

async function load(lab: MetricLab, events: readonly SlowEvent[]): Promise<void> {
  const rows = events.map(({ at, name, user, amount, channel }, index) => {
    // A table whose times are without a zone holds them in UTC.
    return [index, new Date(at).toISOString().slice(0, -1), name, user, amount, channel];
  });
  const columns = { id: 'integer', name: 'text', user_id: 'text', amount: 'money', channel: 'text' } as const;
  const ordered = (at: 'timestamptz' | 'timestamp'): LabTable['columns'] => {
    const { id, ...others } = columns;
    return { id, at, ...others };
  };
  const moments = rows.map(([id, at, ...others]) => [id!, `${at}Z`, ...others]);
  const users = Array.from({ length: 11 }, (_, n) => [`u${n}`, `o${n % 4}`, '2023-01-01']);
  await lab.load([
    { name: 'events', columns: ordered('timestamptz'), rows: moments },
    { name: 'plain', columns: ordered('timestamp'), rows },
    {
      name: 'users',
      columns: { id: 'text', organization_id: 'text', created_at: 'timestamp' },
      rows: users,
    },
    {
      name: 'organizations',
      columns: { id: 'text', name: 'text', plan: 'text' },
      rows: plans.map((plan, n) => [`o${n}`, `O${n}`, plan]),
    },
  ]);
}

interface Case {
  question: Partial<Question> & { metrics: string[]; grain: Grain; from: Date; to: Date; by: string[] };
  zone: string;
}

const lengthMs: Record<Grain, number> = {
  MINUTE: 60_000,
  HOUR: 3_600_000,
  DAY: dayMs,
  WEEK: 7 * dayMs,
  MONTH: 30 * dayMs,
  QUARTER: 91 * dayMs,
  YEAR: 365 * dayMs,
};

function makeCase(next: () => number): Case {
  const pick = <T>(of: readonly T[]) => of[Math.floor(next() * of.length)] as T;
  const zone = pick(['UTC', 'Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'Asia/Kolkata']);
  const grain = pick(['MINUTE', 'HOUR', 'DAY', 'DAY', 'WEEK', 'MONTH', 'QUARTER', 'YEAR'] as const);
  const isShort = lengthMs[grain] < dayMs;
  const near = Date.parse(pick(oddDays)) + Math.floor(next() * 48 - 24) * 3_600_000;
  const length = lengthMs[grain] * (1 + Math.floor(next() * (isShort ? 30 : 6)));
  const from = Math.max(first, near - Math.floor(length * next()));
  const hasOddBounds = next() < 0.4;
  const begin =
    slowPeriods(zone, grain, from, from + 1)[0]!.at +
    (hasOddBounds ? Math.floor(next() * lengthMs[grain]) : 0);
  const to = begin + length - (hasOddBounds ? Math.floor(next() * lengthMs[grain] * 0.5) : 0);
  const allowed = Object.keys(kinds).filter((name) =>
    isShort ? !ofDays.includes(name) : !ofHours.includes(name),
  );
  const few = Array.from({ length: 1 + Math.floor(next() * 3) }, () => pick(allowed));
  const metrics = next() < 0.15 ? many : few;
  const isPlain = metrics.includes('plain');
  const dimensions = isPlain ? ['channel', 'name'] : ['channel', 'name', 'organization.plan'];
  const by = next() < 0.5 ? [] : [pick(dimensions), ...(next() < 0.3 ? [pick(dimensions)] : [])];
  const filter = next() < 0.3 ? [{ property: 'channel', neq: 'mail' }] : [];
  const compareTo = pick([null, 'PREVIOUS_PERIOD', isShort ? null : 'PREVIOUS_YEAR'] as const);
  const limit = by.length > 0 && next() < 0.5 ? 1 + Math.floor(next() * 3) : null;
  const question = {
    grain,
    from: new Date(begin),
    to: new Date(Math.max(to, begin + 1)),
    metrics: [...new Set(metrics)],
    by: [...new Set(by)],
    filter,
    compareTo,
    limit,
    timeZone: zone,
  };
  return { question, zone };
}

const dimensionOf = (event: SlowEvent, path: string) =>
  path === 'channel' ? event.channel : path === 'name' ? event.name : event.plan;

/** The measure that decides which groups are the largest. */
function sizeMetric(name: string): SlowMetric {
  const slow = kinds[name]!.slow;
  if (slow.type === 'simple') return slow;
  if (slow.type === 'calculated') return sizeMetric(slow.from[0]!);
  if (slow.type !== 'conversion') return sizeMetric(slow.metric);
  return {
    type: 'simple',
    aggregation: 'COUNT_DISTINCT',
    value: (event) => event.user,
    where: (event) => event.name === slow.first,
  };
}

/** The events of each group, by its dimensions as JSON; in the order of the answer where there is a limit. */
function groupsOf({ question }: Case, events: readonly SlowEvent[]): Map<string, SlowEvent[]> {
  const { by, limit, filter, from, to } = question;
  const groups = new Map<string, SlowEvent[]>();
  for (const event of events) {
    if (filter!.length > 0 && event.channel === 'mail') continue;
    const key = JSON.stringify(by.map((path) => dimensionOf(event, path)));
    groups.set(key, [...(groups.get(key) ?? []), event]);
  }
  if (limit == null) return by.length === 0 ? new Map([['[]', [...groups.values()].flat()]]) : groups;
  const size = sizeMetric(question.metrics[0]!) as Extract<SlowMetric, { type: 'simple' }>;
  const isIn = ({ at }: SlowEvent) => at >= from.getTime() && at < to.getTime();
  const sized = [...groups].flatMap(([key, of]) => {
    const rows = of.filter(isIn).filter(size.where ?? (() => true));
    if (rows.length === 0) return [];
    return [{ key, of, size: slowAggregate(rows, size) }];
  });
  const nullLast = (key: string) =>
    (JSON.parse(key) as (string | null)[]).map((value) => value ?? '\uffff').join('\u0000');
  sized.sort((one, other) => {
    const bySize = (other.size ?? -Infinity) - (one.size ?? -Infinity);
    if (bySize !== 0 && !Number.isNaN(bySize)) return bySize;
    return nullLast(one.key) < nullLast(other.key) ? -1 : 1;
  });
  const kept = sized.slice(0, limit);
  const rest = [...groups].filter(([key]) => kept.every((each) => each.key !== key)).flatMap(([, of]) => of);
  return new Map([
    ...kept.map(({ key, of }) => [key, of] as const),
    ...(rest.length > 0 ? [[JSON.stringify(by.map(() => 'other')), rest] as const] : []),
  ]);
}

/** What is wrong with the answer; nothing when every value is the slow one. */
function differences(asked: Case, answer: MetricAnswer, events: readonly SlowEvent[]): string[] {
  const { question, zone } = asked;
  const { grain, by } = question;
  const [from, to] = [question.from.getTime(), question.to.getTime()];
  const slow = new Map(Object.entries(kinds).map(([name, kind]) => [name, kind.slow]));
  const backMs =
    question.compareTo === 'PREVIOUS_YEAR' ? 800 * dayMs : Math.min(60 * lengthMs[grain], 800 * dayMs);
  const world = openSlowWorld(slow, events, { zone, grain, from, to, backMs });
  const periods = slowPeriods(zone, grain, from, to);
  const groups = groupsOf(asked, events);
  const wrong: string[] = [];
  const found = new Set(answer.points.map((point) => `${point.at.getTime()} ${keyOf(point.dimensions, by)}`));
  if (found.size !== answer.points.length) wrong.push('a point stands there twice');
  for (const period of periods) {
    for (const [key, of] of groups) {
      const point = answer.points.find(
        (each) => each.at.getTime() === period.at && keyOf(each.dimensions, by) === key,
      );
      const previous = previousLabel(world, question.compareTo ?? null, period.label);
      for (const [index, name] of question.metrics.entries()) {
        const value = slowValue(world, of, name, period.label);
        const before = previous === null ? null : slowValue(world, of, name, previous);
        // A group that no statement found has no points; it has no events either then.
        if (!point && (!value || name === 'mixed') && (!before || name === 'mixed')) continue;
        const got = point?.values[index];
        if (!isSame(got?.value, value))
          wrong.push(`${name} ${period.label} ${key}: ${got?.value} is ${value}`);
        if (!isSame(got?.previousValue, before))
          wrong.push(`${name} before ${period.label} ${key}: ${got?.previousValue} is ${before}`);
        const change = value === null || !before ? null : value / before - 1;
        if (!isSame(got?.change, change))
          wrong.push(`change of ${name} ${period.label} ${key}: ${got?.change} is ${change}`);
      }
    }
  }
  const known = new Set(periods.map(({ at }) => at));
  for (const { at, dimensions } of answer.points) {
    if (!known.has(at.getTime())) wrong.push(`there is no period at ${at.toISOString()}`);
    if (!groups.has(keyOf(dimensions, by))) wrong.push(`there is no group ${keyOf(dimensions, by)}`);
  }
  return wrong;
}

function previousLabel(
  { periods }: SlowWorld,
  compareTo: Question['compareTo'],
  label: string,
): string | null {
  if (compareTo === null) return null;
  if (compareTo === 'PREVIOUS_YEAR') return labelYearBefore(label);
  return periods[periods.findIndex((period) => period.label === label) - 1]!.label;
}

const keyOf = (dimensions: MetricAnswer['points'][number]['dimensions'], by: readonly string[]) =>
  JSON.stringify(by.map((path) => dimensions[path]));

function isSame(one: number | null | undefined, other: number | null): boolean {
  if (one == null || other === null) return one === other;
  return Math.abs(one - other) <= 1e-9 * Math.max(1, Math.abs(one), Math.abs(other));
}

describe.each(shares)(
  'on %s, with random events, metrics and questions of seed %i',
  (engine, seed, count) => {
    const next = random(seed);
    const events = makeEvents(next);
    let lab: MetricLab;

    beforeAll(async () => {
      lab = await openMetricLab(engine);
      await load(lab, events);
      await lab.mapAll();
      for (const [name, { definition }] of Object.entries(kinds)) await lab.define(name, placed(definition));
    });

    const placed = (definition: MetricDefinition): MetricDefinition => {
      const name = `${lab.datastore}.${lab.database}.${plainTable}`;
      return JSON.parse(
        JSON.stringify(definition).replace(`"${plainTable}"`, `"${name}"`),
      ) as MetricDefinition;
    };

    afterAll(() => lab[Symbol.asyncDispose]());

    test(
      'every value of every kind is what a slow, obvious computation gives',
      { timeout: 120_000 },
      async () => {
        const cases = Array.from({ length: count }, () => makeCase(next));
        let points = 0;
        for (let at = 0; at < cases.length; at += 10) {
          const some = cases.slice(at, at + 10);
          const answers = await lab.outcomes(some.map(({ question }) => question));
          for (const [index, answer] of answers.entries()) {
            const asked = some[index] as Case;
            if (answer instanceof AppError) throw answer;
            points += answer.points.length;
            expect({
              question: asked.question,
              wrong: differences(asked, answer, events).slice(0, 5),
            }).toEqual({
              question: asked.question,
              wrong: [],
            });
          }
        }
        expect(points).toBeGreaterThan(count);
      },
    );
  },
);
