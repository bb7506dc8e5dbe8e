import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { dialectOf } from '#warehouse/dialects.ts';
import { block, broken, expectGolden, readGolden } from '../../golden/golden-file.ts';
import {
  goldenKinds,
  goldenKnown,
  goldenMetrics,
  goldenNow,
  goldenQuestions,
} from '../../golden/metric-questions.ts';
import { labEngines, type LabEngine } from '../../support/engine-lab.ts';
import type { LabTable } from '../../support/lab-tables.ts';
import { type MetricLab, openMetricLab } from '../../support/metric-lab.ts';
import { planInWords } from '../../support/metric-plan.ts';

const goldenTables: LabTable[] = [
  {
    name: 'events',
    columns: {
      id: 'integer',
      at: 'timestamptz',
      name: 'text',
      user_id: 'text',
      amount: 'decimal',
      channel: 'text',
    },
    rows: [
      [1, '2024-03-15 12:00:00+00', 'signed_up', 'u1', null, 'mail'],
      [2, '2025-02-28 23:30:00+00', 'signed_up', 'u2', null, 'web'],
      [3, '2025-03-01 10:00:00+00', 'purchased', 'u2', '20.50', 'web'],
      [4, '2025-03-29 22:59:59+00', 'signed_up', 'u3', null, null],
      [5, '2025-03-29 23:00:00+00', 'purchased', 'u1', '10.00', 'mail'],
      [6, '2025-03-30 00:00:30+00', 'purchased', 'u3', '40.00', 'web'],
      [7, '2025-03-30 00:01:00+00', 'viewed', 'u3', null, 'web'],
      [8, '2025-03-30 01:00:00+00', 'purchased', 'u2', '5.25', 'web'],
      [9, '2025-03-30 21:59:59+00', 'signed_up', 'u4', null, 'mail'],
      [10, '2025-03-30 22:00:00+00', 'viewed', 'u1', null, 'mail'],
    ],
  },
  {
    name: 'users',
    columns: { id: 'text', organization_id: 'text', created_at: 'timestamp' },
    rows: [
      ['u1', 'o1', '2024-01-01'],
      ['u2', 'o1', '2024-01-01'],
      ['u3', 'o2', '2024-01-01'],
      ['u4', null, '2024-01-01'],
    ],
  },
  {
    name: 'organizations',
    columns: { id: 'text', name: 'text', plan: 'text' },
    rows: [
      ['o1', 'One', 'team'],
      ['o2', 'Two', 'free'],
    ],
  },
];

async function openGoldenLab(engine: LabEngine): Promise<MetricLab> {
  const lab = await openMetricLab(engine);
  await lab.load(goldenTables);
  await lab.mapAll();
  for (const [name, definition] of Object.entries(goldenMetrics)) await lab.define(name, definition);
  return lab;
}

/** Each question with its plan, its SQL and its answer. */
async function goldenText(lab: MetricLab, engine: LabEngine, kind: string): Promise<string> {
  const { quoteName } = dialectOf(engine);
  const metrics = goldenKinds[kind]!;
  const parts = [`# ${kind}`, block('json', json(metrics.map((name) => ({ [name]: goldenMetrics[name] }))))];
  for (const [title, question] of Object.entries(goldenQuestions(kind))) {
    const { points, sql } = await lab.ask(question);
    const inGolden = (text: string) => text.replaceAll(quoteName(lab.database), quoteName('warehouse'));
    const shown = points.map((point) =>
      JSON.stringify({ at: point.at, ...point.dimensions, values: point.values.map(short) }),
    );
    parts.push(`## ${title}`, block('json', JSON.stringify(question)));
    parts.push(
      block('text', planInWords(goldenKnown(engine), question, goldenNow)),
      ...sql.map((each) => block('sql', broken(inGolden(each)))),
    );
    parts.push(block('json', shown.join('\n')));
  }
  return `${parts.join('\n\n')}\n`;
}

/** The statements, and in the plan what each of them is of: not every engine takes all measures in one. */
const howAsked = /```sql\n.*?```\n\n|(?<=\n)statement: [^\n]*\n/gs;

describe.each(labEngines)('on %s', (engine) => {
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
      // Question, measures and answer are those of DuckDB; only how it is asked is its own.
      const other = await readGolden('metrics', `${kind}.md`);
      expect(text.replaceAll(howAsked, '')).toBe(other.replaceAll(howAsked, ''));
      const asked = text.match(/^## [^\n]*|```sql\n.*?```/gms) ?? [];
      expect(`# ${kind}\n\n${asked.join('\n\n')}\n`).toBe(
        await readGolden('metrics', engine.toLowerCase(), `${kind}.md`),
      );
    },
  );

  test('a column of JSON is counted and grouped by as its text', async () => {
    const { gql, viewer, database, datastore } = lab;
    const props = ['a', 'a', 'b'].map((key) => `{"key": "${key}"}`);
    const rows = [...props, null].map((each) => ['2025-03-30 12:00:00+00', each]);
    await lab.load([{ name: 'odd', columns: { at: 'timestamptz', props: 'json' }, rows }]);
    if (engine === 'POSTGRES') {
      // Of its two types of JSON one has no equality.
      const { warehouse } = await gql.app.catalog.datastores.open(viewer.projectId);
      const select = { sql: 'SELECT "at", CAST(props AS json) AS props FROM raw.odd' };
      await warehouse.write({ database, schema: 'raw', name: 'odd', kind: 'TABLE' }, select);
    }
    const measure = { aggregation: 'COUNT_DISTINCT', column: 'props' } as const;
    await lab.define('keys', {
      simple: { table: `${datastore}.${database}.raw.odd`, time: 'at', measure },
    });
    const [from, to] = ['2025-03-30T00:00:00Z', '2025-03-31T00:00:00Z'].map((at) => new Date(at));
    const question = { metrics: ['keys'], from: from!, to: to!, by: ['props'], limit: 1 };
    const { points } = await lab.ask(question);
    const found = points.map(({ dimensions, values }) => {
      return [(dimensions['props'] as string).replaceAll(' ', ''), values[0]!.value];
    });
    expect(found).toEqual([
      ['{"key":"a"}', 1],
      ['other', 1],
    ]);
    const [all] = (await lab.ask({ ...question, by: [], limit: null })).points;
    expect(all?.values[0]?.value).toBe(2);
  });
});

const json = (value: unknown[]) => value.map((each) => JSON.stringify(each)).join('\n');

function short(of: { value: number | null; previousValue: number | null; change: number | null }): unknown {
  const { value, previousValue, change } = of;
  return previousValue === null && change === null ? value : [value, previousValue, change];
}
