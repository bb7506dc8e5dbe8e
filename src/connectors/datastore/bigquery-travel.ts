import type { ColumnType } from '#connectors/contract.ts';
import { rawSql, type Sql, sql } from '#warehouse/sql.ts';
import type { ColumnTravel } from './cloud-loader.ts';

const asIs = <T>(value: T): T => value;
const asText = (value: string) => `CAST(${value} AS VARCHAR)`;
const same = (type: string, kept: ColumnType, write: (value: string) => string = asIs): ColumnTravel => ({
  type,
  kept,
  write,
  staged: type,
  read: asIs,
});
const integer = same('INT64', { kind: 'int64' }, (value) => `CAST(${value} AS BIGINT)`);
const float = same('FLOAT64', { kind: 'float64' }, (value) => `CAST(${value} AS DOUBLE)`);
const keptAsText = (asTextBecause: string): ColumnTravel => ({
  ...same('STRING', { kind: 'text' }, asText),
  asTextBecause,
});

/** BigQuery's dates and moments reach from the year 1 to 9999; DuckDB's further, and to infinity. */
const within = (type: string, last: string) => (value: string) =>
  `${value} BETWEEN ${type} '0001-01-01' AND ${type} '${last}'`;

/** In microseconds, which no time zone has a say in. */
const moment = (type: 'DATETIME' | 'TIMESTAMP', kind: 'timestamp' | 'timestamptz'): ColumnTravel => ({
  type,
  kept: { kind },
  write: (value) => `epoch_us(${value})`,
  staged: 'INT64',
  read: (value) =>
    type === 'TIMESTAMP' ? sql`TIMESTAMP_MICROS(${value})` : sql`DATETIME(TIMESTAMP_MICROS(${value}))`,
  fits:
    type === 'TIMESTAMP'
      ? within('TIMESTAMPTZ', '9999-12-31 23:59:59.999999+00')
      : within('TIMESTAMP', '9999-12-31 23:59:59.999999'),
});

/** NULL stays NULL, of which TO_JSON makes the null of JSON. */
const orNull = (value: Sql, made: Sql) => sql`IF(${value} IS NULL, NULL, ${made})`;

/** What its parser refuses, such as numbers of too many digits, stays as the text that it is. */
const readJson = (value: Sql) => orNull(value, sql`COALESCE(SAFE.PARSE_JSON(${value}), TO_JSON(${value}))`);

const plain: Record<Exclude<ColumnType['kind'], 'decimal' | 'list'>, ColumnTravel> = {
  boolean: same('BOOL', { kind: 'boolean' }),
  int16: integer,
  int32: integer,
  int64: integer,
  float32: float,
  float64: float,
  text: same('STRING', { kind: 'text' }),
  uuid: keptAsText('BigQuery has no type for UUIDs'),
  interval: keptAsText('an interval of BigQuery is not one of microseconds, days and months'),
  date: {
    type: 'DATE',
    kept: { kind: 'date' },
    write: asText,
    staged: 'STRING',
    read: (value) => sql`CAST(${value} AS DATE)`,
    fits: within('DATE', '9999-12-31'),
  },
  time: {
    type: 'TIME',
    kept: { kind: 'time' },
    write: asText,
    staged: 'STRING',
    read: (value) => sql`CAST(${value} AS TIME)`,
    fits: (value) => `${value} < TIME '24:00:00'`,
  },
  timestamp: moment('DATETIME', 'timestamp'),
  timestamptz: moment('TIMESTAMP', 'timestamptz'),
  json: { type: 'JSON', kept: { kind: 'json' }, write: asText, staged: 'STRING', read: readJson },
  bytes: same('BYTES', { kind: 'bytes' }),
};

