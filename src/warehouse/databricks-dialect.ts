import type { Aggregate, Dialect, Grain, HashedValue, JsonType, ValueType } from './dialect.ts';
import { joinedTexts } from './row-hash.ts';
import { joinSql, nameSql, rawSql, sql, type Sql } from './sql.ts';
import type { Bind } from './warehouse.ts';

/** There is no type for UUIDs: they are text. A TIMESTAMP is a moment, shown in the zone of the session. */
const typeNames: Record<ValueType, string> = {
  text: 'STRING',
  integer: 'BIGINT',
  decimal: 'DECIMAL(38, 10)',
  float: 'DOUBLE',
  boolean: 'BOOLEAN',
  uuid: 'STRING',
  date: 'DATE',
  timestamp: 'TIMESTAMP_NTZ',
  timestamptz: 'TIMESTAMP',
  json: 'VARIANT',
  other: 'STRING',
};

const valueTypes = new Map<string, ValueType>([
  ['STRING', 'text'],
  ['VARCHAR', 'text'],
  ['CHAR', 'text'],
  ['TINYINT', 'integer'],
  ['SMALLINT', 'integer'],
  ['INT', 'integer'],
  ['BIGINT', 'integer'],
  ['DECIMAL', 'decimal'],
  ['FLOAT', 'float'],
  ['DOUBLE', 'float'],
  ['BOOLEAN', 'boolean'],
  ['DATE', 'date'],
  ['TIMESTAMP', 'timestamptz'],
  ['TIMESTAMP_LTZ', 'timestamptz'],
  ['TIMESTAMP_NTZ', 'timestamp'],
  ['VARIANT', 'json'],
  ['STRUCT', 'json'],
  ['MAP', 'json'],
]);

/** Microseconds from 0001-01-01, a Monday, to 1970-01-01: from there on no number is negative, and DIV cuts as it should. */
const microsOfEra = '62135596800000000';

const periodsPerYear: Partial<Record<Grain, number>> = { MONTH: 12, QUARTER: 4, YEAR: 1 };

const secondsOf: Partial<Record<Grain, number>> = { MINUTE: 60, HOUR: 3600, DAY: 86_400, WEEK: 604_800 };

/** Their periods are known by moments. */
const shortGrains: readonly Grain[] = ['MINUTE', 'HOUR'];

/**
 * How Databricks spells it. Its statements are run with the session's zone in UTC, which is what TIMESTAMP is shown in and texts
 * without a zone are read in, and in ANSI mode, in which a cast fails for what is none of the type.
 */
