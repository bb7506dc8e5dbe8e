/** `errors[].extensions.code` of every expected failure. */
export type ErrorCode =
  | 'UNAUTHENTICATED'
  | 'FORBIDDEN'
  | 'NOT_FOUND'
  | 'BAD_USER_INPUT'
  | 'QUERY_TOO_COMPLEX'
  | 'RATE_LIMITED'
  | 'CONFLICT'
  | 'WAREHOUSE_UNAVAILABLE'
  | 'WAREHOUSE_TIMEOUT'
  | 'INTERNAL';

/** `userErrors[].code` of a mutation's answer. */
export type ProblemCode =
  | 'INVALID'
  | 'REQUIRED'
  | 'NOT_UNIQUE'
  | 'NOT_FOUND'
  | 'CONFLICT'
  | 'IN_USE'
  | 'NOT_ALLOWED'
  | 'CONNECTION_FAILED'
  | 'UNSUPPORTED'
  | 'ALREADY_RUNNING'
  | 'NOT_CANCELLABLE'
  | 'IDEMPOTENCY_KEY_REUSED';

/** One thing wrong with an input: what happened with the value, where it stands, what to do. */
export interface Problem {
  code: ProblemCode;
  message: string;
  /** Where in the input, such as ['config', 'port']. */
  path: readonly string[];
  fix?: string | undefined;
}

interface AppErrorOptions extends ErrorOptions {
  /** What the reader can do next. */
  fix?: string | undefined;
}

/** An expected failure, safe to show: `message` says what happened and what is allowed. */
export class AppError extends Error {
  readonly code: ErrorCode;
  readonly fix: string | undefined;

  constructor(code: ErrorCode, message: string, options: AppErrorOptions = {}) {
    super(message, options);
    this.name = 'AppError';
    this.code = code;
    this.fix = options.fix;
  }
}

/** An input that cannot be taken, with every problem at once: the userErrors of a mutation. */
export class InputError extends AppError {
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    super('BAD_USER_INPUT', problems.map((problem) => problem.message).join(' '), { fix: problems[0]?.fix });
    this.name = 'InputError';
    this.problems = problems;
  }
}

/** Shorthand for the most common InputError: one problem at one path. */
export function inputError(
  code: ProblemCode,
  path: readonly string[],
  message: string,
  fix?: string,
): InputError {
  return new InputError([{ code, path, message, fix }]);
}

/** The text of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
