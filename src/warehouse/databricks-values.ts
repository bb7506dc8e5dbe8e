import type { Driver } from './databricks-client.ts';
import { listOf } from './json-list.ts';
import type { Bind, ResultColumn } from './warehouse.ts';

type Metadata = Awaited<ReturnType<Driver['getResultSetMetadata']>>;

/** A value as Databricks takes it: by name, with its type, and as text. NULL has neither type nor value. */
export interface Parameter {
  name: string;
  type?: string;
  value?: { stringValue: string };
}

const int32Max = 2 ** 31 - 1;

/** The binds of a statement as :p1, :p2 and so on. Lists go as one JSON text, bytes in hex. */
export function parametersOf(binds: readonly Bind[]): Parameter[] {
  return binds.map((bind, at) => {
    const name = `p${at + 1}`;
    if (bind === null) return { name };
    const [type, stringValue] = typed(bind);
    return { name, type, value: { stringValue } };
  });
}

function typed(bind: Exclude<Bind, null>): [type: string, value: string] {
  if (typeof bind === 'string') return ['STRING', bind];
  if (typeof bind === 'boolean') return ['BOOLEAN', String(bind)];
  if (typeof bind === 'bigint') return [integerType(bind), String(bind)];
  if (typeof bind === 'number') return [numberType(bind), String(bind)];
  if (bind instanceof Date) return ['TIMESTAMP', bind.toISOString()];
  if (bind instanceof Uint8Array) return ['STRING', Buffer.from(bind).toString('hex')];
  return ['STRING', JSON.stringify(bind.map(itemOf))];
}

/** What no 64 bits hold is a decimal, as long as those are. */
function integerType(value: bigint): string {
  if (BigInt.asIntN(64, value) === value) return 'BIGINT';
  return String(value).replace('-', '').length <= 38 ? 'DECIMAL(38,0)' : 'DOUBLE';
}

/** LIMIT takes an INT alone. */
function numberType(value: number): string {
  if (!Number.isSafeInteger(value) || Object.is(value, -0)) return 'DOUBLE';
  return Math.abs(value) <= int32Max ? 'INT' : 'BIGINT';
}

/** An element of a list as text, so that no digit of it is lost; the dialect casts it back. */
function itemOf(bind: Bind): unknown {
  if (bind === null) return null;
  if (bind instanceof Date) return bind.toISOString();
  if (bind instanceof Uint8Array) return Buffer.from(bind).toString('hex');
  return Array.isArray(bind) ? bind.map(itemOf) : String(bind);
}

/** A column of a result, and how its values are read. */
export interface Column extends ResultColumn {
  decode: (raw: unknown) => unknown;
}

/** The key under which the schema of Arrow says what SQL calls the type: the schema of Thrift knows less. */
export const sqlNameKey = 'Spark:DataType:SqlName';

/** TTypeId, for columns of which nothing else is said. */
const typeNames = [
  'BOOLEAN',
  'TINYINT',
  'SMALLINT',
  'INT',
  'BIGINT',
  'FLOAT',
  'DOUBLE',
  'STRING',
  'TIMESTAMP',
  'BINARY',
  'ARRAY',
  'MAP',
  'STRUCT',
  'UNION',
  'USER_DEFINED',
  'DECIMAL',
  'VOID',
  'DATE',
  'STRING',
  'STRING',
  'INTERVAL YEAR TO MONTH',
  'INTERVAL DAY TO SECOND',
];

/** The columns that a result is said to have, in their order. `sqlNames` are what its Arrow schema calls their types. */
export function columnsOf({ schema }: Metadata, sqlNames: readonly (string | undefined)[]): Column[] {
  const columns = [...(schema?.columns ?? [])].sort((one, other) => one.position - other.position);
  return columns.map(({ columnName, typeDesc }, at) => {
    const { type, typeQualifiers } = typeDesc.types[0]?.primitiveEntry ?? {};
    const plain = typeNames[type ?? -1] ?? 'STRING';
    const digits = plain === 'DECIMAL' ? typeQualifiers?.qualifiers : undefined;
    const [precision, scale] = ['precision', 'scale'].map((name) => digits?.[name]?.i32Value);
    const dataType = sqlNames[at]?.toUpperCase() ?? (digits ? `DECIMAL(${precision},${scale})` : plain);
    return { name: columnName, dataType, decode: decoderOf(dataType) };
  });
}

/**
 * Reads the values of a column as an answer holds them: 64-bit integers are bigint, decimals their exact text, timestamps ISO
 * 8601 in UTC, bytes base64, arrays lists; what MAP, STRUCT and VARIANT hold is JSON text.
 */
function decoderOf(dataType: string): Column['decode'] {
  if (/^ARRAY\b/.test(dataType)) return (raw) => (typeof raw === 'string' ? listOf(raw) : raw);
  switch (dataType) {
    case 'FLOAT':
    case 'DOUBLE':
      return (raw) => (Number.isFinite(raw) ? raw : String(raw));
    case 'TIMESTAMP':
    case 'TIMESTAMP_NTZ':
    case 'TIMESTAMP_LTZ':
      return (raw) => (typeof raw === 'string' ? isoOf(raw) : raw);
    case 'DATE':
      return (raw) => (raw instanceof Date ? raw.toISOString().replace(/T.*/, '') : raw);
    case 'BINARY':
      return (raw) => (raw instanceof Uint8Array ? Buffer.from(raw).toString('base64') : raw);
    default:
      return (raw) => raw;
  }
}

/** The session's zone is UTC: 2026-01-02 03:04:05.000006, with as many digits as it needs. */
function isoOf(raw: string): string {
  const [, day = '', clock = '', digits = ''] =
    /^([+-]?\d+-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:\.(\d+))?/.exec(raw) ?? [];
  return day === '' ? raw : `${day}T${clock}.${digits.padEnd(6, '0')}Z`;
}
