import { createRequire } from 'node:module';
import {
  BIGINT,
  DOUBLE,
  HUGEINT,
  LIST,
  SQLNULL,
  DuckDBArrayValue,
  DuckDBBlobValue,
  DuckDBDateValue,
  DuckDBListValue,
  DuckDBMapValue,
  DuckDBStructValue,
  DuckDBTimestampMillisecondsValue,
  DuckDBTimestampNanosecondsValue,
  DuckDBTimestampSecondsValue,
  DuckDBTimestampTZValue,
  DuckDBTimestampValue,
  DuckDBTimeNSValue,
  DuckDBTimeTZValue,
  DuckDBTimeValue,
  type DuckDBType,
  DuckDBTypeId,
  DuckDBUnionValue,
  type DuckDBValue,
} from '@duckdb/node-api';
import type { Bind } from './warehouse.ts';

// The driver's own decoder drops U+FEFF from the beginning of a text, so that a value would come back as another.
const accessors = createRequire(import.meta.url)('@duckdb/node-api/lib/vectors/dataAccessors.js') as {
  textDecoder: TextDecoder;
};
accessors.textDecoder = new TextDecoder('utf-8', { ignoreBOM: true });

const int64Max = 2n ** 63n - 1n;

/** The type that a bind is given; undefined leaves the choice to DuckDB. BIGINT where it fits: a HUGEINT would keep it from pruning. */
export function bindType(bind: Bind): DuckDBType | undefined {
  if (typeof bind === 'bigint') return bind <= int64Max && bind >= -int64Max - 1n ? BIGINT : HUGEINT;
  // The driver takes every number without a fraction for a whole one, and fails where that is too wide.
  if (typeof bind === 'number' && !Number.isSafeInteger(bind)) return DOUBLE;
  if (!Array.isArray(bind)) return undefined;
  const items = bind.filter((each) => each !== null);
  // The first would else say what all of them are.
  if (items.length > 0 && items.every((each) => typeof each === 'number'))
    return LIST(items.every(Number.isSafeInteger) ? BIGINT : DOUBLE);
  if (bind.length === 0) return LIST(SQLNULL);
  const item = bindType(items[0] ?? null);
  return item && LIST(item);
}

/** The value of a bind for DuckDB: dates as TIMESTAMPTZ, bytes as BLOB. */
export function toDuckDb(bind: Bind): DuckDBValue {
  if (bind === null || typeof bind === 'boolean' || typeof bind === 'string') return bind;
  if (typeof bind === 'number' || typeof bind === 'bigint') return bind;
  if (bind instanceof Date) return new DuckDBTimestampTZValue(BigInt(bind.getTime()) * 1000n);
  if (bind instanceof Uint8Array) return new DuckDBBlobValue(bind);
  return new DuckDBListValue(bind.map(toDuckDb));
}

/**
 * A value of DuckDB as an answer holds it. 64-bit integers are bigint; wider ones and decimals are strings of their
 * exact value; timestamps are ISO 8601 in UTC with microseconds; bytes are base64. Whatever stands inside a list, struct
 * or map is fit for JSON, so 64-bit integers are strings there.
 */
export function fromDuckDb(value: DuckDBValue, type: DuckDBType): unknown {
  if (typeof value !== 'bigint') return plain(value);
  const wide = [DuckDBTypeId.HUGEINT, DuckDBTypeId.UHUGEINT, DuckDBTypeId.BIGNUM].includes(type.typeId);
  return wide ? value.toString() : value;
}

function plain(value: DuckDBValue): unknown {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return value;
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  if (typeof value === 'bigint') return value.toString();
  return ofTime(value) ?? ofNested(value) ?? ofScalar(value);
}

function ofScalar(value: object): unknown {
  if (value instanceof DuckDBBlobValue) return Buffer.from(value.bytes).toString('base64');
  const written: { toString(): string } = value;
  return written.toString();
}

function ofNested(value: object): unknown {
  if (value instanceof DuckDBListValue || value instanceof DuckDBArrayValue) return value.items.map(plain);
  if (value instanceof DuckDBStructValue) {
    return Object.fromEntries(Object.entries(value.entries).map(([name, each]) => [name, plain(each)]));
  }
  if (value instanceof DuckDBMapValue) {
    return value.entries.map((entry) => ({ key: plain(entry.key), value: plain(entry.value) }));
  }
  return value instanceof DuckDBUnionValue ? { tag: value.tag, value: plain(value.value) } : undefined;
}

function ofTime(value: object): string | undefined {
  if (value instanceof DuckDBTimestampTZValue || value instanceof DuckDBTimestampValue) return isoOf(value);
  if (value instanceof DuckDBTimestampSecondsValue) {
    return value.isFinite
      ? isoOf(new DuckDBTimestampValue(value.seconds * 1_000_000n))
      : signedInfinity(value.seconds);
  }
  if (value instanceof DuckDBTimestampMillisecondsValue) {
    return value.isFinite
      ? isoOf(new DuckDBTimestampValue(value.millis * 1000n))
      : signedInfinity(value.millis);
  }
  if (value instanceof DuckDBTimestampNanosecondsValue) {
    if (!value.isFinite) return signedInfinity(value.nanos);
    const nanos = ((value.nanos % 1000n) + 1000n) % 1000n;
    return isoOf(new DuckDBTimestampValue((value.nanos - nanos) / 1000n)).replace(
      'Z',
      `${String(nanos).padStart(3, '0')}Z`,
    );
  }
  if (value instanceof DuckDBDateValue) return dateOf(value);
  const isTime =
    value instanceof DuckDBTimeValue ||
    value instanceof DuckDBTimeTZValue ||
    value instanceof DuckDBTimeNSValue;
  return isTime ? value.toString() : undefined;
}

function isoOf(value: DuckDBTimestampValue | DuckDBTimestampTZValue): string {
  if (!value.isFinite) return signedInfinity(value.micros);
  const { date, time } = value.toParts();
  const clock = [time.hour, time.min, time.sec].map((part) => String(part).padStart(2, '0')).join(':');
  return `${dayOf(date)}T${clock}.${String(time.micros).padStart(6, '0')}Z`;
}

function dateOf(value: DuckDBDateValue): string {
  return value.isFinite ? dayOf(value.toParts()) : signedInfinity(value.days);
}

/** ISO 8601 writes years outside 0 to 9999 with a sign and six digits; the year 0 is 1 BC. */
function dayOf({ year, month, day }: { year: number; month: number; day: number }): string {
  const sign = year < 0 ? '-' : '+';
  const years =
    year >= 0 && year <= 9999
      ? String(year).padStart(4, '0')
      : sign + String(Math.abs(year)).padStart(6, '0');
  return `${years}-${String(month).padStart(2, '0')}-${String(day).padStart(2, '0')}`;
}

function signedInfinity(value: bigint | number): string {
  return value < 0 ? '-infinity' : 'infinity';
}
