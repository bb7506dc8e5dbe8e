import { newId } from '#base/id.ts';
import type { Json, PublishMarker, StreamSelection } from '#connectors/contract.ts';
import { Prisma, type Job, type StreamState } from '#generated/prisma/client.ts';
import type { Tx } from '#store/open-store.ts';
import { streamName } from './check-streams.ts';

/** The selections that a job's row holds. */
export function storedSelections(streams: Prisma.JsonValue): StreamSelection[] {
  return streams as unknown as StreamSelection[];
}

/**
 * Forgets how far a changed job had come, for each stream that is not read and written as before: all of them after a
 * change of source or destination, else those with another sync mode, cursor field or table, and those that went. What
 * such a stream had published stays where it is.
 */
export async function resetStates(
  tx: Tx,
  { before, after, at }: { before: Job; after: Job; at: Date },
): Promise<void> {
  const movesEnds = before.sourceId !== after.sourceId || before.destinationId !== after.destinationId;
  const kept = movesEnds ? [] : storedSelections(after.streams);
  for (const was of storedSelections(before.streams)) {
    if (kept.some((now) => goesOn(was, now))) continue;
    const forgotten = {
      state: Prisma.JsonNull,
      // Made now, so that it is later than every publish before: see currentState.
      taskId: newId(),
      updatedAt: at,
    };
    const key = { jobId: after.id, stream: streamName(was) };
    await tx.streamState.upsert({
      where: { jobId_stream: key },
      create: { ...key, projectId: after.projectId, ...forgotten },
      update: forgotten,
    });
  }
}

function goesOn(was: StreamSelection, now: StreamSelection): boolean {
  return (
    streamName(was) === streamName(now) &&
    was.syncMode === now.syncMode &&
    was.cursorField === now.cursorField &&
    was.destinationTable === now.destinationTable
  );
}

/**
 * How far the stream has been published: what the store says, or the destination's marker where a crash kept the store
 * from hearing of the last publish. Ids rise with time (UUIDv7), so the greater of the two task ids is the later.
 */
export function currentState(stored: StreamState | null, published: PublishMarker | null): Json | null {
  if (!published) return (stored?.state ?? null) as Json | null;
  if (!stored) return published.state;
  return published.taskId > stored.taskId ? published.state : (stored.state as Json | null);
}
