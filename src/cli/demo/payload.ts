import { AppError } from '#base/errors.ts';

interface Refusal {
  message: string;
  fix: string | null;
}

/** The id of what a mutation made. Fails with AppError for what it refused. */
export function idOf(thing: { id: string } | null, userErrors: readonly Refusal[]): string {
  refuse(userErrors);
  if (thing === null) throw new Error('the gateway gave neither what was made nor why it was not');
  return thing.id;
}

/** Fails with the first of the userErrors as AppError. */
export function refuse([problem]: readonly Refusal[]): void {
  if (problem !== undefined)
    throw new AppError('BAD_USER_INPUT', problem.message, { fix: problem.fix ?? undefined });
}
