import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type DuckDBConnection, DuckDBInstance, type DuckDBType } from '@duckdb/node-api';
import { Client } from 'pg';
import { createDatastore } from '#catalog/create-datastore.ts';
import { mapEntity } from '#catalog/map-entity.ts';
import { refreshCatalog } from '#catalog/refresh.ts';
import { createMetric } from '#metrics/create-metric.ts';
import { bindType, toDuckDb } from '#warehouse/duckdb-values.ts';
import { toPostgres } from '#warehouse/postgres-values.ts';
import type { Statement, Warehouse, WriteTarget } from '#warehouse/warehouse.ts';
import { startSnowflakeServer } from '../test/support/snowflake-server/start-server.ts';
import { type BenchGateway, openBenchGateway } from './support/gateway.ts';
import { machine, printTable, quantile } from './support/table.ts';

interface Sizes {
  users: number;
  events: number;
}

/** An engine under the gateway, and its driver alone over the same rows. */
interface Lab {
  title: string;
  datastore: string;
  database: string;
  selects(sizes: Sizes): { users: string; events: string };
  /** What the driver alone needs, made when the tables are there. */
  bare(tables: { users: string; events: string }): Promise<Bare>;
}

interface Bare extends AsyncDisposable {
  run(statement: Statement): Promise<unknown>;
}

const questions = {
  'metric by day': `{ metric(name: "events") { series(
    grain: DAY, from: "2026-01-01T00:00:00Z", to: "2026-04-01T00:00:00Z") { points { at value } } } }`,
  'user(key:)': '{ user(key: "4711") { key name } }',
};
const seconds = 90 * 86_400;

/**
 * The same questions through the gateway over HTTP, through the engine's Warehouse, and through the bare driver with the very
 * statement that the gateway made; answers are not kept.
 */
export async function benchOverhead(options: Sizes & { rounds: number; asks: number }): Promise<void> {
  await using snowflake = await startSnowflakeServer({ database: 'BENCH' });
  await using gateway = await openBenchGateway({
    SLUICE_CACHE_MB: '0',
    SLUICE_EMULATOR_HOSTS: snowflake.host,
  });
  const { app, viewer } = gateway;
  const config = await makeDatabase(gateway.app.store.databaseUrl);
  await createDatastore(app.catalog, viewer, { name: 'pg', engine: 'POSTGRES', config });
  await createDatastore(app.catalog, viewer, {
    name: 'snow',
    engine: 'SNOWFLAKE',
    config: { ...snowflake.config },
  });
  const rows: (string | number)[][] = [];
  for (const lab of [duckDb(), postgres(config), snowflakeLab()]) {
    rows.push(...(await measureLab(gateway, lab, options)));
  }
  printTable(
    `overhead: ${options.events.toLocaleString('en')} events, ${options.users.toLocaleString('en')} users, medians; ${machine()}`,
    ['engine', 'question', 'bare driver, ms', 'Warehouse, ms (ratio)', 'gateway over HTTP, ms (ratio)'],
    rows,
  );
}

async function measureLab(
  gateway: BenchGateway,
  lab: Lab,
  options: Sizes & { rounds: number; asks: number },
): Promise<string[][]> {
  const { app, viewer } = gateway;
  const { warehouse } = await app.catalog.datastores.open(viewer.projectId, lab.datastore);
  const selects = lab.selects(options);
  for (const name of ['users', 'events'] as const) {
    const target: WriteTarget = { database: lab.database, schema: 'raw', name, kind: 'TABLE' };
    await warehouse.write(target, { sql: selects[name] }, { deadlineMs: 600_000 });
  }
  await refreshCatalog(app.catalog, viewer);
  const table = (name: string) => ({ name: `${lab.datastore}.${lab.database}.raw.${name}` });
  await mapEntity(app.catalog, viewer, { kind: 'USER', table: table('users'), key: 'id', name: 'name' });
  await mapEntity(app.catalog, viewer, { kind: 'EVENT', table: table('events'), key: 'id', at: 'at' });
  await createMetric(app.metrics, viewer, {
    name: 'events',
    definition: { simple: { entity: 'EVENT', measure: { aggregation: 'COUNT' } } },
  }).catch(() => undefined);
  await using bare = await lab.bare(selects);
  const measured: string[][] = [];
  for (const [title, query] of Object.entries(questions)) {
    const statement = await statementOf(gateway, warehouse, query);
    const levels = {
      bare: () => bare.run(statement),
      warehouse: () => warehouse.run(statement, { tag: 'bench' }),
      gateway: () => ask(gateway, query),
    };
    const ms = await medians(levels, options);
    const shown = (value: number) => `${value.toFixed(3)} (${(value / ms.bare).toFixed(2)})`;
    measured.push([lab.title, title, ms.bare.toFixed(3), shown(ms.warehouse), shown(ms.gateway)]);
  }
  return measured;
}

