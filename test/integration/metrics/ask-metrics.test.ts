import { afterAll, beforeAll, expect, test } from 'vitest';
import { AppError } from '#base/errors.ts';
import { checkDefinition } from '#metrics/check-definition.ts';
import type { MetricDefinition } from '#metrics/definition.ts';
import { loadMetrics } from '#metrics/load-metrics.ts';
import type { Aggregation } from '#warehouse/dialect.ts';
import { fillWarehouse } from '../../support/entities.ts';
import { type MetricLab, openMetricLab } from '../../support/metric-lab.ts';
import { expectWarehouseStatements, warehouseStatementsOf } from '../../support/warehouse.ts';

let lab: MetricLab;
const range = { from: new Date('2025-01-01T00:00:00Z'), to: new Date('2025-01-08T00:00:00Z') };

function of(aggregation: Aggregation, column: string | null, name?: string): MetricDefinition {
  const filter = name === undefined ? [] : [{ property: 'name', eq: name }];
  return { simple: { entity: 'EVENT', measure: { aggregation, column }, filter } };
}

const measures: [Aggregation, string | null][] = [
  ['COUNT', null],
  ['COUNT_DISTINCT', 'userKey'],
  ['SUM', 'amount'],
  ['AVG', 'amount'],
  ['MEDIAN', 'amount'],
];
const kinds = ['viewed', 'opened', 'purchased', 'left'];
const twenty = kinds.flatMap((kind) =>
  measures.map(([aggregation]) => `${kind}_${aggregation.toLowerCase()}`),
);

beforeAll(async () => {
  lab = await openMetricLab('DUCKDB');
  await fillWarehouse(lab.gql, lab.viewer, [
    'CREATE SCHEMA raw',
    `CREATE TABLE raw.events AS SELECT n AS id, 'u' || (n % 5) AS user_id, ['${kinds.join("','")}'][1 + n % 4] AS name, n AS amount,
       'x' AS word, TIMESTAMP '2025-01-01' + to_hours((n % 168)::INT) AS "at" FROM range(500) t(n)`,
    `CREATE TABLE raw.users AS SELECT 'u' || n AS id, 'o' || (n % 2) AS organization_id, TIMESTAMP '2024-01-01' AS created_at FROM range(5) t(n)`,
    `CREATE TABLE raw.organizations AS SELECT 'o' || n AS id, 'O' || n AS name, ['free', 'team'][1 + n] AS plan FROM range(2) t(n)`,
    'CREATE TABLE raw.many AS SELECT n AS word, TIMESTAMP \'2025-01-01\' AS "at" FROM range(30000) t(n)',
  ]);
  await lab.mapAll();
  for (const kind of kinds) {
    for (const [aggregation, column] of measures) {
      await lab.define(`${kind}_${aggregation.toLowerCase()}`, of(aggregation, column, kind));
    }
  }
  await lab.define('events', of('COUNT', null));
  await lab.define('users', of('COUNT_DISTINCT', 'userKey'));
  await lab.define('by_plan', {
    simple: { ...of('COUNT', null).simple!, dimensions: ['organization.plan'] },
  });
  await lab.define('many', {
    simple: { table: 'warehouse.warehouse.raw.many', time: 'at', measure: { aggregation: 'COUNT' } },
  });
  await lab.define('per_user', { ratio: { numerator: 'events', denominator: 'users' } });
  await lab.define('ever', { cumulative: { metric: 'events' } });
});

afterAll(() => lab[Symbol.asyncDispose]());

test('twenty metrics over the same rows are one statement, in one question and across twenty', async () => {
  const question = { ...range, grain: 'DAY' as const };
  await expectWarehouseStatements(1, () => lab.ask({ ...question, metrics: twenty }));
  const apart = { ...question, timeZone: 'Europe/Berlin' };
  const asked = twenty.map((name) => ({ ...apart, metrics: [name] }));
  await expectWarehouseStatements(1, async () => expect((await lab.outcomes(asked)).length).toBe(20));
  const together = await lab.ask({ ...apart, metrics: twenty });
  for (const [at, outcome] of (await lab.outcomes(asked)).entries()) {
    if (outcome instanceof AppError) throw outcome;
    expect(outcome.points.map(({ values }) => values[0])).toEqual(
      together.points.map(({ values }) => values[at]),
    );
  }
});

test('twenty metrics with the period before, the largest groups and the rest are one statement too', async () => {
  const question = {
    ...range,
    grain: 'DAY',
    compareTo: 'PREVIOUS_YEAR',
    by: ['user.organizationKey'],
    limit: 1,
  } as const;
  await expectWarehouseStatements(1, () => lab.ask({ ...question, metrics: twenty }));
});

