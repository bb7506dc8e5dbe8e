import { uniquely } from '#accounts/check-name.ts';
import { once } from '#accounts/idempotency.ts';
import type { Viewer } from '#accounts/viewer.ts';
import type { Destination } from '#generated/prisma/client.ts';
import type { PipelineDeps } from './deps.ts';
import { createEnd, deleteEnd, updateEnd, type CreateEndInput, type UpdateEndInput } from './ends.ts';

/** Makes a destination, which need not be reachable. Fails with every problem of the input at once. */
export async function createDestination(
  deps: PipelineDeps,
  viewer: Viewer,
  input: CreateEndInput & { idempotencyKey?: string | null | undefined },
): Promise<Destination> {
  const { db } = deps.store;
  const ask = {
    projectId: viewer.projectId,
    operation: 'createDestination',
    key: input.idempotencyKey,
    input,
  };
  const { id } = await uniquely('destination', input.name, () =>
    db.$transaction((tx) => once(tx, ask, () => createEnd(deps, viewer, 'destination', tx, input))),
  );
  return db.destination.findUniqueOrThrow({ where: { id } });
}

/** Changes a destination. Fails as updateEnd does. */
export async function updateDestination(
  deps: PipelineDeps,
  viewer: Viewer,
  input: UpdateEndInput,
): Promise<Destination> {
  const { db } = deps.store;
  const { id } = await uniquely('destination', input.name, () =>
    db.$transaction((tx) => updateEnd(deps, viewer, 'destination', tx, input)),
  );
  return db.destination.findUniqueOrThrow({ where: { id } });
}

/** Deletes a destination softly. Fails with NOT_FOUND, or IN_USE naming its jobs. */
export async function deleteDestination(
  deps: PipelineDeps,
  viewer: Viewer,
  input: { id: string },
): Promise<{ id: string }> {
  return deps.store.db.$transaction((tx) => deleteEnd(deps, viewer, 'destination', tx, input));
}
