import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { block, broken, expectGolden, readGolden } from '../../golden/golden-file.ts';
import {
  goldenKinds,
  goldenKnown,
  goldenMetrics,
  goldenNow,
  goldenQuestions,
} from '../../golden/metric-questions.ts';
import { type LabEngine, type MetricLab, openMetricLab } from '../../support/metric-lab.ts';
import { planInWords } from '../../support/metric-plan.ts';

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
  for (const [name, definition] of Object.entries(goldenMetrics)) await lab.define(name, definition);
  return lab;
}

/** Each question with its plan, its SQL and its answer. */
async function goldenText(lab: MetricLab, engine: LabEngine, kind: string): Promise<string> {
  const metrics = goldenKinds[kind]!;
  const parts = [`# ${kind}`, block('json', json(metrics.map((name) => ({ [name]: goldenMetrics[name] }))))];
  for (const [title, question] of Object.entries(goldenQuestions(kind))) {
    const { points, sql } = await lab.ask(question);
    const shown = points.map((point) =>
      JSON.stringify({ at: point.at, ...point.dimensions, values: point.values.map(short) }),
    );
    parts.push(`## ${title}`, block('json', JSON.stringify(question)));
    parts.push(
      block('text', planInWords(goldenKnown(engine), question, goldenNow)),
      ...sql.map((each) => block('sql', broken(each.replaceAll(`"${lab.database}"`, '"warehouse"')))),
    );
    parts.push(block('json', shown.join('\n')));
  }
  return `${parts.join('\n\n')}\n`;
}

const sqlBlock = /```sql\n.*?```\n\n/gs;

describe.each(['DUCKDB', 'POSTGRES'] as const)('on %s', (engine) => {
  let lab: MetricLab;
  beforeAll(async () => {
    lab = await openGoldenLab(engine);
  });
  afterAll(() => lab[Symbol.asyncDispose]());

  test.each(Object.keys(goldenKinds))(
    'a %s metric is planned, asked and answered as its golden file says',
    async (kind) => {
      const text = await goldenText(lab, engine, kind);
      if (engine === 'DUCKDB') return expectGolden(text, 'metrics', `${kind}.md`);
      // Question, plan and answer are those of DuckDB; only how it is asked is its own.
      const other = await readGolden('metrics', `${kind}.md`);
      expect(text.replaceAll(sqlBlock, '')).toBe(other.replaceAll(sqlBlock, ''));
      const asked = text.match(/^## [^\n]*|```sql\n.*?```/gms) ?? [];
      expect(`# ${kind}\n\n${asked.join('\n\n')}\n`).toBe(
        await readGolden('metrics', engine.toLowerCase(), `${kind}.md`),
      );
    },
  );
});

const json = (value: unknown[]) => value.map((each) => JSON.stringify(each)).join('\n');

function short(of: { value: number | null; previousValue: number | null; change: number | null }): unknown {
  const { value, previousValue, change } = of;
  return previousValue === null && change === null ? value : [value, previousValue, change];
}
