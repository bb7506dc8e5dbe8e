import type { Aggregate, Dialect, Grain, HashedValue, JsonType, ValueType } from './dialect.ts';
import { joinedTexts } from './row-hash.ts';
import { joinSql, nameSql, rawSql, sql, type Sql, typedBind } from './sql.ts';
import { quoteName } from './warehouse.ts';

/** Without its length a VARCHAR has 256 bytes, and a DECIMAL no digits behind its point. There is no type for UUIDs: they are text. */
const typeNames: Record<ValueType, string> = {
  text: 'VARCHAR(65535)',
  integer: 'BIGINT',
  decimal: 'DECIMAL(38, 10)',
  float: 'DOUBLE PRECISION',
  boolean: 'BOOLEAN',
  uuid: 'VARCHAR(65535)',
  date: 'DATE',
  timestamp: 'TIMESTAMP',
  timestamptz: 'TIMESTAMPTZ',
  json: 'SUPER',
  other: 'VARCHAR(65535)',
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
  ['character varying', 'text'],
  ['character', 'text'],
  ['text', 'text'],
  ['name', 'text'],
  ['date', 'date'],
  ['timestamp without time zone', 'timestamp'],
  ['timestamp with time zone', 'timestamptz'],
  ['super', 'json'],
]);

/** JSON_PARSE takes a text of 65,535 bytes. A longer list is more than one bind. */
const listBytesMax = 60_000;

type Item = string | number | bigint | boolean | Date;

/** How Redshift spells it. Sessions are in UTC, and names are told apart by case. */
export const redshiftDialect: Dialect = {
  quoteName,
  // Whether a backslash in quotes is itself is not the same in every version.
  quoteText: (text) =>
    text
      .split('\\')
      .map((part) => `'${part.replaceAll("'", "''")}'`)
      .join(' || CHR(92) || '),
  placeholder: (n) => `$${n}`,
  valueType: (dataType) => valueTypes.get(dataType.replace(/\s*\([^)]*\)/, '')) ?? 'other',
  cast,
  tryCast,
  listRows(list, type) {
    const rows = chunksOf(list.map((item) => JSON.stringify(textOf(item)))).map(
      (json) => sql`SELECT ${itemOf('item', type)} AS ${nameSql('item')} FROM ${listSql(json)}`,
    );
    return sql`(${joinSql(rows, ' UNION ALL ')})`;
  },
  listsRows(columns) {
    const items = (columns[0]?.list ?? []).map((_, at) =>
      JSON.stringify(columns.map(({ list }) => textOf(list[at]!))),
    );
    const values = columns.map(
      ({ name, type }, at) => sql`${itemOf(`item[${at}]`, type)} AS ${nameSql(name)}`,
    );
    const rows = chunksOf(items).map((json) => sql`SELECT ${joinSql(values)} FROM ${listSql(json)}`);
    return sql`(${joinSql(rows, ' UNION ALL ')})`;
  },
  // It gives an empty text for what is missing, and NULL for a text that is no JSON.
  jsonText: (json, property, held) =>
    sql`NULLIF(JSON_EXTRACT_PATH_TEXT(${held === 'json' ? sql`JSON_SERIALIZE(${json})` : json}, ${property}, TRUE), '')`,
  jsonNames(json, from, held) {
    const objects = sql`(SELECT ${objectOf(json, held)} AS o FROM ${from}) AS objects`;
    return sql`(SELECT DISTINCT CAST(k AS VARCHAR(65535)) AS ${nameSql('item')} FROM ${objects}, UNPIVOT objects.o AS v AT k)`;
  },
  contains: (text, part) => sql`(STRPOS(LOWER(${text}), LOWER(${part})) > 0)`,
  startsWith: (text, part) => sql`(LEFT(${text}, LENGTH(${part})) = ${part})`,
  // An equality, so that a join on it is a hash join.
  same: (left, right, type) => sql`${sameText(left, type)} = ${sameText(right, type)}`,
  instant(value, type) {
    if (type === 'timestamptz') return value;
    return sql`(CAST(${value} AS TIMESTAMP) AT TIME ZONE 'UTC')`;
  },
  periodNumber,
  addMs(instant, ms) {
    // The number is one of 32 bits.
    const seconds = Math.floor(ms / 1000);
    const added = dateAdd('second', BigInt(seconds), clockOf(instant));
    const micros = Math.round((ms - seconds * 1000) * 1000);
    return micros === 0 ? added : dateAdd('microsecond', BigInt(micros), added);
  },
  addMonths: (instant, months) => dateAdd('month', BigInt(months), clockOf(instant)),
  hasBit: (number, bit) => sql`(${number} & ${rawSql(String(2n ** BigInt(bit)))}) <> 0`,
  aggregate,
  quantilesAlone: true,
  rowHash: (values) =>
    sql`MD5(${joinedTexts(values.map(exactText), (text) => sql`CAST(LENGTH(${text}) AS VARCHAR(10))`)})`,
};

/** It has no cast between texts and booleans: those that are bound arrive as booleans. */
function cast(value: Sql, type: ValueType, from?: ValueType): Sql {
  if (type === 'json') return sql`JSON_PARSE(${value})`;
  if (from === 'json') return sql`JSON_SERIALIZE(${value})`;
  const isText = typeNames[type] === typeNames.text;
  if (isText && from === 'boolean')
    return sql`CASE WHEN ${value} THEN 'true' WHEN NOT ${value} THEN 'false' END`;
  const given = type === 'boolean' ? typedBind(value, type) : value;
  return sql`CAST(${given} AS ${rawSql(typeNames[type])})`;
}

