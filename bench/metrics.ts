import { parseArgs } from 'node:util';
import { newId } from '#base/id.ts';
import { AppError } from '#base/errors.ts';
import { mapEntity } from '#catalog/map-entity.ts';
import { createMeter } from '#catalog/meter.ts';
import { refreshCatalog } from '#catalog/refresh.ts';
import { askMetrics, type Question } from '#metrics/ask-metrics.ts';
import { kindOf, type MetricDefinition, storedDefinition } from '#metrics/definition.ts';
import type { Aggregation } from '#warehouse/dialect.ts';
import { type BenchGateway, openBenchGateway } from './support/gateway.ts';
import { machine, printTable, quantile } from './support/table.ts';

type Measure = [Aggregation, string | null];

const kinds = [
  'viewed',
  'opened',
  'ran',
  'purchased',
  'invited',
  'shared',
  'saved',
  'exported',
  'left',
  'returned',
];
const sets: { title: string; kinds: number; measures: Measure[] }[] = [
  {
    title: '2 measures of 10 kinds of events',
    kinds: 10,
    measures: [
      ['COUNT', null],
      ['SUM', 'amount'],
    ],
  },
  {
    title: '5 measures of 4 kinds of events',
    kinds: 4,
    measures: [
      ['COUNT', null],
      ['SUM', 'amount'],
      ['AVG', 'amount'],
      ['MAX', 'seconds'],
      ['SUM', 'seconds'],
    ],
  },
];

/**
 * One metric, of all events or of one kind, against twenty that become one statement: by day, in UTC and in a zone with summer
 * time, without kept answers.
 */
export async function benchMetrics(options: { events: number; rounds: number }): Promise<void> {
  await using gateway = await openBenchGateway();
  await prepare(gateway, options.events);
  await define(gateway, [{ name: 'events', measure: ['COUNT', null], kind: null }]);
  for (const set of sets) {
    const metrics = kinds
      .slice(0, set.kinds)
      .flatMap((kind) => set.measures.map((measure) => ({ name: nameOf(kind, measure), kind, measure })));
    await define(gateway, metrics);
  }
  for (const timeZone of ['UTC', 'Europe/Berlin']) {
    const rows: [string, string][] = [];
    const report = async (title: string, metrics: readonly string[], against?: number) => {
      const { ms, statements } = await measure(gateway, metrics, timeZone, options.rounds);
      const ratio = against === undefined ? '' : `, ${(ms / against).toFixed(2)} times the first`;
      rows.push([title, `${ms.toFixed(0)} ms, ${statements} statement${ratio}`]);
      return ms;
    };
    const one = await report('1 metric: all events', ['events']);
    await report('1 metric: events of a kind', [nameOf(kinds[0]!, ['COUNT', null])], one);
    for (const set of sets) {
      const metrics = kinds
        .slice(0, set.kinds)
        .flatMap((kind) => set.measures.map((each) => nameOf(kind, each)));
      await report(`${metrics.length} metrics: ${set.title}`, metrics, one);
    }
    printTable(
      `metrics: ${options.events.toLocaleString('en')} events over a year, by day in ${timeZone}, medians`,
      ['figure', 'value'],
      [...rows, ['machine', machine()]],
    );
  }
}

function nameOf(kind: string, [aggregation, column]: Measure): string {
  return `${kind}_${aggregation}_${column ?? 'events'}`.toLowerCase();
}

/** Events in order of time, as syncs write them. */
async function prepare({ app, viewer }: BenchGateway, events: number): Promise<void> {
  const { warehouse } = await app.catalog.datastores.open(viewer.projectId);
  const statements = [
    'CREATE SCHEMA raw',
    `CREATE TABLE raw.events AS SELECT n AS id, 1 + (hash(n) % 100000)::BIGINT AS user_id, ['${kinds.join("', '")}'][1 + (hash(n + 1) % ${kinds.length})::INT] AS name,
       TIMESTAMPTZ '2025-01-01 00:00:00+00' + to_microseconds((n * ${Math.floor((365 * 86_400e6) / events)})::BIGINT) AS "at",
       ((hash(n + 2) % 10000) / 100)::DECIMAL(9, 2) AS amount, (hash(n + 3) % 600)::INTEGER AS seconds FROM range(${events}) t(n)`,
  ];
  for (const sql of statements) await warehouse.run({ sql }, { deadlineMs: 600_000 });
  await refreshCatalog(app.catalog, viewer);
  const event = { kind: 'EVENT', table: { name: 'raw.events' }, key: 'id', name: 'name' } as const;
  await mapEntity(app.catalog, viewer, { ...event, at: 'at', userKey: 'user_id' });
}

/** Those that are there already stay. */
async function define(
  { app, viewer: { projectId } }: BenchGateway,
  metrics: readonly { name: string; measure: Measure; kind: string | null }[],
): Promise<void> {
  const now = new Date();
  const known = await app.store.db.metric.findMany({ where: { projectId }, select: { name: true } });
  const rows = metrics
    .filter(({ name }) => known.every((each) => each.name !== name))
    .map(({ name, kind, measure: [aggregation, column] }) => {
      const filter = kind === null ? [] : [{ property: 'name', eq: kind }];
      const definition: MetricDefinition = {
        simple: { entity: 'EVENT', measure: { aggregation, column }, filter },
      };
      return { name, title: name, kind: kindOf(definition), definition: storedDefinition(definition) };
    });
  await app.store.db.metric.createMany({
    data: rows.map((row) => ({ ...row, id: newId(), projectId, createdAt: now, updatedAt: now })),
  });
}

async function measure(
  { app, viewer: { projectId } }: BenchGateway,
  metrics: readonly string[],
  timeZone: string,
  rounds: number,
): Promise<{ ms: number; statements: number }> {
  const question: Question = {
    metrics,
    grain: 'DAY',
    from: new Date('2025-01-01T00:00:00Z'),
    to: new Date('2026-01-01T00:00:00Z'),
    by: [],
    filter: [],
    compareTo: null,
    timeZone,
    limit: null,
  };
  const samples: number[] = [];
  let statements = 0;
  for (let round = 0; round < rounds; round += 1) {
    app.catalog.datastores.cache.clear();
    const meter = createMeter();
    const asker = { projectId, requestId: 'bench', signal: new AbortController().signal, meter };
    const startedAt = performance.now();
    const [answer] = await askMetrics(app.metrics, asker, [question]);
    samples.push(performance.now() - startedAt);
    if (!answer || answer instanceof AppError) throw answer ?? new Error('Nothing was answered.');
    ({ statements } = meter);
  }
  const sorted = samples.toSorted((one, other) => one - other);
  return { ms: quantile(sorted, 0.5), statements };
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: { events: { type: 'string', default: '10000000' }, rounds: { type: 'string', default: '7' } },
  });
  await benchMetrics({ events: Number(values.events), rounds: Number(values.rounds) });
}
