import { momentSql, textSql } from '#catalog/compare-sql.ts';
import type { RowSource } from '#catalog/row-source.ts';
import { AppError } from '#base/errors.ts';
import type { EntityKind } from '#generated/prisma/enums.ts';
import type { Dialect, ValueType } from '#warehouse/dialect.ts';
import { allOf, joinSql, rawSql, sql, type Sql } from '#warehouse/sql.ts';

export type OrderField = 'key' | 'name' | 'email' | 'createdAt' | 'at';

/** What a list is sorted by; rows with equal values by their keys, in the same direction. */
export interface AskedOrder {
  field: OrderField;
  direction: 'ASC' | 'DESC';
}

/** Where an entity stands in its list, each value as text that the column's type reads back exactly. */
export interface EntityKey {
  /** Of the field that the list is sorted by; null where the row has none. */
  value: string | null;
  key: string;
}

/** Which rows of a list are meant, as the lists of GraphQL say it. */
export interface EntityPage {
  size: number;
  fromEnd: boolean;
  after: EntityKey | null;
  before: EntityKey | null;
}

type Side = 'before' | 'after';

/** The order of a list of entities. Rows without a value come last, whatever the direction. */
export interface EntityOrder {
  cursorOf(row: { key: string; orderValue: string | null }): string;
  /** Null when the cursor is not one of a list of this kind in this order. */
  keyOf(cursor: string): EntityKey | null;
  /** The order as SQL over a source: all columns that it needs are then asked for. */
  over(source: RowSource): OrderSql;
}

export interface OrderSql {
  /** What becomes orderValue, after cast to what answers hold exactly. */
  value: Sql;
  orderBy(page: EntityPage): Sql;
  /** The rows of the page, its size aside. Fails with BAD_USER_INPUT for a cursor whose values are not of the columns' types. */
  where(page: EntityPage): Sql;
  /** The rows at the key or beyond it, towards that side. Fails as where does. */
  from(key: EntityKey, side: Side): Sql;
}

const defaults: Record<EntityKind, AskedOrder> = {
  USER: { field: 'key', direction: 'ASC' },
  ORGANIZATION: { field: 'key', direction: 'ASC' },
  EVENT: { field: 'at', direction: 'DESC' },
};

