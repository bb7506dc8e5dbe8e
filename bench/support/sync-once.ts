import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { datastoreDestination } from '#connectors/datastore/destination.ts';
import { parquetDestination } from '#connectors/parquet/destination.ts';
import { postgresSource } from '#connectors/postgres/source.ts';
import { openPostgres } from '#warehouse/postgres.ts';
import type { PostgresOptions } from '#warehouse/postgres-protocol.ts';
import { type Mover, moveStream, openMover, originOf, selectionOf } from '../../test/support/move-stream.ts';

/** One sync in a process of its own, so that its peak of memory is its own; the answer is one line of JSON. */
interface Asked {
  config: Record<string, unknown>;
  table: string;
  into: 'duckdb' | 'parquet' | 'postgres';
  lanes: number;
}

const { config, table, into, lanes } = JSON.parse(process.argv[2]!) as Asked;
const destination = into === 'parquet' ? parquetDestination : datastoreDestination;
const mover = await openMover();
const postgres = into === 'postgres' ? await openPostgres(config as unknown as PostgresOptions) : null;
const moverThere: Mover = {
  ...mover,
  context: (signal) => ({
    ...mover.context(signal),
    ...(postgres && { datastore: async () => ({ name: 'pg', warehouse: postgres }) }),
  }),
};
const idleBytes = process.memoryUsage.rss();
const startedAt = performance.now();
const { rowsWritten, parts } = await moveStream(moverThere, {
  source: postgresSource,
  sourceConfig: config,
  lanes,
  origin: originOf(),
  destination,
  destinationConfig: into === 'parquet' ? { path: 'lake' } : {},
  selection: selectionOf(table, { namespace: 'public' }),
});
const ms = performance.now() - startedAt;
const { maxRSS, userCPUTime, systemCPUTime } = process.resourceUsage();
const answer = {
  ms,
  rows: Number(rowsWritten),
  parts,
  peakBytes: maxRSS * 1024,
  idleBytes,
  cpuMs: (userCPUTime + systemCPUTime) / 1000,
};
console.log(JSON.stringify(answer));
if (into === 'parquet') await rm(join(mover.filesRoot, 'lake'), { recursive: true, force: true });
if (postgres) {
  await using session = await postgres.session(new AbortController().signal);
  await session.run('DROP SCHEMA raw CASCADE');
}
await postgres?.[Symbol.asyncDispose]();
await mover[Symbol.asyncDispose]();
