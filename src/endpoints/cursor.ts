import { createHash } from 'node:crypto';
import { inputError } from '#base/errors.ts';
import type { ValueType } from '#warehouse/dialect.ts';
import type { KeyColumn } from './statement.ts';

/** Values of these types can be written down exactly, sorted and read back. */
const textOfType: Partial<Record<ValueType, RegExp>> = {
  text: /^[^\0]*$/su,
  integer: /^-?\d{1,38}$/,
  decimal: /^-?\d{1,38}(\.\d{1,38})?$/,
  uuid: /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i,
  date: /^((\d{4}|[+-]\d{6,7})-\d{2}-\d{2}|-?infinity)$/,
  timestamp: /^((\d{4}|[+-]\d{6,7})-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?Z?|-?infinity)$/,
  timestamptz: /^((\d{4}|[+-]\d{6,7})-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?Z|-?infinity)$/,
};

/** Whether pages can be in the order of a column of that type. */
export function canOrder(type: ValueType): boolean {
  return textOfType[type] !== undefined;
}

/** The cursor of a row, by the values of its key; null where one of them is NULL. */
export function cursorOf(key: readonly KeyColumn[], values: readonly unknown[]): string | null {
  if (values.some((value) => value === null)) return null;
  const texts = values.map((value) => String(value as string | bigint | number));
  return Buffer.from(JSON.stringify([tagOf(key), ...texts])).toString('base64url');
}

/** The values of the key that a cursor holds. Fails with BAD_USER_INPUT for one that is none of a list of that key. */
export function keyOfCursor(key: readonly KeyColumn[], name: 'after' | 'before', cursor: string): string[] {
  const read = parsed(cursor);
  const [tag, ...values] = Array.isArray(read) ? (read as unknown[]) : [];
  const isOurs = tag === tagOf(key) && values.length === key.length;
  if (isOurs && values.every((value, index) => isText(value, key[index]!.type))) return values as string[];
  const fix = 'Use one that its answers gave; without one the first page is given.';
  throw inputError('INVALID', [name], `${name} is no cursor of this endpoint.`, fix);
}

function isText(value: unknown, type: ValueType): boolean {
  return typeof value === 'string' && (textOfType[type]?.test(value) ?? false);
}

/** Cursors of another order are none of this. */
function tagOf(key: readonly KeyColumn[]): string {
  return createHash('sha256').update(JSON.stringify(key)).digest('base64url').slice(0, 8);
}

function parsed(cursor: string): unknown {
  try {
    return JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
  } catch {
    return null;
  }
}
