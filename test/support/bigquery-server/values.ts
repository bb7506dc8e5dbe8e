import {
  BIGINT,
  BLOB,
  BOOLEAN,
  DECIMAL,
  DOUBLE,
  DuckDBBlobValue,
  DuckDBDateValue,
  DuckDBDecimalValue,
  DuckDBListValue,
  DuckDBStructValue,
  DuckDBTimestampTZValue,
  DuckDBTimestampValue,
  DuckDBTimeValue,
  type DuckDBType,
  DuckDBTypeId,
  type DuckDBValue,
  LIST,
  listValue,
  TIMESTAMPTZ,
  VARCHAR,
} from '@duckdb/node-api';
import type { Cell, Field, QueryParameter } from '#warehouse/bigquery-values.ts';

const names: Partial<Record<DuckDBTypeId, string>> = {
  [DuckDBTypeId.TINYINT]: 'INTEGER',
  [DuckDBTypeId.SMALLINT]: 'INTEGER',
  [DuckDBTypeId.INTEGER]: 'INTEGER',
  [DuckDBTypeId.BIGINT]: 'INTEGER',
  [DuckDBTypeId.UTINYINT]: 'INTEGER',
  [DuckDBTypeId.USMALLINT]: 'INTEGER',
  [DuckDBTypeId.UINTEGER]: 'INTEGER',
  [DuckDBTypeId.UBIGINT]: 'INTEGER',
  // What a SUM of integers is, which BigQuery gives as INT64.
  [DuckDBTypeId.HUGEINT]: 'INTEGER',
  [DuckDBTypeId.FLOAT]: 'FLOAT',
  [DuckDBTypeId.DOUBLE]: 'FLOAT',
  [DuckDBTypeId.BOOLEAN]: 'BOOLEAN',
  [DuckDBTypeId.DATE]: 'DATE',
  [DuckDBTypeId.TIME]: 'TIME',
  [DuckDBTypeId.TIMESTAMP]: 'DATETIME',
  [DuckDBTypeId.TIMESTAMP_TZ]: 'TIMESTAMP',
  [DuckDBTypeId.BLOB]: 'BYTES',
};

/** A column as BigQuery tells of it. */
export function fieldOf(name: string, type: DuckDBType): Field {
  const of = (bigQuery: string, more: Partial<Field> = {}): Field => ({
    name,
    type: bigQuery,
    mode: 'NULLABLE',
    ...more,
  });
  if (type.alias === 'JSON') return of('JSON');
  switch (type.typeId) {
    case DuckDBTypeId.DECIMAL: {
      const { width, scale } = type;
      return of(scale <= 9 && width - scale <= 29 ? 'NUMERIC' : 'BIGNUMERIC');
    }
    case DuckDBTypeId.LIST: {
      const { valueType } = type;
      return { ...fieldOf(name, valueType), mode: 'REPEATED' };
    }
    case DuckDBTypeId.STRUCT: {
      const { entryNames, entryTypes } = type;
      return of('RECORD', { fields: entryNames.map((entry, at) => fieldOf(entry, entryTypes[at]!)) });
    }
    default:
      return of(names[type.typeId] ?? 'STRING');
  }
}

/** A value as BigQuery writes it in its rows. */
export function cellOf(value: DuckDBValue): Cell {
  if (value === null) return null;
  if (value instanceof DuckDBTimestampTZValue) return String(value.micros);
  if (value instanceof DuckDBTimestampValue) return isoOf(value.micros);
  if (value instanceof DuckDBDateValue || value instanceof DuckDBTimeValue) return value.toString();
  if (value instanceof DuckDBBlobValue) return Buffer.from(value.bytes).toString('base64');
  // Without the zeros that say nothing.
  if (value instanceof DuckDBDecimalValue)
    return value
      .toString()
      .replace(/(\.\d*?)0+$/, '$1')
      .replace(/\.$/, '');
  if (value instanceof DuckDBListValue) return value.items.map((item) => ({ v: cellOf(item) }));
  if (value instanceof DuckDBStructValue) {
    return { f: Object.values(value.entries).map((entry) => ({ v: cellOf(entry) })) };
  }
  const written: { toString(): string } = value;
  return written.toString();
}

/** 2026-01-02T03:04:05, with six digits behind a point where they are not all zeros. */
function isoOf(micros: bigint): string {
  const below = ((micros % 1_000_000n) + 1_000_000n) % 1_000_000n;
  const clock = new Date(Number((micros - below) / 1000n)).toISOString().slice(0, 19);
  return below === 0n ? clock : `${clock}.${String(below).padStart(6, '0')}`;
}

/** A bind as DuckDB takes it. */
export function bindOf({ parameterType, parameterValue }: QueryParameter): [DuckDBValue, DuckDBType] {
  if (parameterType.type === 'ARRAY') {
    return [listValue((parameterValue.arrayValues ?? []).map(({ value }) => value)), LIST(VARCHAR)];
  }
  const value = parameterValue.value ?? null;
  if (value === null) return [null, VARCHAR];
  switch (parameterType.type) {
    case 'INT64':
      return [BigInt(value), BIGINT];
    case 'FLOAT64':
      return [Number(value), DOUBLE];
    case 'BOOL':
      return [value === 'true', BOOLEAN];
    case 'TIMESTAMP':
      return [new DuckDBTimestampTZValue(BigInt(Date.parse(value)) * 1000n), TIMESTAMPTZ];
    case 'BYTES':
      return [new DuckDBBlobValue(Buffer.from(value, 'base64')), BLOB];
    case 'BIGNUMERIC':
      return [new DuckDBDecimalValue(BigInt(value), 38, 0), DECIMAL(38, 0)];
    case 'STRING':
    default:
      return [value, VARCHAR];
  }
}