/** The one statement that a question makes. */
async function statementOf(gateway: BenchGateway, warehouse: Warehouse, query: string): Promise<Statement> {
  const made: Statement[] = [];
  const run = warehouse.run.bind(warehouse);
  warehouse.run = (statement, options) => {
    made.push(statement);
    return run(statement, options);
  };
  await ask(gateway, query);
  warehouse.run = run;
  if (made.length !== 1) throw new Error(`${made.length} statements were made for ${query}`);
  return made[0]!;
}

async function ask({ url, token }: BenchGateway, query: string): Promise<void> {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: JSON.stringify({ query }),
  });
  const { errors } = (await response.json()) as { errors?: unknown };
  if (errors) throw new Error(JSON.stringify(errors));
}

/** In turns, so that all are measured in the same moments of the machine; the first round warms up. */
async function medians<Level extends string>(
  levels: Record<Level, () => Promise<unknown>>,
  { rounds, asks }: { rounds: number; asks: number },
): Promise<Record<Level, number>> {
  const names = Object.keys(levels) as Level[];
  const samples = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<Level, number[]>;
  for (let round = 0; round <= rounds; round += 1) {
    for (const name of names) {
      for (let at = 0; at < asks; at += 1) {
        const startedAt = performance.now();
        await levels[name]();
        if (round > 0) samples[name].push(performance.now() - startedAt);
      }
    }
  }
  const medianOf = (name: Level) =>
    quantile(
      samples[name].toSorted((one, other) => one - other),
      0.5,
    );
  return Object.fromEntries(names.map((name) => [name, medianOf(name)])) as Record<Level, number>;
}

function duckDb(): Lab {
  const from = "TIMESTAMPTZ '2026-01-01 00:00:00Z'";
  return {
    title: 'DuckDB',
    datastore: 'warehouse',
    database: 'warehouse',
    selects: ({ users, events }) => ({
      users: `SELECT n AS id, 'user ' || n AS name FROM range(1, ${users + 1}) AS t (n)`,
      events: `SELECT n AS id, ${from} + to_seconds(n * ${seconds} // ${events}) AS at FROM range(${events}) AS t (n)`,
    }),
    async bare(selects) {
      // A file, as the warehouse is one: what is in memory alone is not compressed.
      const folder = await mkdtemp(join(tmpdir(), 'sluice-bench-bare-'));
      // As many threads, too: the warehouse leaves a core to the process.
      const threads = String(Math.max(1, availableParallelism() - 1));
      const instance = await DuckDBInstance.create(':memory:', { threads });
      const connection: DuckDBConnection = await instance.connect();
      for (const sql of [
        "SET timezone = 'UTC'",
        `ATTACH '${join(folder, 'bare.duckdb')}' AS warehouse`,
        'CREATE SCHEMA warehouse.raw',
        `CREATE TABLE warehouse.raw.users AS ${selects.users}`,
        `CREATE TABLE warehouse.raw.events AS ${selects.events}`,
        'CHECKPOINT warehouse',
      ])
        await connection.run(sql);
      return {
        async run({ sql, binds = [] }) {
          const types = binds.map(bindType) as DuckDBType[];
          return (await connection.runAndReadAll(sql, binds.map(toDuckDb), types)).getRows();
        },
        async [Symbol.asyncDispose]() {
          connection.closeSync();
          instance.closeSync();
          await rm(folder, { recursive: true });
        },
      };
    },
  };
}

