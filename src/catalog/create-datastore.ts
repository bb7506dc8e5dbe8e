import { nameTaken, uniquely } from '#accounts/check-name.ts';
import { once } from '#accounts/idempotency.ts';
import { sealConfig } from '#accounts/sealed-config.ts';
import type { Viewer } from '#accounts/viewer.ts';
import { InputError, type Problem } from '#base/errors.ts';
import { newId } from '#base/id.ts';
import type { Prisma } from '#generated/prisma/client.ts';
import type { DatastoreEngine, DatastoreRole } from '#generated/prisma/enums.ts';
import type { Tx } from '#store/open-store.ts';
import { checkDatastoreName, checkDefault, checkEngine } from './check-datastore.ts';
import type { CatalogDeps } from './deps.ts';
import { configCheck, engineInfo } from './engines.ts';
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
 * Makes a datastore, opened when it is first asked for: a DuckDB file of its own in the home of this process, or a way to an
 * engine elsewhere. Its secrets are sealed. Fails with every problem of the input at once.
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
  const id = newId();
  const { name, engine } = input;
  const role = input.role ?? 'WAREHOUSE';
  const isDefault = input.isDefault === true;
  const sealed = sealNew(deps, viewer, id, input, [
    ...checkDatastoreName(engine, name),
    ...checkDefault(role, isDefault),
  ]);
  await lockDatastores(tx, viewer);
  await nameTaken(tx, 'datastore', viewer, { id, name });
  const at = deps.now();
  if (isDefault) await leaveDefault(tx, viewer, { id, role, at });
  return tx.datastore.create({
    data: {
      id,
      projectId: viewer.projectId,
      name,
      engine,
      role,
      isDefault,
      config: {
        ...sealed.config,
        // A name is free again once its datastore is deleted, its file is not.
        ...(engine === 'DUCKDB' && { home: deps.store.homeId, file: `${id}/${name}.duckdb` }),
      },
      secrets: sealed.secrets,
      createdAt: at,
      updatedAt: at,
      createdById: viewer.memberId,
      updatedById: viewer.memberId,
    },
  });
}

/** The config as it is stored. Fails with every problem of the input. */
function sealNew(
  deps: CatalogDeps,
  { projectId }: Viewer,
  id: string,
  { engine, role, config }: CreateDatastoreInput,
  others: readonly Problem[],
): { config: Prisma.InputJsonObject; secrets: Prisma.InputJsonObject } {
  const info = engineInfo(engine);
  const ofEngine = checkEngine(engine, role);
  if (!info || ofEngine.length > 0) throw new InputError(ofEngine);
  const sealed = sealConfig(deps, info.spec, {
    projectId,
    row: id,
    config,
    secrets: {},
    alsoCheck: configCheck(deps, engine),
  });
  const problems = [...others, ...sealed.problems];
  if (problems.length > 0) throw new InputError(problems);
  return sealed;
}
