import type pg from 'pg';
import { quoteName } from '#warehouse/warehouse.ts';
import type { DescribedColumn, DescribedRelation } from './describe-tables.ts';
import { tableSql } from './scan-sql.ts';

/** Where no value was moved out of its table, a row as text stays far below this. */
const shortLineBytes = 4 * 1024 * 1024;

/** For what cannot say how long its values are (views, foreign tables). */
const unknownLineBytes = 64 * 1024 * 1024;

/** A compressed value inside a block expands to 255 times that at most; only longer ones are worth expanding to measure. */
const measuredBytesMin = 16_384;

/**
 * How long a row as text can be, for DuckDB's reader has to be told. Tables with values outside their blocks are asked:
 * most lengths stand beside the pointer to the value, so that the value itself is not read.
 */
export async function lineBytes(
  client: pg.Client,
  relation: DescribedRelation,
  columns: readonly DescribedColumn[],
): Promise<number> {
  const long = columns.filter((column) => column.isLong);
  if (!relation.hasLongValues || long.length === 0) return shortLineBytes;
  if (!['r', 'm', 'p'].includes(relation.kind)) return unknownLineBytes;
  const lengths = long.map(lengthSql);
  const { rows } = await client.query(
    `SELECT coalesce(max(${lengths.join(' + ')}), 0)::text AS bytes FROM ${tableSql(relation)}`,
  );
  // Each byte can be escaped by one more, and the short columns come on top.
  return Math.max(shortLineBytes, Number(rows[0].bytes) * 2 + 1024 * 1024);
}

function lengthSql(column: DescribedColumn): string {
  const name = quoteName(column.name);
  const isText = /^(text|character|json$|xml)/.test(column.sourceType);
  const written = isText ? `octet_length(${name}::text)` : `octet_length(${name}::text) * 2`;
  const measured = isText
    ? written
    : `CASE WHEN pg_column_size(${name}) > ${measuredBytesMin} THEN ${written} ELSE 0 END`;
  return `coalesce((${measured})::int8, 0)`;
}
