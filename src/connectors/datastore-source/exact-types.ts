import { columnTypeOf, whyText } from '#connectors/column-type.ts';
import type { ColumnType } from '#connectors/contract.ts';
import { type PostgresType, valueType } from '#connectors/postgres/value-types.ts';
import type { Warehouse } from '#warehouse/warehouse.ts';

export interface ExactType {
  type: ColumnType;
  asTextBecause?: string;
}

/** The type that keeps every value of an engine's type exactly, by the name that its catalog gives. */
export function exactType(engine: Warehouse['engine'], dataType: string): ExactType {
  if (engine === 'DUCKDB') {
    const asTextBecause = whyText(dataType);
    return { type: columnTypeOf(dataType), ...(asTextBecause !== undefined && { asTextBecause }) };
  }
  if (engine === 'POSTGRES' || engine === 'REDSHIFT') return valueType(postgresType(dataType));
  return ofWarehouse(dataType);
}

const postgresNames: Record<string, string> = {
  smallint: 'int2',
  integer: 'int4',
  bigint: 'int8',
  real: 'float4',
  'double precision': 'float8',
  boolean: 'bool',
  'character varying': 'varchar',
  character: 'bpchar',
  '"char"': 'char',
  'timestamp without time zone': 'timestamp',
  'timestamp with time zone': 'timestamptz',
  'time without time zone': 'time',
  'time with time zone': 'timetz',
};

/** What format_type writes, read back: "numeric(10,2)[]". */
function postgresType(written: string): PostgresType {
  const list = /^(.*)\[\]$/s.exec(written);
  if (list) {
    return { name: 'array', builtin: true, kind: 'b', modifier: -1, element: postgresType(list[1]!) };
  }
  const [, bounds = ''] = /\(([\d,-]+)\)/.exec(written) ?? [];
  const plain = written.replace(/\s*\([\d,-]+\)/, '');
  const name = postgresNames[plain] ?? plain;
  const [precision, scale = 0] = bounds === '' ? [] : bounds.split(',').map(Number);
  const modifier =
    name === 'numeric' && precision !== undefined ? ((precision << 16) | (scale & 0x7ff)) + 4 : -1;
  return { name, builtin: true, kind: 'b', modifier, element: null };
}

/** The names that Snowflake, BigQuery and Databricks give their types. */
const warehouseTypes: Record<string, ColumnType['kind']> = {
  BOOLEAN: 'boolean',
  BOOL: 'boolean',
  TINYINT: 'int16',
  SMALLINT: 'int16',
  INT: 'int32',
  INTEGER: 'int64',
  INT64: 'int64',
  BIGINT: 'int64',
  FLOAT: 'float64',
  FLOAT64: 'float64',
  DOUBLE: 'float64',
  REAL: 'float64',
  VARCHAR: 'text',
  TEXT: 'text',
  STRING: 'text',
  CHAR: 'text',
  DATE: 'date',
  TIME: 'time',
  DATETIME: 'timestamp',
  TIMESTAMP_NTZ: 'timestamp',
  TIMESTAMP: 'timestamptz',
  TIMESTAMP_LTZ: 'timestamptz',
  TIMESTAMP_TZ: 'timestamptz',
  BINARY: 'bytes',
  BYTES: 'bytes',
  VARIANT: 'json',
  OBJECT: 'json',
  ARRAY: 'json',
  STRUCT: 'json',
  MAP: 'json',
  JSON: 'json',
};

const digitsMax = 38;
const defaultDecimal: Record<string, string> = { NUMERIC: '38,9', NUMBER: '38,0', DECIMAL: '10,0' };

function ofWarehouse(dataType: string): ExactType {
  const [, name = '', bounds] = /^(\w+)\s*(?:\(([\d, ]+)\))?/.exec(dataType.toUpperCase()) ?? [];
  const byDefault = defaultDecimal[name];
  if (byDefault !== undefined) {
    const [precision = digitsMax, scale = 0] = (bounds ?? byDefault).split(',').map(Number);
    return { type: decimalType(precision, scale) };
  }
  const kind = warehouseTypes[name];
  if (kind === undefined || kind === 'decimal' || kind === 'list') {
    return { type: { kind: 'text' }, asTextBecause: `no exact type holds every value of ${dataType}` };
  }
  return { type: { kind } };
}

const wholeKinds = [
  [4, 'int16'],
  [9, 'int32'],
  [18, 'int64'],
] as const;

/** NUMBER(38, 0) is what Snowflake calls any integer: the few values beyond 64 bits turn their column into text. */
function decimalType(precision: number, scale: number): ColumnType {
  if (precision === digitsMax && scale === 0) return { kind: 'int64' };
  const whole = scale === 0 ? wholeKinds.find(([digits]) => precision <= digits) : undefined;
  return whole ? { kind: whole[1] } : { kind: 'decimal', precision, scale };
}
