import type { Bind } from './warehouse.ts';

/** A column or a field of a record, as BigQuery describes it in its answers. */
export interface Field {
  name: string;
  type: string;
  mode?: 'NULLABLE' | 'REQUIRED' | 'REPEATED';
  fields?: Field[];
  maxLength?: string;
  precision?: string;
  scale?: string;
  rangeElementType?: { type: string };
}

/** A value as BigQuery writes it in its rows: text, a list of cells, or a record. */
export type Cell = string | null | { v: Cell }[] | { f: { v: Cell }[] };

/** A row as BigQuery writes it. */
export interface RawRow {
  f: { v: Cell }[];
}

/** A bind with its type. */
export interface QueryParameter {
  name: string;
  parameterType: { type: string; arrayType?: { type: string } };
  parameterValue: { value?: string | null; arrayValues?: { value: string | null }[] };
}

/** The binds of a statement that are not NULL, named p1, p2 and so on. A list is an array of texts, which the dialect casts back. */
export function parametersOf(binds: readonly Bind[]): QueryParameter[] {
  return binds.flatMap((bind, at) => (bind === null ? [] : [{ name: `p${at + 1}`, ...parameterOf(bind) }]));
}

function parameterOf(bind: Bind): Omit<QueryParameter, 'name'> {
  if (Array.isArray(bind)) {
    return {
      parameterType: { type: 'ARRAY', arrayType: { type: 'STRING' } },
      parameterValue: { arrayValues: bind.map((each: Bind) => ({ value: textOf(each) })) },
    };
  }
  return { parameterType: { type: typeOf(bind) }, parameterValue: { value: textOf(bind) } };
}

function typeOf(bind: Bind): string {
  if (typeof bind === 'boolean') return 'BOOL';
  if (typeof bind === 'bigint') return BigInt.asIntN(64, bind) === bind ? 'INT64' : 'BIGNUMERIC';
  if (typeof bind === 'number') return Number.isSafeInteger(bind) ? 'INT64' : 'FLOAT64';
  if (bind instanceof Date) return 'TIMESTAMP';
  return bind instanceof Uint8Array ? 'BYTES' : 'STRING';
}

function textOf(bind: Bind): string | null {
  if (bind === null || typeof bind === 'string') return bind;
  if (bind instanceof Date) return bind.toISOString();
  if (bind instanceof Uint8Array) return Buffer.from(bind).toString('base64');
  return String(bind);
}

/** Names of the REST API that its SQL has others for. */
const sqlNames: Record<string, string> = {
  INTEGER: 'INT64',
  FLOAT: 'FLOAT64',
  BOOLEAN: 'BOOL',
};

/** The type as its SQL and its information schema write it. */
export function typeName(field: Field): string {
  const { mode, type, fields = [], maxLength, precision, scale, rangeElementType } = field;
  if (mode === 'REPEATED') return `ARRAY<${typeName({ ...field, mode: 'NULLABLE' })}>`;
  if (type === 'RECORD' || type === 'STRUCT') {
    return `STRUCT<${fields.map((each) => `${each.name} ${typeName(each)}`).join(', ')}>`;
  }
  if (type === 'RANGE') return `RANGE<${rangeElementType?.type ?? 'DATE'}>`;
  const bounds = [maxLength ?? precision, scale].filter((bound) => bound !== undefined && bound !== '0');
  return `${sqlNames[type] ?? type}${bounds.length > 0 ? `(${bounds.join(', ')})` : ''}`;
}

type Decode = (cell: Cell) => unknown;

/**
 * Reads the values of a column as an answer holds them: INT64 is bigint, NUMERIC and BIGNUMERIC their exact text, moments are
 * ISO 8601 in UTC to the microsecond, bytes base64, JSON its text. Arrays are lists and records objects, fit for JSON: INT64
 * is text in them.
 */
export function decoderOf(field: Field): Decode {
  if (field.mode === 'REPEATED') {
    const item = inJson({ ...field, mode: 'NULLABLE' });
    return (cell) => (cell as { v: Cell }[]).map(({ v }) => (v === null ? null : item(v)));
  }
  if (field.type === 'RECORD' || field.type === 'STRUCT') {
    const parts = (field.fields ?? []).map((each) => [each.name, inJson(each)] as const);
    return (cell) =>
      Object.fromEntries(
        (cell as RawRow).f.map(({ v }, at) => [parts[at]![0], v === null ? null : parts[at]![1](v)]),
      );
  }
  if (field.type === 'RANGE' && field.rangeElementType?.type === 'TIMESTAMP') return momentsOf as Decode;
  return (scalars[field.type] ?? asIs) as Decode;
}

function inJson(field: Field): Decode {
  const isInteger = (field.type === 'INTEGER' || field.type === 'INT64') && field.mode !== 'REPEATED';
  return isInteger ? (asIs as Decode) : decoderOf(field);
}

type Read = (raw: string) => unknown;

const asIs: Read = (raw) => raw;
const integer: Read = (raw) => BigInt(raw);

/** JSON has neither NaN nor infinities. */
const float: Read = (raw) => {
  const value = Number(raw);
  if (Number.isFinite(value)) return value;
  if (/^[+-]?inf/i.test(raw)) return raw.startsWith('-') ? '-Infinity' : 'Infinity';
  return 'NaN';
};

const boolean: Read = (raw) => raw === 'true' || raw === 'TRUE';

/** 2026-01-02T03:04:05, with up to six digits behind a point. */
const datetime: Read = (raw) => `${(raw.includes('.') ? raw : `${raw}.`).padEnd(26, '0')}Z`;

/** Microseconds since 1970; those of far years are more than a number holds. */
const timestamp: Read = (raw) => {
  const micros = Number(raw);
  if (!Number.isSafeInteger(micros)) {
    const below = ((BigInt(raw) % 1000n) + 1000n) % 1000n;
    return isoOf(Number((BigInt(raw) - below) / 1000n), Number(below));
  }
  const ms = Math.floor(micros / 1000);
  return isoOf(ms, micros - ms * 1000);
};

function isoOf(ms: number, micros: number): string {
  return `${new Date(ms).toISOString().slice(0, -1)}${String(micros).padStart(3, '0')}Z`;
}

/** [2026-01-02T03:04:05.000006Z, UNBOUNDED): its moments come in microseconds, too. */
const momentsOf: Read = (raw) =>
  raw.replace(/(?<=^\[|, )-?\d+(?=[,)])/g, (micros) => String(timestamp(micros)));

const scalars: Record<string, Read> = {
  INTEGER: integer,
  INT64: integer,
  FLOAT: float,
  FLOAT64: float,
  BOOLEAN: boolean,
  BOOL: boolean,
  DATETIME: datetime,
  TIMESTAMP: timestamp,
};
