import type { Viewer } from './viewer.ts';
import { visible } from './visible.ts';
import { inputError, type InputError, type Problem } from '#base/errors.ts';
import { Prisma } from '#generated/prisma/client.ts';
import type { Tx } from '#store/open-store.ts';

const lengthMax = 200;

/** The name without white space around it, and what is wrong with it. */
export function checkName(name: string, what: string): { name: string; problems: Problem[] } {
  const trimmed = name.trim();
  const problems: Problem[] = [];
  if (trimmed === '') {
    problems.push({ code: 'REQUIRED', path: ['name'], message: `The name of the ${what} is empty.` });
  }
  if (trimmed.length > lengthMax) {
    problems.push({
      code: 'INVALID',
      path: ['name'],
      message: `The name of the ${what} has ${trimmed.length} characters; at most ${lengthMax} are allowed.`,
    });
  }
  return { name: trimmed, problems };
}

/** What has a name that is unique among its like in the project, while it is not deleted. */
export type NamedKind =
  'datastore' | 'source' | 'destination' | 'job' | 'transformation' | 'metric' | 'signal';

/** Fails with NOT_UNIQUE when another of the project that is not deleted has the name. */
export async function nameTaken(
  tx: Tx,
  kind: NamedKind,
  viewer: Viewer,
  { id, name }: { id: string; name: string },
): Promise<void> {
  const table: { count(ask: { where: object }): PromiseLike<number> } = tx[kind];
  const count = await table.count({ where: { ...visible(viewer), name, id: { not: id } } });
  if (count > 0) throw nameProblem(kind, name);
}

/** Turns the store's refusal of a second row of one name, when two came at once, into NOT_UNIQUE. */
export async function uniquely<T>(
  kind: string,
  name: string | null | undefined,
  write: () => Promise<T>,
): Promise<T> {
  try {
    return await write();
  } catch (error) {
    if (isUniqueViolation(error) && name != null) throw nameProblem(kind, name.trim());
    throw error;
  }
}

/** Whether the store refused a row because another holds what must be unique. */
export function isUniqueViolation(error: unknown): boolean {
  return error instanceof Prisma.PrismaClientKnownRequestError && error.code === 'P2002';
}

function nameProblem(kind: string, name: string): InputError {
  return inputError(
    'NOT_UNIQUE',
    ['name'],
    `There is another ${kind} named "${name}".`,
    'Choose another name.',
  );
}
