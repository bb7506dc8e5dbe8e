import { isUniqueViolation } from '#accounts/check-name.ts';
import { checkRevision } from '#accounts/check-revision.ts';
import { inputError } from '#base/errors.ts';
import { newId } from '#base/id.ts';
import type { Endpoint as EndpointRow, Prisma } from '#generated/prisma/client.ts';
import type { EndpointChange } from '#generated/prisma/enums.ts';
import type { Tx } from '#store/open-store.ts';
import type { Declaration } from './declaration.ts';
import type { EndpointDeps } from './deps.ts';

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

/** The endpoint of the author's project. Fails with NOT_FOUND. */
export async function findEndpoint(
  deps: EndpointDeps,
  { projectId }: Author,
  id: string,
): Promise<EndpointRow> {
  const row = await deps.store.db.endpoint.findFirst({ where: { id, projectId, deletedAt: null } });
  if (row) return row;
  throw inputError(
    'NOT_FOUND',
    ['id'],
    'There is no such endpoint in this project.',
    'List them with the query endpoints.',
  );
}

/**
 * Fails with CONFLICT for a revision that is gone, and where somebody else declares the endpoint. What a file declares is
 * changed there: the next reading of the file would undo all else.
 */
export function checkChange(
  row: EndpointRow,
  author: Author,
  expectedRevision: number | null | undefined,
): void {
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
  // Gateways that serve one folder each have the same files.
  if (author.file !== null && row.homeId !== author.file.homeId && row.file !== author.file.name) {
    const message = `"${row.name}" version ${row.version} is declared by the file ${row.file} of another gateway.`;
    throw inputError('CONFLICT', ['metadata', 'name'], message, 'Give one of them another name or version.');
  }
}

/** Writes the change under the next revision, and what it was. Fails with CONFLICT when somebody else was first. */
export async function change(
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

/** Keeps the row as the revision that it is at. */
export async function record(
  tx: Tx,
  row: EndpointRow,
  kind: EndpointChange,
  { memberId }: Author,
): Promise<void> {
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
export async function unique<T>({ metadata }: Declaration, write: () => Promise<T>): Promise<T> {
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
