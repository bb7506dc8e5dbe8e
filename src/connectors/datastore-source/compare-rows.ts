import { AppError } from '#base/errors.ts';
import { ConnectorError } from '#connectors/contract.ts';
import { codeOf } from '#warehouse/postgres-errors.ts';
import { type Sql, toStatement } from '#warehouse/sql.ts';
import type { RunOptions, Warehouse } from '#warehouse/warehouse.ts';
import {
  changesSql,
  type Compared,
  countSql,
  generationSql,
  nullKeysSql,
  sinceSql,
  twinsOfStreamSql,
  twinsSql,
} from './difference-sql.ts';
import { isWorthAnew, type Kept, keyOf } from './kept.ts';
import type { OwnNames } from './own-tables.ts';

/** What the statements of one plan share. */
export interface Desk {
  warehouse: Warehouse;
  options: RunOptions;
  compared: Compared;
}

/** What a comparison has found. */
export interface Found {
  /** The table that holds the changes; null where all rows were read at once. */
  changes: string | null;
  /** What is to be kept once they are published. */
  kept: Kept;
  counts: { added: string; changed: string; removed: string };
}

/** Makes the table of the changes and of what is to be remembered with them. */
export async function compare(desk: Desk, names: OwnNames, before: Kept | null): Promise<Found> {
  const { warehouse, compared } = desk;
  const write = (name: string, select: Sql) =>
    warehouse.writeOwn(name, toStatement(select, warehouse.dialect), desk.options);
  return orNothing(desk, names, async () => {
    const total = Number(await write(names.changes, changesSql(compared, before)));
    const kinds = await rowsOf(desk, countSql(names.changes));
    const counts = new Map((kinds as [string, bigint][]).map(([kind, count]) => [kind, String(count)]));
    const count = (kind: string) => counts.get(kind) ?? '0';
    await refuseKeys(desk, names.changes, count('C') !== '0');
    const told = { added: count('A'), changed: count('C'), removed: count('R') };
    const found = (kept: Kept): Found => ({ changes: names.changes, kept, counts: told });
    // What is remembered stays as it is where nothing has changed.
    if (before !== null && total === 0) return found(before);
    const sinceRows = (before?.sinceRows ?? 0) + total;
    if (before !== null && !isWorthAnew(before, sinceRows)) {
      await write(names.since, sinceSql(compared, names.changes, before.since));
      return found({ ...before, since: names.since, sinceRows });
    }
    const rows = await write(names.generation, generationSql(compared, names.changes, before));
    return found(newGeneration(compared, names.generation, rows));
  });
}

/** A generation with nothing changed since. */
export function newGeneration(compared: Compared, generation: string, rows: bigint): Kept {
  return { generation, since: null, key: keyOf(compared), rows: Number(rows), sinceRows: 0 };
}

/** The work; where it fails, none of its tables stays, and the error says what it means for the task. */
export async function orNothing<T>(
  { warehouse, options, compared }: Desk,
  names: OwnNames,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const signal = AbortSignal.timeout(30_000);
    for (const name of Object.values(names)) {
      await warehouse.dropOwn(name, { ...options, signal }).catch(() => undefined);
    }
    options.signal?.throwIfAborted();
    throw refused(error, compared.relation.what);
  }
}

async function rowsOf({ warehouse, options }: Desk, question: Sql): Promise<unknown[][]> {
  return (await warehouse.run(toStatement(question, warehouse.dialect), options)).rows;
}

/** What is not told apart by its key cannot be compared. */
export async function refuseKeys(desk: Desk, table: string, hasChanged: boolean): Promise<void> {
  const { relation, key } = desk.compared;
  const named = key.join(', ');
  const nulls = await rowsOf(desk, nullKeysSql(desk.compared, table));
  if (nulls.length > 0) {
    throw new ConnectorError(
      'SCHEMA',
      `Rows of ${relation.what} have NULL in their key (${named}), such as ${said(nulls)}: they could never be recognised.`,
      { fix: 'Choose a primaryKey that is never NULL, or read with FULL_REFRESH.' },
    );
  }
  const isEnforced = relation.hasEnforcedKey && relation.primaryKey.every((name) => key.includes(name));
  if (isEnforced) return;
  const ofTable = await rowsOf(desk, twinsSql(desk.compared, table));
  const twins =
    ofTable.length === 0 && hasChanged ? await rowsOf(desk, twinsOfStreamSql(desk.compared, table)) : ofTable;
  if (twins.length === 0) return;
  throw new ConnectorError(
    'SCHEMA',
    `Several rows of ${relation.what} have one key (${named}), such as ${said(twins)}.`,
    { fix: 'Choose a primaryKey that tells all rows apart, or read with FULL_REFRESH.' },
  );
}

/** Keys for people: "(1, NULL)". */
function said(keys: readonly unknown[][]): string {
  const valueOf = (value: unknown) => {
    if (value === null) return 'NULL';
    return typeof value === 'object' ? JSON.stringify(value) : `${value as bigint}`;
  };
  return keys.map((key) => `(${key.map(valueOf).join(', ')})`).join(', ');
}

function refused(error: unknown, what: string): unknown {
  if (!(error instanceof AppError)) return error;
  if (
    codeOf(error.cause ?? error) === '42501' ||
    /permission denied|not authorized|insufficient privilege|access denied|PERMISSION_DENIED/i.test(
      error.message,
    )
  ) {
    return new ConnectorError(
      'CONFIG',
      `The datastore does not let a difference of ${what} keep what it remembers: ${error.message}`,
      {
        fix: 'Let the role make the schema "_sluice", or make it and let the role make tables there (PostgreSQL: CREATE SCHEMA _sluice AUTHORIZATION its role); or read with FULL_REFRESH or by a cursor, which need no grant but SELECT.',
        cause: error,
      },
    );
  }
  if (error.code === 'BAD_USER_INPUT') {
    return new ConnectorError('SOURCE', `${what} could not be compared: ${error.message}`, {
      fix: 'Leave columns out with selectedColumns that the datastore cannot write as text.',
      cause: error,
    });
  }
  if (error.code === 'CONFLICT' || error.code === 'WAREHOUSE_UNAVAILABLE') {
    const fix = error.fix === undefined ? {} : { fix: error.fix };
    return new ConnectorError('TRANSIENT', error.message, { ...fix, cause: error });
  }
  return error;
}
