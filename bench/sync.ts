import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { parseArgs } from 'node:util';
import { Client } from 'pg';
import { from as copyFrom, to as copyTo } from 'pg-copy-streams';
import { createLog } from '#base/log.ts';
import { startEmbeddedPostgres } from '#store/embedded-postgres.ts';
import { machine, printTable } from './support/table.ts';

/*
 * Rows of 10 mixed columns (180 bytes as text) from PostgreSQL into DuckDB and into Parquet, against the bare COPY of the
 * same table over one connection, read into nothing; and into a PostgreSQL datastore on the same server, against COPY TO piped
 * into COPY FROM. Rounds alternate, so that all see the same moments of the machine,
 * and each sync runs in a process of its own, whose peak of memory it tells.
 *
 *   npm run bench -- sync
 *   ROWS=1000000 ROUNDS=1 npm run bench -- sync
 */

const columns = `
  id int8, qty int4, amount numeric(12,2), score float8, active bool, name text, note text, at timestamptz, day date, ref uuid`;
const values = `
  n, n * 7919 % 1000003, (n * 31 % 100000000)::numeric / 100, (n * 7919 % 1000003) / 997.0::float8, n % 3 = 0, 'name of ' || n,
  md5(n::text) || ' some text', timestamptz '2020-01-01 00:00:00.123456Z' + n * interval '1 second',
  date '2020-01-01' + (n % 2000)::int4, md5((n * 31)::text)::uuid`;

interface SyncAnswer {
  ms: number;
  rows: number;
  parts: number;
  peakBytes: number;
  idleBytes: number;
  cpuMs: number;
}

interface Options {
  rows: number;
  rounds: number;
  lanes: number;
  /** Millions of rows whose peaks of memory are compared. */
  memoryRows: number[];
}

export async function benchSync({ rows, rounds, lanes, memoryRows }: Options): Promise<void> {
  await using server = await openServer();
  const table = await server.seed(rows);
  const bareText: number[] = [];
  const bareCsv: number[] = [];
  const piped: number[] = [];
  const syncs: Record<Into, SyncAnswer[]> = { duckdb: [], parquet: [], postgres: [] };
  for (let round = 0; round < rounds; round += 1) {
    bareText.push(await server.bareCopy(`COPY (SELECT * FROM ${table}) TO STDOUT`));
    syncs.duckdb.push(await server.sync(table, 'duckdb', lanes));
    bareCsv.push(await server.bareCopy(`COPY (SELECT * FROM ${table}) TO STDOUT (FORMAT csv)`));
    syncs.parquet.push(await server.sync(table, 'parquet', lanes));
    piped.push(await server.pipedCopy(table));
    syncs.postgres.push(await server.sync(table, 'postgres', lanes));
  }
  const [textMs, csvMs] = [median(bareText), median(bareCsv)];
  const row = (name: string, ms: number, more: (string | number)[]) => [
    name,
    (ms / 1e3).toFixed(2),
    perSecond(rows, ms),
    (textMs / ms).toFixed(2),
    (csvMs / ms).toFixed(2),
    ...more,
  ];
  const syncRow = (name: string, answers: SyncAnswer[]) =>
    row(name, median(answers.map(({ ms }) => ms)), [
      (median(answers.map(({ cpuMs }) => cpuMs)) / 1000).toFixed(1),
      megabytes(Math.max(...answers.map(({ peakBytes }) => peakBytes))),
    ]);
  printTable(
    `sync: ${rows.toLocaleString('en')} rows of 10 columns, ${lanes} parts at once, median of ${rounds}; ${machine()}`,
    ['what', 's', 'rows/s', 'ratio to COPY', 'ratio to COPY (FORMAT csv)', 'CPU s', 'peak MB'],
    [
      row('bare COPY into nothing', textMs, ['', '']),
      row('bare COPY (FORMAT csv) into nothing', csvMs, ['', '']),
      syncRow('into DuckDB', syncs.duckdb),
      syncRow('into Parquet', syncs.parquet),
    ],
  );
  const pipedMs = median(piped);
  const postgresMs = median(syncs.postgres.map(({ ms }) => ms));
  printTable(
    'sync: the same rows into a PostgreSQL database of the same server',
    ['what', 's', 'rows/s', 'ratio to the pipe', 'CPU s', 'peak MB'],
    [
      ['COPY TO piped into COPY FROM', (pipedMs / 1e3).toFixed(2), perSecond(rows, pipedMs), '1.00', '', ''],
      [
        'into a PostgreSQL datastore',
        (postgresMs / 1e3).toFixed(2),
        perSecond(rows, postgresMs),
        (pipedMs / postgresMs).toFixed(2),
        (median(syncs.postgres.map(({ cpuMs }) => cpuMs)) / 1000).toFixed(1),
        megabytes(Math.max(...syncs.postgres.map(({ peakBytes }) => peakBytes))),
      ],
    ],
  );
  await benchMemory(server, memoryRows, lanes);
}