function asText(value: Sql): Sql {
  return sql`CAST(${value} AS ${rawSql(typeNames.text)})`;
}

/** TRY_CAST takes no empty texts, and of the casts of a text neither that to a boolean nor that to a text. */
function tryCast(value: Sql, type: ValueType): Sql {
  const text = asText(value);
  if (typeNames[type] === typeNames.text) return text;
  if (type === 'json') return sql`CASE WHEN CAN_JSON_PARSE(${text}) THEN JSON_PARSE(${text}) END`;
  if (type === 'boolean') return booleanOf(sql`LOWER(TRIM(${text}))`);
  return sql`TRY_CAST(NULLIF(TRIM(${text}), '') AS ${rawSql(typeNames[type])})`;
}

/** A text in small letters as the boolean that Redshift takes it for. */
function booleanOf(text: Sql): Sql {
  return sql`CASE WHEN ${text} IN ('t', 'true', 'y', 'yes', '1') THEN TRUE WHEN ${text} IN ('f', 'false', 'n', 'no', '0') THEN FALSE END`;
}

function textOf(item: Item): string {
  return item instanceof Date ? item.toISOString() : String(item);
}

/** The items, which are JSON, as lists that are each no longer than JSON_PARSE takes; one without items when there are none. */
function chunksOf(items: readonly string[]): string[] {
  const chunks: string[][] = [[]];
  let bytes = 0;
  for (const item of items) {
    bytes += Buffer.byteLength(item) + 1;
    if (bytes > listBytesMax && chunks.at(-1)!.length > 0) {
      chunks.push([]);
      bytes = Buffer.byteLength(item) + 1;
    }
    chunks.at(-1)!.push(item);
  }
  return chunks.map((chunk) => `[${chunk.join(',')}]`);
}

/** The elements of a JSON array, each a row with the column "item". */
function listSql(json: string): Sql {
  return sql`(SELECT JSON_PARSE(${json}) AS list) AS lists, lists.list AS item`;
}

/** Elements are texts, each cast to what it is: a number in JSON would be a double. */
function itemOf(item: string, type: ValueType): Sql {
  const text = rawSql(`CAST(${item} AS ${typeNames.text})`);
  if (typeNames[type] === typeNames.text) return text;
  return type === 'boolean' ? booleanOf(text) : cast(text, type);
}

function objectOf(json: Sql, held: JsonType): Sql {
  const object = held === 'json' ? json : tryCast(json, 'json');
  return sql`CASE WHEN IS_OBJECT(${object}) THEN ${object} END`;
}

function sameText(value: Sql, type: ValueType | undefined): Sql {
  return sql`COALESCE('=' || ${cast(value, 'text', type)}, '')`;
}

/** What a clock in UTC shows. */
function clockOf(moment: Sql): Sql {
  return sql`CAST(${moment} AS TIMESTAMP)`;
}

function dateAdd(unit: string, count: Sql | bigint, timestamp: Sql): Sql {
  return sql`DATEADD(${rawSql(unit)}, CAST(${count} AS INTEGER), ${timestamp})`;
}

const periodsPerYear: Partial<Record<Grain, number>> = { MONTH: 12, QUARTER: 4, YEAR: 1 };

function periodNumber(moment: Sql, type: ValueType, grain: Grain, aheadMs: Sql | null): Sql {
  const utc = type === 'timestamp' ? moment : clockOf(moment);
  const shown = aheadMs === null ? utc : dateAdd('millisecond', aheadMs, utc);
  const part = (field: string) => sql`CAST(EXTRACT(${rawSql(field)} FROM ${shown}) AS BIGINT)`;
  const perYear = periodsPerYear[grain];
  if (perYear === 1) return part('YEAR');
  if (perYear !== undefined) return sql`${part('YEAR')} * ${rawSql(String(perYear))} + ${part(grain)} - 1`;
  const count = (unit: string, of: Sql) =>
    sql`DATEDIFF(${rawSql(unit)}, CAST('0001-01-01' AS TIMESTAMP), ${of})`;
  if (grain === 'DAY') return count('day', shown);
  // The day that it counts from is a Monday.
  if (grain === 'WEEK') return sql`${count('day', shown)} / 7`;
  const start = count('second', sql`DATE_TRUNC(${rawSql(`'${grain.toLowerCase()}'`)}, ${shown})`);
  return aheadMs === null ? start : sql`${start} - (${aheadMs}) / 1000`;
}

/** There is no FILTER: what does not count is NULL, which no aggregate counts. */
function aggregate({ aggregation, value, percentile, where }: Aggregate): Sql {
  const counted = where === undefined ? value : sql`CASE WHEN ${where} THEN ${value ?? rawSql('1')} END`;
  if (counted === null) return rawSql('COUNT(*)');
  switch (aggregation) {
    case 'COUNT_DISTINCT':
      return sql`COUNT(DISTINCT ${counted})`;
    case 'MEDIAN':
    case 'PERCENTILE': {
      const part = rawSql(String(aggregation === 'MEDIAN' ? 0.5 : percentile));
      return sql`PERCENTILE_CONT(${part}) WITHIN GROUP (ORDER BY ${counted})`;
    }
    case 'COUNT':
    case 'SUM':
    case 'AVG':
    case 'MIN':
    case 'MAX':
    default:
      return sql`${rawSql(aggregation)}(${counted})`;
  }
}

/** A value as a text that no other value of its type has. */
function exactText({ value, dataType }: HashedValue): Sql {
  return cast(value, 'text', redshiftDialect.valueType(dataType));
}
