import type { Aggregate, Dialect, Grain, HashedValue, ValueType } from './dialect.ts';
import { joinSql, nameSql, rawSql, sql, type Sql } from './sql.ts';
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

/** Microseconds from 0001-01-01, a Monday, to 1970-01-01: from there on no number is negative, and // cuts as it should. */
const microsOfEra = '62135596800000000';

const periodsPerYear: Partial<Record<Grain, number>> = { MONTH: 12, QUARTER: 4, YEAR: 1 };

const secondsOf: Partial<Record<Grain, number>> = { MINUTE: 60, HOUR: 3600, DAY: 86_400, WEEK: 604_800 };

/** Their periods are known by moments. */
const shortGrains: readonly Grain[] = ['MINUTE', 'HOUR'];

/** How DuckDB spells it. */
export const duckDbDialect: Dialect = {
  quoteName,
  ignoresCase: true,
  quoteText: (text) => `'${text.replaceAll("'", "''")}'`,
  placeholder: () => '?',
  valueType(dataType) {
    if (/^DECIMAL\(/i.test(dataType)) return 'decimal';
    if (/^ENUM\(/i.test(dataType)) return 'text';
    return valueTypes.get(dataType.toUpperCase()) ?? 'other';
  },
  cast: (value, type) => sql`CAST(${value} AS ${rawSql(typeNames[type])})`,
  // It reads all of ISO 8601 but the sign of a long year.
  timeText: (iso) => iso.replace(/^\+0*/, ''),
  tryCast: (value, type) => sql`TRY_CAST(${value} AS ${rawSql(typeNames[type])})`,
  listRows: (list, type) => sql`(SELECT unnest(CAST(${list} AS ${rawSql(typeNames[type])}[])) AS item)`,
  listsRows(columns) {
    const lists = columns.map(
      ({ name, type, list }) =>
        sql`unnest(CAST(${list} AS ${rawSql(typeNames[type])}[])) AS ${nameSql(name)}`,
    );
    return sql`(SELECT ${joinSql(lists)})`;
  },
  // With a JSON pointer every name means itself; with a path, dots and quotes would be syntax.
  jsonText: (json, property) => sql`json_extract_string(${json}, ${pointerTo(property)})`,
  jsonNames: (json, from) => sql`(SELECT DISTINCT unnest(json_keys(${json})) AS item FROM ${from})`,
  contains: (text, part) => sql`contains(lower(${text}), lower(${part}))`,
  startsWith: (text, part) => sql`starts_with(${text}, ${part})`,
  same: (left, right) => sql`${left} IS NOT DISTINCT FROM ${right}`,
  exactly: (text) => sql`CAST(${text} AS VARCHAR) COLLATE C`,
  instant(value, type) {
    if (type === 'timestamptz') return value;
    return sql`CAST(${value} AS TIMESTAMP) AT TIME ZONE 'UTC'`;
  },
  // In whole numbers: date_trunc takes twice as long for days, and over three times for hours, weeks and months; with ICU,
  // which is what truncates a TIMESTAMPTZ, everything takes ten times as long.
  periodNumber(moment, type, grain, aheadMs) {
    const micros = sql`epoch_us(${moment})`;
    const local = aheadMs === null ? micros : sql`${micros} + 1000 * ${aheadMs}`;
    const perYear = periodsPerYear[grain];
    if (perYear !== undefined) {
      const shown = aheadMs === null && type !== 'timestamptz' ? moment : sql`make_timestamp(${local})`;
      if (perYear === 1) return sql`year(${shown})`;
      return sql`year(${shown}) * ${rawSql(String(perYear))} + ${rawSql(perYear === 12 ? 'month' : 'quarter')}(${shown}) - 1`;
    }
    const seconds = secondsOf[grain] as number;
    const number = sql`(${local} + ${rawSql(microsOfEra)}) // ${rawSql(`${seconds}000000`)}`;
    if (!shortGrains.includes(grain)) return number;
    const start = sql`${number} * ${rawSql(String(seconds))}`;
    return aheadMs === null ? start : sql`${start} - (${aheadMs}) // 1000`;
  },
  addMs: (instant, ms) => sql`(${instant} + to_milliseconds(${ms}))`,
  addMonths: (instant, months) => sql`(${instant} + to_months(${months}))`,
  hasBit: (number, bit) => sql`(${number} & ${rawSql(String(2n ** BigInt(bit)))}) <> 0`,
  aggregate,
  rowHash,
};

/**
 * Types of at most 64 bits: hash() maps their values one to one but for NULL and the two zeros of floats. Its hash of a text is
 * no use: 9,025 texts that differ in their 8th and 16th letter have 256 hashes.
 */
const plainType =
  /^(BOOLEAN|U?(TINY|SMALL|BIG)INT|U?INTEGER|FLOAT|DOUBLE|DATE|TIME|TIMESTAMP(_S|_MS|_NS| WITH TIME ZONE)?|DECIMAL\((\d|1[0-8]), ?\d+\))$/i;

/**
 * Two hashes of the plain columns, of 64 bits each and mixed differently, over the MD5 of the others. For a million rows of
 * seven plain columns and three others it takes 0.5 s of CPU, where an MD5 of all ten takes 0.9 s. In the MD5, JSON says where
 * each value begins and what is NULL, in a third of what texts behind their lengths take.
 */
function rowHash(values: readonly HashedValue[]): Sql {
  const columns = values.filter(({ isConstant }) => !isConstant);
  const plain = columns.filter(({ dataType }) => plainType.test(dataType));
  const others = columns.filter((value) => !plain.includes(value));
  // A date and a number may be the same 64 bits.
  const types = columns.map((value) => (plain.includes(value) ? value.dataType : '')).join('|');
  const constants = values.filter(({ isConstant }) => isConstant).map(({ value }) => value);
  const once = plain.flatMap(({ value, dataType }) =>
    /^(FLOAT|DOUBLE)$/i.test(dataType) ? [value, sql`signbit(${value})`] : [value],
  );
  const twice = plain.flatMap(({ value }) => [sql`hash(${value})`, sql`${value} IS NULL`]);
  const halves = [once, twice].map(
    (half) => sql`CAST(hash(${joinSql([...half, ...constants, rawSql(`'${types}'`)])}) AS UHUGEINT)`,
  );
  // As a number the hash takes half the place of its text.
  const both = sql`${halves[0]!} * 18446744073709551616 + ${halves[1]!}`;
  if (others.length === 0) return sql`(${both})`;
  return sql`xor(md5_number(CAST(json_array(${joinSql(others.map(inJson))}) AS VARCHAR)), ${both})`;
}

/** JSON would write numbers within JSON anew. */
function inJson({ value, dataType }: HashedValue): Sql {
  return dataType.toUpperCase() === 'JSON' ? sql`CAST(${value} AS VARCHAR)` : value;
}

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
