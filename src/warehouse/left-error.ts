import { AppError } from '#base/errors.ts';

/** Whoever asked has left, and the statement was stopped unless others wait for it. */
export function leftError(cause: unknown): AppError {
  return new AppError('WAREHOUSE_TIMEOUT', 'The statement was stopped, since nobody waits for it any more.', {
    cause,
  });
}
