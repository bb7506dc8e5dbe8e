import { inputError } from '#base/errors.ts';
import type { Endpoint as EndpointRow, Prisma } from '#generated/prisma/client.ts';
import type { Tx } from '#store/open-store.ts';
import { breakingChanges } from './breaking.ts';
import { type Author, change, checkChange, findEndpoint, type Named, unique } from './change.ts';
import { checkPlace, lockPlaces } from './check-place.ts';
import type { Declaration } from './declaration.ts';
import type { EndpointDeps } from './deps.ts';
import { describeEndpoint } from './describe.ts';
import type { ServedRecord } from './served.ts';

/**
 * Serves what was saved, from the next call on. Fails with every problem of the query, of the route, and with what would
 * break for those who call the version that is served.
 */
export async function publishEndpoint(
  deps: EndpointDeps,
  author: Author,
  named: Named,
): Promise<EndpointRow> {
  const before = await findEndpoint(deps, author, named.id);
  checkChange(before, author, named.expectedRevision);
  const declaration = before.declaration as unknown as Declaration;
  const described = await describeEndpoint(deps, before.projectId, declaration);
  const row = await unique(declaration, () =>
    deps.store.db.$transaction(async (tx) => {
      await lockPlaces(tx);
      return publishSaved(deps, tx, { row: before, author, described });
    }),
  );
  await deps.registry.changed(author.projectId);
  return row;
}

/**
 * Takes a declaration of before as the draft, and serves it where the endpoint is served. Fails as publishEndpoint does, and
 * then changes nothing.
 */
export async function restoreEndpoint(
  deps: EndpointDeps,
  author: Author,
  input: Named & { revision: number },
): Promise<EndpointRow> {
  const { db } = deps.store;
  const before = await findEndpoint(deps, author, input.id);
  checkChange(before, author, input.expectedRevision);
  const found = await db.endpointRevision.findUnique({
    where: { endpointId_revision: { endpointId: before.id, revision: input.revision } },
  });
  if (!found) {
    const message = `"${before.name}" has no revision ${input.revision}; it is at ${before.revision}.`;
    throw inputError('NOT_FOUND', ['revision'], message, 'Take one of its revisions.');
  }
  const declaration = found.declaration as unknown as Declaration;
  const described =
    before.state === 'DRAFT' ? null : await describeEndpoint(deps, before.projectId, declaration);
  const row = await unique(declaration, () =>
    db.$transaction(async (tx) => {
      if (described) await lockPlaces(tx);
      const restored = await change(tx, before, author, 'RESTORED', {
        declaration: found.declaration as Prisma.InputJsonObject,
        updatedAt: deps.now(),
      });
      return described ? publishSaved(deps, tx, { row: restored, author, described }) : restored;
    }),
  );
  if (described) await deps.registry.changed(author.projectId);
  return row;
}

/**
 * Serves the declaration that the row has, as the engine has described it. Fails with what would break for those who call the
 * version that is served, and with every place that is taken. The places are to be locked before, and what is served to be
 * told by registry.changed after.
 */
export async function publishSaved(
  deps: Pick<EndpointDeps, 'now'>,
  tx: Tx,
  { row, author, described }: { row: EndpointRow; author: Author; described: ServedRecord },
): Promise<EndpointRow> {
  const { declaration } = described;
  refuseBreaking(row.served as unknown as ServedRecord | null, described, declaration);
  await checkPlace(tx, row, declaration);
  const now = deps.now();
  return change(tx, row, author, 'PUBLISHED', {
    served: described as unknown as Prisma.InputJsonObject,
    route: declaration.route,
    isPublic: declaration.auth?.public ?? false,
    state: row.state === 'DEPRECATED' ? 'DEPRECATED' : 'PUBLISHED',
    publishedAt: now,
    updatedAt: now,
  });
}

function refuseBreaking(before: ServedRecord | null, after: ServedRecord, { metadata }: Declaration): void {
  if (!before) return;
  const shape = ({ declaration, columns }: ServedRecord) => ({
    declaration,
    columns: columns.map(({ name, type }) => ({ name, type })),
  });
  const changes = breakingChanges(shape(before), shape(after));
  if (changes.length === 0) return;
  throw inputError(
    'NOT_ALLOWED',
    ['id'],
    `That would break those who call "${metadata.name}" version ${metadata.version}: ${changes.join('; ')}.`,
    `Save it as version ${metadata.version + 1}, and deprecate this one.`,
  );
}
