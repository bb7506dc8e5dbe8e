import type { Aggregate, Dialect, Grain, HashedValue, JsonType, ValueType } from './dialect.ts';
import { joinedTexts } from './row-hash.ts';
import { joinSql, nameSql, rawSql, sql, type Sql } from './sql.ts';

/** There is no type for UUIDs: they are text. A decimal has 38 digits on either side of its point. */
const typeNames: Record<ValueType, string> = {
  text: 'STRING',
  integer: 'INT64',
  decimal: 'BIGNUMERIC',
  float: 'FLOAT64',
  boolean: 'BOOL',
  uuid: 'STRING',
  date: 'DATE',
  timestamp: 'DATETIME',
  timestamptz: 'TIMESTAMP',
  json: 'JSON',
  other: 'STRING',
};

const valueTypes = new Map<string, ValueType>([
  ['STRING', 'text'],
  ['INT64', 'integer'],
  ['NUMERIC', 'decimal'],
  ['BIGNUMERIC', 'decimal'],
  ['FLOAT64', 'float'],
  ['BOOL', 'boolean'],
  ['DATE', 'date'],
  ['DATETIME', 'timestamp'],
  ['TIMESTAMP', 'timestamptz'],
  ['JSON', 'json'],
]);

const periodsPerYear: Partial<Record<Grain, number>> = { MONTH: 12, QUARTER: 4, YEAR: 1 };

/** How BigQuery spells it. Moments are in UTC wherever no zone is named. */
export const bigQueryDialect: Dialect = {
  quoteName: (name) => `\`${escaped(name).replaceAll('`', '\\`')}\``,
  quoteText: (text) => `'${escaped(text).replaceAll("'", "\\'")}'`,
  placeholder: (n) => `@p${n}`,
  valueType: (dataType) =>
    valueTypes.get(dataType.toUpperCase().replace(/\s*\(\s*\d+\s*(,\s*\d+\s*)?\)$/, '')) ?? 'other',
  cast(value, type, from) {
    if (type === 'json') return sql`PARSE_JSON(${value})`;
    if (typeNames[type] === 'STRING') return textSql(value, from);
    return sql`CAST(${value} AS ${rawSql(typeNames[type])})`;
  },
  tryCast: (value, type) =>
    type === 'json' ? sql`SAFE.PARSE_JSON(${value})` : sql`SAFE_CAST(${value} AS ${rawSql(typeNames[type])})`,
  listRows: (list, type) =>
    sql`(SELECT ${itemOf(nameSql('text'), type)} AS ${nameSql('item')} FROM UNNEST(${list}) AS ${nameSql('text')})`,
  listsRows(columns) {
    const items = columns.map(
      ({ name, type }, at) => sql`${itemOf(nameSql(`list${at}`), type)} AS ${nameSql(name)}`,
    );
    const lists = columns.map(({ list }, at) => {
      const rows = sql`UNNEST(${list}) AS ${nameSql(`list${at}`)} WITH OFFSET AS ${nameSql(`at${at}`)}`;
      return at === 0 ? rows : sql`${rows} ON ${nameSql(`at${at}`)} = ${nameSql('at0')}`;
    });
    return sql`(SELECT ${joinSql(items)} FROM ${joinSql(lists, ' INNER JOIN ')})`;
  },
  // A subscript takes any name for itself; in a path, dots and quotes would be syntax. JSON_VALUE is NULL of what is no scalar.
  jsonText(json, property, held) {
    const field = sql`${parsed(json, held)}[${property}]`;
    return sql`COALESCE(JSON_VALUE(${field}), NULLIF(TO_JSON_STRING(${field}), 'null'))`;
  },
  jsonNames(json, from, held) {
    const name = nameSql('#name');
    // Names that are no plain words come in quotes.
    const plain = sql`IF(STARTS_WITH(${name}, '"'), COALESCE(JSON_VALUE(SAFE.PARSE_JSON(${name})), ${name}), ${name})`;
    return sql`(SELECT DISTINCT ${plain} AS ${nameSql('item')} FROM ${from}, UNNEST(JSON_KEYS(${parsed(json, held)}, 1)) AS ${name})`;
  },
  contains: (text, part) => sql`(STRPOS(LOWER(${text}), LOWER(${part})) > 0)`,
  startsWith: (text, part) => sql`STARTS_WITH(${text}, ${part})`,
  // A join on IS NOT DISTINCT FROM alone is no join on equal values to it, which a LEFT JOIN has to be.
  same: (left, right) => sql`TO_JSON_STRING(${left}) = TO_JSON_STRING(${right})`,
  instant: (value, type) => (type === 'timestamptz' ? value : sql`TIMESTAMP(${value})`),
  periodNumber(moment, type, grain, aheadMs) {
    const unit = rawSql(type === 'timestamptz' ? 'TIMESTAMP' : 'DATETIME');
    const clock = type === 'date' ? sql`CAST(${moment} AS DATETIME)` : moment;
    const shown = aheadMs === null ? clock : sql`${unit}_ADD(${clock}, INTERVAL (${aheadMs}) MILLISECOND)`;
    const perYear = periodsPerYear[grain];
    if (perYear === 1) return sql`EXTRACT(YEAR FROM ${shown})`;
    if (perYear !== undefined) {
      return sql`EXTRACT(YEAR FROM ${shown}) * ${rawSql(String(perYear))} + EXTRACT(${rawSql(grain)} FROM ${shown}) - 1`;
    }
    // The day that it counts from is a Monday.
    const days = sql`DATE_DIFF(DATE(${shown}), DATE '0001-01-01', DAY)`;
    if (grain === 'DAY') return days;
    if (grain === 'WEEK') return sql`DIV(${days}, 7)`;
    const era = sql`${unit} '0001-01-01 00:00:00'`;
    const start = sql`${unit}_DIFF(${unit}_TRUNC(${shown}, ${rawSql(grain)}), ${era}, SECOND)`;
    return aheadMs === null ? start : sql`${start} - DIV(${aheadMs}, 1000)`;
  },
  addMs: (instant, ms) => sql`(${instant} + INTERVAL ${BigInt(Math.round(ms * 1000))} MICROSECOND)`,
  // A moment cannot be moved by months: what its clock shows can.
  addMonths(instant, months, type) {
    const moved = sql`DATETIME_ADD(CAST(${instant} AS DATETIME), INTERVAL ${BigInt(months)} MONTH)`;
    return type === 'timestamptz' ? sql`TIMESTAMP(${moved})` : moved;
  },
  hasBit: (number, bit) => sql`(${number} & ${rawSql(String(2n ** BigInt(bit)))}) <> 0`,
  aggregate,
  rowHash: (values) =>
    sql`TO_HEX(MD5(${joinedTexts(values.map(exactText), (text) => sql`CAST(LENGTH(${text}) AS STRING)`)}))`,
};

