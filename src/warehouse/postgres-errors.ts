import { AppError, messageOf } from '#base/errors.ts';
import { interruptedError, type Interruption } from './interruption.ts';
import { quoteName } from './warehouse.ts';

/** Classes and codes of SQLSTATE that are the server's trouble and not the statement's. */
const troubles = /^(08|53|57P|58|F0|XX)/;
/** Another one writes, or holds what is to be written. */
const conflicts = /^(40001|40P01|55P03|55006)$/;
/** So Redshift says it, with the SQLSTATE of an internal error: 1023 is "Serializable isolation violation on table". */
const redshiftConflicts = /^1023\b|conflict with concurrent transaction/i;
/**
 * So it calls whatever the nodes that compute find, a value that they cannot take as well: its detail has a code of their own,
 * of which these are about values (8001 and 1058), files (1200 and on) and what stands in other places (15000 and on).
 */
const redshiftRefusals = /^\s*code:\s+(?:8001|1058|12\d\d|15\d{3})\s*$/m;
const redshiftUnsupported = /^This type of .* is not supported/i;

/**
 * What the caller is told of a failed statement: a refused statement is BAD_USER_INPUT with PostgreSQL's own words, one
 * that met another writer is CONFLICT, an interrupted one says by what, a server in trouble is WAREHOUSE_UNAVAILABLE.
 */
export function statementError(
  error: unknown,
  interruption: Interruption | null,
  deadlineMs: number,
): AppError {
  if (error instanceof AppError && interruption === null) return error;
  if (interruption) return interruptedError(interruption, deadlineMs, error);
  const code = codeOf(error);
  const message = messageOf(error);
  // The server's own limit, or somebody who canceled it there.
  if (code === '57014') return interruptedError('deadline', null, error);
  const isConflict = conflicts.test(code) || redshiftConflicts.test(message);
  const isRefused = code === 'XX000' && isRedshiftRefusal(error);
  if (!isConflict && !isRefused && (code === '' || troubles.test(code))) {
    return new AppError('WAREHOUSE_UNAVAILABLE', `The warehouse could not run the statement: ${message}`, {
      fix: "Try again; when it goes on, look into the server's log.",
      cause: error,
    });
  }
  if (isConflict) {
    return new AppError('CONFLICT', `Somebody else is at what the statement writes: ${message}`, {
      fix: 'Try again.',
      cause: error,
    });
  }
  const said = isRefused ? withContext(error) : message;
  return new AppError('BAD_USER_INPUT', `The warehouse refuses the statement: ${said}`, {
    fix: fixOf(code, error),
    cause: error,
  });
}

function fixOf(code: string, error: unknown): string | undefined {
  if (code === '42501') return grantFor(messageOf(error));
  return (error as { hint?: string }).hint;
}

const grants: Record<string, (name: string) => string> = {
  schema: (name) => `GRANT USAGE ON SCHEMA ${name}, and CREATE where tables are to be made there,`,
  database: (name) => `GRANT CREATE ON DATABASE ${name}`,
  temporary: (name) => `GRANT TEMPORARY ON DATABASE ${name}`,
  table: (name) => `GRANT SELECT ON ${name}`,
};

/** What is missing, as far as the server says it in English. */
function grantFor(message: string): string {
  const [, temporary] =
    /^permission denied to create temporary tables in database "(.+)"$/s.exec(message) ?? [];
  const [, kind, named] =
    /^permission denied for (schema|database|table|view|materialized view|foreign table) (.+)$/s.exec(
      message,
    ) ?? [];
  const name = temporary ?? named;
  if (name === undefined) return 'Let the owner GRANT what is missing to the user of the datastore.';
  const grant = grants[temporary === undefined ? kind! : 'temporary'] ?? grants['table']!;
  return `${grant(quoteName(name))} to the user of the datastore.`;
}

function isRedshiftRefusal(error: unknown): boolean {
  return redshiftRefusals.test(detailOf(error)) || redshiftUnsupported.test(messageOf(error));
}

/** What Redshift's detail calls the context has the length, the limit or the value that the message leaves out. */
function withContext(error: unknown): string {
  const message = messageOf(error);
  const context = /^\s*context:[ \t]*(\S.*?)\s*$/m.exec(detailOf(error))?.[1];
  return context === undefined || message.includes(context) ? message : `${message}: ${context}`;
}

function detailOf(error: unknown): string {
  const { detail } = error as { detail?: unknown };
  return typeof detail === 'string' ? detail : '';
}

/** Whether the connection went away under the statement, rather than that the server refused it. */
export function isLost(error: unknown): boolean {
  return !(error instanceof AppError) && /^$|^08|^57P0[123]/.test(codeOf(error));
}

/** The SQLSTATE; empty for what comes from the connection. */
export function codeOf(error: unknown): string {
  const code = (error as { code?: unknown }).code;
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) ? code : '';
}
