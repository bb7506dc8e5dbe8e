import type { ColumnType, Json, StreamColumn } from './contract.ts';

type PlainKind = Exclude<ColumnType, { kind: 'decimal' } | { kind: 'list' }>['kind'];

const duckDbNames: Record<PlainKind, string> = {
  boolean: 'BOOLEAN',
  int16: 'SMALLINT',
  int32: 'INTEGER',
  int64: 'BIGINT',
  float32: 'FLOAT',
  float64: 'DOUBLE',
  text: 'VARCHAR',
  uuid: 'UUID',
  date: 'DATE',
  time: 'TIME',
  timestamp: 'TIMESTAMP',
  timestamptz: 'TIMESTAMP WITH TIME ZONE',
  interval: 'INTERVAL',
  json: 'JSON',
  bytes: 'BLOB',
};

/** DuckDB's types beside its canonical names whose every value one of ours keeps exactly. */
const exactEquals: Record<string, ColumnType> = {
  TINYINT: { kind: 'int16' },
  UTINYINT: { kind: 'int16' },
  USMALLINT: { kind: 'int32' },
  UINTEGER: { kind: 'int64' },
  UBIGINT: { kind: 'decimal', precision: 20, scale: 0 },
  TIMESTAMPTZ: { kind: 'timestamptz' },
  TIMESTAMP_S: { kind: 'timestamp' },
  TIMESTAMP_MS: { kind: 'timestamp' },
  BYTEA: { kind: 'bytes' },
};

const kindOfName = new Map<string, ColumnType>([
  ...Object.entries(exactEquals),
  ...Object.entries(duckDbNames).map(([kind, name]) => [name, { kind: kind as PlainKind }] as const),
]);

/** DuckDB's name of a type: each of ours has exactly one. */
export function duckDbType(type: ColumnType): string {
  if (type.kind === 'decimal') return `DECIMAL(${type.precision},${type.scale})`;
  if (type.kind === 'list') return `${duckDbType(type.of)}[]`;
  return duckDbNames[type.kind];
}

/**
 * The type that keeps DuckDB's exactly, by the name that DESCRIBE gives. Nested types become json; what has no
 * exact type (HUGEINT, TIME WITH TIME ZONE, BIT …) becomes text: `whyText` says when that happened.
 */
export function columnTypeOf(duckDbName: string): ColumnType {
  const name = duckDbName.trim();
  const list = /^(.*)\[\d*\]$/s.exec(name);
  if (list) return { kind: 'list', of: columnTypeOf(list[1]!) };
  const decimal = /^DECIMAL\((\d+),\s*(\d+)\)$/i.exec(name);
  if (decimal) return { kind: 'decimal', precision: Number(decimal[1]), scale: Number(decimal[2]) };
  if (/^(STRUCT|MAP|UNION|VARIANT)\b/i.test(name)) return { kind: 'json' };
  return kindOfName.get(name.toUpperCase()) ?? { kind: 'text' };
}

/** Why a column of this DuckDB type travels as text; undefined when its type keeps every value exactly. */
export function whyText(duckDbName: string): string | undefined {
  const name = duckDbName.trim();
  const list = /^(.*)\[\d*\]$/s.exec(name);
  if (list) return whyText(list[1]!);
  if (columnTypeOf(name).kind !== 'text' || /^(VARCHAR|ENUM\(.*\)|"?NULL"?)$/is.test(name)) return undefined;
  return `no exact type holds every value of ${name}`;
}

/** The type's name for people, as messages and the docs' tables write it: "int64", "decimal(38,2)", "text[]". */
export function typeName(type: ColumnType): string {
  if (type.kind === 'decimal') return `decimal(${type.precision},${type.scale})`;
  return type.kind === 'list' ? `${typeName(type.of)}[]` : type.kind;
}

/**
 * The narrowest type that keeps every value of both exactly, or null when there is none. A date does not widen to a
 * timestamp: a day and an instant answer differently to the same comparison, and DuckDB's dates reach further.
 * Text holds whatever can be written, but is never chosen here: turning typed values into text is the caller's decision.
 */
