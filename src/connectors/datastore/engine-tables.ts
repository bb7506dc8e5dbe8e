import type { ConnectorContext, DestinationSession } from '#connectors/contract.ts';

/** Where streams are written: a datastore by its name, and the schema there. */
export interface Place {
  datastore: string;
  schema: string;
}

/** How the tables of one engine are written. */
export interface EngineTables {
  /** The engine's name for people. */
  title: string;
  /** Fails with a ConnectorError for what would keep a task from writing there, changing nothing. */
  check(place: Place, signal: AbortSignal): Promise<void>;
  /** What one task writes through: made ready before its first stream, let go of after its last. */
  open(place: Place, context: ConnectorContext): Promise<DestinationSession>;
}
