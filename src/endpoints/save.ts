import { InputError, inputError } from '#base/errors.ts';
import { newId } from '#base/id.ts';
import type { Endpoint as EndpointRow, Prisma } from '#generated/prisma/client.ts';
import { isHomeServed } from '#store/hold-home.ts';
import type { Tx } from '#store/open-store.ts';
import { checkRevision } from '#accounts/check-revision.ts';
import { type Author, change, checkChange, findEndpoint, type Named, record, unique } from './change.ts';
import { lockPlaces } from './check-place.ts';
import { checkDeclaration } from './check-declaration.ts';
import type { Declaration } from './declaration.ts';
import type { EndpointDeps } from './deps.ts';
import { describeEndpoint } from './describe.ts';
import { publishSaved } from './publish.ts';

/** What is to be saved, and whether it is served at once. */
interface Saving {
  declaration: unknown;
  publish?: boolean;
  expectedRevision?: number | null | undefined;
}

/**
 * Saves a declaration as the draft of its name and version: what is served stays until it is published, by this or later.
 * Fails with every problem at once, with CONFLICT for one that a file declares, and as publishEndpoint does where it is to be
 * served; it is then not saved either.
 */
export async function saveEndpoint(
  deps: EndpointDeps,
  author: Author,
  { publish = false, expectedRevision, ...given }: Saving,
): Promise<EndpointRow> {
  const { db } = deps.store;
  const problems = checkDeclaration(given.declaration).map((problem) => ({
    ...problem,
    path: ['declaration', ...problem.path],
  }));
  if (problems.length > 0) throw new InputError(problems);
  const declaration = given.declaration as Declaration;
  const find = async (tx: Pick<Tx, 'endpoint'>) => {
    const before = await findNamed(tx, author, declaration);
    if (before) checkChange(before, author, expectedRevision);
    return before;
  };
  // The engine is asked before, and not while the store holds the row.
  if (publish) await find(db);
  const described = publish ? await describeEndpoint(deps, author.projectId, declaration) : null;
  const row = await unique(declaration, () =>
    db.$transaction(async (tx) => {
      if (described) await lockPlaces(tx);
      const saved = await saveDraft(deps, tx, { before: await find(tx), author, declaration });
      return described ? publishSaved(deps, tx, { row: saved, author, described }) : saved;
    }),
  );
  if (described) await deps.registry.changed(author.projectId);
  return row;
}

function findNamed(
  tx: Pick<Tx, 'endpoint'>,
  { projectId }: Author,
  { metadata: { name, version } }: Declaration,
): Promise<EndpointRow | null> {
  return tx.endpoint.findFirst({ where: { projectId, name, version, deletedAt: null } });
}

async function saveDraft(
  deps: Pick<EndpointDeps, 'now'>,
  tx: Tx,
  { before, author, declaration }: { before: EndpointRow | null; author: Author; declaration: Declaration },
): Promise<EndpointRow> {
  const now = deps.now();
  const data = {
    declaration: declaration as unknown as Prisma.InputJsonObject,
    file: author.file?.name ?? null,
    homeId: author.file?.homeId ?? null,
    updatedAt: now,
  };
  if (before) return change(tx, before, author, 'SAVED', data);
  const { name, version } = declaration.metadata;
  const row = await tx.endpoint.create({
    data: {
      ...data,
      id: newId(),
      projectId: author.projectId,
      name,
      version,
      route: declaration.route,
      state: 'DRAFT',
      origin: author.file === null ? 'API' : 'FILE',
      isPublic: false,
      createdAt: now,
      createdById: author.memberId,
      updatedById: author.memberId,
    },
  });
  await record(tx, row, 'SAVED', author);
  return row;
}

/** Says to those who call it that it will go, and when; it is served as before. Null takes that back. */
export async function deprecateEndpoint(
  deps: EndpointDeps,
  author: Author,
  input: Named & {
    sunsetAt?: Date | null | undefined;
    replacement?: string | null | undefined;
    deprecated: boolean;
  },
): Promise<EndpointRow> {
  const before = await findEndpoint(deps, author, input.id);
  checkChange(before, author, input.expectedRevision);
  if (before.state === 'DRAFT') {
    throw inputError(
      'NOT_ALLOWED',
      ['id'],
      `"${before.name}" version ${before.version} is not served.`,
      'Publish it first, or delete it.',
    );
  }
  const now = deps.now();
  const data = input.deprecated
    ? {
        state: 'DEPRECATED' as const,
        deprecatedAt: before.deprecatedAt ?? now,
        sunsetAt: input.sunsetAt ?? null,
        replacement: input.replacement ?? null,
      }
    : { state: 'PUBLISHED' as const, deprecatedAt: null, sunsetAt: null, replacement: null };
  const row = await deps.store.db.$transaction((tx) =>
    change(tx, before, author, 'DEPRECATED', { ...data, updatedAt: now }),
  );
  await deps.registry.changed(author.projectId);
  return row;
}

/**
 * Serves it no longer; its revisions stay. Fails with NOT_FOUND, and with CONFLICT for one that is declared by a file which a
 * gateway reads.
 */
export async function deleteEndpoint(
  deps: EndpointDeps,
  author: Author,
  named: Named,
): Promise<{ id: string }> {
  const before = await findEndpoint(deps, author, named.id);
  const isRead = before.homeId === null || (await isHomeServed(deps.store.db, before.homeId));
  // What a file declared that nobody reads any more, that file cannot take away.
  if (isRead || author.file !== null) checkChange(before, author, named.expectedRevision);
  else checkRevision(before, named.expectedRevision, 'endpoint');
  const now = deps.now();
  await deps.store.db.$transaction((tx) =>
    change(tx, before, author, 'DELETED', { deletedAt: now, updatedAt: now }),
  );
  await deps.registry.changed(author.projectId);
  return { id: before.id };
}
