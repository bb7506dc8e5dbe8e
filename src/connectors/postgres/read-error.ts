import { messageOf } from '#base/errors.ts';
import { ConnectorError } from '#connectors/contract.ts';

/** What an error of a statement on the source means. `what` is what was read: "public.orders". */
export function readError(what: string, error: unknown): ConnectorError {
  if (error instanceof ConnectorError) return error;
  const code = (error as { code?: string }).code ?? '';
  const said = messageOf(error);
  const failure = (kind: 'SOURCE' | 'SCHEMA' | 'TRANSIENT', message: string, fix: string) =>
    new ConnectorError(kind, message, { fix, cause: error });
  if (code === '42501') {
    return failure(
      'SOURCE',
      `The user may not read ${what}: ${said}.`,
      `GRANT SELECT ON ${what} (and USAGE on its schema) to the user of the source.`,
    );
  }
  if (code === '42P01' || code === '3F000') {
    return failure(
      'SCHEMA',
      `${what} is no longer there: ${said}.`,
      'Discover the streams of the source again and change the job.',
    );
  }
  if (code === '42703') {
    return failure(
      'SCHEMA',
      `A column of ${what} is no longer there: ${said}.`,
      'Discover the streams again, or leave the column out of selectedColumns.',
    );
  }
  if (code === '55P03') {
    return failure(
      'TRANSIENT',
      `${what} stayed locked for 30 seconds: ${said}.`,
      'Look for a transaction that holds a lock on it.',
    );
  }
  // Connection, resources, an operator's hand, a standby that had to go on: all may work the next time.
  if (code === '' || /^(08|53|57|58|40|XX)/.test(code) || /^E[A-Z]+$/.test(code)) {
    return failure(
      'TRANSIENT',
      `Reading ${what} broke off: ${said}.`,
      "Look into the server's log when it happens again.",
    );
  }
  return failure(
    'SOURCE',
    `The server could not read ${what}: ${said}.`,
    'Run a SELECT on it with the same user to see the error whole.',
  );
}
