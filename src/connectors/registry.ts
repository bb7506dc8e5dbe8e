import type { DestinationConnector, SourceConnector } from './contract.ts';
import { datastoreDestination } from './datastore/destination.ts';
import { datastoreSource } from './datastore-source/source.ts';
import { filesSource } from './files/source.ts';
import { parquetDestination } from './parquet/destination.ts';
import { postgresSource } from './postgres/source.ts';

/** Every connector of this build: the one place where they are listed. */
export const connectors: { sources: SourceConnector[]; destinations: DestinationConnector[] } = {
  sources: [postgresSource, filesSource, datastoreSource],
  destinations: [datastoreDestination, parquetDestination],
};

/** The source connector of that type, of that version when one is named; undefined when there is none. */
export function sourceConnector(type: string, version?: string | null): SourceConnector | undefined {
  return connectors.sources.find((each) => is(each, type, version));
}

/** The destination connector of that type, of that version when one is named; undefined when there is none. */
export function destinationConnector(
  type: string,
  version?: string | null,
): DestinationConnector | undefined {
  return connectors.destinations.find((each) => is(each, type, version));
}

function is(
  connector: { type: string; version: string },
  type: string,
  version: string | null | undefined,
): boolean {
  return connector.type === type && (version == null || connector.version === version);
}
