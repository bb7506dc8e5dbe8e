import { listOf } from './json-list.ts';
import type { Bind } from './warehouse.ts';

/** A column as Snowflake describes it in its answers. */
export interface RowType {
  name: string;
  type: string;
  precision: number | null;
  scale: number | null;
  length?: number | null;
}

/** A value as Snowflake takes it: its type, and the value as text. */
export interface Binding {
  type: string;
  value: string | null;
}

const int64Max = 2n ** 63n - 1n;

/** The binds of a statement by their number. Lists go as one JSON text, moments as nanoseconds since 1970. */
export function bindingsOf(binds: readonly Bind[]): Record<string, Binding> {
  return Object.fromEntries(binds.map((bind, at) => [String(at + 1), bindingOf(bind)]));
}

function bindingOf(bind: Bind): Binding {
  if (bind === null) return { type: 'TEXT', value: null };
  if (typeof bind === 'string') return { type: 'TEXT', value: bind };
  if (typeof bind === 'boolean') return { type: 'BOOLEAN', value: String(bind) };
  if (typeof bind === 'bigint') return { type: 'FIXED', value: String(bind) };
  if (typeof bind === 'number')
    return { type: Number.isSafeInteger(bind) ? 'FIXED' : 'REAL', value: String(bind) };
  if (bind instanceof Date) return { type: 'TIMESTAMP_LTZ', value: `${bind.getTime()}000000` };
  if (bind instanceof Uint8Array) return { type: 'BINARY', value: Buffer.from(bind).toString('hex') };
  return { type: 'TEXT', value: JSON.stringify(bind.map(itemOf)) };
}

/** An element of a list as text, so that no digit of it is lost; the dialect casts it back. */
function itemOf(bind: Bind): unknown {
  if (bind === null) return null;
  if (bind instanceof Date) return bind.toISOString();
  if (bind instanceof Uint8Array) return Buffer.from(bind).toString('hex');
  return Array.isArray(bind) ? bind.map(itemOf) : String(bind);
}

/** The type as Snowflake's own DESCRIBE writes it. */
export function typeName({ type, precision, scale, length }: RowType): string {
  switch (type.toLowerCase()) {
    case 'fixed':
      return `NUMBER(${precision ?? 38},${scale ?? 0})`;
    case 'real':
      return 'FLOAT';
    case 'text':
      return length == null ? 'VARCHAR' : `VARCHAR(${length})`;
    default:
      return type.toUpperCase();
  }
}

type Decode = (raw: string) => unknown;

/**
 * Reads the values of a column as an answer holds them. Snowflake writes all as text: integers that fit 64 bits are bigint,
 * longer ones and decimals their exact text; timestamps are ISO 8601 in UTC; bytes are base64; what VARIANT and OBJECT hold
 * is JSON text; lists are lists, with numbers too long for JSON as text.
 */
export function decoderOf({ type, scale }: RowType): Decode {
  switch (type.toLowerCase()) {
    case 'fixed':
      return (scale ?? 0) > 0 ? asIs : integerOf;
    case 'real':
      return floatOf;
    case 'boolean':
      return (raw) => raw === '1' || raw.toLowerCase() === 'true';
    case 'date':
      return (raw) => dayOf(BigInt(raw));
    case 'time':
      return (raw) => clockOf(nanosOf(raw));
    case 'timestamp_ntz':
    case 'timestamp_ltz':
      return (raw) => isoOf(nanosOf(raw));
    case 'timestamp_tz':
      // Behind the moment stands the offset that it was written with.
      return (raw) => isoOf(nanosOf(raw.split(' ', 1)[0]!));
    case 'binary':
      return (raw) => Buffer.from(raw, 'hex').toString('base64');
    case 'array':
      return listOf;
    default:
      return asIs;
  }
}

const asIs: Decode = (raw) => raw;

const integerOf: Decode = (raw) => {
  const value = BigInt(raw);
  return raw.length < 19 || (value <= int64Max && value >= -int64Max - 1n) ? value : raw;
};

const notFinite: Record<string, string> = { nan: 'NaN', inf: 'Infinity', '-inf': '-Infinity' };

const floatOf: Decode = (raw) => notFinite[raw.toLowerCase()] ?? Number(raw);

const second = 1_000_000_000n;

/** Seconds with up to nine digits behind the point, as nanoseconds. */
function nanosOf(raw: string): bigint {
  const [whole, part = ''] = raw.split('.') as [string, string?];
  const nanos = BigInt(part.padEnd(9, '0').slice(0, 9));
  return BigInt(whole) * second + (raw.startsWith('-') ? -nanos : nanos);
}

/** The quotient as a floor, and what is left. */
function split(value: bigint, by: bigint): [bigint, bigint] {
  const left = ((value % by) + by) % by;
  return [(value - left) / by, left];
}

function isoOf(nanos: bigint): string {
  const [days, ofDay] = split(nanos, 86_400n * second);
  const [seconds, below] = split(ofDay, second);
  const digits = String(below).padStart(9, '0');
  return `${dayOf(days)}T${hoursOf(seconds)}.${digits.endsWith('000') ? digits.slice(0, 6) : digits}Z`;
}

function clockOf(nanos: bigint): string {
  const [seconds, below] = split(nanos, second);
  const digits = String(below).padStart(9, '0').replace(/0+$/, '');
  return digits === '' ? hoursOf(seconds) : `${hoursOf(seconds)}.${digits}`;
}

function hoursOf(seconds: bigint): string {
  return [seconds / 3600n, (seconds / 60n) % 60n, seconds % 60n]
    .map((part) => String(part).padStart(2, '0'))
    .join(':');
}

/** Days since 1970 as a date of ISO 8601, which writes years outside 0 to 9999 with a sign and six digits. */
function dayOf(days: bigint): string {
  return new Date(Number(days) * 86_400_000).toISOString().replace(/T.*/, '');
}
