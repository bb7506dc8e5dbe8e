import { duckDbType } from '#connectors/column-type.ts';
import type { ColumnType } from '#connectors/contract.ts';
import { rawSql, type Sql, sql } from '#warehouse/sql.ts';
import type { ColumnTravel } from './cloud-loader.ts';

const asIs = <T>(value: T): T => value;
const asText = (value: string) => `CAST(${value} AS VARCHAR)`;

/** What Parquet holds as Databricks does. */
const same = (type: string, kept: ColumnType): ColumnTravel => ({
  type,
  kept,
  write: asIs,
  staged: type,
  read: asIs,
});
const keptAsText = (asTextBecause: string): ColumnTravel => ({
  type: 'STRING',
  kept: { kind: 'text' },
  write: asText,
  staged: 'STRING',
  read: asIs,
  asTextBecause,
});

/** Databricks' dates and moments reach from the year 1 to 9999; DuckDB's further, and to infinity. */
const within = (kind: 'date' | 'timestamp' | 'timestamptz', last: string) => (value: string) =>
  `${value} BETWEEN ${duckDbType({ kind })} '0001-01-01' AND ${duckDbType({ kind })} '${last}'`;

const plain: Record<Exclude<ColumnType['kind'], 'decimal' | 'list'>, ColumnTravel> = {
  boolean: same('BOOLEAN', { kind: 'boolean' }),
  int16: same('SMALLINT', { kind: 'int16' }),
  int32: same('INT', { kind: 'int32' }),
  int64: same('BIGINT', { kind: 'int64' }),
  float32: same('FLOAT', { kind: 'float32' }),
  float64: same('DOUBLE', { kind: 'float64' }),
  text: same('STRING', { kind: 'text' }),
  bytes: same('BINARY', { kind: 'bytes' }),
  uuid: keptAsText('Databricks has no type for UUIDs'),
  interval: keptAsText('Databricks has no type for intervals of months and days'),
  time: keptAsText('Databricks has no type for times of day'),
  // As numbers, dates and moments are read by no calendar and no zone on their way.
  date: {
    type: 'DATE',
    kept: { kind: 'date' },
    write: (value) => `CAST(${value} - DATE '1970-01-01' AS INTEGER)`,
    staged: 'INT',
    read: (value) => sql`date_from_unix_date(${value})`,
    fits: within('date', '9999-12-31'),
  },
  timestamp: {
    type: 'TIMESTAMP_NTZ',
    kept: { kind: 'timestamp' },
    write: (value) => `epoch_us(${value})`,
    staged: 'BIGINT',
    read: (value) => sql`CAST(timestamp_micros(${value}) AS TIMESTAMP_NTZ)`,
    fits: within('timestamp', '9999-12-31 23:59:59.999999'),
  },
  timestamptz: {
    type: 'TIMESTAMP',
    kept: { kind: 'timestamptz' },
    write: (value) => `epoch_us(${value})`,
    staged: 'BIGINT',
    read: (value) => sql`timestamp_micros(${value})`,
    fits: within('timestamptz', '9999-12-31 23:59:59.999999+00'),
  },
  json: {
    type: 'VARIANT',
    kept: { kind: 'json' },
    write: asText,
    staged: 'STRING',
    // What its parser refuses stays, as the text that it is.
    read: (value) => sql`coalesce(try_parse_json(${value}), CAST(${value} AS VARIANT))`,
  },
};

/** How values of that type travel to Databricks, and what they are there. */
export function databricksTravel(type: ColumnType): ColumnTravel {
  if (type.kind === 'list') return listTravel(type.of);
  if (type.kind !== 'decimal') return plain[type.kind];
  return same(`DECIMAL(${type.precision},${type.scale})`, type);
}

/** Elements that Parquet holds as Databricks does stay what they are, and all others are texts. */
function listTravel(of: ColumnType): ColumnTravel {
  const element = databricksTravel(of);
  const isSame = element.staged === element.type && element.asTextBecause === undefined;
  const name = `ARRAY<${isSame ? element.type : 'STRING'}>`;
  return {
    type: name,
    kept: { kind: 'list', of: isSame ? element.kept : { kind: 'text' } },
    write: (value) =>
      isSame
        ? value
        : `list_transform(${value}, x -> ${of.kind === 'list' ? 'CAST(to_json(x) AS VARCHAR)' : asText('x')})`,
    staged: name,
    read: asIs,
  };
}

const kinds: Record<string, ColumnType> = {
  BOOLEAN: { kind: 'boolean' },
  TINYINT: { kind: 'int16' },
  SMALLINT: { kind: 'int16' },
  INT: { kind: 'int32' },
  BIGINT: { kind: 'int64' },
  FLOAT: { kind: 'float32' },
  DOUBLE: { kind: 'float64' },
  DATE: { kind: 'date' },
  TIMESTAMP: { kind: 'timestamptz' },
  TIMESTAMP_NTZ: { kind: 'timestamp' },
  BINARY: { kind: 'bytes' },
  VARIANT: { kind: 'json' },
};

/** What a column of Databricks' is, by its name in the catalog. */
export function databricksColumnType(dataType: string): ColumnType {
  const name = dataType.trim().toUpperCase();
  const [, element] = /^ARRAY<(.*)>$/.exec(name) ?? [];
  if (element !== undefined) return { kind: 'list', of: databricksColumnType(element) };
  const [, precision, scale] = /^DECIMAL\((\d+),\s*(\d+)\)$/.exec(name) ?? [];
  if (precision !== undefined) return { kind: 'decimal', precision: Number(precision), scale: Number(scale) };
  return kinds[name] ?? { kind: 'text' };
}

/** A value of one type as another that takes all of them: text as DuckDB writes it. */
export function databricksConvert(value: Sql, from: ColumnType, to: ColumnType): Sql {
  if (to.kind !== 'text') return sql`CAST(${value} AS ${rawSql(databricksTravel(to).type)})`;
  switch (from.kind) {
    case 'timestamptz':
      return sql`CAST(CAST(${value} AS TIMESTAMP_NTZ) AS STRING) || '+00'`;
    case 'json':
    case 'list':
      return sql`to_json(${value})`;
    default:
      return sql`CAST(${value} AS STRING)`;
  }
}
