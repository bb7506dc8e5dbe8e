import { checkRevision } from '#accounts/check-revision.ts';
import { sealConfig } from '#accounts/sealed-config.ts';
import type { Viewer } from '#accounts/viewer.ts';
import { InputError, type Problem } from '#base/errors.ts';
import type { Datastore, Prisma } from '#generated/prisma/client.ts';
import { checkDefault, checkEngine, saidConfig } from './check-datastore.ts';
import type { CatalogDeps } from './deps.ts';
import { configCheck, engineInfo } from './engines.ts';
import { findLocked, leaveDefault } from './lock-datastores.ts';
import { announceWritten } from './written.ts';

interface UpdateDatastoreInput {
  id: string;
  /** True takes the place of the default. */
  isDefault?: boolean | null | undefined;
  /** Takes the place of the whole config but for secrets left out, which stay; null clears one. */
  config?: unknown;
  expectedRevision?: number | null | undefined;
}

/** Changes what is given; the name stays, which stands in every fqn. Fails with NOT_FOUND, CONFLICT, or every problem at once. */
export async function updateDatastore(
  deps: CatalogDeps,
  viewer: Viewer,
  input: UpdateDatastoreInput,
): Promise<{ id: string }> {
  const { db } = deps.store;
  const changed = await db.$transaction(async (tx) => {
    const row = await findLocked(tx, viewer, input.id);
    checkRevision(row, input.expectedRevision, 'datastore');
    const sealed = input.config == null ? null : seal(deps, row, input.config);
    const problems: Problem[] = [
      ...(sealed?.problems ?? []),
      ...checkDefault(row.role, input.isDefault === true),
    ];
    if (input.isDefault === false && row.isDefault) {
      problems.push({
        code: 'NOT_ALLOWED',
        path: ['isDefault'],
        message: `"${row.name}" is the default, and there must be one.`,
        fix: 'Make another datastore the default instead.',
      });
    }
    if (problems.length > 0) throw new InputError(problems);
    const at = deps.now();
    const isDefault = input.isDefault === true;
    if (isDefault) await leaveDefault(tx, viewer, { id: row.id, role: row.role, at });
    return tx.datastore.update({
      where: { id: row.id },
      data: {
        ...(isDefault && { isDefault }),
        ...(sealed && { config: withConfig(row.config, sealed.config), secrets: sealed.secrets }),
        revision: row.revision + 1,
        updatedAt: at,
        updatedById: viewer.memberId,
      },
    });
  });
  // How long an answer is kept stands in the config.
  if (input.config != null) await announceWritten(db, deps.datastores.cache, [changed.id]);
  return changed;
}

function seal(
  deps: CatalogDeps,
  { engine, projectId, id, secrets }: Datastore,
  config: unknown,
): ReturnType<typeof sealConfig> {
  const info = engineInfo(engine);
  if (!info) throw new InputError(checkEngine(engine));
  const alsoCheck = configCheck(deps, engine);
  return sealConfig(deps, info.spec, { projectId, row: id, config, secrets, alsoCheck });
}

/** What was said before goes, and what is no client's business stays. */
function withConfig(stored: Prisma.JsonValue, said: Prisma.InputJsonObject): Prisma.InputJsonObject {
  const kept = Object.entries(stored as Prisma.InputJsonObject).filter(
    ([key]) => !(key in saidConfig(stored)),
  );
  return { ...Object.fromEntries(kept), ...said };
}
