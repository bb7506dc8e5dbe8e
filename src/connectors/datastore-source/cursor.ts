import { ConnectorError, type StreamSelection } from '#connectors/contract.ts';
import { mayBeCursor } from '#connectors/postgres/describe-tables.ts';
import { allOf, nameSql, rawSql, type Sql, sql } from '#warehouse/sql.ts';
import type { Warehouse } from '#warehouse/warehouse.ts';
import type { Moment } from './moment.ts';
import type { Relation, SourceColumn } from './relations.ts';

interface Cursor {
  /** The highest value that this run takes, as text. */
  upper: string | null;
  /** The rows of this run; null for all. */
  where: Sql | null;
  warning: string | null;
}

/**
 * Which rows an INCREMENTAL run takes, as the PostgreSQL source does: those from the last cursor value on, ties included,
 * and in the first run all, NULLs too. NULL, NaN and infinity are no cursor values: later runs leave such rows and warn.
 */
export async function newCursor(
  moment: Moment,
  warehouse: Warehouse,
  { relation, selection, before }: { relation: Relation; selection: StreamSelection; before: string | null },
): Promise<Cursor> {
  const column = cursorColumn(relation, selection);
  const name = nameSql(column.name);
  const counts = countsSql(warehouse, column, name);
  const lower = before === null ? null : sql`${name} >= CAST(${before} AS ${rawSql(column.dataType)})`;
  const [top] = await moment.texts(
    sql`SELECT ${textSql(warehouse, name)} AS v FROM ${relation.from} AS r
      WHERE ${allOf(lower ? [counts, lower] : [counts])} ORDER BY ${name} DESC LIMIT 1`,
  );
  const highest = top?.[0] ?? null;
  return {
    upper: (highest === null ? null : asWritten(column, highest)) ?? before,
    where: lower && allOf([lower, counts]),
    warning: lower === null ? null : await leftOut(moment, relation, { name, counts }),
  };
}

function cursorColumn(relation: Relation, selection: StreamSelection): SourceColumn {
  const column = relation.columns.find((each) => each.name === selection.cursorField);
  if (column && mayBeCursor(column)) return column;
  const said = column
    ? `"${column.name}" (${column.dataType}) cannot be a cursor`
    : `There is no column "${selection.cursorField}" any more`;
  const names = relation.columns.filter(mayBeCursor).map((each) => `"${each.name}"`);
  throw new ConnectorError(
    'SCHEMA',
    `${said}. Columns of ${relation.what} that can be a cursor: ${names.join(', ') || 'none'}.`,
    { fix: 'Choose another cursorField, or FULL_REFRESH.' },
  );
}

/** Nothing is above infinity or NaN: once taken for the cursor, no later row would ever be read. */
function countsSql({ engine, dialect }: Warehouse, { type }: SourceColumn, name: Sql): Sql {
  const isTime = ['date', 'timestamp', 'timestamptz'].includes(type.kind);
  const isFloat = type.kind === 'float32' || type.kind === 'float64';
  if (engine === 'DUCKDB' && (isTime || isFloat)) return sql`isfinite(${name})`;
  if (engine === 'POSTGRES' && isTime) return sql`isfinite(${name})`;
  const isWordy = isFloat || (engine === 'POSTGRES' && type.kind === 'decimal');
  if (!isWordy) return sql`${name} IS NOT NULL`;
  return sql`lower(${dialect.cast(name, 'text')}) NOT IN ('nan', 'inf', '-inf', 'infinity', '-infinity')`;
}

/** Engines whose text of a value may depend on settings give the value itself. */
function textSql({ engine, dialect }: Warehouse, name: Sql): Sql {
  return engine === 'DUCKDB' || engine === 'POSTGRES' ? dialect.cast(name, 'text') : name;
}

/** A timestamp without a zone arrives as one in UTC. */
function asWritten({ type }: SourceColumn, text: string): string {
  return type.kind === 'timestamp' ? text.replace(/Z$/, '') : text;
}

async function leftOut(
  moment: Moment,
  { from, what }: Relation,
  { name, counts }: { name: Sql; counts: Sql },
): Promise<string | null> {
  const some = await moment.texts(
    sql`SELECT 'x' AS v FROM ${from} AS r WHERE ${name} IS NULL OR NOT (${counts}) LIMIT 1`,
  );
  if (some.length === 0) return null;
  return `Rows of ${what} whose cursor is NULL, NaN or infinite were taken in the first run only: changes of them are not seen.`;
}
