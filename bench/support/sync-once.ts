import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { datastoreDestination } from '#connectors/datastore/destination.ts';
import { parquetDestination } from '#connectors/parquet/destination.ts';
import { postgresSource } from '#connectors/postgres/source.ts';
import { moveStream, openMover, originOf, selectionOf } from '../../test/support/move-stream.ts';

/** One sync in a process of its own, so that its peak of memory is its own; the answer is one line of JSON. */
interface Asked {
  config: Record<string, unknown>;
  table: string;
  into: 'duckdb' | 'parquet';
  lanes: number;
}

const { config, table, into, lanes } = JSON.parse(process.argv[2]!) as Asked;
const destination = into === 'duckdb' ? datastoreDestination : parquetDestination;
const mover = await openMover();
const idleBytes = process.memoryUsage.rss();
const startedAt = performance.now();
const { rowsWritten, parts } = await moveStream(mover, {
  source: postgresSource,
  sourceConfig: config,
  lanes,
  origin: originOf(),
  destination,
  destinationConfig: into === 'duckdb' ? {} : { path: 'lake' },
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
await mover[Symbol.asyncDispose]();
