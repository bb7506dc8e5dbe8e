import type { ValueType } from './dialect.ts';
import type { Bind } from './warehouse.ts';

const int64Max = 2n ** 63n - 1n;

const oids = { bool: 16, int8: 20, text: 25, float8: 701, timestamptz: 1184, bytea: 17, numeric: 1700 };
const arrayOids: Record<number, number> = {
  [oids.bool]: 1000,
  [oids.int8]: 1016,
  [oids.text]: 1009,
  [oids.float8]: 1022,
  [oids.timestamptz]: 1185,
  [oids.bytea]: 1001,
  [oids.numeric]: 1231,
};

/** The type that a bind is declared as; 0 leaves the choice to the server. */
export function bindType(bind: Bind): number {
  if (bind === null) return 0;
  if (typeof bind === 'boolean') return oids.bool;
  if (typeof bind === 'bigint') return bind <= int64Max && bind >= -int64Max - 1n ? oids.int8 : oids.numeric;
  if (typeof bind === 'number') return Number.isSafeInteger(bind) ? oids.int8 : oids.float8;
  if (typeof bind === 'string') return oids.text;
  if (bind instanceof Date) return oids.timestamptz;
  if (bind instanceof Uint8Array) return oids.bytea;
  const types = new Set(bind.filter((each) => each !== null).map(bindType));
  if (types.size === 1) return arrayOids[[...types][0]!] ?? 0;
  // Whole numbers among fractions, and those of 64 bits among wider ones.
  if (types.size === 2 && types.has(oids.int8)) {
    if (types.has(oids.float8)) return arrayOids[oids.float8]!;
    if (types.has(oids.numeric)) return arrayOids[oids.numeric]!;
  }
  return types.size === 0 ? 0 : arrayOids[oids.text]!;
}

const castOids: Partial<Record<ValueType, number>> = {
  boolean: oids.bool,
  date: 1082,
  timestamp: 1114,
  timestamptz: 1184,
};

/**
 * What a text bind is declared as. A cast from text to a date or a timestamp depends on the session, so that the server would do
 * it again for each row; one that arrives as what it is cast to is read once. The types of all others are left to the cast.
 */
export function textType(castTo: ValueType | undefined, textOid: number): number {
  return (castTo && castOids[castTo]) ?? textOid;
}

/** The value of a bind as the protocol takes it, in text but for bytes. */
export function toPostgres(bind: Bind): string | Buffer | null {
  if (bind === null) return null;
  if (bind instanceof Uint8Array) return Buffer.from(bind.buffer, bind.byteOffset, bind.byteLength);
  return textOf(bind);
}

function textOf(bind: Exclude<Bind, null>): string {
  if (typeof bind === 'string') return bind;
  if (bind instanceof Date) return momentText(bind);
  if (bind instanceof Uint8Array) return `\\x${Buffer.from(bind).toString('hex')}`;
  if (typeof bind === 'object') return `{${bind.map(itemText).join(',')}}`;
  return String(bind);
}

