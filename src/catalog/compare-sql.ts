import { AppError } from '#base/errors.ts';
import type { Json } from '#connectors/contract.ts';
import type { Dialect, ValueType } from '#warehouse/dialect.ts';
import { sql, type Sql } from '#warehouse/sql.ts';
import type { SourceColumn } from './row-source.ts';

const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const momentPattern =
  /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2})(?:(:\d{2})(\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})?)?$/i;
const wholePattern = /^(0|-?[1-9]\d{0,36})$/;

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
      return {
        column: column.sql,
        value: numberSql(dialect, column.type, value) ?? raise(wrong('a number')),
      };
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
        column: dialect.cast(column.sql, 'text', column.type),
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

/** A key as a value of a column's type, so that the column is compared as it is; null for what the type cannot hold. */
export function keyValue(dialect: Dialect, column: SourceColumn, key: string): Compared | null {
  if (column.type === 'integer') {
    return wholePattern.test(key) ? { column: column.sql, value: sql`${BigInt(key)}` } : null;
  }
  if (column.type === 'uuid') {
    return uuidPattern.test(key) ? { column: column.sql, value: dialect.cast(sql`${key}`, 'uuid') } : null;
  }
  return { column: comparedAsText(dialect, column), value: sql`${key}` };
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
    const whole = keys.filter((key) => wholePattern.test(key)).map(BigInt);
    // Wider columns than the list's type are rare, and compared as text where they hold such keys.
    if (whole.every((key) => BigInt.asIntN(64, key) === key)) {
      return { column: column.sql, rows: dialect.listRows(whole, 'integer') };
    }
  }
  if (column.type === 'uuid') {
    const uuids = keys.filter((key) => uuidPattern.test(key));
    return { column: column.sql, rows: dialect.listRows(uuids, 'uuid') };
  }
  return { column: comparedAsText(dialect, column), rows: dialect.listRows(keys, 'text') };
}

function comparedAsText(dialect: Dialect, column: SourceColumn): Sql {
  return column.type === 'text' ? column.sql : dialect.cast(column.sql, 'text', column.type);
}

/** The column as text, to be sorted, joined or answered. */
export function textSql(dialect: Dialect, column: SourceColumn): Sql {
  // An enumeration counts as text and sorts otherwise: only the cast makes it one.
  return column.dynamic ? column.sql : dialect.cast(column.sql, 'text', column.type);
}

function numberSql(dialect: Dialect, type: ValueType, value: Json): Sql | null {
  const text = typeof value === 'number' ? String(value) : value;
  if (typeof text !== 'string') return null;
  if (wholePattern.test(text)) return sql`${BigInt(text)}`;
  // A fraction is compared with decimals as what it says, not as the double that is nearest to it.
  if (type !== 'float' && /^-?\d{1,28}\.\d{1,10}$/.test(text)) return dialect.cast(sql`${text}`, 'decimal');
  const number = /^-?\d+(\.\d+)?(e[+-]?\d+)?$/i.test(text) ? Number(text) : Number.NaN;
  return Number.isFinite(number) ? sql`${number}` : null;
}

/** A day or an RFC 3339 time as a value of a column's type, to the microsecond; UTC where it has no offset. Null for all else. */
export function momentSql(dialect: Dialect, type: ValueType, value: Json): Sql | null {
  const match = typeof value === 'string' ? momentPattern.exec(value) : null;
  const [, day, minutes, seconds = ':00', fraction = '', zone = 'Z'] = match ?? [];
  if (day === undefined || !isRealDay(day)) return null;
  if (minutes === undefined && type === 'date') return dialect.cast(sql`${day}`, 'date');
  const offset = /^[+-]\d{4}$/.test(zone) ? `${zone.slice(0, 3)}:${zone.slice(3)}` : zone;
  const moment = new Date(
    minutes === undefined ? `${day}T00:00:00Z` : `${day}T${minutes}${seconds}${offset}`,
  );
  if (Number.isNaN(moment.getTime())) return null;
  const text = moment.toISOString().replace(/\.\d+Z$/, `.${fraction.slice(1, 7).padEnd(6, '0')}`);
  return type === 'timestamptz'
    ? dialect.cast(sql`${`${text}Z`}`, 'timestamptz')
    : dialect.cast(sql`${text}`, 'timestamp');
}

function isRealDay(day: string): boolean {
  const date = new Date(`${day}T00:00:00Z`);
  return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(day);
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
