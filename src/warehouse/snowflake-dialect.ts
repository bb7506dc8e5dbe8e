import type { Aggregate, Dialect, Grain, JsonType, HashedValue, ValueType } from './dialect.ts';
import { joinedTexts } from './row-hash.ts';
import { joinSql, nameSql, rawSql, sql, type Sql } from './sql.ts';
import { quoteName, type Bind } from './warehouse.ts';

/** There is no type for UUIDs: they are text. A moment is kept in UTC, and shown in the zone of the session. */
const typeNames: Record<ValueType, string> = {
  text: 'VARCHAR',
  integer: 'NUMBER(38, 0)',
  decimal: 'NUMBER(38, 10)',
  float: 'FLOAT',
  boolean: 'BOOLEAN',
  uuid: 'VARCHAR',
  date: 'DATE',
  timestamp: 'TIMESTAMP_NTZ',
  timestamptz: 'TIMESTAMP_LTZ',
  json: 'VARIANT',
  other: 'VARCHAR',
};

const valueTypes = new Map<string, ValueType>([
  ['VARCHAR', 'text'],
  ['TEXT', 'text'],
  ['FLOAT', 'float'],
  ['REAL', 'float'],
  ['BOOLEAN', 'boolean'],
  ['DATE', 'date'],
  ['TIMESTAMP_NTZ', 'timestamp'],
  ['TIMESTAMP_LTZ', 'timestamptz'],
  ['TIMESTAMP_TZ', 'timestamptz'],
  ['VARIANT', 'json'],
  ['OBJECT', 'json'],
]);

const periodsPerYear: Partial<Record<Grain, number>> = { MONTH: 12, QUARTER: 4, YEAR: 1 };

/**
 * How Snowflake spells it. Its statements are run with the session's zone in UTC, which is what TIMESTAMP_LTZ is shown in and
 * texts without a zone are read in.
 */
