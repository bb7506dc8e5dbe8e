import { uniquely } from '#accounts/check-name.ts';
import { once } from '#accounts/idempotency.ts';
import type { Viewer } from '#accounts/viewer.ts';
import type { Source } from '#generated/prisma/client.ts';
import type { PipelineDeps } from './deps.ts';
import { createEnd, deleteEnd, updateEnd, type CreateEndInput, type UpdateEndInput } from './ends.ts';
import { refreshStreams } from './source-streams.ts';

/** How long creating or changing a source waits for its streams; later they can be discovered at leisure. */
const streamsWithinMs = 5_000;

/**
 * Makes a source. It need not be reachable: its streams are looked up for a few seconds, and stay empty when that does
 * not succeed. Fails with every problem of the input at once.
 */
export async function createSource(
  deps: PipelineDeps,
  viewer: Viewer,
  input: CreateEndInput & { idempotencyKey?: string | null | undefined },
): Promise<Source> {
  const { db } = deps.store;
  const ask = { projectId: viewer.projectId, operation: 'createSource', key: input.idempotencyKey, input };
  const { id, repeated } = await uniquely('source', input.name, () =>
    db.$transaction((tx) => once(tx, ask, () => createEnd(deps, viewer, 'source', tx, input))),
  );
  if (!repeated) await refreshStreams(deps, viewer, id, streamsWithinMs);
  return db.source.findUniqueOrThrow({ where: { id } });
}

/** Changes a source; its streams are looked up again when its config changed. Fails as updateEnd does. */
export async function updateSource(
  deps: PipelineDeps,
  viewer: Viewer,
  input: UpdateEndInput,
): Promise<Source> {
  const { db } = deps.store;
  const { id } = await uniquely('source', input.name, () =>
    db.$transaction((tx) => updateEnd(deps, viewer, 'source', tx, input)),
  );
  if (input.config !== undefined || input.version != null) {
    await refreshStreams(deps, viewer, id, streamsWithinMs);
  }
  return db.source.findUniqueOrThrow({ where: { id } });
}

/** Deletes a source softly. Fails with NOT_FOUND, or IN_USE naming its jobs. */
export async function deleteSource(
  deps: PipelineDeps,
  viewer: Viewer,
  input: { id: string },
): Promise<{ id: string }> {
  return deps.store.db.$transaction((tx) => deleteEnd(deps, viewer, 'source', tx, input));
}