export function widerType(a: ColumnType, b: ColumnType): ColumnType | null {
  if (a.kind === 'list' && b.kind === 'list') {
    const of = widerType(a.of, b.of);
    return of && { kind: 'list', of };
  }
  if (typeName(a) === typeName(b)) return a;
  return widerInteger(a, b) ?? widerDecimal(a, b) ?? widerFloat(a, b);
}

const integerDigits: Partial<Record<ColumnType['kind'], number>> = { int16: 5, int32: 10, int64: 19 };

function widerInteger(a: ColumnType, b: ColumnType): ColumnType | null {
  const [left, right] = [integerDigits[a.kind], integerDigits[b.kind]];
  if (left === undefined || right === undefined) return null;
  return left >= right ? a : b;
}

const decimalDigitsMax = 38;

function widerDecimal(a: ColumnType, b: ColumnType): ColumnType | null {
  if (a.kind !== 'decimal' && b.kind !== 'decimal') return null;
  const [left, right] = [digits(a), digits(b)];
  if (!left || !right) return null;
  const scale = Math.max(left.scale, right.scale);
  const precision = Math.max(left.whole, right.whole) + scale;
  return precision <= decimalDigitsMax ? { kind: 'decimal', precision, scale } : null;
}

function digits(type: ColumnType): { whole: number; scale: number } | null {
  if (type.kind === 'decimal') return { whole: type.precision - type.scale, scale: type.scale };
  const whole = integerDigits[type.kind];
  return whole === undefined ? null : { whole, scale: 0 };
}

/** The bits of whole number that a float keeps: 24 of float32 take int16, 53 of float64 take int32, none takes int64. */
function widerFloat(a: ColumnType, b: ColumnType): ColumnType | null {
  const kinds = new Set([a.kind, b.kind]);
  const within = (...allowed: ColumnType['kind'][]) => [...kinds].every((kind) => allowed.includes(kind));
  if (!kinds.has('float32') && !kinds.has('float64')) return null;
  if (within('float32', 'int16')) return { kind: 'float32' };
  return within('float32', 'float64', 'int16', 'int32') ? { kind: 'float64' } : null;
}

const jsonTypes: Record<PlainKind, { type?: string; format?: string }> = {
  boolean: { type: 'boolean' },
  int16: { type: 'integer', format: 'int16' },
  int32: { type: 'integer', format: 'int32' },
  int64: { type: 'integer', format: 'int64' },
  float32: { type: 'number', format: 'float' },
  float64: { type: 'number', format: 'double' },
  text: { type: 'string' },
  uuid: { type: 'string', format: 'uuid' },
  date: { type: 'string', format: 'date' },
  time: { type: 'string', format: 'time' },
  timestamp: { type: 'string', format: 'local-date-time' },
  timestamptz: { type: 'string', format: 'date-time' },
  interval: { type: 'string', format: 'interval' },
  json: {},
  bytes: { type: 'string', format: 'byte' },
};

/**
 * The columns as a JSON Schema (2020-12) of one row. Two keywords of our own say what JSON cannot: `columnType` the exact
 * type, such as "decimal(38,2)", and `sourceType` the source's own name of it. `description` says why a column is text.
 */
export function jsonSchemaOf(columns: readonly StreamColumn[]): Json {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    type: 'object',
    properties: Object.fromEntries(columns.map((column) => [column.name, schemaOfColumn(column)])),
    required: columns.filter((column) => !column.nullable).map((column) => column.name),
    additionalProperties: false,
  };
}

function schemaOfColumn(column: StreamColumn): Json {
  const { type, ...rest } = schemaOfType(column.type);
  return {
    ...(type === undefined ? {} : { type: column.nullable ? [type, 'null'] : type }),
    ...rest,
    columnType: typeName(column.type),
    sourceType: column.sourceType,
    ...(column.asTextBecause === undefined
      ? {}
      : { description: `Travels as text: ${column.asTextBecause}.` }),
  };
}

function schemaOfType(type: ColumnType): { [keyword: string]: Json } {
  if (type.kind === 'decimal') return { type: 'string', format: 'decimal' };
  if (type.kind === 'list') return { type: 'array', items: schemaOfType(type.of) };
  return { ...jsonTypes[type.kind] };
}
