import type { Json, PublishMarker, StreamSelection } from '#connectors/contract.ts';
import type { Job, Prisma } from '#generated/prisma/client.ts';
import { streamName } from './check-streams.ts';

/** The selections that a job's row holds. */
export function storedSelections(streams: Prisma.JsonValue): StreamSelection[] {
  return streams as unknown as StreamSelection[];
}

type JobEnds = Pick<Job, 'sourceId' | 'destinationId'>;

/** A source's state together with what it is the state of: kept in the destination's marker and in the store alike. */
export function keptState(job: JobEnds, selection: StreamSelection, state: Json | null): Json {
  return { of: wayOf(job, selection), state };
}

/**
 * Where a stream goes on: the state of the last publish that the destination remembers, if what is read and where it is
 * written are still the same. Null begins anew.
 */
export function stateToGoOnFrom(
  job: JobEnds,
  selection: StreamSelection,
  published: PublishMarker | null,
): Json | null {
  const kept = published?.state;
  if (kept === null || typeof kept !== 'object' || Array.isArray(kept)) return null;
  return kept.of === wayOf(job, selection) ? (kept.state ?? null) : null;
}

/** From where to where rows go, and how they are chosen: rows that went another way say nothing about this one. */
function wayOf(job: JobEnds, selection: StreamSelection): string {
  const { syncMode, cursorField, destinationTable, difference, primaryKey } = selection;
  const ends = [job.sourceId, job.destinationId];
  const way = [...ends, streamName(selection), syncMode, cursorField, destinationTable];
  // What a difference remembers it knows by the key, in whatever order that is named.
  return JSON.stringify(difference ? [...way, 'difference', primaryKey.toSorted()] : way);
}
