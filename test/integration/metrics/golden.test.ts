import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { MetricDefinition } from '#metrics/definition.ts';
import type { Question } from '#metrics/question.ts';
import { grains } from '#warehouse/dialect.ts';
import { type LabEngine, type MetricLab, openMetricLab } from '../../support/metric-lab.ts';
import { planInWords } from '../../support/metric-plan.ts';

// Files are written anew, to be looked at and committed, with UPDATE_GOLDEN=1.
const folder = join(import.meta.dirname, '..', '..', 'golden', 'metrics');
const isUpdated = process.env.UPDATE_GOLDEN === '1';
const now = new Date('2025-04-01T00:00:00Z');

const definitions: Record<string, MetricDefinition> = {
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

const ofKind: Record<string, string[]> = {
  simple: ['events', 'active_users', 'revenue', 'median_amount'],
  ratio: ['revenue_per_user'],
  derived: ['margin'],
  cumulative: ['users_7_days', 'revenue_to_date', 'events_ever'],
  conversion: ['signed_up_to_purchased'],
};

function questionsOf(metrics: string[]): Record<string, Partial<Question>> {
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

async function openGoldenLab(engine: LabEngine): Promise<MetricLab> {
  const lab = await openMetricLab(engine);
  await lab.load([
    'CREATE SCHEMA raw',
    `CREATE TABLE raw.events AS SELECT * FROM (VALUES
       (1, TIMESTAMPTZ '2024-03-15 12:00:00+00', 'signed_up', 'u1', NULL, 'mail'),
       (2, TIMESTAMPTZ '2025-02-28 23:30:00+00', 'signed_up', 'u2', NULL, 'web'),
       (3, TIMESTAMPTZ '2025-03-01 10:00:00+00', 'purchased', 'u2', 20.50, 'web'),
       (4, TIMESTAMPTZ '2025-03-29 22:59:59+00', 'signed_up', 'u3', NULL, NULL),
       (5, TIMESTAMPTZ '2025-03-29 23:00:00+00', 'purchased', 'u1', 10.00, 'mail'),
       (6, TIMESTAMPTZ '2025-03-30 00:00:30+00', 'purchased', 'u3', 40.00, 'web'),
       (7, TIMESTAMPTZ '2025-03-30 00:01:00+00', 'viewed', 'u3', NULL, 'web'),
       (8, TIMESTAMPTZ '2025-03-30 01:00:00+00', 'purchased', 'u2', 5.25, 'web'),
       (9, TIMESTAMPTZ '2025-03-30 21:59:59+00', 'signed_up', 'u4', NULL, 'mail'),
       (10, TIMESTAMPTZ '2025-03-30 22:00:00+00', 'viewed', 'u1', NULL, 'mail')
     ) AS t(id, "at", name, user_id, amount, channel)`,
    `CREATE TABLE raw.users AS SELECT *, TIMESTAMP '2024-01-01' AS created_at FROM (VALUES ('u1', 'o1'), ('u2', 'o1'), ('u3', 'o2'), ('u4', NULL)) AS t(id, organization_id)`,
    `CREATE TABLE raw.organizations AS SELECT * FROM (VALUES ('o1', 'One', 'team'), ('o2', 'Two', 'free')) AS t(id, name, plan)`,
  ]);
  await lab.mapAll();
  for (const [name, definition] of Object.entries(definitions)) await lab.define(name, definition);
  return lab;
}

/** Each question with its plan, its SQL and its answer. */
async function goldenText(lab: MetricLab, kind: string, metrics: string[]): Promise<string> {
  const parts = [`# ${kind}`, block('json', json(metrics.map((name) => ({ [name]: definitions[name] }))))];
  for (const [title, question] of Object.entries(questionsOf(metrics))) {
    const { points, sql } = await lab.ask(question);
    const shown = points.map((point) =>
      JSON.stringify({ at: point.at, ...point.dimensions, values: point.values.map(short) }),
    );
    parts.push(`## ${title}`, block('json', JSON.stringify(question)));
    parts.push(
      block('text', await planInWords(lab, question, now)),
      ...sql.map((each) => block('sql', broken(each.replaceAll(`"${lab.database}"`, '"warehouse"')))),
    );
    parts.push(block('json', shown.join('\n')));
  }
  return `${parts.join('\n\n')}\n`;
}

async function expectGolden(text: string, ...path: string[]): Promise<void> {
  const file = join(folder, ...path);
  if (isUpdated) await writeFile(file, text);
  expect(text).toBe(await readFile(file, 'utf8'));
}

const sqlBlock = /```sql\n.*?```\n\n/gs;

describe.each(['DUCKDB', 'POSTGRES'] as const)('on %s', (engine) => {
  let lab: MetricLab;
  beforeAll(async () => {
    lab = await openGoldenLab(engine);
  });
  afterAll(() => lab[Symbol.asyncDispose]());

  test.each(Object.entries(ofKind))(
    'a %s metric is planned, asked and answered as its golden file says',
    async (kind, metrics) => {
      const text = await goldenText(lab, kind, metrics);
      if (engine === 'DUCKDB') return expectGolden(text, `${kind}.md`);
      // Question, plan and answer are those of the other engine; only how it is asked is its own.
      const other = await readFile(join(folder, `${kind}.md`), 'utf8');
      expect(text.replaceAll(sqlBlock, '')).toBe(other.replaceAll(sqlBlock, ''));
      const asked = text.match(/^## [^\n]*|```sql\n.*?```/gms) ?? [];
      return expectGolden(`# ${kind}\n\n${asked.join('\n\n')}\n`, 'postgres', `${kind}.md`);
    },
  );
});

const block = (language: string, text: string) => `\`\`\`${language}\n${text}\n\`\`\``;
const json = (value: unknown[]) => value.map((each) => JSON.stringify(each)).join('\n');

function short(of: { value: number | null; previousValue: number | null; change: number | null }): unknown {
  const { value, previousValue, change } = of;
  return previousValue === null && change === null ? value : [value, previousValue, change];
}

/** One clause a line, for whoever reads a change of it. */
function broken(sql: string): string {
  return sql.replaceAll(/ (FROM|WHERE|GROUP BY|LEFT JOIN|INNER JOIN) /g, '\n$1 ');
}