/** Types whose cast to text says all that a value holds. */
const exactCasts = /^(STRING|INT64|NUMERIC|BIGNUMERIC|BOOL|DATE|DATETIME|TIME|TIMESTAMP)\b/i;

/** A value as a text that no other value of its type has. */
function exactText({ value, dataType }: HashedValue): Sql {
  if (exactCasts.test(dataType)) return sql`CAST(${value} AS STRING)`;
  return sql`IF(${value} IS NULL, NULL, FORMAT('%T', ${value}))`;
}

/** Backslashes begin escapes in its quotes, which may not go over the end of a line. */
function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('\r', '\\r');
}

/** JSON that is kept as text; a text that is none counts for nothing. */
function parsed(json: Sql, held: JsonType): Sql {
  return held === 'text' ? sql`SAFE.PARSE_JSON(${json})` : json;
}

/** JSON, lists, records and the like cannot be cast. */
function textSql(value: Sql, from: ValueType | undefined): Sql {
  if (from === 'json') return sql`IF(${value} IS NULL, NULL, TO_JSON_STRING(${value}))`;
  if (from === 'other') return sql`IF(${value} IS NULL, NULL, FORMAT('%t', ${value}))`;
  return sql`CAST(${value} AS STRING)`;
}

/** An element of a list bind, which is text. */
function itemOf(text: Sql, type: ValueType): Sql {
  return typeNames[type] === 'STRING' ? text : bigQueryDialect.cast(text, type);
}

/** There is no FILTER: what does not count is NULL, which no aggregate counts. */
function aggregate({ aggregation, value, percentile, where }: Aggregate): Sql {
  const counted = where === undefined ? value : sql`CASE WHEN ${where} THEN ${value ?? rawSql('1')} END`;
  if (counted === null) return rawSql('COUNT(*)');
  switch (aggregation) {
    case 'COUNT_DISTINCT':
      return sql`COUNT(DISTINCT ${counted})`;
    case 'MEDIAN':
      return percentileSql(counted, 0.5);
    case 'PERCENTILE':
      return percentileSql(counted, percentile as number);
    case 'COUNT':
    case 'SUM':
    case 'AVG':
    case 'MIN':
    case 'MAX':
    default:
      return sql`${rawSql(aggregation)}(${counted})`;
  }
}

/** PERCENTILE_CONT is no aggregate, and APPROX_QUANTILES not exact: between the two values that are nearest in the sorted list. */
function percentileSql(value: Sql, percentile: number): Sql {
  const place = sql`${rawSql(String(percentile))} * (COUNT(${value}) - 1)`;
  const at = (round: string) =>
    sql`ARRAY_AGG(${value} IGNORE NULLS ORDER BY ${value})[SAFE_OFFSET(CAST(${rawSql(round)}(${place}) AS INT64))]`;
  const low = at('FLOOR');
  return sql`${low} + (${at('CEIL')} - ${low}) * (${place} - FLOOR(${place}))`;
}
