import { AppError, messageOf } from '#base/errors.ts';
import { interruptedError, type Interruption } from './interruption.ts';

/** What Snowflake answers in place of a result. */
export class SnowflakeError extends Error {
  readonly code: string;
  readonly sqlState: string;

  constructor(message: string, code: string, sqlState: string) {
    super(message);
    this.name = 'SnowflakeError';
    this.code = code;
    this.sqlState = sqlState;
  }
}

/** So Snowflake says that a question to an information schema is about more than it lists at once. */
export function isTooMuch(error: unknown): boolean {
  return error instanceof SnowflakeError && /returned too much data/i.test(error.message);
}

/** Nothing came back from Snowflake, or nothing that could be read. */
export class NoAnswer extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'NoAnswer';
  }
}

/** Where the account was looked for there is none. Snowflake itself has no code for it. */
export const noAccount = 'NO_ACCOUNT';

/** Of the codes that Snowflake gives to what lies outside the statement. */
const fixes: Record<string, string> = {
  '000606': 'Name a warehouse in the datastore, and grant its role USAGE on it.',
  '000607': 'Name a warehouse in the datastore, and grant its role USAGE on it.',
  '000608': 'Resume the warehouse, or let it resume by itself: ALTER WAREHOUSE … SET AUTO_RESUME = TRUE.',
  '000609': 'Resume the warehouse, or let it resume by itself: ALTER WAREHOUSE … SET AUTO_RESUME = TRUE.',
  '090073': 'Its resource monitor has used up its quota: raise that, or take another warehouse.',
  '390100': 'Check the username and the password of the datastore.',
  '390101': 'Let an administrator enable the user: ALTER USER … SET DISABLED = FALSE.',
  '390102': 'Wait a while, or let an administrator unlock the user: ALTER USER … SET MINS_TO_UNLOCK = 0.',
  '390144':
    'Check that the public key of the user (RSA_PUBLIC_KEY) belongs to the private key of the datastore.',
  '390186': 'Check the role of the datastore, and that the user was granted it.',
  '390189': 'Check the role of the datastore, and that the user was granted it.',
  '390201': 'Check the database, schema and warehouse of the datastore, and the grants of its role on them.',
  '390303': 'Give the datastore a new OAuth token.',
  '390318': 'Give the datastore a new OAuth token.',
  '390422': 'Let the network policy of the account admit the address that Sluice has.',
  '390432':
    'A programmatic access token needs a network policy: give the user one that admits the address that Sluice has.',
  '394400': 'Give the datastore a programmatic access token that is valid, and its user a network policy.',
  [noAccount]: 'Check the account and the host of the datastore.',
};

/** Locks that could not be had in time, deadlocks, and what was replaced meanwhile. */
const conflicts = new Set(['000625', '000626', '200001']);

/**
 * What the caller is told of a failed statement: a stopped one says by what, one that Snowflake refuses is BAD_USER_INPUT in
 * its own words, one that met another writer is CONFLICT, and whatever else keeps it from an answer is WAREHOUSE_UNAVAILABLE.
 */
export function statementError(error: unknown, stop: Interruption | null, deadlineMs: number): AppError {
  if (error instanceof AppError) return error;
  if (stop !== null) return interruptedError(stop, deadlineMs, error);
  if (!(error instanceof SnowflakeError)) {
    return unavailable(`Snowflake did not answer: ${messageOf(error)}`, error, 'Try again in a moment.');
  }
  // One SQLSTATE stands for many things that end a statement: the code says which.
  const { code, sqlState, message } = error;
  if (conflicts.has(code) || sqlState === '40001') {
    const why = 'What the statement writes was written by another one at the same time.';
    return new AppError('CONFLICT', why, { fix: 'Try again.', cause: error });
  }
  if (/^39\d{4}$/.test(code) || code === noAccount) {
    const fix = fixes[code] ?? 'Check the credentials of the datastore.';
    return unavailable(`Snowflake lets nobody in: ${message}`, error, fix);
  }
  if (fixes[code] !== undefined || /^(57P|08|53|58|XX)/.test(sqlState) || code === '000603') {
    const fix = fixes[code] ?? 'Try again; when it goes on, look at the status of your Snowflake account.';
    return unavailable(`Snowflake could not run the statement: ${message}`, error, fix);
  }
  if (code === '000604') {
    const why = `Somebody canceled the statement at Snowflake: ${message}`;
    return new AppError('WAREHOUSE_TIMEOUT', why, { fix: 'Ask again, unless it was meant.', cause: error });
  }
  if (code === '000630' || sqlState === '57014') {
    const why = `Snowflake stopped the statement: ${message}`;
    return new AppError('WAREHOUSE_TIMEOUT', why, {
      fix: 'Ask for less: a shorter time range, fewer columns, a coarser grain.',
      cause: error,
    });
  }
  if (/already exists as (TABLE|VIEW)/i.test(message)) {
    return new AppError('CONFLICT', message, {
      fix: 'Take another name, or drop what is there.',
      cause: error,
    });
  }
  const fix =
    sqlState === '42501' || code === '003001' ? 'Grant the role of the datastore what it lacks.' : undefined;
  const said = message.replace(/^SQL compilation error:\s*/, '').trim();
  return new AppError('BAD_USER_INPUT', `The warehouse refuses the statement: ${said}`, {
    fix,
    cause: error,
  });
}

function unavailable(message: string, cause: unknown, fix: string): AppError {
  return new AppError('WAREHOUSE_UNAVAILABLE', message, { fix, cause });
}
