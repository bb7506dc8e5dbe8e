import { parseArgs } from 'node:util';
import { createMeter } from '#catalog/meter.ts';
import { loadMappings } from '#catalog/mappings.ts';
import { mapEntity } from '#catalog/map-entity.ts';
import { refreshCatalog } from '#catalog/refresh.ts';
import { entityOrder } from '#entities/entity-order.ts';
import type { EntityField } from '#entities/entity-rows.ts';
import { type EntityReads, readPage } from '#entities/read-entities.ts';
import { countRelated, readPages, readSeen } from '#entities/read-related.ts';
import { type BenchGateway, openBenchGateway } from './support/gateway.ts';
import { machine, printTable, quantile } from './support/table.ts';

const pageSize = 25;
const depth = 10_000;
const users = 100_000;
const kept: ReadonlySet<EntityField> = new Set(['name', 'at', 'userKey', 'properties']);

/**
 * Users with their events and counts for 1 to 1,000 parents, and page 1 of events against page 10,000: straight from the
 * functions of entities/, which GraphQL batches into, and without answers that were kept.
 */
export async function benchEntities(options: { events: number; rounds: number }): Promise<void> {
  await using gateway = await openBenchGateway();
  const reads = await prepare(gateway, options.events);
  const machineRow = ['machine', machine()];

  const parents: (string | number)[][] = [];
  for (const count of [1, 10, 100, 1_000])
    parents.push(await measureParents(gateway, reads, count, options.rounds));
  printTable(
    `entities: ${options.events.toLocaleString('en')} events of ${users.toLocaleString('en')} users; of each user the newest ${pageSize} events, how many there are, and first and last`,
    ['users', 'statements', 'median ms'],
    parents,
  );

  const { first, deep } = await measureDepth(gateway, reads, options.rounds);
  printTable(
    `entities: ${options.events.toLocaleString('en')} events, newest first, pages of ${pageSize}`,
    ['figure', 'value'],
    [
      ['page 1, median', `${first.toFixed(2)} ms`],
      [`page ${depth.toLocaleString('en')}, median`, `${deep.toFixed(2)} ms`],
      ['ratio', (deep / first).toFixed(2)],
      machineRow,
    ],
  );
}

/** Events in order of time, as syncs write them. */
async function prepare({ app, viewer }: BenchGateway, events: number): Promise<EntityReads> {
  const { warehouse } = await app.catalog.datastores.open(viewer.projectId);
  const statements = [
    'CREATE SCHEMA raw',
    `CREATE TABLE raw.users AS SELECT n AS id, 'user ' || n AS name FROM range(1, ${users + 1}) t(n)`,
    `CREATE TABLE raw.events AS SELECT n AS id, 1 + (hash(n) % ${users})::BIGINT AS user_id, ['viewed', 'opened', 'ran'][1 + n % 3] AS name,
       TIMESTAMPTZ '2026-01-01 00:00:00+00' + to_milliseconds((n * 2764 + hash(n + 3) % 60000)::BIGINT) AS at,
       ('{"path":"/' || n % 100 || '","browser":"firefox"}')::JSON AS properties FROM range(${events}) t(n)`,
  ];
  for (const sql of statements) await warehouse.run({ sql }, { deadlineMs: 600_000 });
  await refreshCatalog(app.catalog, viewer);
  const user = { kind: 'USER', table: { name: 'raw.users' }, key: 'id', name: 'name' } as const;
  const event = { kind: 'EVENT', table: { name: 'raw.events' }, key: 'id', name: 'name' } as const;
  await mapEntity(app.catalog, viewer, user);
  await mapEntity(app.catalog, viewer, {
    ...event,
    at: 'at',
    userKey: 'user_id',
    propertiesColumn: 'properties',
  });
  const { projectId } = viewer;
  const asker = { projectId, requestId: 'bench', signal: new AbortController().signal, meter: createMeter() };
  return { deps: app.catalog, asker, mappings: await loadMappings(app.store.db, projectId) };
}

async function measureParents(
  gateway: BenchGateway,
  reads: EntityReads,
  count: number,
  rounds: number,
): Promise<(string | number)[]> {
  const keys = Array.from({ length: count }, (_, index) => String(1 + ((index * 7_919) % users)));
  const list = { kind: 'EVENT', parent: 'userKey', order: entityOrder('EVENT') } as const;
  const page = { size: pageSize, fromEnd: false, after: null, before: null };
  const samples: number[] = [];
  let statements = 0;
  for (let round = 0; round < rounds; round += 1) {
    gateway.app.catalog.datastores.cache.clear();
    const meter = createMeter();
    const measured = { ...reads, asker: { ...reads.asker, meter } };
    const startedAt = performance.now();
    const [pages] = await Promise.all([
      readPages(measured, list, keys, page, kept),
      countRelated(measured, list, keys),
      readSeen(measured, keys),
    ]);
    samples.push(performance.now() - startedAt);
    if (pages.size !== count) throw new Error(`${pages.size} of ${count} users have events.`);
    statements = meter.statements;
  }
  return [count.toLocaleString('en'), statements, median(samples).toFixed(0)];
}

async function measureDepth(
  { app }: BenchGateway,
  reads: EntityReads,
  rounds: number,
): Promise<{ first: number; deep: number }> {
  const order = entityOrder('EVENT');
  const list = { kind: 'EVENT', order } as const;
  const start = { size: pageSize, fromEnd: false, after: null, before: null };
  const { warehouse } = await app.catalog.datastores.open(reads.asker.projectId);
  const skipped = (depth - 1) * pageSize - 1;
  const { rows } = await warehouse.run({
    sql: `SELECT "at", id::VARCHAR FROM raw.events ORDER BY "at" DESC, id DESC LIMIT 1 OFFSET ${skipped}`,
  });
  const [value, key] = (rows[0] ?? []) as [string, string];
  const pages = { first: start, deep: { ...start, after: { value, key } } };
  const samples = { first: [] as number[], deep: [] as number[] };
  // Alternating, so that both are measured in the same moments of the machine.
  for (let round = 0; round < rounds + 5; round += 1) {
    for (const name of ['first', 'deep'] as const) {
      app.catalog.datastores.cache.clear();
      const startedAt = performance.now();
      const found = await readPage(reads, list, pages[name], kept);
      if (round >= 5) samples[name].push(performance.now() - startedAt);
      if (found.length !== pageSize + 1) throw new Error(`Page ${name} has ${found.length} rows.`);
    }
  }
  return { first: median(samples.first), deep: median(samples.deep) };
}

function median(samples: number[]): number {
  return quantile(
    samples.toSorted((one, other) => one - other),
    0.5,
  );
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: { events: { type: 'string', default: '10000000' }, rounds: { type: 'string', default: '30' } },
  });
  await benchEntities({ events: Number(values.events), rounds: Number(values.rounds) });
}
