import { inputError } from '#base/errors.ts';
import type { CatalogDeps } from './deps.ts';
import { saveTables } from './save-tables.ts';

/**
 * Reads all tables of the project's datastores, or of one, into the catalog. Those that are gone are in no list any
 * more, and are what they were when they come back. Returns how many there are. Fails with InputError for an unknown datastore.
 */
export async function refreshCatalog(
  deps: CatalogDeps,
  options: { projectId: string; datastoreId?: string | undefined; signal?: AbortSignal },
): Promise<number> {
  const datastores = await deps.store.db.datastore.findMany({
    where: {
      projectId: options.projectId,
      deletedAt: null,
      ...(options.datastoreId && { id: options.datastoreId }),
    },
    select: { id: true, name: true },
  });
  if (options.datastoreId && datastores.length === 0) {
    const message = 'There is no such datastore in this project.';
    throw inputError('NOT_FOUND', ['datastoreId'], message, 'List them with the query datastores.');
  }
  let count = 0;
  const failures: unknown[] = [];
  for (const datastore of datastores) {
    // What one datastore has does not wait for another that is not reached.
    await refreshOne(deps, options, datastore).then(
      (tables) => (count += tables),
      (error: unknown) => failures.push(error),
    );
  }
  if (failures.length > 0) throw failures[0];
  return count;
}

async function refreshOne(
  deps: CatalogDeps,
  options: { projectId: string; signal?: AbortSignal },
  datastore: { id: string; name: string },
): Promise<number> {
  const { warehouse } = await deps.datastores.open(options.projectId, datastore.name);
  const startedAt = deps.now();
  const tables = await warehouse.tables(undefined, { signal: options.signal, tag: 'refreshCatalog' });
  await saveTables(deps.store.db, {
    projectId: options.projectId,
    datastoreId: datastore.id,
    tables,
    at: startedAt,
  });
  await deps.store.db.catalogTable.updateMany({
    where: {
      projectId: options.projectId,
      datastoreId: datastore.id,
      goneAt: null,
      updatedAt: { lt: startedAt },
    },
    data: { goneAt: startedAt },
  });
  return tables.length;
}
