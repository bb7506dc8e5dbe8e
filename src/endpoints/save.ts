import { isUniqueViolation } from '#accounts/check-name.ts';
import { checkRevision } from '#accounts/check-revision.ts';
import { InputError, inputError, type Problem } from '#base/errors.ts';
import { newId } from '#base/id.ts';
import { Prisma, type Endpoint as EndpointRow } from '#generated/prisma/client.ts';
import type { EndpointChange } from '#generated/prisma/enums.ts';
import type { Tx } from '#store/open-store.ts';
import { breakingChanges } from './breaking.ts';
import { checkDeclaration } from './check-declaration.ts';
import type { Declaration } from './declaration.ts';
import type { EndpointDeps } from './deps.ts';
import { describeEndpoint } from './describe.ts';
import { fieldName, typeName, typeNames } from './names.ts';
import type { ServedRecord } from './served.ts';

/** Who changes endpoints: a member, or a file of the operator's, which is nobody. */
export interface Author {
  projectId: string;
  memberId: string | null;
  /** The file that declares it, and the home of the process that reads it; null for a mutation. */
  file: { name: string; homeId: string } | null;
}

/** Which endpoint a change is of. */
export interface Named {
  id: string;
  expectedRevision?: number | null | undefined;
}

/**
 * Saves a declaration as the draft of its name and version: what is served stays until it is published. Fails with every
 * problem at once, and with CONFLICT for one that a file declares.
 */
export async function saveEndpoint(
  deps: EndpointDeps,
  author: Author,
  input: { declaration: unknown; expectedRevision?: number | null | undefined },
): Promise<EndpointRow> {
  const problems = checkDeclaration(input.declaration).map((problem) => ({
    ...problem,
    path: ['declaration', ...problem.path],
  }));
  if (problems.length > 0) throw new InputError(problems);
  const declaration = input.declaration as Declaration;
  return unique(declaration, () =>
    deps.store.db.$transaction(async (tx) => {
      const { name, version } = declaration.metadata;
      const before = await tx.endpoint.findFirst({
        where: { projectId: author.projectId, name, version, deletedAt: null },
      });
      if (before) checkChange(before, author, input.expectedRevision);
      const now = deps.now();
      const data = {
        declaration: declaration as unknown as Prisma.InputJsonObject,
        file: author.file?.name ?? null,
        homeId: author.file?.homeId ?? null,
        updatedAt: now,
        updatedById: author.memberId,
      };
      const row = before
        ? await tx.endpoint.update({
            where: { id: before.id },
            data: { ...data, revision: before.revision + 1 },
          })
        : await tx.endpoint.create({
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
            },
          });
      await record(tx, row, 'SAVED', author);
      return row;
    }),
  );
}

/**
 * Serves what was saved, from the next call on. Fails with every problem of the query, of the route, and with what would
 * break for those who call the version that is served.
 */