/** The order asked for; else events come newest first, and the others by key. */
export function entityOrder(kind: EntityKind, asked?: AskedOrder | null): EntityOrder {
  const { field, direction } = asked ?? defaults[kind];
  const tag = `${kind}:${field}:${direction}`;
  return {
    cursorOf: ({ key, orderValue }) =>
      Buffer.from(JSON.stringify([tag, key, orderValue])).toString('base64url'),
    keyOf(cursor) {
      const read = parsed(Buffer.from(cursor, 'base64url').toString('utf8'));
      if (!Array.isArray(read) || read.length !== 3 || read[0] !== tag) return null;
      const [, key, value] = read as unknown[];
      const isValue = typeof value === 'string' || value === null;
      return typeof key === 'string' && isValue ? { key, value } : null;
    },
    over: (source) => orderOver(source, field, direction === 'ASC'),
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

interface Ordered {
  sql: Sql;
  type: ValueType;
}

/** A column of nothing. Of a NULL without a type not every engine can make one. */
export function noValue(dialect: Dialect): Sql {
  return dialect.cast(rawSql('NULL'), 'text');
}

/**
 * Conditions are written as a range of the first column and a filter on both: an engine that keeps the range of values of
 * each block reads only the blocks that hold the page, and drops at most the rows of the cursor's own value.
 */
function orderOver(source: RowSource, field: OrderField, isAscending: boolean): OrderSql {
  const key = ordered(source, 'key');
  const first = field === 'key' ? null : ordered(source, field);
  // Rows without a key, and events without a moment, are in no list.
  const isNullable = field !== 'at';

  const bound = (at: EntityKey, side: Side, inclusive: boolean): Sql => {
    const than = (side === 'after') === isAscending ? '>' : '<';
    const keyValue = valueSql(source, key.type, at.key);
    const byKey = sql`${key.sql} ${rawSql(inclusive ? `${than}=` : than)} ${keyValue}`;
    if (first === null) return byKey;
    if (at.value === null) {
      return side === 'after'
        ? sql`(${first.sql} IS NULL AND ${byKey})`
        : sql`(${first.sql} IS NOT NULL OR ${byKey})`;
    }
    const value = valueSql(source, first.type, at.value);
    const orNone = side === 'after' && isNullable ? sql` OR ${first.sql} IS NULL` : rawSql('');
    return sql`((${first.sql} ${rawSql(`${than}=`)} ${value}${orNone}) AND (${first.sql} ${rawSql(than)} ${value} OR ${byKey}${orNone}))`;
  };
  return {
    value: first === null ? noValue(source.dialect) : first.sql,
    orderBy({ fromEnd }) {
      const direction = rawSql(isAscending === fromEnd ? ' DESC' : ' ASC');
      const byKey = sql`${key.sql}${direction}`;
      if (first === null) return byKey;
      return joinSql([
        sql`${first.sql}${direction} ${rawSql(fromEnd ? 'NULLS FIRST' : 'NULLS LAST')}`,
        byKey,
      ]);
    },
    where: ({ after, before }) =>
      allOf([
        ...(after ? [bound(after, 'after', false)] : []),
        ...(before ? [bound(before, 'before', false)] : []),
      ]),
    from: (at, side) => bound(at, side, true),
  };
}

/** A column as it is sorted and compared: of a type whose values can be written down exactly and read back. */
function ordered(source: RowSource, path: OrderField): Ordered {
  const column = source.column(path);
  switch (column.type) {
    case 'integer':
    case 'uuid':
    case 'date':
      return column;
    // A cast to microseconds where the column has finer ones, and nothing otherwise.
    case 'timestamp':
    case 'timestamptz':
      return { sql: source.dialect.cast(column.sql, column.type), type: column.type };
    case 'text':
    case 'decimal':
    case 'float':
    case 'boolean':
    case 'json':
    case 'other':
    default:
      return { sql: sortedText(source.dialect, textSql(source.dialect, column)), type: 'text' };
  }
}

function sortedText(dialect: Dialect, text: Sql): Sql {
  return dialect.byBytes?.(text) ?? text;
}

function valueSql({ dialect }: RowSource, type: ValueType, value: string): Sql {
  if (type === 'text') return sql`${value}`;
  if (type === 'integer' && /^-?\d{1,38}$/.test(value)) return sql`${BigInt(value)}`;
  if (type === 'uuid' && /^[0-9a-f-]{36}$/i.test(value)) return dialect.cast(sql`${value}`, type);
  if (type !== 'integer' && type !== 'uuid') {
    const moment = /^-?infinity$/.test(value)
      ? dialect.cast(sql`${value}`, type)
      : (momentSql(dialect, type, value) ?? farMomentSql(dialect, type, value));
    if (moment) return moment;
  }
  throw new AppError('BAD_USER_INPUT', `The cursor's ${JSON.stringify(value.slice(0, 100))} is no ${type}.`, {
    fix: 'Use a cursor that this very list gave since its entities were mapped.',
  });
}

/** A moment of a year outside 0 to 9999, as answers write it; an engine takes it for none. Null for all else. */
function farMomentSql(dialect: Dialect, type: ValueType, value: string): Sql | null {
  const [, date, clock = 'T00:00:00.000', micros = '0'] =
    /^([+-]\d{6}-\d{2}-\d{2})(T\d{2}:\d{2}:\d{2}\.\d{3})?(\d{3})?Z?$/.exec(value) ?? [];
  const moment = new Date(`${date}${clock}Z`);
  if (Number.isNaN(moment.getTime())) return null;
  return dialect.cast(
    dialect.addMs(dialect.cast(sql`${moment}`, 'timestamptz'), Number(micros) / 1000),
    type,
  );
}
