import type { Viewer } from '#accounts/viewer.ts';
import { visible } from '#accounts/visible.ts';
import { inputError } from '#base/errors.ts';
import type { Datastore } from '#generated/prisma/client.ts';
import type { DatastoreRole } from '#generated/prisma/enums.ts';
import type { Tx } from '#store/open-store.ts';

/** Nobody else changes the project's datastores until `tx` ends: which of them is the default concerns all. */
export async function lockDatastores(tx: Tx, viewer: Viewer): Promise<void> {
  await tx.$queryRaw`
    SELECT 1 FROM datastore WHERE project_id = ${viewer.projectId}::uuid ORDER BY id FOR NO KEY UPDATE`;
}

/** One of the locked datastores. Fails with NOT_FOUND for an unknown, foreign or deleted one. */
export async function findLocked(tx: Tx, viewer: Viewer, id: string): Promise<Datastore> {
  await lockDatastores(tx, viewer);
  const row = await tx.datastore.findFirst({ where: { id, ...visible(viewer) } });
  if (row) return row;
  const message = 'There is no such datastore in this project.';
  throw inputError('NOT_FOUND', ['id'], message, 'List them with the query datastores.');
}

/** Takes the default of that role from whichever has it, so that another may have it. */
export async function leaveDefault(
  tx: Tx,
  viewer: Viewer,
  { id, role, at }: { id: string; role: DatastoreRole; at: Date },
): Promise<void> {
  await tx.datastore.updateMany({
    where: { ...visible(viewer), role, isDefault: true, id: { not: id } },
    data: { isDefault: false, revision: { increment: 1 }, updatedAt: at, updatedById: viewer.memberId },
  });
}
