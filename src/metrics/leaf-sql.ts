import { AppError } from '#base/errors.ts';
import { momentBind } from '#catalog/compare-sql.ts';
import { entityFilterSql, propertyFilterSql } from '#catalog/filter-sql.ts';
import type { RowSource, SourceColumn } from '#catalog/row-source.ts';
import type { Aggregation, Dialect, ValueType } from '#warehouse/dialect.ts';
import { allOf, anyOf, rawSql, sql, type Sql } from '#warehouse/sql.ts';
import type { Condition, SimpleLeaf } from './measure-tree.ts';
import { cutLocal, isShort } from './periods.ts';
import type { Cut, Range } from './plan.ts';
import type { Rows } from './rows.ts';
import type { Span } from './time-zone.ts';

const timeTypes: readonly ValueType[] = ['date', 'timestamp', 'timestamptz'];
const numberTypes: readonly ValueType[] = ['integer', 'decimal', 'float'];

/** The time of the rows. Fails with BAD_USER_INPUT for a column that holds none. */
export function timeOf(source: RowSource, { time }: Pick<Rows, 'time'>): SourceColumn {
  const column = source.column(time);
  if (timeTypes.includes(column.type)) return column;
  throw new AppError(
    'BAD_USER_INPUT',
    `"${time}" holds no time: it is of type ${column.dynamic ? 'json' : column.type}. A date or a timestamp can be cut into periods.`,
    { fix: 'Name a column that holds a time, or make one with a transformation.' },
  );
}

/** A column to tell rows apart by: JSON has no equality in every engine, and its text has one in all. */
export function groupColumn(source: RowSource, path: string): SourceColumn {
  const column = source.column(path);
  return column.type === 'json'
    ? { ...column, sql: source.dialect.cast(column.sql, 'text', 'json'), type: 'text' }
    : column;
}

/** What an aggregate takes. Fails with BAD_USER_INPUT for a type that it cannot be made of. */
export function measuredSql(
  source: RowSource,
  { aggregation, column: path }: Pick<SimpleLeaf, 'aggregation' | 'column'>,
): Sql | null {
  if (path === null) return null;
  const column = source.column(path);
  if (aggregation === 'COUNT') return column.sql;
  if (aggregation === 'COUNT_DISTINCT') return groupColumn(source, path).sql;
  if (column.dynamic) return source.dialect.tryCast(column.sql, 'float');
  if (!numberTypes.includes(column.type)) throw notANumber(aggregation, path, column.type);
  const isExact = ['SUM', 'MIN', 'MAX'].includes(aggregation);
  return isExact || column.type === 'float' ? column.sql : source.dialect.cast(column.sql, 'float');
}

function notANumber(aggregation: Aggregation, path: string, type: ValueType): AppError {
  const how = {
    COUNT: 'counted',
    COUNT_DISTINCT: 'counted',
    SUM: 'summed',
    AVG: 'averaged',
    MIN: 'measured by MIN',
    MAX: 'measured by MAX',
    MEDIAN: 'measured by MEDIAN',
    PERCENTILE: 'measured by PERCENTILE',
  }[aggregation];
  return new AppError(
    'BAD_USER_INPUT',
    `"${path}" is of type ${type}, which cannot be ${how}: integers, decimals and floats can.`,
    { fix: 'Name a column of numbers, or use COUNT or COUNT_DISTINCT.' },
  );
}

/** The condition of a measure; null when every row counts. */
export function conditionSql(source: RowSource, condition: Condition): Sql | null {
  if (condition.type === 'entity') return entityFilterSql(source, condition.filter);
  return condition.filter.length === 0 ? null : propertyFilterSql(source, condition.filter);
}