test('other rows, another grain, filter or range are other statements', async () => {
  const metrics = ['events', 'users', 'per_user'];
  const questions = [
    { ...range, metrics, grain: 'HOUR' as const },
    { ...range, metrics, grain: 'WEEK' as const },
    { ...range, metrics, grain: 'WEEK' as const, filter: [{ property: 'name', eq: 'viewed' }] },
    { ...range, metrics, grain: 'WEEK' as const, from: new Date('2024-12-01T00:00:00Z') },
    { ...range, metrics: ['many'], grain: 'WEEK' as const },
  ];
  await expectWarehouseStatements(5, () => lab.outcomes(questions));
});

test('equal questions are the same statement to the byte', async () => {
  const question = { ...range, metrics: twenty, grain: 'MONTH' as const, by: ['name'], limit: 2 };
  const texts = async () => (await warehouseStatementsOf(() => lab.ask(question))).map(({ sql }) => sql);
  const first = await texts();
  lab.gql.app.catalog.datastores.cache.clear();
  expect(await texts()).toEqual(first);
  expect((await lab.ask(question)).cache).toBe('HIT');
});

test('weekly active users by the plan of their organization', async () => {
  const { points, tableIds } = await lab.ask({
    ...range,
    metrics: ['users'],
    grain: 'WEEK',
    by: ['organization.plan'],
  });
  expect(
    points.map(({ at, dimensions, values }) => [at.toISOString().slice(0, 10), dimensions, values[0]!.value]),
  ).toEqual([
    ['2024-12-30', { 'organization.plan': 'free' }, 3],
    ['2024-12-30', { 'organization.plan': 'team' }, 2],
    ['2025-01-06', { 'organization.plan': 'free' }, 3],
    ['2025-01-06', { 'organization.plan': 'team' }, 2],
  ]);
  expect(tableIds.length).toBe(3);
});

test('what fails one question is its own, and says what is meant', async () => {
  const outcomes = await lab.outcomes([
    { ...range, metrics: ['events'] },
    { ...range, metrics: ['evnts'] },
    { ...range, metrics: ['events'], by: ['colour'] },
    { ...range, metrics: ['events'], filter: [{ property: 'amount', eq: 'many' }] },
    { ...range, metrics: ['by_plan'], by: ['name'] },
    { ...range, metrics: ['many'], by: ['word'] },
    { ...range, metrics: ['events'], timeZone: 'Nowhere' },
    { ...range, metrics: ['users'] },
  ]);
  const shown = outcomes.map((outcome) =>
    outcome instanceof AppError ? `${outcome.code} ${outcome.message}` : outcome.points[0]!.values[0]!.value,
  );
  expect(shown).toEqual([
    500,
    'BAD_USER_INPUT There is no metric "evnts". Did you mean "events"?',
    expect.stringContaining('An event has no "colour".'),
    expect.stringContaining('"many" cannot be compared with "amount"'),
    'BAD_USER_INPUT "name" is no dimension of the metric "by_plan". It has: organization.plan.',
    expect.stringContaining('more than 1000 groups'),
    'BAD_USER_INPUT "Nowhere" is no time zone.',
    5,
  ]);
});

test('a limit takes what is too much for groups', async () => {
  const { points } = await lab.ask({ ...range, metrics: ['many'], by: ['word'], limit: 2 });
  expect(points.map(({ dimensions, values }) => [dimensions.word, values[0]!.value])).toEqual([
    [0, 1],
    [1, 1],
    ['other', 29_998],
  ]);
});

