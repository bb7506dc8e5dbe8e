import {
  BIGINT,
  BOOLEAN,
  DOUBLE,
  DuckDBBlobValue,
  DuckDBDateValue,
  DuckDBListValue,
  DuckDBTimestampTZValue,
  DuckDBTimestampValue,
  DuckDBTimeValue,
  HUGEINT,
  TIMESTAMPTZ,
  BLOB,
  type DuckDBType,
  DuckDBTypeId,
  type DuckDBValue,
  VARCHAR,
} from '@duckdb/node-api';
import type { Binding, RowType } from '#warehouse/snowflake-values.ts';

const integers = new Set([
  DuckDBTypeId.TINYINT,
  DuckDBTypeId.SMALLINT,
  DuckDBTypeId.INTEGER,
  DuckDBTypeId.BIGINT,
  DuckDBTypeId.UTINYINT,
  DuckDBTypeId.USMALLINT,
  DuckDBTypeId.UINTEGER,
  DuckDBTypeId.UBIGINT,
  DuckDBTypeId.HUGEINT,
]);

/** With whether the values of a list are JSON already, which Snowflake would not tell. */
export type RawType = RowType & { ofJson?: boolean };

/** A column as Snowflake tells of it. DuckDB keeps moments without saying whether they are LTZ or TZ: `zoned` says. */
export function rowTypeOf(name: string, type: DuckDBType, zoned: string): RawType & { nullable: boolean } {
  const of = (snowflake: string, precision: number | null = null, scale: number | null = null) => ({
    name,
    type: snowflake,
    precision,
    scale,
    length: snowflake === 'text' ? 16_777_216 : null,
    nullable: true,
  });
  if (integers.has(type.typeId)) return of('fixed', 38, 0);
  if (type.alias === 'JSON') return of('variant');
  switch (type.typeId) {
    case DuckDBTypeId.DECIMAL: {
      const { width, scale } = type;
      return of('fixed', width, scale);
    }
    case DuckDBTypeId.FLOAT:
    case DuckDBTypeId.DOUBLE:
      return of('real');
    case DuckDBTypeId.BOOLEAN:
      return of('boolean');
    case DuckDBTypeId.DATE:
      return of('date');
    case DuckDBTypeId.TIME:
      return of('time', 0, 9);
    case DuckDBTypeId.TIMESTAMP:
      return of('timestamp_ntz', 0, 9);
    case DuckDBTypeId.TIMESTAMP_TZ:
      return of(zoned, 0, 9);
    case DuckDBTypeId.BLOB:
      return of('binary');
    case DuckDBTypeId.LIST:
      return { ...of('array'), ofJson: type.valueType.alias === 'JSON' };
    case DuckDBTypeId.STRUCT:
      return of('object');
    default:
      return of('text');
  }
}

/** A value as Snowflake writes it in its rows. */
export function rawOf(value: DuckDBValue, { type, ofJson }: RawType): string | null {
  if (value === null) return null;
  if (typeof value === 'boolean') return value ? '1' : '0';
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value).replace('Infinity', 'inf');
  if (value instanceof DuckDBDateValue) return String(value.days);
  if (value instanceof DuckDBTimeValue || value instanceof DuckDBTimestampValue)
    return secondsOf(value.micros);
  if (value instanceof DuckDBTimestampTZValue) {
    return `${secondsOf(value.micros)}${type === 'timestamp_tz' ? ' 1440' : ''}`;
  }
  if (value instanceof DuckDBBlobValue) return Buffer.from(value.bytes).toString('hex').toUpperCase();
  if (value instanceof DuckDBListValue)
    return `[${value.items.map((item) => (ofJson && typeof item === 'string' ? item : jsonOf(item))).join(', ')}]`;
  const written: { toString(): string } = value;
  return written.toString();
}

function jsonOf(value: DuckDBValue): string {
  if (value === null) return 'null';
  if (typeof value === 'string') return JSON.stringify(value);
  const written: { toString(): string } = value;
  return written.toString();
}

/** Seconds with nine digits behind the point, and one sign before all. */
function secondsOf(micros: bigint): string {
  const size = micros < 0n ? -micros : micros;
  return `${micros < 0n ? '-' : ''}${size / 1_000_000n}.${String(size % 1_000_000n).padStart(6, '0')}000`;
}

/** What a statement says of how its result is written. */
export interface WrittenHow {
  JSON_INDENT?: number;
  STRICT_JSON_OUTPUT?: boolean;
  /** Zero for all of them. */
  ROWS_PER_RESULTSET?: number;
}

const jsonTypes = new Set(['variant', 'object', 'array']);

/** Rows as the session has them written: JSON in lines, and "undefined" for what lacks in a list, unless it is told otherwise. */
export function asWritten(
  rows: (string | null)[][],
  rowtype: RowType[],
  { JSON_INDENT = 2, STRICT_JSON_OUTPUT = false }: WrittenHow,
): (string | null)[][] {
  if (JSON_INDENT === 0 && STRICT_JSON_OUTPUT) return rows;
  const written = (text: string) => {
    const lines = JSON.stringify(JSON.parse(text), null, JSON_INDENT);
    return STRICT_JSON_OUTPUT ? lines : lines.replaceAll(/^(\s*)null(,?)$/gm, '$1undefined$2');
  };
  return rows.map((row) =>
    row.map((value, at) => (value !== null && jsonTypes.has(rowtype[at]!.type) ? written(value) : value)),
  );
}

/** A bind as DuckDB takes it. */
export function bindOf({ type, value }: Binding): [DuckDBValue, DuckDBType] {
  if (value === null) return [null, VARCHAR];
  switch (type) {
    case 'FIXED': {
      const number = BigInt(value);
      return [number, BigInt.asIntN(64, number) === number ? BIGINT : HUGEINT];
    }
    case 'REAL':
      return [Number(value), DOUBLE];
    case 'BOOLEAN':
      return [value === 'true', BOOLEAN];
    case 'TIMESTAMP_LTZ':
      return [new DuckDBTimestampTZValue(BigInt(value) / 1000n), TIMESTAMPTZ];
    case 'BINARY':
      return [new DuckDBBlobValue(Buffer.from(value, 'hex')), BLOB];
    case 'TEXT':
    default:
      return [value, VARCHAR];
  }
}