/** The measures as aggregates, and the condition that rows must meet to count in any of them; null for none. */
export function aggregatesSql(
  source: RowSource,
  leaves: readonly SimpleLeaf[],
): { aggregates: Sql[]; where: Sql | null } {
  const conditions = new Map<string, Sql | null>();
  for (const { condition } of leaves) {
    const key = JSON.stringify(condition);
    if (!conditions.has(key)) conditions.set(key, conditionSql(source, condition));
  }
  const given = [...conditions.values()];
  const aggregates = leaves.map((leaf) => {
    const { aggregation, percentile, condition } = leaf;
    const own = given.length === 1 ? undefined : conditions.get(JSON.stringify(condition));
    const of = { aggregation, value: measuredSql(source, leaf), percentile: percentile ?? undefined };
    return source.dialect.aggregate({ ...of, where: own ?? undefined });
  });
  return { aggregates, where: given.includes(null) ? null : anyOf(given as Sql[]) };
}

/** Rows whose time lies in one of the ranges. The column is left as it is, so that its statistics are of use. */
export function rangesSql(dialect: Dialect, time: SourceColumn, ranges: readonly Range[]): Sql {
  return anyOf(
    ranges.map(({ fromMs, toMs }) => {
      const until = sql`${time.sql} < ${momentSql(dialect, time, toMs)}`;
      return fromMs === null
        ? until
        : allOf([sql`${time.sql} >= ${momentSql(dialect, time, fromMs)}`, until]);
    }),
  );
}

/** The number of a row's period, of which periods.ts knows the key; null where all rows are of one. */
export function keySql(dialect: Dialect, time: SourceColumn, cut: Cut): Sql | null {
  if (cut.type === 'whole') {
    const [one, other] = cut.ranges as [Range & { key: number }, (Range & { key: number })?];
    if (!other) return null;
    const isLater = sql`${time.sql} >= ${momentSql(dialect, time, other.fromMs as number)}`;
    return sql`CASE WHEN ${isLater} THEN ${rawSql(String(other.key))} ELSE ${rawSql(String(one.key))} END`;
  }
  const grain = cut.type === 'periods' ? cut.grain : cut.cellGrain;
  const ranges = cut.type === 'periods' ? cut.ranges : [cut];
  const earliest = cut.type === 'windows' ? clampMs(cut) : null;
  const fromMs = earliest ?? Math.min(...ranges.map((range) => range.fromMs as number));
  const spans = cut.zone.spans(fromMs, Math.max(...ranges.map(({ toMs }) => toMs)));
  // Where every offset is a whole number of hours, hours begin as they do in UTC.
  const isCutAsUtc = spans.every(
    ({ offsetMs }) => offsetMs === 0 || (isShort(grain) && cutLocal(offsetMs, grain) === offsetMs),
  );
  const ahead = isCutAsUtc ? null : aheadSql(dialect, time, spans);
  const moment = earliest === null ? time.sql : notBefore(dialect, time, earliest);
  return dialect.periodNumber(moment, time.type, grain, ahead);
}

/** Rows from before the first window are of its first cell, so that the cells are few: since ever they count in all. */
function clampMs({ fromMs, windows, zone, cellGrain }: Extract<Cut, { type: 'windows' }>): number | null {
  if (fromMs !== null) return null;
  const first = windows[0]!.to - 1;
  return isShort(cellGrain) ? first : zone.firstAt(first);
}

function notBefore(dialect: Dialect, time: SourceColumn, ms: number): Sql {
  const first = momentSql(dialect, time, ms);
  return sql`CASE WHEN ${time.sql} < ${first} THEN ${first} ELSE ${time.sql} END`;
}

/** How far ahead of UTC the clock is at the time: halved at each step, since a range of many years has many changes. */
function aheadSql(dialect: Dialect, time: SourceColumn, spans: readonly Span[]): Sql {
  if (spans.length === 1) return sql`${BigInt(spans[0]!.offsetMs)}`;
  const middle = Math.floor(spans.length / 2);
  const isBefore = sql`${time.sql} < ${momentSql(dialect, time, spans[middle]!.fromMs)}`;
  const [before, after] = [spans.slice(0, middle), spans.slice(middle)];
  return sql`CASE WHEN ${isBefore} THEN ${aheadSql(dialect, time, before)} ELSE ${aheadSql(dialect, time, after)} END`;
}

function momentSql(dialect: Dialect, time: SourceColumn, ms: number): Sql {
  return momentBind(dialect, time.type, new Date(ms));
}
