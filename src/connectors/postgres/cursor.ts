import type pg from 'pg';
import { ConnectorError, type Json, type StreamSelection } from '#connectors/contract.ts';
import { sqlText } from '#connectors/files/text-casts.ts';
import { quoteName } from '#warehouse/warehouse.ts';
import { mayBeCursor, type DescribedColumn, type DescribedRelation } from './describe-tables.ts';
import { tableSql } from './scan-sql.ts';

/** The highest cursor value taken so far, as PostgreSQL writes it; null while there was none. */
export interface CursorState {
  cursor: string | null;
}

export interface Cursor {
  /** The highest value that this run takes. */
  upper: string | null;
  /** The rows of this run; null for all. */
  where: string | null;
  estimatedRows: bigint | null;
  /** So few rows that one part does. */
  isSmall: boolean;
  /** No row at or above the cursor. */
  isEmpty: boolean;
  warning: string | null;
}

const smallRows = 250_000n;

/** The state of an earlier run. */
export function cursorOf(state: Json | null): CursorState {
  const cursor = state !== null && typeof state === 'object' && !Array.isArray(state) ? state.cursor : null;
  return { cursor: typeof cursor === 'string' ? cursor : null };
}

/** Whether what an attempt stored belongs to this very plan. */
export function isResumable<T extends { signature: string }>(
  resume: Json | null,
  signature: string,
): resume is T & Json {
  return (
    resume !== null && typeof resume === 'object' && !Array.isArray(resume) && resume.signature === signature
  );
}

/** Both conditions, where there are any. */
export function boundedBy(a: string | null, b: string | null): string | null {
  if (a === null || b === null) return a ?? b;
  return `(${a}) AND (${b})`;
}

/**
 * Which rows an INCREMENTAL run takes: those from the last cursor value on, ties included, and in the first run all, NULLs
 * too. NULL, NaN and infinity are no cursor values: later runs leave such rows and warn. A resumed run goes no further
 * than its first attempt, which may have finished parts below that.
 */
export async function newCursor(
  client: pg.Client,
  relation: DescribedRelation,
  selection: StreamSelection,
  before: CursorState,
  resumed: CursorState | null | undefined,
): Promise<Cursor> {
  const column = cursorColumn(relation, selection);
  const name = quoteName(column.name);
  const counts = countsSql(column, name);
  const value = (text: string) => `${sqlText(text)}::${column.sourceType}`;
  const lower = before.cursor === null ? null : `${name} >= ${value(before.cursor)} AND ${counts}`;
  const upper = resumed
    ? resumed.cursor
    : ((await highest(client, relation, name, boundedBy(counts, lower))) ?? before.cursor);
  const ends = resumed
    ? `${upper === null ? 'false' : `${name} <= ${value(upper)}`}${lower === null ? ` OR NOT (${counts}) OR ${name} IS NULL` : ''}`
    : null;
  const where = boundedBy(lower, ends);
  const estimatedRows = where === null ? relation.estimatedRows : await estimate(client, relation, where);
  return {
    upper,
    where,
    estimatedRows,
    isSmall: where !== null && estimatedRows !== null && estimatedRows <= smallRows,
    isEmpty: false,
    warning: lower === null ? null : await leftOut(client, relation, column, counts),
  };
}

function cursorColumn(relation: DescribedRelation, selection: StreamSelection): DescribedColumn {
  const column = relation.columns.find((each) => each.name === selection.cursorField);
  if (column && mayBeCursor(column)) return column;
  const said = column
    ? `"${column.name}" (${column.sourceType}) cannot be a cursor`
    : `There is no column "${selection.cursorField}" any more`;
  const names = relation.columns.filter(mayBeCursor).map((each) => `"${each.name}"`);
  throw new ConnectorError(
    'SCHEMA',
    `${said}. Columns that can be a cursor: ${names.join(', ') || 'none'}.`,
    {
      fix: 'Choose another cursorField, or FULL_REFRESH.',
    },
  );
}

/** Nothing is above infinity or NaN: once taken for the cursor, no later row would ever be read. */
function countsSql(column: DescribedColumn, name: string): string {
  const { kind } = column.type;
  if (kind === 'date' || kind === 'timestamp' || kind === 'timestamptz') return `isfinite(${name})`;
  if (kind === 'float32' || kind === 'float64') return `${name} NOT IN ('NaN', 'Infinity', '-Infinity')`;
  return kind === 'decimal' ? `${name} <> 'NaN'` : `${name} IS NOT NULL`;
}

/** By order rather than max(): an index answers at once, and not every type has a max. */
async function highest(
  client: pg.Client,
  relation: DescribedRelation,
  name: string,
  where: string | null,
): Promise<string | null> {
  const { rows } = await client.query(
    `SELECT ${name}::text AS value FROM ${tableSql(relation)} WHERE ${where ?? 'true'} ORDER BY ${name} DESC NULLS LAST LIMIT 1`,
  );
  return rows[0]?.value ?? null;
}

async function estimate(
  client: pg.Client,
  relation: DescribedRelation,
  where: string,
): Promise<bigint | null> {
  const { rows } = await client.query(
    `EXPLAIN (FORMAT JSON) SELECT FROM ${tableSql(relation)} WHERE ${where}`,
  );
  const planned = rows[0]?.['QUERY PLAN']?.[0]?.Plan?.['Plan Rows'];
  return typeof planned === 'number' ? BigInt(Math.round(planned)) : null;
}

async function leftOut(
  client: pg.Client,
  relation: DescribedRelation,
  column: DescribedColumn,
  counts: string,
): Promise<string | null> {
  const name = quoteName(column.name);
  const { rows } = await client.query(
    `SELECT EXISTS (SELECT FROM ${tableSql(relation)} WHERE (${counts}) IS NOT TRUE) AS some`,
  );
  if (!rows[0].some) return null;
  return `Rows of ${relation.schema}.${relation.name} whose ${name} is NULL, NaN or infinite were taken in the first run only: changes of them are not seen.`;
}