interface Server {
  [setting: string]: string | number;
  host: string;
  port: number;
  database: string;
  username: string;
  password: string;
}

function postgres({ username: user, ...server }: Server): Lab {
  return {
    title: 'PostgreSQL',
    datastore: 'pg',
    database: server.database,
    selects: ({ users, events }) => ({
      users: `SELECT n::bigint AS id, 'user ' || n AS name FROM generate_series(1, ${users}) AS t (n)`,
      events: `SELECT n::bigint AS id, TIMESTAMPTZ '2026-01-01 00:00:00Z' + n::bigint * ${seconds} / ${events} * interval '1 second' AS at
        FROM generate_series(0, ${events - 1}) AS t (n)`,
    }),
    async bare() {
      const client = new Client({ ...server, user });
      await client.connect();
      await client.query('CREATE UNIQUE INDEX ON raw.users (id)');
      await client.query('ANALYZE raw.users, raw.events');
      return {
        run: ({ sql: text, binds = [] }) =>
          client.query({ text, values: binds.map(toPostgres), rowMode: 'array' }),
        [Symbol.asyncDispose]: () => client.end(),
      };
    },
  };
}

/** On the test server, which runs statements on DuckDB: what is measured is the way there and back. */
function snowflakeLab(): Lab {
  return {
    title: 'Snowflake (test server)',
    datastore: 'snow',
    database: 'BENCH',
    selects: ({ users, events }) => ({
      users: `SELECT SEQ8() + 1 AS "id", 'user ' || SEQ8() AS "name" FROM TABLE(GENERATOR(ROWCOUNT => ${users}))`,
      events: `SELECT SEQ8() AS "id", DATEADD('MILLISECOND', FLOOR(SEQ8() * ${1000 * seconds} / ${events}), '2026-01-01 00:00:00+00'::TIMESTAMP_LTZ) AS "at"
        FROM TABLE(GENERATOR(ROWCOUNT => ${events}))`,
    }),
    bare: () => Promise.resolve(replayed()),
  };
}

/** The requests that the engine itself makes, sent again under another id and read to their end, and nothing made of them. */
function replayed(): Bare {
  const { fetch } = globalThis;
  const seen = new Map<string, { url: string; init: RequestInit }>();
  globalThis.fetch = (input, init) => {
    const url = typeof input === 'string' ? input : '';
    if (url.includes('/query-request') && typeof init?.body === 'string') {
      const { signal: _, ...rest } = init;
      const { sqlText } = JSON.parse(init.body) as { sqlText: string };
      seen.set(sqlText, { url, init: rest });
    }
    return fetch(input, init);
  };
  return {
    async run({ sql }) {
      const known = seen.get(sql);
      if (!known) throw new Error('The statement was not sent yet.');
      const url = new URL(known.url);
      url.searchParams.set('requestId', crypto.randomUUID());
      await (await fetch(url, known.init)).arrayBuffer();
    },
    [Symbol.asyncDispose]: async () => {
      globalThis.fetch = fetch;
    },
  };
}

/** A database of its own on the gateway's server. */
async function makeDatabase(databaseUrl: string): Promise<Server> {
  const url = new URL(databaseUrl);
  const client = new Client({ connectionString: databaseUrl });
  await client.connect();
  await client.query('CREATE DATABASE bench');
  await client.end();
  return {
    host: url.hostname,
    port: Number(url.port),
    database: 'bench',
    username: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
  };
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      users: { type: 'string', default: '100000' },
      events: { type: 'string', default: '1000000' },
      rounds: { type: 'string', default: '10' },
      asks: { type: 'string', default: '50' },
    },
  });
  await benchOverhead({
    users: Number(values.users),
    events: Number(values.events),
    rounds: Number(values.rounds),
    asks: Number(values.asks),
  });
}
