import { AppError, messageOf } from '#base/errors.ts';
import { sizeWords } from '#base/size-words.ts';
import { interruptedError, type Interruption } from './interruption.ts';

/** What BigQuery answers in place of a result. */
export class BigQueryError extends Error {
  /** Of the HTTP answer; of a job that failed, 0. */
  readonly status: number;
  readonly reason: string;

  constructor(message: string, reason: string, status = 0) {
    super(message);
    this.name = 'BigQueryError';
    this.reason = reason;
    this.status = status;
  }
}

/** Google lets nobody in with the credentials. */
export class NotLetIn extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'NotLetIn';
  }
}

/** The reason and message of an answer that is an error, as BigQuery or what stands before it writes it. */
export function errorOf(status: number, text: string): BigQueryError {
  try {
    const { error } = JSON.parse(text) as {
      error: { message: string; status?: string; errors?: { reason?: string }[] };
    };
    return new BigQueryError(error.message, error.errors?.[0]?.reason ?? error.status ?? '', status);
  } catch {
    return new BigQueryError(`it answers with status ${status}`, '', status);
  }
}

/** Whether the same request may do better in a moment. */
export function isPassing({ status, reason }: BigQueryError): boolean {
  return passing.has(reason) || [408, 429, 500, 502, 503, 504].includes(status);
}

const passing = new Set(['rateLimitExceeded', 'backendError', 'internalError']);

const passingOfJobs = new Set(['jobBackendError', 'jobInternalError', 'jobRateLimitExceeded']);

/**
 * Whether a job has failed that may go well when it is made anew. Asked again, BigQuery only repeats what it said of that job.
 */
export function isJobPassing({ status, reason }: BigQueryError): boolean {
  return passingOfJobs.has(reason) || (status === 0 && passing.has(reason));
}

/** What is at fault outside of the statement. */
const unavailable: Record<string, string> = {
  backendError: 'Try again; when it goes on, look at the status of Google Cloud.',
  internalError: 'Try again; when it goes on, look at the status of Google Cloud.',
  jobBackendError: 'Try again.',
  jobInternalError: 'Try again.',
  quotaExceeded: 'A quota of the project is used up: wait, or raise it in the Google Cloud console.',
  rateLimitExceeded: 'Too much is asked of the project at once: try again in a moment.',
  jobRateLimitExceeded: 'Too much is asked of the project at once: try again in a moment.',
  billingNotEnabled: 'Enable billing for the project.',
  accessNotConfigured: 'Enable the BigQuery API for the project.',
  blocked: 'The project is blocked for now: look at its quotas in the Google Cloud console.',
};

const askForLess = 'Ask for less: a shorter time range, fewer columns, a coarser grain.';

/**
 * What the caller is told of a failed statement: a stopped one says by what, one that BigQuery refuses is BAD_USER_INPUT in
 * its own words with the position, one that met another writer is CONFLICT, and whatever else keeps it from an answer is
 * WAREHOUSE_UNAVAILABLE.
 */
export function statementError(error: unknown, stop: Interruption | null, deadlineMs: number): AppError {
  if (error instanceof AppError) return error;
  if (stop !== null) return interruptedError(stop, deadlineMs, error);
  const fail = (code: AppError['code'], message: string, fix?: string) =>
    new AppError(code, message, { fix, cause: error });
  if (error instanceof NotLetIn) {
    const fix = 'Check the credentials of the datastore: a key of the service account that is not revoked.';
    return fail('WAREHOUSE_UNAVAILABLE', `Google lets nobody in: ${error.message}`, fix);
  }
  if (!(error instanceof BigQueryError)) {
    const message = `BigQuery did not answer: ${messageOf(error)}`;
    return fail('WAREHOUSE_UNAVAILABLE', message, 'Try again in a moment.');
  }
  const { reason, status } = error;
  const said = placed(error.message);
  if (reason === 'stopped' || reason === 'timeout') {
    return fail('WAREHOUSE_TIMEOUT', `BigQuery stopped the statement: ${said}`, askForLess);
  }
  if (isConflict(error)) {
    return fail(
      'CONFLICT',
      'What the statement writes was written by another one at the same time.',
      'Try again.',
    );
  }
  if (unavailable[reason] !== undefined || isPassing(error)) {
    const fix = unavailable[reason] ?? 'Try again in a moment.';
    return fail('WAREHOUSE_UNAVAILABLE', `BigQuery could not run the statement: ${said}`, fix);
  }
  if (status === 401) {
    return fail(
      'WAREHOUSE_UNAVAILABLE',
      `BigQuery lets nobody in: ${said}`,
      'Check the credentials of the datastore.',
    );
  }
  const refused = `The warehouse refuses the statement: ${said}`;
  if (/bigquery\.jobs\.create/.test(said)) {
    return fail('WAREHOUSE_UNAVAILABLE', refused, fixOf(error));
  }
  return fail('BAD_USER_INPUT', refused, fixOf(error));
}

/** Two that write one table, or replace it, at a time. */
export function isConflict({ message, reason, status }: BigQueryError): boolean {
  if (status === 412 || reason === 'conditionNotMet') return true;
  return /could not serialize access|due to concurrent update|aborted due to concurrent/i.test(message);
}

/** What to do about what lies outside of the text of a statement. */
function fixOf({ reason, message }: BigQueryError): string | undefined {
  switch (reason) {
    case 'accessDenied': {
      const [, permission] = /\b(bigquery\.\w+\.\w+)/.exec(message) ?? [];
      return permission === undefined
        ? 'Grant the service account what it lacks; docs/bigquery.md names the roles.'
        : `Grant the service account a role with ${permission}; docs/bigquery.md names the roles.`;
    }
    case 'bytesBilledLimitExceeded':
      return `${askForLess} Or raise maximumBytesBilled of the datastore${neededOf(message)}.`;
    case 'resourcesExceeded':
    case 'responseTooLarge':
    case 'billingTierLimitExceeded':
      return askForLess;
    case 'notFound':
      return /in location/.test(message)
        ? 'Check the name, and the location of the datastore: BigQuery looks for names in one location only.'
        : undefined;
    default:
      return undefined;
  }
}

/** BigQuery says what a refused statement would be billed for: "… or higher required". */
function neededOf(message: string): string {
  const [, bytes] = /(\d+) or higher required/.exec(message) ?? [];
  return bytes === undefined ? '' : ` to ${bytes} or more (${sizeWords(BigInt(bytes))})`;
}

/** "at [1:8]" in words. */
function placed(message: string): string {
  return message.replace(/\s*at \[(\d+):(\d+)\]/, ' at line $1, column $2').trim();
}