export const databricksDialect: Dialect = {
  ignoresCase: true,
  quoteName: (name) => `\`${name.replaceAll('`', '``')}\``,
  // Two quotes would join two literals, and ${ would name a variable.
  quoteText: (text) =>
    `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'").replaceAll('${', '\\u0024{')}'`,
  placeholder: (n) => `:p${n}`,
  valueType: (dataType) => valueTypes.get(/^\w+/.exec(dataType.toUpperCase())?.[0] ?? '') ?? 'other',
  cast: (value, type) =>
    type === 'json' ? sql`parse_json(${value})` : sql`CAST(${value} AS ${rawSql(typeNames[type])})`,
  // It takes a text for what it is not asked about, such as a number for a date.
  tryCast: (value, type) =>
    type === 'json'
      ? sql`try_parse_json(CAST(${value} AS STRING))`
      : sql`try_cast(CAST(${value} AS STRING) AS ${rawSql(typeNames[type])})`,
  listRows: (list, type) =>
    sql`(SELECT ${itemOf(sql`listed`, type)} AS ${nameSql('item')} FROM (SELECT explode(from_json(${list}, 'ARRAY<STRING>')) AS listed))`,
  listsRows(columns) {
    const rows = (columns[0]?.list ?? []).map((_, at): Bind => columns.map(({ list }) => list[at] as Bind));
    const items = columns.map(
      ({ name, type }, at) =>
        sql`${itemOf(sql`get(listed, ${rawSql(String(at))})`, type)} AS ${nameSql(name)}`,
    );
    return sql`(SELECT ${joinSql(items)} FROM (SELECT explode(from_json(${rows}, 'ARRAY<ARRAY<STRING>>')) AS listed))`;
  },
  jsonText: (json, property, held) => sql`try_element_at(${propertiesOf(json, held)}, ${property})`,
  jsonNames: (json, from, held) =>
    sql`(SELECT DISTINCT explode(map_keys(${propertiesOf(json, held)})) AS ${nameSql('item')} FROM ${from})`,
  contains: (text, part) => sql`contains(lower(${text}), lower(${part}))`,
  startsWith: (text, part) => sql`startswith(${text}, ${part})`,
  same: (left, right) => sql`${left} IS NOT DISTINCT FROM ${right}`,
  instant: (value, type) => (type === 'timestamptz' ? value : sql`CAST(${value} AS TIMESTAMP)`),
  periodNumber(moment, type, grain, aheadMs) {
    const micros = sql`unix_micros(${databricksDialect.instant(moment, type)})`;
    const local = aheadMs === null ? micros : sql`${micros} + 1000 * ${aheadMs}`;
    const perYear = periodsPerYear[grain];
    if (perYear !== undefined) {
      const shown = aheadMs === null ? moment : sql`timestamp_micros(${local})`;
      if (perYear === 1) return sql`year(${shown})`;
      return sql`year(${shown}) * ${rawSql(String(perYear))} + ${rawSql(perYear === 12 ? 'month' : 'quarter')}(${shown}) - 1`;
    }
    const seconds = secondsOf[grain] as number;
    const number = sql`(${local} + ${rawSql(microsOfEra)}) DIV ${rawSql(`${seconds}000000`)}`;
    if (!shortGrains.includes(grain)) return number;
    const start = sql`${number} * ${rawSql(String(seconds))}`;
    return aheadMs === null ? start : sql`${start} - (${aheadMs}) DIV 1000`;
  },
  addMs: (instant, ms) => sql`timestamp_micros(unix_micros(${instant}) + 1000 * CAST(${ms} AS BIGINT))`,
  addMonths: (instant, months) => sql`timestampadd(MONTH, ${months}, ${instant})`,
  hasBit: (number, bit) => sql`(${number} & ${rawSql(String(2n ** BigInt(bit)))}) <> 0`,
  aggregate,
  rowHash: (values) =>
    sql`md5(${joinedTexts(values.map(exactText), (text) => sql`CAST(length(${text}) AS STRING)`)})`,
};

/** A value as a text that no other value of its type has: floats with all their digits, moments in the session's zone. */
function exactText({ value, dataType }: HashedValue): Sql {
  const [name = ''] = /^\w+/.exec(dataType.toUpperCase()) ?? [];
  if (name === 'BINARY') return sql`hex(${value})`;
  const isNested = ['ARRAY', 'MAP', 'STRUCT', 'VARIANT'].includes(name);
  return isNested ? sql`to_json(${value})` : sql`CAST(${value} AS STRING)`;
}

/** An element of a list bind: each is text in its JSON. */
function itemOf(text: Sql, type: ValueType): Sql {
  return typeNames[type] === 'STRING' ? text : databricksDialect.cast(text, type);
}

/** The properties of a VARIANT, MAP, STRUCT or text as texts by their names; NULL for what is no object. */
function propertiesOf(json: Sql, held: JsonType): Sql {
  return sql`from_json(${held === 'text' ? json : sql`to_json(${json})`}, 'MAP<STRING, STRING>')`;
}

function aggregate({ aggregation, value, percentile, where }: Aggregate): Sql {
  const filter = where === undefined ? rawSql('') : sql` FILTER (WHERE ${where})`;
  switch (aggregation) {
    case 'COUNT':
      return value === null ? sql`count(*)${filter}` : sql`count(${value})${filter}`;
    case 'COUNT_DISTINCT':
      return sql`count(DISTINCT ${value})${filter}`;
    case 'MEDIAN':
      return sql`percentile_cont(0.5) WITHIN GROUP (ORDER BY ${value})${filter}`;
    case 'PERCENTILE':
      return sql`percentile_cont(${rawSql(String(percentile))}) WITHIN GROUP (ORDER BY ${value})${filter}`;
    case 'SUM':
    case 'AVG':
    case 'MIN':
    case 'MAX':
    default:
      return sql`${rawSql(aggregation.toLowerCase())}(${value})${filter}`;
  }
}
