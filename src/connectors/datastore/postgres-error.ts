import { AppError, messageOf } from '#base/errors.ts';
import { ColumnMisfit, ConnectorError, type TaskErrorKind } from '#connectors/contract.ts';
import { quoteName } from '#warehouse/warehouse.ts';

/** Who writes what. */
export interface Writing {
  /** "raw.orders" */
  what: string;
  schema: string;
  database: string;
  username: string;
}

interface ServerError {
  code?: string;
  detail?: string;
  hint?: string;
  table?: string;
  column?: string;
  /** "COPY orders, line 2, column total: "abc"". */
  where?: string;
}

/** DuckDB could not run the scan, and said why. */
export class ScanError extends Error {}

/** What an error of a statement that writes, or of the scan that it writes from, means for the task. */
export function writeError(writing: Writing, error: unknown): unknown {
  if (error instanceof ConnectorError || error instanceof ColumnMisfit) return error;
  if (error instanceof AppError) return ofAppError(error);
  const said = messageOf(error);
  const [kind, message, fix] =
    error instanceof ScanError
      ? ([
          'DESTINATION',
          `The rows could not be read: ${said}.`,
          'Check the free disk space and memory of this machine.',
        ] as const)
      : (ofServer(writing, error as ServerError, said) ?? ofTable(writing, error as ServerError, said));
  return new ConnectorError(kind, message, { fix, cause: error });
}

type Told = readonly [kind: TaskErrorKind, message: string, fix: string];

/** What is the server's trouble, its connection's, or somebody else's. */
function ofServer({ what }: Writing, error: ServerError, said: string): Told | undefined {
  const { code = '' } = error;
  if (code === '25006') {
    const fix =
      'Point the datastore at the primary, and look whether the database or the role is set to read only.';
    return ['CONFIG', `The server takes no writes: ${said}.`, fix];
  }
  if (code === '53100') {
    return ['DESTINATION', `The server has no room left: ${said}.`, 'Make room on its disk and sync again.'];
  }
  if (code === '55P03' || code === '40P01') {
    const fix = 'Look in pg_stat_activity for long transactions that read or write it; it is tried again.';
    return ['TRANSIENT', `${what} was held by somebody else for too long: ${said}.`, fix];
  }
  if (code === '57014') {
    const fix = 'Look for who canceled it there, or for a time limit.';
    return ['TRANSIENT', `The server stopped the write: ${said}.`, fix];
  }
  // Connection, resources, an operator's hand, another one's write: all may work the next time.
  if (code === '' || /^(08|53|57|58|40|XX|F0)/.test(code) || /^E[A-Z]+$/.test(code)) {
    const fix = "Look into the server's log when it happens again.";
    return ['TRANSIENT', `Writing ${what} broke off: ${said}.`, fix];
  }
  // Two make the same table or schema at once, or one drops what the other is at.
  const isOfCatalog = code === '23505' && (error.table?.startsWith('pg_') ?? false);
  if (isOfCatalog || /^(42P01|42P06|42P07|3F000)$/.test(code)) {
    return [
      'TRANSIENT',
      `Somebody else changed what ${what} is written with: ${said}.`,
      'It is tried again.',
    ];
  }
  return undefined;
}

function ofTable(writing: Writing, error: ServerError, said: string): Told {
  const { code = '', detail, hint } = error;
  const { what, username } = writing;
  if (code === '42501')
    return ['CONFIG', `"${username}" may not write ${what}: ${said}.`, grantFor(writing, said)];
  if (/^2[23]/.test(code)) {
    const fix =
      "Widen the table's column or drop its constraint, leave the column out with selectedColumns, or give the stream another destinationTable.";
    return ['SCHEMA', `${what} cannot take what arrives${placeOf(error)}: ${said}.`, fix];
  }
  const because = detail === undefined ? '' : ` (${detail.replaceAll('\n', ', ')})`;
  const fix = hint ?? 'Run the statement with the same user to see the error whole.';
  return ['SCHEMA', `The server cannot write ${what}: ${said}${because}.`, fix];
}

function ofAppError(error: AppError): unknown {
  if (error.code !== 'CONFLICT') return error;
  return new ConnectorError('DESTINATION', error.message, {
    ...(error.fix !== undefined && { fix: error.fix }),
    cause: error,
  });
}

/** The column and value, as the server says them last, in whatever language: COPY t, line 3, column total: "x". */
function placeOf({ where, column }: ServerError): string {
  const found = /^COPY .*? \d+, \S+ (.+?): "(.*)"/s.exec(where ?? '');
  if (found) return ` (column "${found[1]}", value "${found[2]!.slice(0, 200)}")`;
  return column === undefined ? '' : ` (column "${column}")`;
}

function grantFor({ what, schema, database, username }: Writing, said: string): string {
  const to = `TO ${quoteName(username)}`;
  if (/database/i.test(said))
    return `GRANT CREATE ON DATABASE ${quoteName(database)} ${to}; or make the schemas "${schema}" and "_sluice" for it.`;
  if (/owner/i.test(said))
    return `Tables are replaced and changed by their owner alone: ALTER TABLE ${what} OWNER ${to}.`;
  if (/_sluice/.test(said))
    return `GRANT USAGE, CREATE ON SCHEMA _sluice ${to}; and SELECT, INSERT, UPDATE, DELETE ON ALL TABLES in it.`;
  if (/schema/i.test(said)) return `GRANT USAGE, CREATE ON SCHEMA ${quoteName(schema)} ${to};`;
  return `GRANT SELECT, INSERT, UPDATE, DELETE ON ${what} ${to};`;
}
