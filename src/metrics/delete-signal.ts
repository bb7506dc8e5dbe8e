import type { Viewer } from '#accounts/viewer.ts';
import { visible } from '#accounts/visible.ts';
import type { SignalDeps } from './signal-deps.ts';
import { signalNotFound } from './find-signal.ts';

/** Deletes a signal softly, so that its name is free again; webhooks not yet taken are not sent any more. Fails with NOT_FOUND. */
export async function deleteSignal(
  deps: SignalDeps,
  viewer: Viewer,
  input: { id: string },
): Promise<{ id: string }> {
  const now = deps.now();
  const { count } = await deps.store.db.signal.updateMany({
    where: { id: input.id, ...visible(viewer) },
    data: { deletedAt: now, nextRunAt: null, updatedAt: now, updatedById: viewer.memberId },
  });
  if (count === 0) throw signalNotFound();
  return { id: input.id };
}