export async function publishEndpoint(
  deps: EndpointDeps,
  author: Author,
  named: Named,
): Promise<EndpointRow> {
  const { db } = deps.store;
  const before = await findEndpoint(deps, author, named.id);
  checkChange(before, author, named.expectedRevision);
  const declaration = before.declaration as unknown as Declaration;
  const served = await describeUnbroken(deps, before, declaration);
  const row = await unique(declaration, () =>
    db.$transaction(async (tx) => {
      await checkPlace(tx, before, declaration);
      const now = deps.now();
      return change(tx, before, author, 'PUBLISHED', {
        served: served as unknown as Prisma.InputJsonObject,
        route: declaration.route,
        isPublic: declaration.auth?.public ?? false,
        state: before.state === 'DEPRECATED' ? 'DEPRECATED' : 'PUBLISHED',
        publishedAt: now,
        updatedAt: now,
      });
    }),
  );
  await deps.registry.changed(author.projectId);
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

/** Serves it no longer; its revisions stay. Fails with NOT_FOUND. */
export async function deleteEndpoint(
  deps: EndpointDeps,
  author: Author,
  named: Named,
): Promise<{ id: string }> {
  const before = await findEndpoint(deps, author, named.id);
  checkChange(before, author, named.expectedRevision);
  const now = deps.now();
  await deps.store.db.$transaction((tx) =>
    change(tx, before, author, 'DELETED', { deletedAt: now, updatedAt: now }),
  );
  await deps.registry.changed(author.projectId);
  return { id: before.id };
}

/** Takes a declaration of before as the draft, and serves it where the endpoint is served. Fails as the two do. */
export async function restoreEndpoint(
  deps: EndpointDeps,
  author: Author,
  input: Named & { revision: number },
): Promise<EndpointRow> {
  const before = await findEndpoint(deps, author, input.id);
  checkChange(before, author, input.expectedRevision);
  const found = await deps.store.db.endpointRevision.findUnique({
    where: { endpointId_revision: { endpointId: before.id, revision: input.revision } },
  });
  if (!found) {
    const message = `"${before.name}" has no revision ${input.revision}; it is at ${before.revision}.`;
    throw inputError('NOT_FOUND', ['revision'], message, 'Take one of its revisions.');
  }
  const declaration = found.declaration as unknown as Declaration;
  // First, so that what is refused changes nothing.
  if (before.state !== 'DRAFT') await describeUnbroken(deps, before, declaration);
  const row = await deps.store.db.$transaction((tx) =>
    change(tx, before, author, 'RESTORED', {
      declaration: found.declaration as Prisma.InputJsonObject,
      updatedAt: deps.now(),
    }),
  );
  return row.state === 'DRAFT' ? row : publishEndpoint(deps, author, { id: row.id });
}

async function findEndpoint(deps: EndpointDeps, { projectId }: Author, id: string): Promise<EndpointRow> {
  const row = await deps.store.db.endpoint.findFirst({ where: { id, projectId, deletedAt: null } });
  if (row) return row;
  throw inputError(
    'NOT_FOUND',
    ['id'],
    'There is no such endpoint in this project.',
    'List them with the query endpoints.',
  );
}

/** What a file declares is changed there: the next reading of the file would undo all else. */
function checkChange(row: EndpointRow, author: Author, expectedRevision: number | null | undefined): void {
  checkRevision(row, expectedRevision, 'endpoint');
  if (row.origin === 'FILE' && author.file === null) {
    const message = `"${row.name}" version ${row.version} is declared by the file ${row.file}.`;
    throw inputError('CONFLICT', ['id'], message, 'Change the file, or take it away first.');
  }
  if (row.origin === 'API' && author.file !== null) {
    const message = `"${row.name}" version ${row.version} is declared by a mutation already.`;
    throw inputError(
      'CONFLICT',
      ['metadata', 'name'],
      message,
      'Delete it, or give the file another name or version.',
    );
  }
  if (author.file !== null && row.homeId !== author.file.homeId) {
    const message = `"${row.name}" version ${row.version} is declared by the file ${row.file} of another gateway.`;
    throw inputError('CONFLICT', ['metadata', 'name'], message, 'Give one of them another name or version.');
  }
}

/** What would be served. Fails with every problem of the query, and with what would break for those who call. */
async function describeUnbroken(
  deps: EndpointDeps,
  before: EndpointRow,
  declaration: Declaration,
): Promise<ServedRecord> {
  const served = await describeEndpoint(deps, before.projectId, declaration);
  refuseBreaking(before.served as unknown as ServedRecord | null, served, declaration);
  return served;
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

/** A path leads to one endpoint of the project, a field of GraphQL too; one that is open to all to one of the whole gateway. */
async function checkPlace(tx: Tx, row: EndpointRow, declaration: Declaration): Promise<void> {
  await tx.$executeRaw`SELECT pg_advisory_xact_lock(hashtextextended('endpoint routes', 0))`;
  const { route, metadata, auth } = declaration;
  const others = await tx.endpoint.findMany({
    where: {
      id: { not: row.id },
      deletedAt: null,
      state: { not: 'DRAFT' },
      OR: [
        { projectId: row.projectId },
        ...(auth?.public ? [{ isPublic: true, route, version: metadata.version }] : []),
      ],
    },
    select: { id: true, name: true, version: true, route: true, projectId: true },
  });
  const problems: Problem[] = [];
  const sameRoute = others.find((other) => other.route === route && other.version === metadata.version);
  if (sameRoute) {
    const whose = sameRoute.projectId === row.projectId ? `"${sameRoute.name}"` : 'another project';
    const message = `/v${metadata.version}${route} leads to ${whose} already.`;
    problems.push({ code: 'NOT_UNIQUE', path: ['route'], message, fix: 'Choose another route.' });
  }
  const field = fieldName(metadata);
  const sameField = others.find((other) => other.projectId === row.projectId && fieldName(other) === field);
  if (sameField) {
    const message = `"${sameField.name}" version ${sameField.version} is the field ${field} in GraphQL already.`;
    problems.push({ code: 'NOT_UNIQUE', path: ['metadata', 'name'], message, fix: 'Choose another name.' });
  }
  if (!sameField) {
    const own = others.filter((other) => other.projectId === row.projectId);
    problems.push(...(await sameTypes(tx, own, declaration)));
  }
  if (problems.length > 0) throw new InputError(problems);
}

/** Types of two endpoints cannot have one name: "users_connection" is what the rows of "users" come in. */
async function sameTypes(
  tx: Tx,
  others: readonly { id: string; name: string; version: number }[],
  declaration: Declaration,
): Promise<Problem[]> {
  const prefix = typeName(declaration.metadata);
  // Names of types begin with that of their endpoint: of the others no declaration is read.
  const near = others.filter(
    (other) => typeName(other).startsWith(prefix) || prefix.startsWith(typeName(other)),
  );
  if (near.length === 0) return [];
  const rows = await tx.endpoint.findMany({
    where: { id: { in: near.map(({ id }) => id) } },
    select: { name: true, version: true, served: true },
  });
  const own = new Set(typeNames(declaration));
  return rows.flatMap(({ name, version, served }): Problem[] => {
    const types = typeNames((served as unknown as ServedRecord).declaration);
    const same = types.find((type) => own.has(type));
    if (same === undefined) return [];
    const message = `"${name}" version ${version} has the type ${same} in GraphQL already.`;
    return [{ code: 'NOT_UNIQUE', path: ['metadata', 'name'], message, fix: 'Choose another name.' }];
  });
}

/** Writes the change under the next revision, and what it was. Fails with CONFLICT when somebody else was first. */
async function change(
  tx: Tx,
  before: EndpointRow,
  author: Author,
  kind: EndpointChange,
  data: Prisma.EndpointUncheckedUpdateManyInput,
): Promise<EndpointRow> {
  const { count } = await tx.endpoint.updateMany({
    where: { id: before.id, revision: before.revision, deletedAt: null },
    data: { ...data, revision: before.revision + 1, updatedById: author.memberId },
  });
  if (count === 0) {
    throw inputError(
      'CONFLICT',
      ['id'],
      `"${before.name}" was changed by somebody else meanwhile.`,
      'Read it again and try again.',
    );
  }
  const row = await tx.endpoint.findUniqueOrThrow({ where: { id: before.id } });
  await record(tx, row, kind, author);
  return row;
}

async function record(tx: Tx, row: EndpointRow, kind: EndpointChange, { memberId }: Author): Promise<void> {
  await tx.endpointRevision.create({
    data: {
      id: newId(),
      projectId: row.projectId,
      endpointId: row.id,
      revision: row.revision,
      change: kind,
      declaration: row.declaration as Prisma.InputJsonObject,
      createdAt: row.updatedAt,
      createdById: memberId,
    },
  });
}

/** Two that make the same endpoint at once: the store lets one of them. */
async function unique<T>({ metadata }: Declaration, write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (error) {
    if (!isUniqueViolation(error)) throw error;
    const message = `"${metadata.name}" version ${metadata.version} was made by somebody else meanwhile.`;
    throw inputError(
      'CONFLICT',
      ['declaration', 'metadata', 'name'],
      message,
      'Read it again and try again.',
    );
  }
}
