import { AppError } from '#base/errors.ts';
import type { Json } from '#connectors/contract.ts';
import type { Dialect, ValueType } from '#warehouse/dialect.ts';
import { sql, type Sql } from '#warehouse/sql.ts';
import type { SourceColumn } from './row-source.ts';

const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const momentPattern =
  /^\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:?\d{2})?)?$/i;

/** The two sides of a comparison between a column and a value. */
export interface Compared {
  column: Sql;
  value: Sql;
}

/**
 * A column and a value of a filter so that the engine compares them by the column's type, with the column left as it is
 * wherever that can be, since only then its statistics are of use. Fails with BAD_USER_INPUT for a value that is none of the
 * column's type.
 */
export function compared(dialect: Dialect, column: SourceColumn, name: string, value: Json): Compared {
  if (column.dynamic) return comparedDynamic(dialect, column, name, value);
  const wrong = (allowed: string) => wrongValue(name, column.type, value, allowed);
  switch (column.type) {
    case 'integer':
    case 'decimal':
    case 'float':
      return { column: column.sql, value: numberSql(dialect, value) ?? raise(wrong('a number')) };
    case 'boolean':
      if (typeof value !== 'boolean') throw wrong('true or false');
      return { column: column.sql, value: sql`${value}` };
    case 'date':
    case 'timestamp':
    case 'timestamptz':
      return {
        column: column.sql,
        value: momentSql(dialect, column.type, value) ?? raise(wrong('a day or an RFC 3339 time')),
      };
    case 'uuid':
      if (typeof value !== 'string' || !uuidPattern.test(value)) throw wrong('a UUID');
      return { column: column.sql, value: dialect.cast(sql`${value}`, 'uuid') };
    case 'text':
      return { column: column.sql, value: sql`${textOf(value) ?? raise(wrong('a string'))}` };
    case 'json':
    case 'other':
    default:
      return {
        column: dialect.cast(column.sql, 'text'),
        value: sql`${textOf(value) ?? raise(wrong('a string'))}`,
      };
  }
}

/** A moment as a value of a column's type. */
export function momentBind(dialect: Dialect, type: ValueType, moment: Date): Sql {
  return momentSql(dialect, type, moment.toISOString()) ?? sql`${moment}`;
}

/** A property of a JSON column is compared as what the value is: a number with what can be read as one. */
function comparedDynamic(dialect: Dialect, column: SourceColumn, name: string, value: Json): Compared {
  if (typeof value === 'number') {
    return { column: dialect.tryCast(column.sql, 'float'), value: sql`${value}` };
  }
  const text = textOf(value);
  if (text === null) throw wrongValue(name, 'json', value, 'a string, a number or a boolean');
  return { column: column.sql, value: sql`${text}` };
}

/**
 * Keys as values of a column's type, so that the column is compared as it is. A key that the type cannot hold is the key
 * of nothing, and left out.
 */
export function keyList(
  dialect: Dialect,
  column: SourceColumn,
  keys: readonly string[],
): { column: Sql; rows: Sql } {
  if (column.type === 'integer') {
    const whole = keys.filter((key) => /^-?(0|[1-9]\d{0,17})$/.test(key)).map(BigInt);
    return { column: column.sql, rows: dialect.listRows(whole, 'integer') };
  }
  if (column.type === 'uuid') {
    const uuids = keys.filter((key) => uuidPattern.test(key));
    return { column: column.sql, rows: dialect.listRows(uuids, 'uuid') };
  }
  const isText = column.type === 'text';
  return {
    column: isText ? column.sql : dialect.cast(column.sql, 'text'),
    rows: dialect.listRows(keys, 'text'),
  };
}

function numberSql(dialect: Dialect, value: Json): Sql | null {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? sql`${BigInt(value)}` : sql`${value}`;
  if (typeof value !== 'string' || !/^-?\d{1,28}(\.\d{1,10})?$/.test(value)) return null;
  if (/^-?\d{1,18}$/.test(value)) return sql`${BigInt(value)}`;
  return dialect.cast(sql`${value}`, 'decimal');
}

function momentSql(dialect: Dialect, type: ValueType, value: Json): Sql | null {
  if (typeof value !== 'string' || !momentPattern.test(value)) return null;
  const hasZone = /(?:Z|[+-]\d{2}:?\d{2})$/i.test(value) && value.length > 10;
  const moment = new Date(hasZone || value.length === 10 ? value : `${value.replace(' ', 'T')}Z`);
  if (Number.isNaN(moment.getTime())) return null;
  if (type === 'timestamptz') return dialect.cast(sql`${moment.toISOString()}`, 'timestamptz');
  if (type === 'date' && value.length === 10) return dialect.cast(sql`${value}`, 'date');
  return dialect.cast(sql`${moment.toISOString().slice(0, -1)}`, 'timestamp');
}

function textOf(value: Json): string | null {
  if (typeof value === 'string') return value;
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : null;
}

function wrongValue(name: string, type: ValueType, value: Json, allowed: string): AppError {
  const shown = JSON.stringify(value) ?? 'nothing';
  const short = shown.length > 80 ? `${shown.slice(0, 80)}…` : shown;
  return new AppError(
    'BAD_USER_INPUT',
    `${short} cannot be compared with "${name}", which is of type ${type}: ${allowed} can.`,
  );
}

function raise(error: AppError): never {
  throw error;
}
