import type { DescribedSchema } from '#warehouse/warehouse.ts';
import type { CatalogDeps } from './deps.ts';
import { withoutAddress } from './without-address.ts';

/** The schemas of a datastore as they are right now, empty ones too. Fails as Datastores.open and Warehouse.schemas do. */
export async function readSchemas(
  deps: CatalogDeps,
  datastore: { projectId: string; name: string },
  signal: AbortSignal,
): Promise<DescribedSchema[]> {
  return withoutAddress(datastore, async () => {
    const { warehouse } = await deps.datastores.open(datastore.projectId, datastore.name);
    return warehouse.schemas({ signal });
  });
}
