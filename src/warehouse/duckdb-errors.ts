import { AppError, messageOf } from '#base/errors.ts';
import { interruptedError, type Interruption } from './interruption.ts';

/**
 * What the caller is told of a failed statement: a refused statement is BAD_USER_INPUT with DuckDB's own words, one
 * that met another writer is CONFLICT, an interrupted one says by what, a lack of memory or disk is WAREHOUSE_UNAVAILABLE.
 */
export function statementError(
  error: unknown,
  interruption: Interruption | null,
  deadlineMs: number,
): AppError {
  if (error instanceof AppError) return error;
  if (interruption) return interruptedError(interruption, deadlineMs, error);
  const message = messageOf(error);
  if (/^(Out of Memory|IO|FATAL|Internal|INTERNAL|Connection)\b.*Error/i.test(message)) {
    return new AppError(
      'WAREHOUSE_UNAVAILABLE',
      `The warehouse could not run the statement: ${firstLine(message)}`,
      {
        fix: 'Try again; when it goes on, check the free disk space and memory of the machine.',
        cause: error,
      },
    );
  }
  if (/^TransactionContext Error.*conflict/is.test(message)) {
    return new AppError(
      'CONFLICT',
      'What the statement writes was written by another one at the same time.',
      {
        fix: 'Try again.',
        cause: error,
      },
    );
  }
  const said = message.replace(/^Failed to extract statements: /, '').trim();
  return new AppError('BAD_USER_INPUT', `The warehouse refuses the statement: ${said}`, {
    cause: error,
  });
}

/** Why a file could not be opened: held by another process (named), not a DuckDB file, not readable. */
export function openError(path: string, error: unknown): AppError {
  const message = messageOf(error);
  const holder = /Conflicting lock is held.*?\(PID (\d+)\)/s.exec(message);
  if (holder) {
    return new AppError(
      'WAREHOUSE_UNAVAILABLE',
      `The warehouse ${path} is open in another process (pid ${holder[1]}).`,
      {
        fix: `One process opens a warehouse file: stop process ${holder[1]}, or use another SLUICE_HOME.`,
        cause: error,
      },
    );
  }
  return new AppError(
    'WAREHOUSE_UNAVAILABLE',
    `The warehouse ${path} cannot be opened: ${firstLine(message)}`,
    {
      fix: 'Check that the file is a DuckDB database of this version and that the process may read and write it.',
      cause: error,
    },
  );
}

/** The file is open in this very process: POSIX locks do not see that, and two openings would destroy it. */
export function openTwiceError(path: string): AppError {
  return new AppError(
    'WAREHOUSE_UNAVAILABLE',
    `The warehouse ${path} is already open in this process (pid ${process.pid}).`,
    {
      fix: 'Use the warehouse that is open, or close it first.',
    },
  );
}

function firstLine(text: string): string {
  return text.trim().split('\n', 1)[0]!;
}