function perSecond(rows: number, ms: number): string {
  return Math.round(rows / (ms / 1e3)).toLocaleString('en');
}

async function benchMemory(server: SourceServer, memoryRows: number[], lanes: number): Promise<void> {
  const rows: (string | number)[][] = [];
  for (const count of memoryRows) {
    const table = await server.seed(count);
    const [duckdb, parquet] = [
      await server.sync(table, 'duckdb', lanes),
      await server.sync(table, 'parquet', lanes),
    ];
    rows.push([
      count.toLocaleString('en'),
      megabytes(duckdb.idleBytes),
      megabytes(duckdb.peakBytes),
      megabytes(parquet.peakBytes),
    ]);
  }
  if (rows.length > 0)
    printTable(
      'sync: peak resident memory of the process',
      ['rows', 'before, MB', 'DuckDB, MB', 'Parquet, MB'],
      rows,
    );
}

type Into = 'duckdb' | 'parquet' | 'postgres';

interface SourceServer extends AsyncDisposable {
  seed(rows: number): Promise<string>;
  bareCopy(sql: string): Promise<number>;
  pipedCopy(table: string): Promise<number>;
  sync(table: string, into: Into, lanes: number): Promise<SyncAnswer>;
}

async function openServer(): Promise<SourceServer> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-bench-'));
  const settings = { shared_buffers: '256MB', fsync: 'off', max_wal_size: '4GB' };
  const postgres = await startEmbeddedPostgres({
    folder: join(folder, 'postgres'),
    log: createLog('warn'),
    settings,
  });
  const url = new URL(postgres.url('postgres'));
  const config = {
    host: url.hostname,
    port: Number(url.port),
    database: 'postgres',
    username: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
  };
  const withClient = async <T>(work: (client: Client) => Promise<T>): Promise<T> => {
    const client = new Client({ connectionString: url.toString() });
    await client.connect();
    try {
      return await work(client);
    } finally {
      await client.end();
    }
  };
  return {
    async seed(rows) {
      const table = `rows_${rows}`;
      await withClient(async (client) => {
        await client.query(`CREATE TABLE IF NOT EXISTS ${table} (${columns})`);
        const { rows: found } = await client.query(`SELECT FROM ${table} LIMIT 1`);
        if (found.length > 0) return;
        await client.query(`INSERT INTO ${table} SELECT ${values} FROM generate_series(1::int8, ${rows}) n`);
        await client.query(`ALTER TABLE ${table} ADD PRIMARY KEY (id)`);
        await client.query(`VACUUM ANALYZE ${table}`);
      });
      return table;
    },
    bareCopy: (sql) =>
      withClient(async (client) => {
        const startedAt = performance.now();
        const nothing = new Writable({ write: (_chunk, _encoding, done) => done() });
        await pipeline(client.query(copyTo(sql)), nothing);
        return performance.now() - startedAt;
      }),
    pipedCopy: (table) =>
      withClient((from) =>
        withClient(async (to) => {
          await to.query(`CREATE TABLE piped (${columns})`);
          const startedAt = performance.now();
          await pipeline(
            from.query(copyTo(`COPY ${table} TO STDOUT`)),
            to.query(copyFrom('COPY piped FROM STDIN')),
          );
          const ms = performance.now() - startedAt;
          await to.query('DROP TABLE piped');
          return ms;
        }),
      ),
    async sync(table, into, lanes) {
      const asked = JSON.stringify({ config, table, into, lanes });
      const child = spawn(process.execPath, [join(import.meta.dirname, 'support/sync-once.ts'), asked], {
        stdio: ['ignore', 'pipe', 'inherit'],
        env: { ...process.env, UV_THREADPOOL_SIZE: '16' },
      });
      const [answer, [code]] = await Promise.all([
        text(child.stdout),
        once(child, 'exit') as Promise<[number | null]>,
      ]);
      if (code !== 0) throw new Error(`The sync ended with ${code}.`);
      return JSON.parse(answer) as SyncAnswer;
    },
    async [Symbol.asyncDispose]() {
      await postgres.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function median(samples: readonly number[]): number {
  return samples.toSorted((a, b) => a - b)[Math.floor(samples.length / 2)] ?? Number.NaN;
}

function megabytes(bytes: number): string {
  return Math.round(bytes / 1e6).toLocaleString('en');
}

if (import.meta.main) {
  const { values: asked } = parseArgs({
    options: {
      rows: { type: 'string', default: process.env.ROWS ?? '5000000' },
      rounds: { type: 'string', default: process.env.ROUNDS ?? '3' },
      lanes: { type: 'string', default: '2' },
      memory: { type: 'string', default: process.env.ROWS ?? '1000000,5000000,10000000' },
    },
  });
  await benchSync({
    rows: Number(asked.rows),
    rounds: Number(asked.rounds),
    lanes: Number(asked.lanes),
    memoryRows: asked.memory.split(',').filter(Boolean).map(Number),
  });
}
