import { duckDbType, typeName } from '#connectors/column-type.ts';
import type { ColumnType, StreamColumn, StreamPlan } from '#connectors/contract.ts';
import { columnKey } from '#connectors/evolve-columns.ts';
import { quoteName } from '#warehouse/warehouse.ts';

/** A file of rows, and the columns it has. */
export interface Rows {
  path: string;
  columns: readonly StreamColumn[];
}

/** Rows a reader can skip at once: DuckDB's own default, which its readers also share out among threads. */
const rowGroupRows = 122_880;

/** What Parquet cannot keep exactly goes in as text: it has intervals to the millisecond only. */
export function parquetColumns(columns: readonly StreamColumn[]): StreamColumn[] {
  return columns.map((column) => {
    const type = withoutIntervals(column.type);
    if (typeName(type) === typeName(column.type)) return column;
    return { ...column, type, asTextBecause: 'Parquet keeps intervals to the millisecond only' };
  });
}

function withoutIntervals(type: ColumnType): ColumnType {
  if (type.kind === 'interval') return { kind: 'text' };
  return type.kind === 'list' ? { kind: 'list', of: withoutIntervals(type.of) } : type;
}

/** Takes DuckDB a ninth less CPU than its default of 3, for files a tenth larger. */
const zstdLevel = 1;

/** Writes a query's rows into one file. */
export function copyTo(select: string, path: string, compression: string): string {
  const level = compression === 'zstd' ? `, COMPRESSION_LEVEL ${zstdLevel}` : '';
  return `COPY (${select}) TO ${text(path)} (FORMAT parquet, COMPRESSION ${compression}${level}, ROW_GROUP_SIZE ${rowGroupRows})`;
}

/** The columns `to` from rows that have the columns `from`: cast where they differ, NULL where they are missing. */
export function reshaped(from: readonly StreamColumn[], to: readonly StreamColumn[]): string {
  const values = to.map((column) => {
    const found = from.find((each) => columnKey(each.name) === columnKey(column.name));
    return `CAST(${found ? quoteName(found.name) : 'NULL'} AS ${duckDbType(column.type)}) AS ${quoteName(column.name)}`;
  });
  return values.join(', ');
}

export function readRows(rows: Rows, to: readonly StreamColumn[]): string {
  return `SELECT ${reshaped(rows.columns, to)} FROM ${parquet([rows.path])}`;
}

/** No rows, with the columns: a table is readable from its first publish. */
export function noRows(columns: readonly StreamColumn[]): string {
  return `SELECT ${reshaped([], columns)} WHERE false`;
}

/** All rows of files that have the columns already. */
export function allRows(paths: readonly string[], columns: readonly StreamColumn[]): string {
  return `SELECT ${columns.map((column) => quoteName(column.name)).join(', ')} FROM ${parquet(paths)}`;
}

/** Whether a row has the cursor's value that the last publish may have taken rows of. */
export function isTie(ties: NonNullable<StreamPlan['ties']>, columns: readonly StreamColumn[]): string {
  const column = columns.find((each) => columnKey(each.name) === columnKey(ties.column));
  if (!column) return 'false';
  return `${quoteName(column.name)} IS NOT DISTINCT FROM CAST(${text(ties.value)} AS ${duckDbType(column.type)})`;
}

/**
 * The last version of each key: the greatest cursor where there is one, then the later part in the order of their ids, then
 * the later row.
 */
export function lastVersions(
  paths: readonly string[],
  columns: readonly StreamColumn[],
  key: readonly string[],
  cursor: string | null,
): string {
  const newest = [
    ...(cursor === null ? [] : [`${quoteName(cursor)} DESC NULLS LAST`]),
    `list_position([${paths.map(text).join(', ')}], filename) DESC`,
    'file_row_number DESC',
  ];
  const kept = columns.map((column) => quoteName(column.name)).join(', ');
  return (
    `SELECT ${kept} FROM read_parquet([${paths.map(text).join(', ')}], filename = true, file_row_number = true, hive_partitioning = false) ` +
    `QUALIFY row_number() OVER (PARTITION BY ${key.map(quoteName).join(', ')} ORDER BY ${newest.join(', ')}) = 1`
  );
}

/** Joins two rows of one key, NULLs being equal. */
export function sameKey(key: readonly string[], left: string, right: string): string {
  return key
    .map((column) => `${left}.${quoteName(column)} IS NOT DISTINCT FROM ${right}.${quoteName(column)}`)
    .join(' AND ');
}

export function parquet(paths: readonly string[]): string {
  return `read_parquet([${paths.map(text).join(', ')}], hive_partitioning = false)`;
}

function text(value: string): string {
  return `'${value.replaceAll("'", "''")}'`;
}
