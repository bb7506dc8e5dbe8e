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

const names = ['viewed', 'opened', 'ran', 'purchased'];
const measures: [Aggregation, string | null][] = [
  ['COUNT', null],
  ['SUM', 'amount'],
  ['AVG', 'amount'],
  ['MAX', 'seconds'],
  ['SUM', 'seconds'],
];

/** One metric against twenty that become one statement, by day and in a zone with summer time, without kept answers. */
export async function benchMetrics(options: { events: number; rounds: number }): Promise<void> {
  await using gateway = await openBenchGateway();
  await prepare(gateway, options.events);
  const metrics = await define(gateway);
  for (const timeZone of ['UTC', 'Europe/Berlin']) {
    const one = await measure(gateway, metrics.slice(0, 1), timeZone, options.rounds);
    const all = await measure(gateway, metrics, timeZone, options.rounds);
    printTable(
      `metrics: ${options.events.toLocaleString('en')} events over a year, by day in ${timeZone}`,
      ['figure', 'value'],
      [
        ['1 metric, median', `${one.ms.toFixed(0)} ms, ${one.statements} statement`],
        [`${metrics.length} metrics, median`, `${all.ms.toFixed(0)} ms, ${all.statements} statement`],
        ['ratio', (all.ms / one.ms).toFixed(2)],
        ['machine', machine()],
      ],
    );
  }
}

/** Events in order of time, as syncs write them. */
async function prepare({ app, viewer }: BenchGateway, events: number): Promise<void> {
  const { warehouse } = await app.catalog.datastores.open(viewer.projectId);
  const statements = [
    'CREATE SCHEMA raw',
    `CREATE TABLE raw.events AS SELECT n AS id, 1 + (hash(n) % 100000)::BIGINT AS user_id, ['${names.join("', '")}'][1 + (hash(n + 1) % 4)::INT] AS name,
       TIMESTAMPTZ '2025-01-01 00:00:00+00' + to_microseconds((n * ${Math.floor((365 * 86_400e6) / events)})::BIGINT) AS "at",
       ((hash(n + 2) % 10000) / 100)::DECIMAL(9, 2) AS amount, (hash(n + 3) % 600)::INTEGER AS seconds FROM range(${events}) t(n)`,
  ];
  for (const sql of statements) await warehouse.run({ sql }, { deadlineMs: 600_000 });
  await refreshCatalog(app.catalog, viewer);
  const event = { kind: 'EVENT', table: { name: 'raw.events' }, key: 'id', name: 'name' } as const;
  await mapEntity(app.catalog, viewer, { ...event, at: 'at', userKey: 'user_id' });
}

/** Five measures of each of four kinds of events. */
async function define({ app, viewer: { projectId } }: BenchGateway): Promise<string[]> {
  const now = new Date();
  const all = names.flatMap((event) =>
    measures.map(([aggregation, column]) => {
      const filter = [{ property: 'name', eq: event }];
      const definition: MetricDefinition = {
        simple: { entity: 'EVENT', measure: { aggregation, column }, filter },
      };
      return { name: `${event}_${aggregation}_${column ?? 'events'}`.toLowerCase(), definition };
    }),
  );
  await app.store.db.metric.createMany({
    data: all.map(({ name, definition }) => ({
      id: newId(),
      projectId,
      name,
      title: name,
      kind: kindOf(definition),
      definition: storedDefinition(definition),
      createdAt: now,
      updatedAt: now,
    })),
  });
  return all.map(({ name }) => name);
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