/** How values of that type travel to BigQuery, and what they are there. */
export function bigQueryTravel(type: ColumnType): ColumnTravel {
  if (type.kind === 'list') return listTravel(type.of);
  if (type.kind !== 'decimal') return plain[type.kind];
  const { precision, scale } = type;
  const name = scale <= 9 && precision - scale <= 29 ? 'NUMERIC' : 'BIGNUMERIC';
  const whole = scale === 0 ? `${name}(${precision})` : `${name}(${precision}, ${scale})`;
  return {
    type: whole,
    kept: type,
    write: asText,
    staged: 'STRING',
    read: (value) => sql`CAST(${value} AS ${rawSql(whole)})`,
  };
}

/** An ARRAY of BigQuery's holds no NULL and no other list, and is never NULL itself: a list is kept as JSON. */
function listTravel(of: ColumnType): ColumnTravel {
  const element = of.kind === 'list' ? 'to_json(x)' : elementOf(of);
  return {
    type: 'JSON',
    kept: { kind: 'json' },
    write: (value) =>
      `CASE WHEN ${value} IS NOT NULL THEN CAST(to_json(list_transform(${value}, x -> ${element})) AS VARCHAR) END`,
    staged: 'STRING',
    read: readJson,
  };
}

function elementOf({ kind }: ColumnType): string {
  if (kind === 'bytes') return 'to_json(hex(x))';
  if (kind !== 'float32' && kind !== 'float64') return 'to_json(x)';
  // JSON has no NaN and no infinity.
  return 'CASE WHEN isfinite(x) THEN to_json(x) ELSE to_json(CAST(x AS VARCHAR)) END';
}

/** What a column of BigQuery's is, by its name in the catalog. */
export function bigQueryColumnType(dataType: string): ColumnType {
  const [, name = '', precision, scale = '0'] = /^(\w+)(?:\((\d+)(?:,\s*(\d+))?\))?$/.exec(dataType) ?? [];
  switch (name) {
    case 'INT64':
      return { kind: 'int64' };
    case 'NUMERIC':
      if (precision === undefined) return { kind: 'decimal', precision: 38, scale: 9 };
      return { kind: 'decimal', precision: Number(precision), scale: Number(scale) };
    case 'BIGNUMERIC':
      // Without bounds it has more digits than any type of a column.
      if (precision === undefined || Number(precision) > 38) return { kind: 'text' };
      return { kind: 'decimal', precision: Number(precision), scale: Number(scale) };
    case 'FLOAT64':
      return { kind: 'float64' };
    case 'BOOL':
      return { kind: 'boolean' };
    case 'DATE':
      return { kind: 'date' };
    case 'TIME':
      return { kind: 'time' };
    case 'DATETIME':
      return { kind: 'timestamp' };
    case 'TIMESTAMP':
      return { kind: 'timestamptz' };
    case 'JSON':
      return { kind: 'json' };
    case 'BYTES':
      return { kind: 'bytes' };
    default:
      return { kind: 'text' };
  }
}

/** A value of one type as another that takes all of them: text as DuckDB writes it. */
export function bigQueryConvert(value: Sql, from: ColumnType, to: ColumnType): Sql {
  if (to.kind !== 'text') {
    const { type } = bigQueryTravel(to);
    return type === 'JSON' ? orNull(value, sql`TO_JSON(${value})`) : sql`CAST(${value} AS ${rawSql(type)})`;
  }
  switch (from.kind) {
    case 'time':
      return sql`FORMAT_TIME('%H:%M:%E*S', ${value})`;
    case 'timestamp':
      return sql`FORMAT_DATETIME('%E4Y-%m-%d %H:%M:%E*S', ${value})`;
    case 'timestamptz':
      return sql`FORMAT_TIMESTAMP('%E4Y-%m-%d %H:%M:%E*S', ${value}) || '+00'`;
    case 'json':
    case 'list':
      return orNull(value, sql`TO_JSON_STRING(${value})`);
    case 'bytes':
      return sql`TO_HEX(${value})`;
    default:
      return sql`CAST(${value} AS STRING)`;
  }
}
