import { inputError } from '#base/errors.ts';

/** Fails with CONFLICT when the row has gone on since the revision that the client saw. */
export function checkRevision(
  row: { revision: number; name: string },
  expected: number | null | undefined,
  what: string,
): void {
  if (expected == null || expected === row.revision) return;
  throw inputError(
    'CONFLICT',
    ['expectedRevision'],
    `The ${what} "${row.name}" is at revision ${row.revision}, not ${expected}: it has been changed since.`,
    'Read it again and apply the change to what it is now.',
  );
}
