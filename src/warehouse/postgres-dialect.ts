import type { Aggregate, Dialect, Grain, ValueType } from './dialect.ts';
import { timeText } from './postgres-values.ts';
import { joinedTexts } from './row-hash.ts';
import { joinSql, nameSql, rawSql, sql, type Sql, typedBind } from './sql.ts';
import { quoteName } from './warehouse.ts';

const typeNames: Record<ValueType, string> = {
  text: 'text',
  integer: 'bigint',
  decimal: 'numeric',
  float: 'double precision',
  boolean: 'boolean',
  uuid: 'uuid',
  date: 'date',
  timestamp: 'timestamp',
  timestamptz: 'timestamptz',
  json: 'jsonb',
  other: 'text',
};

/** As format_type writes them, without what follows in parentheses. */
const valueTypes = new Map<string, ValueType>([
  ['smallint', 'integer'],
  ['integer', 'integer'],
  ['bigint', 'integer'],
  ['numeric', 'decimal'],
  ['real', 'float'],
  ['double precision', 'float'],
  ['boolean', 'boolean'],
  ['text', 'text'],
  ['character varying', 'text'],
  ['character', 'text'],
  ['name', 'text'],
  ['uuid', 'uuid'],
  ['date', 'date'],
  ['timestamp without time zone', 'timestamp'],
  ['timestamp with time zone', 'timestamptz'],
  ['json', 'json'],
  ['jsonb', 'json'],
]);

/** Days from 0001-01-01, a Monday. */
const daysOf: Partial<Record<Grain, number>> = { DAY: 1, WEEK: 7 };

const secondsOf: Partial<Record<Grain, number>> = { MINUTE: 60, HOUR: 3600 };

/** Seconds from 0001-01-01 to 1970-01-01. */
const secondsOfEra = '62135596800';

const timeTypes: readonly ValueType[] = ['date', 'timestamp', 'timestamptz'];

/** How PostgreSQL spells it, 16 or newer. Sessions are in UTC. */
export const postgresDialect: Dialect = {
  quoteName,
  // With E'' a backslash is itself whatever standard_conforming_strings is.
  quoteText: (text) =>
    text.includes('\\')
      ? `E'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`
      : `'${text.replaceAll("'", "''")}'`,
  placeholder: (n) => `$${n}`,
  valueType: (dataType) => valueTypes.get(dataType.replace(/\s*\([^)]*\)/, '')) ?? 'other',
  cast: (value, type) => sql`CAST(${typedBind(value, type)} AS ${rawSql(typeNames[type])})`,
  timeText,
  tryCast,
  listRows: (list, type) => sql`(SELECT unnest(CAST(${list} AS ${rawSql(typeNames[type])}[])) AS item)`,
  listsRows(columns) {
    const lists = columns.map(({ type, list }) => sql`CAST(${list} AS ${rawSql(typeNames[type])}[])`);
    const names = columns.map(({ name }) => nameSql(name));
    return sql`(SELECT * FROM unnest(${joinSql(lists)}) AS lists (${joinSql(names)}))`;
  },
  jsonText: (json, property) => sql`(CAST(${json} AS jsonb) ->> ${property})`,
  jsonNames(json, from) {
    const object = sql`CAST(${json} AS jsonb)`;
    const objects = sql`CASE WHEN jsonb_typeof(${object}) = 'object' THEN ${object} END`;
    return sql`(SELECT DISTINCT jsonb_object_keys(${objects}) AS item FROM ${from})`;
  },
  contains: (text, part) => sql`(strpos(lower(${text}), lower(${part})) > 0)`,
  startsWith: (text, part) => sql`starts_with(${text}, ${part})`,
  same: (left, right) => sql`${left} IS NOT DISTINCT FROM ${right}`,
  byBytes: (text) => sql`${text} COLLATE "C"`,
  exactly: (text) => sql`CAST(${text} AS text) COLLATE "C"`,
  instant(value, type) {
    if (type === 'timestamptz') return value;
    return sql`(CAST(${value} AS timestamp) AT TIME ZONE 'UTC')`;
  },
  periodNumber(moment, type, grain, aheadMs) {
    const days = daysOf[grain];
    if (days !== undefined) {
      const number = sql`(CAST(${shown(moment, type, aheadMs)} AS date) - DATE '0001-01-01')`;
      return days === 1 ? number : sql`${number} / ${rawSql(String(days))}`;
    }
    const seconds = secondsOf[grain];
    if (seconds !== undefined) return startOf(moment, seconds, aheadMs);
    const clock = shown(moment, type, aheadMs);
    const year = part('year', clock);
    if (grain === 'YEAR') return year;
    const [perYear, field] = grain === 'MONTH' ? ['12', 'month'] : ['4', 'quarter'];
    return sql`${year} * ${rawSql(perYear)} + ${part(field, clock)} - 1`;
  },
  addMs: (instant, ms) => sql`(${instant} + CAST(${ms} AS double precision) * interval '1 millisecond')`,
  addMonths: (instant, months) =>
    sql`(${instant} + CAST(${months} AS double precision) * interval '1 month')`,
  hasBit: (number, bit) => sql`(${number} & ${rawSql(String(2n ** BigInt(bit)))}) <> 0`,
  aggregate,
  // A uuid keeps the 128 bits in half the place of their text.
  rowHash(values) {
    const texts = values.map(({ value }) => sql`CAST(${value} AS text)`);
    return sql`CAST(md5(${joinedTexts(texts, (text) => sql`length(${text})`)}) AS uuid)`;
  },
};

/**
 * The value is cast by way of concat, which the planner does not compute beforehand: of a constant that is none of the type
 * the cast would fail before the condition is asked. Words such as "today" are no dates.
 */
function tryCast(value: Sql, type: ValueType): Sql {
  const name = rawSql(typeNames[type]);
  const text = sql`CAST(${value} AS text)`;
  const isDated = timeTypes.includes(type) ? sql` AND ${text} ~ '^\\s*[0-9]'` : rawSql('');
  const isOfType = sql`pg_input_is_valid(${text}, ${rawSql(`'${typeNames[type]}'`)})${isDated}`;
  return sql`CASE WHEN ${isOfType} THEN CAST(concat(${text}) AS ${name}) END`;
}

/** What a clock shows at the moment that is so many milliseconds ahead of UTC, as a timestamp. */
function shown(moment: Sql, type: ValueType, aheadMs: Sql | null): Sql {
  const local = type === 'timestamptz' ? sql`(${moment} AT TIME ZONE 'UTC')` : moment;
  if (aheadMs === null) return local;
  return sql`(${local} + CAST(${aheadMs} AS double precision) * interval '1 millisecond')`;
}

function part(field: string, timestamp: Sql): Sql {
  return sql`CAST(date_part(${rawSql(`'${field}'`)}, ${timestamp}) AS bigint)`;
}

/** Whole seconds alone: date_part gives a double, which holds no microseconds of far years. */
function startOf(moment: Sql, seconds: number, aheadMs: Sql | null): Sql {
  const whole = part('epoch', sql`date_trunc('second', ${moment})`);
  const ahead = aheadMs === null ? rawSql('') : sql` + (${aheadMs}) / 1000`;
  const length = rawSql(String(seconds));
  const start = sql`(${whole}${ahead} + ${rawSql(secondsOfEra)}) / ${length} * ${length}`;
  return aheadMs === null ? start : sql`${start} - (${aheadMs}) / 1000`;
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