export const snowflakeDialect: Dialect = {
  quoteName,
  // A backslash begins an escape in its literals.
  quoteText: (text) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`,
  placeholder: () => '?',
  valueType(dataType) {
    const [, name, scale] =
      /^(\w+)\s*(?:\(\s*\d+\s*(?:,\s*(\d+)\s*)?\))?$/.exec(dataType.toUpperCase()) ?? [];
    if (name === 'NUMBER') return Number(scale ?? 0) > 0 ? 'decimal' : 'integer';
    return valueTypes.get(name ?? '') ?? 'other';
  },
  cast: (value, type) =>
    type === 'json' ? sql`PARSE_JSON(${value})` : sql`CAST(${value} AS ${rawSql(typeNames[type])})`,
  // It takes nothing but texts.
  tryCast: (value, type) =>
    type === 'json'
      ? sql`TRY_PARSE_JSON(CAST(${value} AS VARCHAR))`
      : sql`TRY_CAST(CAST(${value} AS VARCHAR) AS ${rawSql(typeNames[type])})`,
  listRows: (list, type) =>
    sql`(SELECT ${itemOf(sql`VALUE`, type)} AS ${nameSql('item')} FROM TABLE(FLATTEN(INPUT => PARSE_JSON(${list}))))`,
  listsRows(columns) {
    const rows = (columns[0]?.list ?? []).map((_, at): Bind => columns.map(({ list }) => list[at] as Bind));
    const items = columns.map(
      ({ name, type }, at) =>
        sql`${itemOf(sql`GET(VALUE, ${rawSql(String(at))})`, type)} AS ${nameSql(name)}`,
    );
    return sql`(SELECT ${joinSql(items)} FROM TABLE(FLATTEN(INPUT => PARSE_JSON(${rows}))))`;
  },
  // GET takes any name for itself; in a path, dots and quotes would be syntax.
  jsonText: (json, property, held) => sql`TO_VARCHAR(GET(${variantOf(json, held)}, ${property}))`,
  jsonNames: (json, from, held) =>
    sql`(SELECT DISTINCT names.KEY AS ${nameSql('item')} FROM ${from}, LATERAL FLATTEN(INPUT => ${variantOf(json, held)}, MODE => 'OBJECT') AS names)`,
  contains: (text, part) => sql`CONTAINS(LOWER(${text}), LOWER(${part}))`,
  startsWith: (text, part) => sql`STARTSWITH(${text}, ${part})`,
  same: (left, right) => sql`${left} IS NOT DISTINCT FROM ${right}`,
  instant(value, type) {
    if (type === 'timestamptz') return value;
    return sql`CAST(CAST(${value} AS TIMESTAMP_NTZ) AS TIMESTAMP_LTZ)`;
  },
  periodNumber(moment, type, grain, aheadMs) {
    // A TIMESTAMP_TZ would show the clock of the offset that it was written with.
    const utc =
      type === 'timestamptz' ? sql`CAST(CAST(${moment} AS TIMESTAMP_LTZ) AS TIMESTAMP_NTZ)` : moment;
    const shown = aheadMs === null ? utc : sql`DATEADD('MILLISECOND', ${aheadMs}, ${utc})`;
    const perYear = periodsPerYear[grain];
    if (perYear === 1) return sql`YEAR(${shown})`;
    if (perYear !== undefined) {
      return sql`YEAR(${shown}) * ${rawSql(String(perYear))} + ${rawSql(grain)}(${shown}) - 1`;
    }
    // The day that it counts from is a Monday.
    const count = (unit: string, of: Sql) =>
      sql`DATEDIFF('${rawSql(unit)}', CAST('0001-01-01' AS TIMESTAMP_NTZ), ${of})`;
    if (grain === 'DAY') return count('DAY', shown);
    if (grain === 'WEEK') return sql`CAST(FLOOR(${count('DAY', shown)} / 7) AS NUMBER(38, 0))`;
    const start = count('SECOND', sql`DATE_TRUNC('${rawSql(grain)}', ${shown})`);
    return aheadMs === null ? start : sql`${start} - CAST(FLOOR(${aheadMs} / 1000) AS NUMBER(38, 0))`;
  },
  addMs: (instant, ms) => sql`DATEADD('MILLISECOND', ${ms}, ${instant})`,
  addMonths: (instant, months) => sql`DATEADD('MONTH', ${months}, CAST(${instant} AS TIMESTAMP_LTZ))`,
  hasBit: (number, bit) => sql`BITAND(${number}, ${rawSql(String(2n ** BigInt(bit)))}) <> 0`,
  aggregate,
  rowHash: (values) =>
    sql`MD5(${joinedTexts(values.map(exactText), (text) => sql`CAST(LENGTH(${text}) AS VARCHAR)`)})`,
};

/** A value as a text that no other value of its type has, whatever formats the session or account has set. */
function exactText({ value, dataType }: HashedValue): Sql {
  const [name = ''] = /^\w+/.exec(dataType.toUpperCase()) ?? [];
  // The text of a float has 15 digits of its 17 or fewer, and its HASH is of all of them.
  if (name === 'FLOAT' || name === 'REAL') {
    return sql`CAST(${value} AS VARCHAR) || ' ' || CAST(HASH(${value}) AS VARCHAR)`;
  }
  if (name === 'BINARY') return sql`HEX_ENCODE(${value})`;
  const format = exactFormats[name];
  return format === undefined
    ? sql`CAST(${value} AS VARCHAR)`
    : sql`TO_CHAR(${value}, ${rawSql(`'${format}'`)})`;
}

const exactFormats: Record<string, string> = {
  DATE: 'YYYY-MM-DD',
  TIME: 'HH24:MI:SS.FF9',
  TIMESTAMP_NTZ: 'YYYY-MM-DD HH24:MI:SS.FF9',
  TIMESTAMP_LTZ: 'YYYY-MM-DD HH24:MI:SS.FF9 TZHTZM',
  TIMESTAMP_TZ: 'YYYY-MM-DD HH24:MI:SS.FF9 TZHTZM',
};

/** GET and FLATTEN take no text. */
function variantOf(json: Sql, held: JsonType): Sql {
  return held === 'json' ? json : sql`TRY_PARSE_JSON(${json})`;
}

/** An element of a list bind: each is text in its JSON, so that AS_VARCHAR gives it as it is. */
function itemOf(variant: Sql, type: ValueType): Sql {
  const text = sql`AS_VARCHAR(${variant})`;
  return typeNames[type] === 'VARCHAR' ? text : snowflakeDialect.cast(text, type);
}

/** There is no FILTER: what does not count is NULL, which no aggregate counts. */
function aggregate({ aggregation, value, percentile, where }: Aggregate): Sql {
  const counted = where === undefined ? value : sql`CASE WHEN ${where} THEN ${value ?? rawSql('1')} END`;
  if (counted === null) return rawSql('COUNT(*)');
  switch (aggregation) {
    case 'COUNT_DISTINCT':
      return sql`COUNT(DISTINCT ${counted})`;
    case 'PERCENTILE':
      return sql`PERCENTILE_CONT(${rawSql(String(percentile))}) WITHIN GROUP (ORDER BY ${counted})`;
    case 'COUNT':
    case 'MEDIAN':
    case 'SUM':
    case 'AVG':
    case 'MIN':
    case 'MAX':
    default:
      return sql`${rawSql(aggregation)}(${counted})`;
  }
}
