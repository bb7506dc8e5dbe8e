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
  const asked = [
    { title: '1 metric: all events', metrics: ['events'] },
    { title: '1 metric: events of a kind', metrics: [nameOf(kinds[0]!, ['COUNT', null])] },
    ...sets.map((set) => {
      const metrics = kinds
        .slice(0, set.kinds)
        .flatMap((kind) => set.measures.map((each) => nameOf(kind, each)));
      return { title: `${metrics.length} metrics: ${set.title}`, metrics };
    }),
  ];
  for (const timeZone of ['UTC', 'Europe/Berlin']) {
    const taken = await inTurns(gateway, asked, timeZone, options.rounds);
    const [one] = taken as [Taken];
    printTable(
      `metrics: ${options.events.toLocaleString('en')} events over a year, by day in ${timeZone}, medians of ${options.rounds} in turns`,
      ['figure', 'value'],
      [
        ...asked.map(({ title }, at): [string, string] => [title, shown(taken[at]!, one)]),
        ['machine', machine()],
      ],
    );
  }
}

/** What a question takes: of the clock, and of all threads of the process. */
interface Taken {
  ms: number;
  cpuMs: number;
  statements: number;
}

function shown({ ms, cpuMs, statements }: Taken, one: Taken): string {
  const ratios = `${(ms / one.ms).toFixed(2)} and ${(cpuMs / one.cpuMs).toFixed(2)} times the first`;
  return `${ms.toFixed(0)} ms, ${cpuMs.toFixed(0)} ms of CPU, ${statements} statement: ${ratios}`;
}

/** Each question once a round, so that what else the machine does falls on all of them alike. */
async function inTurns(
  gateway: BenchGateway,
  asked: readonly { metrics: readonly string[] }[],
  timeZone: string,
  rounds: number,
): Promise<Taken[]> {
  const samples: Taken[][] = asked.map(() => []);
  for (let round = 0; round < rounds; round += 1) {
    for (const [at, { metrics }] of asked.entries()) {
      samples[at]!.push(await measure(gateway, metrics, timeZone));
    }
  }
  const median = (all: readonly Taken[], of: 'ms' | 'cpuMs') =>
    quantile(
      all.map((each) => each[of]).toSorted((one, other) => one - other),
      0.5,
    );
  return samples.map((all) => ({
    ms: median(all, 'ms'),
    cpuMs: median(all, 'cpuMs'),
    statements: all[0]!.statements,
  }));
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
): Promise<Taken> {
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
  app.catalog.datastores.cache.clear();
  const meter = createMeter();
  const asker = { projectId, requestId: 'bench', signal: new AbortController().signal, meter };
  const startedAt = performance.now();
  const before = process.cpuUsage();
  const [answer] = await askMetrics(app.metrics, asker, [question]);
  const { user, system } = process.cpuUsage(before);
  if (!answer || answer instanceof AppError) throw answer ?? new Error('Nothing was answered.');
  return {
    ms: performance.now() - startedAt,
    cpuMs: (user + system) / 1000,
    statements: meter.statements,
  };
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: { events: { type: 'string', default: '10000000' }, rounds: { type: 'string', default: '7' } },
  });
  await benchMetrics({ events: Number(values.events), rounds: Number(values.rounds) });
}
