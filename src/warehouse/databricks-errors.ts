import { AppError, messageOf } from '#base/errors.ts';
import { interruptedError, type Interruption } from './interruption.ts';

/** What Databricks answers in place of a result. */
export class DatabricksError extends Error {
  /** Such as TABLE_OR_VIEW_NOT_FOUND; empty where the message names none. */
  readonly condition: string;
  readonly sqlState: string;

  constructor(message: string, sqlState: string) {
    super(plain(message));
    this.name = 'DatabricksError';
    this.condition = /\[([A-Z][A-Z0-9_.]+)\]/.exec(message)?.[1] ?? '';
    this.sqlState = sqlState === '' ? (/SQLSTATE: (\w{5})/.exec(message)?.[1] ?? '') : sqlState;
  }
}

/** Databricks lets nobody in with these credentials: no waiting mends that. */
export class NotLetIn extends Error {
  readonly status: number;

  constructor(status: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'NotLetIn';
    this.status = status;
  }
}

/** Nothing came back from Databricks, or nothing that could be read. */
export class NoAnswer extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'NoAnswer';
  }
}

/** Other writers committed to the same table first. */
const conflicts = /DELTA_CONCURRENT|DELTA_METADATA_CHANGED|DELTA_PROTOCOL_CHANGED|CONCURRENT_(APPEND|WRITE)/;

const stopped = /STATEMENT_TIMEOUT|QUERY_EXECUTION_TIMEOUT|OPERATION_CANCELED|QUERY_CANCELED/;

/**
 * What the caller is told of a failed statement: a stopped one says by what, one that Databricks refuses is BAD_USER_INPUT in
 * its own words, one that met another writer is CONFLICT, and whatever else keeps it from an answer is WAREHOUSE_UNAVAILABLE.
 * `waitedFor` is what Databricks last said in place of an answer, such as that the warehouse starts.
 */
export function statementError(
  error: unknown,
  stop: Interruption | null,
  deadlineMs: number,
  waitedFor: string | null = null,
): AppError {
  if (error instanceof AppError) return error;
  if (stop === 'deadline' && waitedFor !== null) {
    return unavailable(
      `Databricks did not begin within ${deadlineMs} ms: ${waitedFor}`,
      error,
      'Try again in a minute: a stopped SQL warehouse takes that long to start.',
    );
  }
  if (stop !== null) return interruptedError(stop, deadlineMs, error);
  if (error instanceof NotLetIn) {
    const fix =
      error.status === 404
        ? 'Check the host and the warehouse of the datastore.'
        : 'Check the token, or the client id and secret, of the datastore.';
    return unavailable(`Databricks lets nobody in: ${error.message}`, error, fix);
  }
  if (!(error instanceof DatabricksError)) {
    return unavailable(`Databricks did not answer: ${messageOf(error)}`, error, 'Try again in a moment.');
  }
  return refusal(error);
}

function refusal(error: DatabricksError): AppError {
  const { condition, sqlState, message } = error;
  if (conflicts.test(message) || conflicts.test(condition)) {
    const why = 'What the statement writes was written by another one at the same time.';
    return new AppError('CONFLICT', why, { fix: 'Try again.', cause: error });
  }
  if (stopped.test(condition) || sqlState === '57014' || sqlState === '57KD0') {
    return new AppError('WAREHOUSE_TIMEOUT', `Databricks stopped the statement: ${message}`, {
      fix: 'Ask for less: a shorter time range, fewer columns, a coarser grain.',
      cause: error,
    });
  }
  // A statement that it cannot even be told about has no state.
  if (/^(08|53|57|58|XX)/.test(sqlState) || (sqlState === '' && condition === '')) {
    const fix = 'Try again; when it goes on, look at the SQL warehouse in your Databricks workspace.';
    return unavailable(`Databricks could not run the statement: ${message}`, error, fix);
  }
  return new AppError('BAD_USER_INPUT', `The warehouse refuses the statement: ${message}`, {
    fix: isMissingGrant(error) ? grantFix(message) : undefined,
    cause: error,
  });
}

function isMissingGrant({ condition, sqlState }: DatabricksError): boolean {
  return sqlState === '42501' || /PERMISSION/.test(condition);
}

/** Unity Catalog says what is missing: "User does not have USE SCHEMA on Schema 'main.sales'." */
function grantFix(message: string): string {
  const [, privilege, kind, name] =
    /does not have ([A-Z][A-Z_ ]*[A-Z]) (?:privilege )?on (\w+) [`'"]?([^`'"]+?)[`'"]?[.\s]*$/m.exec(
      message,
    ) ?? [];
  if (privilege === undefined) return 'Grant the user of the datastore what it lacks.';
  return `Grant it: GRANT ${privilege} ON ${kind!.toUpperCase()} ${name} TO the user of the datastore.`;
}

/** Without the stack, the class and the plan that Databricks puts around what it says. */
function plain(message: string): string {
  return message
    .replace(/^.*?HiveSQLException: /s, '')
    .replace(/^Error running query: /, '')
    .replace(/(\[[A-Z][A-Z0-9_.]+\]) [\w.]*(?:Exception|Error): \1/, '$1')
    .replace(/^[\w.]+(?:Exception|Error): /, '')
    .replace(/\s*SQLSTATE: \w{5}.*$/s, '')
    .replace(/\n\s*at .*$/s, '')
    .trim();
}

function unavailable(message: string, cause: unknown, fix: string): AppError {
  return new AppError('WAREHOUSE_UNAVAILABLE', message, { fix, cause });
}
