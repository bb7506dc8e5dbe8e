import {
  BIGINT,
  BOOLEAN,
  DECIMAL,
  DOUBLE,
  DuckDBDateValue,
  DuckDBDecimalValue,
  DuckDBListValue,
  DuckDBMapValue,
  DuckDBStructValue,
  DuckDBTimestampTZValue,
  DuckDBTimestampValue,
  type DuckDBType,
  DuckDBTypeId,
  type DuckDBValue,
  INTEGER,
  SQLNULL,
  TIMESTAMPTZ,
  VARCHAR,
} from '@duckdb/node-api';

const plainNames: Partial<Record<DuckDBTypeId, string>> = {
  [DuckDBTypeId.INTEGER]: 'INT',
  [DuckDBTypeId.HUGEINT]: 'BIGINT',
  [DuckDBTypeId.VARCHAR]: 'STRING',
  [DuckDBTypeId.TIMESTAMP]: 'TIMESTAMP_NTZ',
  [DuckDBTypeId.TIMESTAMP_TZ]: 'TIMESTAMP',
  [DuckDBTypeId.BLOB]: 'BINARY',
  [DuckDBTypeId.UBIGINT]: 'DECIMAL(20,0)',
  [DuckDBTypeId.SQLNULL]: 'VOID',
};

/** What Databricks calls the type. */
export function sqlNameOf(type: DuckDBType): string {
  if (type.alias === 'JSON') return 'VARIANT';
  switch (type.typeId) {
    case DuckDBTypeId.LIST:
      return `ARRAY<${sqlNameOf(type.valueType)}>`;
    case DuckDBTypeId.MAP:
      return `MAP<${sqlNameOf(type.keyType)}, ${sqlNameOf(type.valueType)}>`;
    case DuckDBTypeId.STRUCT: {
      const fields = type.entryNames.map((name, at) => `${name}: ${sqlNameOf(type.entryTypes[at]!)}`);
      return `STRUCT<${fields.join(', ')}>`;
    }
    default:
      return plainNames[type.typeId] ?? type.toString();
  }
}

/** A value as text, where Arrow has no type of its own for it. */
export function textOf(value: DuckDBValue): string | null {
  if (value === null || typeof value === 'string') return value;
  if (value instanceof DuckDBTimestampValue || value instanceof DuckDBTimestampTZValue)
    return momentOf(value.micros);
  if (
    value instanceof DuckDBListValue ||
    value instanceof DuckDBStructValue ||
    value instanceof DuckDBMapValue
  ) {
    return jsonOf(value);
  }
  const written: { toString(): string } = value;
  return written.toString();
}

function jsonOf(value: DuckDBValue): string {
  if (value === null) return 'null';
  if (typeof value === 'string') return JSON.stringify(value);
  if (value instanceof DuckDBListValue) return `[${value.items.map(jsonOf).join(',')}]`;
  if (value instanceof DuckDBStructValue) {
    const fields = Object.entries(value.entries).filter(([, each]) => each !== null);
    return `{${fields.map(([name, each]) => `${JSON.stringify(name)}:${jsonOf(each)}`).join(',')}}`;
  }
  if (value instanceof DuckDBMapValue) {
    return `{${value.entries.map(({ key, value: of }) => `${JSON.stringify(textOf(key))}:${jsonOf(of)}`).join(',')}}`;
  }
  const text = textOf(value)!;
  const isText = value instanceof DuckDBDateValue || /[: ]/.test(text);
  return isText ? JSON.stringify(text) : text;
}

/** 2026-01-02 03:04:05.000006, with as many digits as it needs. */
function momentOf(micros: bigint): string {
  const below = ((micros % 1_000_000n) + 1_000_000n) % 1_000_000n;
  const seconds = new Date(Number((micros - below) / 1000n)).toISOString().replace('T', ' ').slice(0, -5);
  return below === 0n ? seconds : `${seconds}.${String(below).padStart(6, '0').replace(/0+$/, '')}`;
}

/** A parameter as Databricks is given it. */
export interface Given {
  name?: string | null;
  type?: string | null;
  value?: { stringValue?: string | null } | null;
}

/** A parameter as DuckDB takes it. */
export function bindOf({ type, value }: Given): [DuckDBValue, DuckDBType] {
  const text = value?.stringValue ?? null;
  if (text === null) return [null, SQLNULL];
  switch (type) {
    case 'INT':
    case 'INTEGER':
      return [Number(text), INTEGER];
    case 'BIGINT':
      return [BigInt(text), BIGINT];
    case 'DECIMAL(38,0)':
      return [new DuckDBDecimalValue(BigInt(text), 38, 0), DECIMAL(38, 0)];
    case 'DOUBLE':
      return [Number(text), DOUBLE];
    case 'BOOLEAN':
      return [text === 'true', BOOLEAN];
    case 'TIMESTAMP':
      return [new DuckDBTimestampTZValue(BigInt(Date.parse(text)) * 1000n), TIMESTAMPTZ];
    case 'STRING':
      return [text, VARCHAR];
    default:
      throw new Error(`Parameters of the type ${type} are not covered.`);
  }
}
