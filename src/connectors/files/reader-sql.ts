import { duckDbType } from '#connectors/column-type.ts';
import type { ColumnType, StreamColumn } from '#connectors/contract.ts';
import { columnKey } from '#connectors/evolve-columns.ts';
import { quoteName } from '#warehouse/warehouse.ts';
import type { CsvShape } from './csv-header.ts';
import type { Compression } from './file-format.ts';
import { castOrRefuse, isInferred, misfit, sqlText } from './text-casts.ts';

/** How DuckDB reads one file, or several alike. */
export type Reader =
  | { format: 'csv'; compression: Compression; shape: CsvShape; nullString: string }
  | { format: 'json'; compression: Compression; lines: boolean; columns: { name: string; nested: boolean }[] }
  | { format: 'parquet'; columns: { name: string; duckDbType: string }[] };

/** One line or object beyond this is refused by name: the reader's buffers are a small multiple of it. */
const recordBytesMax = 16 * 1024 * 1024;

/**
 * The SELECT that gives the stream's columns from files that one reader fits; columns the files do not have are NULL. No
 * path says anything about the rows: folders named like `year=2024` add no columns.
 */
export function selectFrom(
  reader: Reader,
  doors: readonly string[],
  columns: readonly StreamColumn[],
): string {
  const values = columns.map((column) => `${valueOf(reader, column)} AS ${quoteName(column.name)}`);
  return `SELECT ${values.join(', ')} FROM ${tableFunction(reader, doors)}`;
}

/** The call of DuckDB's reader, every option said, so that no guess of its own changes a value. */
export function tableFunction(
  reader: Reader,
  doors: readonly string[],
  { filename = false }: { filename?: boolean } = {},
): string {
  const files = `[${doors.map(sqlText).join(', ')}]`;
  if (reader.format === 'parquet')
    return `read_parquet(${files}, hive_partitioning = false, union_by_name = false)`;
  if (reader.format === 'json') {
    const columns = reader.columns.map(
      ({ name, nested }) => `${sqlText(name)}: '${nested ? 'JSON' : 'VARCHAR'}'`,
    );
    return (
      `read_json(${files}, ${jsonOptions(reader)}, records = true, columns = {${columns.join(', ')}}, hive_partitioning = false, ` +
      `union_by_name = false)`
    );
  }
  const { shape, nullString, compression } = reader;
  const columns = shape.names.map((_name, at) => `${sqlText(fieldName(at))}: 'VARCHAR'`);
  return (
    `read_csv(${files}, auto_detect = false, columns = {${columns.join(', ')}}, header = ${shape.header}, ` +
    `delim = ${sqlText(shape.delimiter)}, quote = '"', escape = '"', nullstr = ${sqlText(nullString)}, ` +
    `allow_quoted_nulls = false, strict_mode = true, null_padding = false, ignore_errors = false, ` +
    `compression = '${compression}', max_line_size = ${recordBytesMax}, buffer_size = ${2 * recordBytesMax}, filename = ${filename}, ` +
    `hive_partitioning = false, union_by_name = false)`
  );
}

/** The options of all of DuckDB's JSON readers. */
export function jsonOptions({ compression, lines }: { compression: Compression; lines: boolean }): string {
  return (
    `format = '${lines ? 'newline_delimited' : 'auto'}', maximum_object_size = ${recordBytesMax}, ` +
    `compression = '${compression === 'none' ? 'uncompressed' : compression}', ignore_errors = false`
  );
}

/** CSV fields go by their place: names may repeat, be empty, or differ only in case. */
export function fieldName(at: number): string {
  return `f${at}`;
}

function valueOf(reader: Reader, column: StreamColumn): string {
  const key = columnKey(column.name);
  if (reader.format === 'csv') {
    const at = reader.shape.names.findIndex((name) => columnKey(name) === key);
    return at === -1 ? nullOf(column.type) : fromText(fieldName(at), column);
  }
  if (reader.format === 'json') {
    const found = reader.columns.find(({ name }) => columnKey(name) === key);
    if (!found) return nullOf(column.type);
    return column.type.kind === 'json' && found.nested
      ? quoteName(found.name)
      : fromText(quoteName(found.name), column);
  }
  const found = reader.columns.find(({ name }) => columnKey(name) === key);
  return found ? fromNative(quoteName(found.name), found.duckDbType, column) : nullOf(column.type);
}

function fromText(text: string, { type, name }: StreamColumn): string {
  if (isInferred(type)) return castOrRefuse(text, type.kind, name);
  return type.kind === 'text' ? `CAST(${text} AS VARCHAR)` : `CAST(${text} AS ${duckDbType(type)})`;
}

function fromNative(value: string, native: string, { type, name }: StreamColumn): string {
  if (native === 'TIMESTAMP_NS' && type.kind === 'timestamp') {
    return (
      `CASE WHEN ${value} IS NULL THEN NULL WHEN epoch_ns(${value}) % 1000 = 0 THEN CAST(${value} AS TIMESTAMP) ` +
      `ELSE ${misfit(value, name)} END`
    );
  }
  if (type.kind === 'json' && native !== 'JSON') return `to_json(${value})`;
  if (native === duckDbType(type)) return value;
  return `CAST(${value} AS ${duckDbType(type)})`;
}

function nullOf(type: ColumnType): string {
  return `CAST(NULL AS ${duckDbType(type)})`;
}

/** Equal for readers that may share one call. */
export function readerKey(reader: Reader): string {
  return JSON.stringify(reader);
}
