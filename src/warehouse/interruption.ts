import { AppError } from '#base/errors.ts';
import { leftError } from './left-error.ts';

/** Why a statement was interrupted, so that its error can say so. */
export type Interruption = 'deadline' | 'signal' | 'closed';

/** What the caller is told of a statement that was interrupted. */
export function interruptedError(
  interruption: Interruption,
  deadlineMs: number | null,
  cause: unknown,
): AppError {
  // What stopped the statement says why.
  if (interruption === 'closed') return cause instanceof AppError ? cause : closedError();
  if (interruption === 'signal') return leftError(cause);
  const how = deadlineMs === null ? 'longer than it may' : `longer than ${deadlineMs} ms`;
  return new AppError('WAREHOUSE_TIMEOUT', `The statement ran ${how} and was stopped.`, {
    fix: 'Ask for less: a shorter time range, fewer columns, a coarser grain.',
    cause,
  });
}

/** The warehouse was closed before or while the statement ran: told why, as Warehouse.closedFor says it. */
export function closedError(why = 'the process is stopping'): AppError {
  return new AppError('WAREHOUSE_UNAVAILABLE', `The warehouse is closed: ${why}.`, {
    fix: 'Try again in a moment.',
  });
}
