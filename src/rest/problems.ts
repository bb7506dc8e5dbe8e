import { AppError, type ErrorCode, InputError } from '#base/errors.ts';
import { NotHere } from '#catalog/datastores.ts';
import { ConnectorError } from '#connectors/contract.ts';

/** One entry of `errors`. */
export interface RestError {
  code: string;
  message: string;
  /** The parameter to blame. */
  param?: string;
  fix?: string;
  requestId: string;
}

/** Of the codes that GraphQL's errors have too. */
const statuses: Record<ErrorCode, number> = {
  UNAUTHENTICATED: 401,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  BAD_USER_INPUT: 400,
  QUERY_TOO_COMPLEX: 400,
  RATE_LIMITED: 429,
  CONFLICT: 409,
  WAREHOUSE_UNAVAILABLE: 503,
  WAREHOUSE_TIMEOUT: 504,
  INTERNAL: 500,
};

/** An error as a client may see it. What nobody foresaw is masked: `unforeseen` is then what to log. */
export function presentProblem(
  thrown: unknown,
  requestId: string,
): { status: number; errors: RestError[]; unforeseen?: unknown } {
  const error = expected(thrown);
  if (!(error instanceof AppError) || error.code === 'INTERNAL') {
    const message = `Something failed inside of Sluice (request ${requestId}).`;
    const fix = 'Try again; if it fails again, give the request id to whoever runs this server.';
    return { status: 500, errors: [{ code: 'INTERNAL', message, fix, requestId }], unforeseen: thrown };
  }
  const status = statuses[error.code];
  if (error instanceof InputError) {
    const errors = error.problems.map(({ message, path, fix }) => ({
      code: error.code,
      message,
      ...(path[0] !== undefined && { param: path[0] }),
      ...(fix !== undefined && { fix }),
      requestId,
    }));
    return { status, errors };
  }
  const { code, message, fix } = error;
  return { status, errors: [{ code, message, ...(fix !== undefined && { fix }), requestId }] };
}

function expected(error: unknown): unknown {
  if (error instanceof NotHere)
    return new AppError('WAREHOUSE_UNAVAILABLE', 'The datastore is not served here.', { cause: error });
  // The datastore of a served endpoint was deleted.
  if (error instanceof ConnectorError)
    return new AppError('WAREHOUSE_UNAVAILABLE', 'The datastore of this endpoint is gone.', { cause: error });
  return error;
}