function itemText(item: Bind): string {
  if (item === null) return 'NULL';
  return `"${textOf(item).replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}

function momentText(moment: Date): string {
  return timeText(moment.toISOString().replace('Z', '+00'));
}

/** A date or moment of ISO 8601, whose years have a sign when they are long, and whose year 0 is 1 BC, as PostgreSQL reads it. */
export function timeText(iso: string): string {
  const match = /^([+-]?)(\d+)(-.*)$/.exec(iso);
  // infinity and -infinity.
  if (!match) return iso;
  const [, sign, years, rest] = match;
  const isBefore = sign === '-' || Number(years) === 0;
  return `${String(Number(years) + (isBefore ? 1 : 0)).padStart(4, '0')}${rest}${isBefore ? ' BC' : ''}`;
}

/** A value as an answer holds it. */
type Read = (text: string) => unknown;

const asNumber: Read = (text) => {
  const number = Number(text);
  // JSON has neither NaN nor infinities.
  return Number.isFinite(number) ? number : text;
};
const asText: Read = (text) => text;
const asBytes: Read = (text) => Buffer.from(text.slice(2), 'hex').toString('base64');

/** By the type's oid; all others are text as the server writes them. */
const readers = new Map<number, Read>([
  [16, (text) => text === 't'],
  [20, BigInt],
  [21, asNumber],
  [23, asNumber],
  [26, asNumber],
  [700, asNumber],
  [701, asNumber],
  [17, asBytes],
  [1082, dateOf],
  [1114, isoOf],
  [1184, isoOf],
]);

/** Of arrays the oid of what they hold. Elements are fit for JSON, so that 64-bit integers are texts there. */
const elements = new Map<number, number>([
  [1000, 16],
  [1001, 17],
  [1005, 21],
  [1007, 23],
  [1016, 25],
  [1009, 25],
  [1015, 25],
  [1014, 25],
  [1003, 25],
  [1021, 700],
  [1022, 701],
  [1115, 1114],
  [1182, 1082],
  [1185, 1184],
  [1231, 25],
  [2951, 25],
  [199, 25],
  [3807, 25],
]);

/**
 * How values of a type are read: 64-bit integers as bigint, numeric as text of its exact value, timestamps as ISO 8601 in
 * UTC with microseconds, bytes as base64, arrays as lists, JSON as its text.
 */
export function readerOf(oid: number): Read {
  const element = elements.get(oid);
  if (element === undefined) return readers.get(oid) ?? asText;
  const read = readers.get(element) ?? asText;
  return (text) => listOf(text, read);
}

const timestampPattern = /^(\d{4,})(-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:\.(\d+))?(?:\+00)?( BC)?$/;

function isoOf(text: string): string {
  // As most are written: 2026-01-01 00:00:00+00.
  if (text.length === 22 && text[10] === ' ' && text.endsWith('+00'))
    return `${text.slice(0, 10)}T${text.slice(11, 19)}.000000Z`;
  const match = timestampPattern.exec(text);
  // infinity and -infinity.
  if (!match) return text;
  const [, year, day, clock, fraction = '', era] = match;
  return `${yearOf(year!, era)}${day}T${clock}.${fraction.padEnd(6, '0')}Z`;
}

function dateOf(text: string): string {
  const match = /^(\d{4,})(-\d\d-\d\d)( BC)?$/.exec(text);
  return match ? `${yearOf(match[1]!, match[3])}${match[2]}` : text;
}

/** ISO 8601 writes years outside 0 to 9999 with a sign and six digits; the year 0 is 1 BC. */
function yearOf(year: string, era: string | undefined): string {
  if (era === undefined && year.length === 4) return year;
  if (era === undefined) return `+${year.padStart(6, '0')}`;
  const before = Number(year) - 1;
  return before === 0 ? '0000' : `-${String(before).padStart(6, '0')}`;
}

/** {1,NULL,"a b",{…}} with what stands before it when it does not begin with 1: [0:1]={…}. */
function listOf(text: string, read: Read): unknown {
  let at = text.indexOf('{');
  return list();

  function list(): unknown[] {
    const items: unknown[] = [];
    at += 1;
    while (text[at] !== '}') {
      items.push(item());
      if (text[at] === ',') at += 1;
    }
    at += 1;
    return items;
  }

  function item(): unknown {
    if (text[at] === '{') return list();
    if (text[at] === '"') return read(quoted());
    const from = at;
    while (text[at] !== ',' && text[at] !== '}') at += 1;
    const plain = text.slice(from, at);
    return plain === 'NULL' ? null : read(plain);
  }

  function quoted(): string {
    let value = '';
    for (at += 1; text[at] !== '"'; at += 1) {
      if (text[at] === '\\') at += 1;
      value += text[at];
    }
    at += 1;
    return value;
  }
}
