import { GraphQLError } from 'graphql';
import { NotHere } from '#catalog/datastores.ts';
import { ConnectorError } from '#connectors/contract.ts';
import {
  AppError,
  type ErrorCode,
  InputError,
  messageOf,
  type Problem,
  type ProblemCode,
} from '#base/errors.ts';

/** AppErrors that say what is wrong with an input, when a mutation meets them. The others are not the input's fault. */
const problemCodes: Partial<Record<ErrorCode, ProblemCode>> = {
  BAD_USER_INPUT: 'INVALID',
  NOT_FOUND: 'NOT_FOUND',
  CONFLICT: 'CONFLICT',
  WAREHOUSE_UNAVAILABLE: 'CONNECTION_FAILED',
  WAREHOUSE_TIMEOUT: 'CONNECTION_FAILED',
};

/** The AppError that stands for a foreseen failure of lower floors; anything else as it is. */
export function asExpected(error: unknown): unknown {
  if (error instanceof NotHere) return new AppError('WAREHOUSE_UNAVAILABLE', error.message, { cause: error });
  if (error instanceof ConnectorError) {
    return new AppError('BAD_USER_INPUT', error.message, { cause: error, fix: error.fix });
  }
  return error;
}

/** The problems to report as userErrors; null when the failure is not about the input. */
export function problemsOf(thrown: unknown): readonly Problem[] | null {
  const error = asExpected(thrown);
  if (error instanceof InputError) return error.problems;
  if (!(error instanceof AppError)) return null;
  const code = problemCodes[error.code];
  return code === undefined ? null : [{ code, message: error.message, path: [], fix: error.fix }];
}

/** Whether the error was foreseen, so that its message may be shown as it is. */
export function isExpected(error: unknown): boolean {
  return codeOf(error) !== 'INTERNAL';
}

/**
 * The error as a client may see it: with `extensions.code`, `requestId`, and `fix` where there is one. What nobody
 * foresaw is masked as INTERNAL; whoever calls logs it whole (isExpected says whether to).
 */
export function toGraphQLError(error: unknown, requestId: string): GraphQLError {
  const located = error instanceof GraphQLError ? error : undefined;
  const cause = causeOf(error);
  const code = codeOf(error);
  if (code === 'INTERNAL' && !(cause instanceof AppError)) {
    return shown(`Something failed inside of Sluice (request ${requestId}).`, maskedFix);
  }
  if (cause instanceof AppError) return shown(cause.message, cause.fix);
  // graphql-js says around a scalar's own words which variable they are about.
  return shown(messageOf(located ?? cause), cause instanceof GraphQLError ? cause.extensions.fix : undefined);

  function shown(message: string, fix: unknown): GraphQLError {
    return new GraphQLError(message, {
      nodes: located?.nodes ?? null,
      source: located?.source ?? null,
      positions: located?.positions ?? null,
      path: located?.path ?? null,
      extensions: { code, requestId, ...(fix !== undefined && { fix }) },
    });
  }
}

const maskedFix =
  'Try again; if it fails again, give the request id to whoever runs this server: its log has the details.';

/** The error below graphql-js's own wrapping of what a resolver threw. */
function causeOf(error: unknown): unknown {
  let cause = error;
  while (cause instanceof GraphQLError && cause.originalError) cause = cause.originalError;
  return asExpected(cause);
}

function codeOf(error: unknown): ErrorCode {
  const cause = causeOf(error);
  if (cause instanceof AppError) return cause.code;
  // Thrown by Pothos itself: what was sent is to blame.
  if (cause instanceof Error && cause.name === 'PothosValidationError') return 'BAD_USER_INPUT';
  if (!(cause instanceof GraphQLError)) return 'INTERNAL';
  if (knownCodes.has(cause.extensions.code)) return cause.extensions.code as ErrorCode;
  // Syntax, validation and variables are refused before anything has a path; so are arguments, which then get one.
  const isOfAnswer = error instanceof GraphQLError && error.path !== undefined;
  return isOfAnswer && !cause.message.startsWith('Argument "') ? 'INTERNAL' : 'BAD_USER_INPUT';
}

const knownCodes = new Set<unknown>([
  'UNAUTHENTICATED',
  'FORBIDDEN',
  'NOT_FOUND',
  'BAD_USER_INPUT',
  'QUERY_TOO_COMPLEX',
  'RATE_LIMITED',
  'CONFLICT',
  'WAREHOUSE_UNAVAILABLE',
  'WAREHOUSE_TIMEOUT',
  'INTERNAL',
] satisfies ErrorCode[]);
