import { nameTaken, uniquely } from '#accounts/check-name.ts';
import { once } from '#accounts/idempotency.ts';
import type { Viewer } from '#accounts/viewer.ts';
import { InputError } from '#base/errors.ts';
import { newId } from '#base/id.ts';
import type { Prisma } from '#generated/prisma/client.ts';
import type { DatastoreEngine, DatastoreRole } from '#generated/prisma/enums.ts';
import type { Tx } from '#store/open-store.ts';
import { checkDatastoreConfig, checkDatastoreName, checkEngine } from './check-datastore.ts';
import type { CatalogDeps } from './deps.ts';
import { leaveDefault, lockDatastores } from './lock-datastores.ts';

interface CreateDatastoreInput {
  name: string;
  engine: DatastoreEngine;
  /** WAREHOUSE without one. */
  role?: DatastoreRole | null | undefined;
  config?: unknown;
  /** Whether it takes the place of the default. */
  isDefault?: boolean | null | undefined;
  idempotencyKey?: string | null | undefined;
}

/**
 * Makes a datastore: a DuckDB file of its own in the home of this process, opened when it is first asked for. Fails with every
 * problem of the input at once.
 */
export async function createDatastore(
  deps: CatalogDeps,
  viewer: Viewer,
  input: CreateDatastoreInput,
): Promise<{ id: string }> {
  const ask = {
    projectId: viewer.projectId,
    operation: 'createDatastore',
    key: input.idempotencyKey,
    input,
  };
  return uniquely('datastore', input.name, () =>
    deps.store.db.$transaction((tx) => once(tx, ask, () => insertDatastore(deps, viewer, tx, input))),
  );
}

async function insertDatastore(
  deps: CatalogDeps,
  viewer: Viewer,
  tx: Tx,
  input: CreateDatastoreInput,
): Promise<{ id: string }> {
  const ofEngine = checkEngine(input.engine, input.role);
  const problems =
    ofEngine.length > 0
      ? ofEngine
      : [...checkDatastoreName(input.name), ...checkDatastoreConfig(input.config)];
  if (problems.length > 0) throw new InputError(problems);
  const id = newId();
  const { name } = input;
  const role = 'WAREHOUSE';
  const isDefault = input.isDefault === true;
  await lockDatastores(tx, viewer);
  await nameTaken(tx, 'datastore', viewer, { id, name });
  const at = deps.now();
  if (isDefault) await leaveDefault(tx, viewer, { id, role, at });
  return tx.datastore.create({
    data: {
      id,
      projectId: viewer.projectId,
      name,
      engine: input.engine,
      role,
      isDefault,
      // A name is free again once its datastore is deleted, its file is not.
      config: {
        ...(input.config as Prisma.InputJsonObject),
        home: deps.store.homeId,
        file: `${id}/${name}.duckdb`,
      },
      createdAt: at,
      updatedAt: at,
      createdById: viewer.memberId,
      updatedById: viewer.memberId,
    },
  });
}
