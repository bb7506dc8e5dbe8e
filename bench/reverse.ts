import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLog } from '#base/log.ts';
import type { StreamSelection } from '#connectors/contract.ts';
import { datastoreDestination } from '#connectors/datastore/destination.ts';
import { datastoreSource } from '#connectors/datastore-source/source.ts';
import { startEmbeddedPostgres } from '#store/embedded-postgres.ts';
import { openPostgres } from '#warehouse/postgres.ts';
import { moveStream, openMover, originOf, selectionOf } from '../test/support/move-stream.ts';
import { machine, printTable } from './support/table.ts';

/*
 * A table of 10 mixed columns in the embedded warehouse, copied to PostgreSQL: whole, by difference for the first time, and by
 * difference when 10 rows have changed and when none has. Rounds of the last three follow each other.
 *
 *   npm run bench -- reverse
 *   ROWS=500000 ROUNDS=1 npm run bench -- reverse
 */

const columns = `
  range AS id, CAST(range * 7919 % 1000003 AS INTEGER) AS qty, CAST((range * 31 % 100000000) / 100 AS DECIMAL(12, 2)) AS amount,
  (range * 7919 % 1000003) / 997.0 AS score, range % 3 = 0 AS active, 'name of ' || range AS name,
  md5(CAST(range AS VARCHAR)) || ' some text' AS note,
  TIMESTAMPTZ '2020-01-01 00:00:00.123456Z' + to_seconds(range) AS at,
  DATE '2020-01-01' + CAST(range % 2000 AS INTEGER) AS day, CAST(md5(CAST(range * 31 AS VARCHAR)) AS UUID) AS ref`;

const changedRows = 10;
const difference: Partial<StreamSelection> = {
  syncMode: 'INCREMENTAL',
  writeMode: 'UPSERT',
  primaryKey: ['id'],
  destinationTable: 'compared',
  difference: { mirrorRemovals: true },
};

async function benchReverse({ rows, rounds }: { rows: number; rounds: number }): Promise<void> {
  await using lab = await openLab();
  await lab.sql('CREATE SCHEMA src');
  await lab.sql(`CREATE TABLE src.facts AS SELECT ${columns} FROM range(${rows})`);
  const whole: Took[] = [];
  const ten: Took[] = [];
  const none: Took[] = [];
  const first = await lab.move(difference);
  for (let round = 0; round < rounds; round += 1) {
    whole.push(await lab.move({ destinationTable: 'whole' }));
    const from = Math.floor((rows / (rounds + 1)) * (round + 1));
    await lab.sql(`UPDATE src.facts SET qty = -qty - 1 WHERE id >= ${from} AND id < ${from + changedRows}`);
    const moved = await lab.move(difference);
    if (moved.rowsWritten !== BigInt(changedRows)) throw new Error(`${moved.rowsWritten} rows were moved`);
    ten.push(moved);
    none.push(await lab.move(difference));
  }
  const all = median(whole);
  const row = (name: string, moved: number, { ms, cpuMs }: Took) => [
    name,
    moved.toLocaleString('en'),
    (ms / 1000).toFixed(2),
    (ms / all.ms).toFixed(3),
    (cpuMs / 1000).toFixed(2),
    (cpuMs / all.cpuMs).toFixed(3),
  ];
  const peak = Math.round(process.resourceUsage().maxRSS / 1024);
  printTable(
    `reverse: ${rows.toLocaleString('en')} rows of 10 columns from DuckDB to PostgreSQL, median of ${rounds}; peak of the process ${peak} MB; ${machine()}`,
    ['what', 'rows moved', 's', 'ratio to the whole', 'CPU s', 'ratio to the whole'],
    [
      row('whole, OVERWRITE', rows, all),
      row('difference, the first time', rows, first),
      row(`difference, ${changedRows} rows changed`, changedRows, median(ten)),
      row('difference, nothing changed', 0, median(none)),
    ],
  );
}

async function openLab() {
  await using opening = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'sluice-bench-'));
  opening.defer(() => rm(folder, { recursive: true, force: true }));
  const settings = { shared_buffers: '256MB', fsync: 'off', max_wal_size: '4GB' };
  const log = createLog('warn');
  const postgres = await startEmbeddedPostgres({ folder: join(folder, 'postgres'), log, settings });
  opening.defer(() => postgres.stop());
  const url = new URL(postgres.url('postgres'));
  const hot = opening.use(
    await openPostgres({
      host: url.hostname,
      port: Number(url.port),
      database: 'postgres',
      username: decodeURIComponent(url.username),
      password: decodeURIComponent(url.password),
    }),
  );
  const mover = opening.use(await openMover());
  const context = (signal?: AbortSignal) => {
    const own = mover.context(signal);
    return {
      ...own,
      datastore: async (name: string | undefined) =>
        name === 'hot' ? { name, warehouse: hot } : own.datastore(name),
    };
  };
  const jobs = new Map<string, string>();
  const open = opening.move();
  return {
    sql: (text: string) => mover.rows(text),
    async move(more: Partial<StreamSelection>) {
      const table = more.destinationTable ?? '';
      const origin = originOf(jobs.get(table));
      jobs.set(table, origin.jobId);
      const startedAt = performance.now();
      const before = process.cpuUsage();
      const moved = await moveStream(
        { ...mover, context },
        {
          source: datastoreSource,
          sourceConfig: {},
          destination: datastoreDestination,
          destinationConfig: { datastore: 'hot' },
          origin,
          selection: selectionOf('facts', { namespace: 'src', ...more }),
        },
      );
      const { user, system } = process.cpuUsage(before);
      return { ...moved, ms: performance.now() - startedAt, cpuMs: (user + system) / 1000 };
    },
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  };
}

/** CPU is that of the process that moves, which reads DuckDB itself; the server's is its own. */
interface Took {
  ms: number;
  cpuMs: number;
}

function median(values: readonly Took[]): Took {
  const middle = (of: keyof Took) =>
    values.map((each) => each[of]).toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
  return { ms: middle('ms'), cpuMs: middle('cpuMs') };
}

await benchReverse({ rows: Number(process.env.ROWS ?? 5_000_000), rounds: Number(process.env.ROUNDS ?? 3) });