test.each<[string, MetricDefinition, string[], RegExp]>([
  ['of no kind', {}, ['definition'], /exactly one of/],
  [
    'of two kinds',
    { ratio: { numerator: 'events', denominator: 'users' }, derived: { expression: 'events' } },
    ['definition'],
    /exactly one of/,
  ],
  [
    'over nothing',
    { simple: { measure: { aggregation: 'COUNT' } } },
    ['definition', 'simple', 'entity'],
    /Neither entity nor table/,
  ],
  [
    'over a table that is not there',
    { simple: { table: 'warehouse.warehouse.raw.evnts', time: 'at', measure: { aggregation: 'COUNT' } } },
    ['definition', 'simple', 'table'],
    /Did you mean/,
  ],
  [
    'over a table without a time',
    { simple: { table: 'warehouse.warehouse.raw.many', measure: { aggregation: 'COUNT' } } },
    ['definition', 'simple', 'time'],
    /time of a table is missing/,
  ],
  [
    'by a time that is a number',
    { simple: { table: 'warehouse.warehouse.raw.many', time: 'word', measure: { aggregation: 'COUNT' } } },
    ['definition', 'simple', 'time'],
    /holds no time/,
  ],
  [
    'of a column that is not there',
    of('SUM', 'amont'),
    ['definition', 'simple', 'measure', 'column'],
    /Did you mean "amount"/,
  ],
  [
    'of a text that cannot be summed',
    of('SUM', 'word'),
    ['definition', 'simple', 'measure', 'column'],
    /of type text, which cannot be summed/,
  ],
  ['of no column', of('AVG', null), ['definition', 'simple', 'measure', 'column'], /AVG measures a column/],
  [
    'with a percentile of 95',
    { simple: { entity: 'EVENT', measure: { aggregation: 'PERCENTILE', column: 'amount', percentile: 95 } } },
    ['definition', 'simple', 'measure', 'percentile'],
    /0 to 1 are allowed/,
  ],
  [
    'with a percentile that is not used',
    { simple: { entity: 'EVENT', measure: { aggregation: 'SUM', column: 'amount', percentile: 0.5 } } },
    ['definition', 'simple', 'measure', 'percentile'],
    /takes no percentile/,
  ],
  [
    'with a filter on nothing',
    {
      simple: { entity: 'EVENT', measure: { aggregation: 'COUNT' }, filter: [{ property: 'colour', eq: 1 }] },
    },
    ['definition', 'simple', 'filter', '0'],
    /has no "colour"/,
  ],
  [
    'with a dimension of nothing',
    { simple: { entity: 'EVENT', measure: { aggregation: 'COUNT' }, dimensions: ['name', 'colour'] } },
    ['definition', 'simple', 'dimensions', '1'],
    /has no "colour"/,
  ],
  [
    'of an unknown metric',
    { ratio: { numerator: 'evnts', denominator: 'users' } },
    ['definition', 'ratio', 'numerator'],
    /Did you mean "events"/,
  ],
  [
    'of itself',
    { derived: { expression: 'events + tested' } },
    ['definition', 'derived', 'expression'],
    /made of itself: tested → tested/,
  ],
  [
    'that cannot be read',
    { derived: { expression: 'events + ' } },
    ['definition', 'derived', 'expression'],
    /ends where .* at character 10/,
  ],
  [
    'of numbers alone',
    { derived: { expression: '1 + 1' } },
    ['definition', 'derived', 'expression'],
    /names no metric/,
  ],
  [
    'of half a window',
    { cumulative: { metric: 'events', windowCount: 7 } },
    ['definition', 'cumulative', 'windowGrain'],
    /windowGrain is missing/,
  ],
  [
    'of a window that is reset',
    { cumulative: { metric: 'events', windowCount: 7, windowGrain: 'DAY', resetGrain: 'YEAR' } },
    ['definition', 'cumulative', 'resetGrain'],
    /both given/,
  ],
  [
    'of a window of nothing',
    { cumulative: { metric: 'events', windowCount: 0, windowGrain: 'DAY' } },
    ['definition', 'cumulative', 'windowCount'],
    /A window of 0 DAY/,
  ],
  [
    'cumulated twice',
    { cumulative: { metric: 'ever' } },
    ['definition', 'cumulative', 'metric'],
    /cannot be cumulated/,
  ],
  [
    'of unlike things',
    { ratio: { numerator: 'ever', denominator: 'users' } },
    ['definition', 'ratio', 'denominator'],
    /unlike things/,
  ],
  [
    'of a step that has no such field',
    {
      conversion: {
        first: { properties: [{ property: 'colour', eq: 1 }] },
        second: {},
        windowCount: 1,
        windowGrain: 'DAY',
      },
    },
    ['definition', 'conversion', 'first'],
    /has no "colour"/,
  ],
])('a metric %s is refused at its place', async (_what, definition, path, message) => {
  const { projectId } = lab.viewer;
  const metrics = await loadMetrics(lab.gql.app.store.db, projectId);
  const problems = await checkDefinition(lab.gql.app.metrics, projectId, metrics, {
    name: 'tested',
    definition,
  });
  expect(problems.map((problem) => problem.path)).toEqual([path]);
  expect(problems[0]!.message).toMatch(message);
});

test('a cycle through others is told whole', async () => {
  const { projectId } = lab.viewer;
  const metrics = await loadMetrics(lab.gql.app.store.db, projectId);
  const definition = { derived: { expression: 'per_user * 2' } };
  const [problem] = await checkDefinition(lab.gql.app.metrics, projectId, metrics, {
    name: 'users',
    definition,
  });
  expect(problem?.message).toBe('"users" would be made of itself: users → per_user → users.');
});
