import type { ConnectorContext, DestinationSession } from '#connectors/contract.ts';
import { openWorkDuckDb } from '#connectors/work-duckdb.ts';
import { stagingPrefix } from '#warehouse/duckdb-tables.ts';
import { asConnectorError } from './cloud-error.ts';
import type { CloudLoader } from './cloud-loader.ts';
import { prepareMarkers } from './cloud-marker.ts';
import { openCloudWriter } from './cloud-writer.ts';
import type { EngineTables, Place } from './engine-tables.ts';

/** Tables of an engine that loads Parquet files. */
export function cloudTables(loader: CloudLoader): EngineTables {
  return {
    title: loader.title,
    async check({ schema }, signal) {
      await asConnectorError(loader, () => loader.tables(schema, stagingPrefix, signal));
    },
    open: (place, context) => openSession(loader, place, context),
  };
}

async function openSession(
  loader: CloudLoader,
  place: Place,
  context: ConnectorContext,
): Promise<DestinationSession> {
  await asConnectorError(loader, async () => {
    await prepareMarkers(loader, context.signal);
    await loader.tidy?.(context.signal);
  });
  // Among the FIFOs: nobody else can read there.
  const work = await openWorkDuckDb(context.pipesDir, context);
  return {
    stream: (origin, selection) =>
      openCloudWriter({ loader, work, place, origin, selection, signal: context.signal }),
    [Symbol.asyncDispose]: () => work[Symbol.asyncDispose](),
  };
}
