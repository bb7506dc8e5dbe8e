import type { Sql } from './sql.ts';

/** What a value is, as far as comparing, summing and answering it goes; the engines' own type names map to these. */
export type ValueType =
  | 'text'
  | 'integer'
  | 'decimal'
  | 'float'
  | 'boolean'
  | 'uuid'
  | 'date'
  | 'timestamp'
  | 'timestamptz'
  | 'json'
  | 'other';

/** JSON, or a text that holds it. */
export type JsonType = Extract<ValueType, 'json' | 'text'>;

export const grains = ['MINUTE', 'HOUR', 'DAY', 'WEEK', 'MONTH', 'QUARTER', 'YEAR'] as const;
export type Grain = (typeof grains)[number];

export const aggregations = [
  'COUNT',
  'COUNT_DISTINCT',
  'SUM',
  'AVG',
  'MIN',
  'MAX',
  'MEDIAN',
  'PERCENTILE',
] as const;
export type Aggregation = (typeof aggregations)[number];

export interface Aggregate {
  aggregation: Aggregation;
  /** What is aggregated; null only for COUNT, which then counts rows. */
  value: Sql | null;
  /** 0 to 1, of PERCENTILE: interpolated between the two nearest values, as MEDIAN is, within the digits of their type. */
  percentile?: number | undefined;
  /** Only rows for which this holds. */
  where?: Sql | undefined;
}

/** A list as a column of a relation. */
export interface ListColumn {
  name: string;
  type: ValueType;
  list: readonly (string | number | bigint)[];
}

/** How an engine spells what SQL leaves to each engine. Pure: text in, text out. */
export interface Dialect {
  quoteName(name: string): string;
  /** Two names of tables that differ in case alone are one name to the engine. */
  readonly ignoresCase?: true;
  /** A text as a literal, whatever it holds. */
  quoteText(text: string): string;
  /** The nth bind, from 1. */
  placeholder(n: number): string;
  valueType(dataType: string): ValueType;
  /** Fails on a value that is none of the type. Where the value is no bind, `from` says what it is. */
  cast(value: Sql, type: ValueType, from?: ValueType): Sql;
  /** A date or moment of ISO 8601 as the engine reads it, where years may lie outside 1 to 9999. Left out where none does. */
  timeText?(iso: string): string;
  /** NULL for a value that is none of the type. */
  tryCast(value: Sql, type: ValueType): Sql;
  /** A relation of one column named "item", with one row for each element of a list bind. */
  listRows(list: readonly (string | number | bigint | boolean | Date)[], type: ValueType): Sql;
  /** A relation whose columns are these lists of equal length, side by side. */
  listsRows(columns: readonly ListColumn[]): Sql;
  /** A property of a JSON object as text: NULL where it is missing or null. `held` is the type of what holds the object. */
  jsonText(json: Sql, property: string, held: JsonType): Sql;
  /** The names of a JSON object as a relation with the one column "item", over all rows of `from`. */
  jsonNames(json: Sql, from: Sql, held: JsonType): Sql;
  /** The text holds the part, in any case. */
  contains(text: Sql, part: string): Sql;
  startsWith(text: Sql, part: string): Sql;
  /** Both are equal, or both NULL: the condition of a join, too. They are of one type; texts when it is left out. */
  same(left: Sql, right: Sql, type?: ValueType): Sql;
  /** The text so that it is sorted and compared by its bytes. Left out where the engine does that by itself. */
  byBytes?(text: Sql): Sql;
  /** The text so that it equals none but itself, whatever the collation of its column. */
  exactly?(text: Sql): Sql;
  /** The moment of a date or timestamp column as TIMESTAMPTZ; those without a zone are in UTC. */
  instant(value: Sql, type: ValueType): Sql;
  /**
   * The number of the period that holds the moment, on a clock that is so many milliseconds ahead of UTC: years, quarters and
   * months from those of the year 0, weeks (from Monday) and days from 0001-01-01. Of hours and minutes, which a clock may
   * show twice, it is the seconds from then to their start in UTC.
   */
  periodNumber(moment: Sql, type: ValueType, grain: Grain, aheadMs: Sql | null): Sql;
  /** The moment so many milliseconds later. */
  addMs(instant: Sql, ms: number): Sql;
  /** The moment so many months later, by the calendar of UTC; of the type of the moment, or one to compare with it. */
  addMonths(instant: Sql, months: number, type: ValueType): Sql;
  /** Whether a whole number has that bit set, from 0. */
  hasBit(number: Sql, bit: number): Sql;
  aggregate(of: Aggregate): Sql;
  /** A statement may hold no median or percentile beside another aggregate that sorts or tells values apart. */
  readonly quantilesAlone?: true;
  /**
   * One value, of 128 bits or more, that is equal for equal rows of these values and, as far as a hash can tell, for no others:
   * every digit counts, NULL is none of the texts, and what one value ends with is never taken for what the next begins with.
   * `dataType` is the engine's own name.
   */
  rowHash(values: readonly HashedValue[]): Sql;
}

export interface HashedValue {
  value: Sql;
  dataType: string;
  /** The same in every row. */
  isConstant?: true;
}
