import type { Aggregate, Dialect, Grain, ValueType } from './dialect.ts';
import { rawSql, sql, type Sql } from './sql.ts';
import { quoteName } from './warehouse.ts';

const typeNames: Record<ValueType, string> = {
  text: 'VARCHAR',
  integer: 'BIGINT',
  decimal: 'DECIMAL(38, 10)',
  float: 'DOUBLE',
  boolean: 'BOOLEAN',
  uuid: 'UUID',
  date: 'DATE',
  timestamp: 'TIMESTAMP',
  timestamptz: 'TIMESTAMPTZ',
  json: 'JSON',
  other: 'VARCHAR',
};

const valueTypes = new Map<string, ValueType>([
  ...[
    'TINYINT',
    'SMALLINT',
    'INTEGER',
    'BIGINT',
    'UTINYINT',
    'USMALLINT',
    'UINTEGER',
    'UBIGINT',
    'HUGEINT',
  ].map((name) => [name, 'integer'] as const),
  ['VARCHAR', 'text'],
  ['UUID', 'uuid'],
  ['FLOAT', 'float'],
  ['DOUBLE', 'float'],
  ['BOOLEAN', 'boolean'],
  ['DATE', 'date'],
  ['TIMESTAMP', 'timestamp'],
  ['TIMESTAMP_S', 'timestamp'],
  ['TIMESTAMP_MS', 'timestamp'],
  ['TIMESTAMP_NS', 'timestamp'],
  ['TIMESTAMP WITH TIME ZONE', 'timestamptz'],
  ['JSON', 'json'],
]);

/** The units of time that are cut in UTC already where the zone's clock differs from it by whole ones. */
const shortGrains: readonly Grain[] = ['MINUTE', 'HOUR'];

/** How DuckDB spells it. */
export const duckDbDialect: Dialect = {
  quoteName,
  quoteText: (text) => `'${text.replaceAll("'", "''")}'`,
  placeholder: () => '?',
  valueType(dataType) {
    if (/^DECIMAL\(/i.test(dataType)) return 'decimal';
    if (/^ENUM\(/i.test(dataType)) return 'text';
    return valueTypes.get(dataType.toUpperCase()) ?? 'other';
  },
  cast: (value, type) => sql`CAST(${value} AS ${rawSql(typeNames[type])})`,
  tryCast: (value, type) => sql`TRY_CAST(${value} AS ${rawSql(typeNames[type])})`,
  listRows: (list, type) => sql`(SELECT unnest(CAST(${list} AS ${rawSql(typeNames[type])}[])) AS item)`,
  // With a JSON pointer every name means itself; with a path, dots and quotes would be syntax.
  jsonText: (json, property) => sql`json_extract_string(${json}, ${pointerTo(property)})`,
  jsonNames: (json, from) => sql`(SELECT DISTINCT unnest(json_keys(${json})) AS item FROM ${from})`,
  contains: (text, part) => sql`contains(lower(${text}), lower(${part}))`,
  startsWith: (text, part) => sql`starts_with(${text}, ${part})`,
  instant(value, type) {
    if (type === 'timestamptz') return value;
    return sql`CAST(${value} AS TIMESTAMP) AT TIME ZONE 'UTC'`;
  },
  periodStart(instant, grain, timeZone) {
    const unit = rawSql(`'${grain.toLowerCase()}'`);
    // The session is in UTC, so that truncating a TIMESTAMPTZ truncates in UTC.
    if (timeZone === 'UTC') return sql`date_trunc(${unit}, ${instant})`;
    const local = sql`timezone(${timeZone}, ${instant})`;
    // A repeated hour has one local start and two moments: what has passed of it is taken off the moment itself.
    if (shortGrains.includes(grain)) return sql`(${instant} - (${local} - date_trunc(${unit}, ${local})))`;
    return sql`timezone(${timeZone}, date_trunc(${unit}, ${local}))`;
  },
  addMs: (instant, ms) => sql`(${instant} + to_milliseconds(${ms}))`,
  aggregate,
};

function aggregate({ aggregation, value, percentile, where }: Aggregate): Sql {
  const filter = where === undefined ? rawSql('') : sql` FILTER (WHERE ${where})`;
  switch (aggregation) {
    case 'COUNT':
      return value === null ? sql`count(*)${filter}` : sql`count(${value})${filter}`;
    case 'COUNT_DISTINCT':
      return sql`count(DISTINCT ${value})${filter}`;
    case 'MEDIAN':
      return sql`quantile_cont(${value}, 0.5)${filter}`;
    case 'PERCENTILE':
      return sql`quantile_cont(${value}, ${rawSql(String(percentile))})${filter}`;
    case 'SUM':
    case 'AVG':
    case 'MIN':
    case 'MAX':
    default:
      return sql`${rawSql(aggregation.toLowerCase())}(${value})${filter}`;
  }
}

/** RFC 6901. */
function pointerTo(property: string): string {
  return `/${property.replaceAll('~', '~0').replaceAll('/', '~1')}`;
}
