import type { Viewer } from '#accounts/viewer.ts';
import { AppError, inputError } from '#base/errors.ts';
import type { CatalogDeps } from './deps.ts';

/** Runs a statement on a saved datastore and says whether it answered. Fails with InputError for an unknown id. */
export async function testDatastore(
  deps: CatalogDeps,
  viewer: Viewer,
  input: { id: string; signal: AbortSignal },
): Promise<{ ok: boolean; message: string }> {
  const row = await deps.store.db.datastore.findFirst({
    where: { id: input.id, projectId: viewer.projectId, deletedAt: null },
  });
  if (!row) {
    throw inputError(
      'NOT_FOUND',
      ['id'],
      'There is no such datastore in this project.',
      'List them with the query datastores.',
    );
  }
  try {
    const { warehouse } = await deps.datastores.open(viewer.projectId, row.name);
    const startedAt = performance.now();
    await warehouse.run({ sql: 'SELECT 1' }, { signal: input.signal, deadlineMs: 30_000 });
    return {
      ok: true,
      message: `${row.engine} "${row.name}" answered in ${Math.round(performance.now() - startedAt)} ms.`,
    };
  } catch (error) {
    if (error instanceof AppError) return { ok: false, message: error.message };
    throw error;
  }
}
