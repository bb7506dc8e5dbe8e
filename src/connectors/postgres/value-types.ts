import type { ColumnType } from '#connectors/contract.ts';
import { misfit, sqlText } from '#connectors/files/text-casts.ts';
import { duckDbType } from '#connectors/column-type.ts';

/** A type as pg_type and pg_attribute tell it, domains resolved. */
export interface PostgresType {
  /** typname: "int8", "numeric", "mood". */
  name: string;
  /** In schema pg_catalog: a user's own type may share a name with a known one. */
  builtin: boolean;
  /** typtype: b base, e enum, c composite, r range, m multirange, p pseudo. */
  kind: string;
  /** atttypmod or, of a domain, typtypmod; -1 for none. */
  modifier: number;
  /** Of an array. */
  element: PostgresType | null;
}

/** How a column travels: as which type, and when that is text for want of a better one, why. */
export interface ValueType {
  type: ColumnType;
  asTextBecause?: string;
}

const decimalDigitsMax = 38;

const exact: Record<string, ColumnType> = {
  bool: { kind: 'boolean' },
  int2: { kind: 'int16' },
  int4: { kind: 'int32' },
  int8: { kind: 'int64' },
  oid: { kind: 'int64' },
  float4: { kind: 'float32' },
  float8: { kind: 'float64' },
  uuid: { kind: 'uuid' },
  date: { kind: 'date' },
  time: { kind: 'time' },
  timestamp: { kind: 'timestamp' },
  timestamptz: { kind: 'timestamptz' },
  interval: { kind: 'interval' },
  json: { kind: 'json' },
  jsonb: { kind: 'json' },
  bytea: { kind: 'bytes' },
};

/** Types that are text by nature: nothing is lost or worth a warning. */
const textual = new Set(['text', 'varchar', 'bpchar', 'char', 'name', 'xml']);

/** Elements of lists whose text stands for the value exactly. */
const listable = new Set([
  'boolean',
  'int16',
  'int32',
  'int64',
  'float32',
  'float64',
  'text',
  'uuid',
  'decimal',
]);
const listableTimes = new Set(['date', 'time', 'timestamp', 'timestamptz']);

/** The narrowest type that keeps every value of a PostgreSQL type exactly. */
export function valueType(type: PostgresType): ValueType {
  const text = (because?: string): ValueType => ({
    type: { kind: 'text' },
    ...(because ? { asTextBecause: because } : {}),
  });
  if (type.kind === 'e') return text();
  if (type.element) return listType(type.element);
  if (!type.builtin && type.name === 'citext') return text();
  if (!type.builtin) return text(`no exact type holds every value of ${type.name}`);
  if (textual.has(type.name)) return text();
  if (type.name === 'numeric') return decimalType(type.modifier);
  const known = exact[type.name];
  return known ? { type: known } : text(`no exact type holds every value of ${type.name}`);
}

/** A scale below zero stands for whole numbers rounded to tens; one above the precision for leading zeros. */
function decimalType(modifier: number): ValueType {
  if (modifier < 0) {
    return {
      type: { kind: 'text' },
      asTextBecause: 'numeric without precision has no bound that a decimal could have',
    };
  }
  const precision = ((modifier - 4) >> 16) & 0xffff;
  const scale = (((modifier - 4) & 0x7ff) ^ 1024) - 1024;
  const digits = scale < 0 ? precision - scale : Math.max(precision, scale);
  if (digits > decimalDigitsMax) {
    const asTextBecause = `numeric(${precision},${scale}) has more than the ${decimalDigitsMax} digits of a decimal`;
    return { type: { kind: 'text' }, asTextBecause };
  }
  return { type: { kind: 'decimal', precision: digits, scale: Math.max(scale, 0) } };
}

function listType(element: PostgresType): ValueType {
  const of = valueType(element);
  if (of.asTextBecause !== undefined || !(listable.has(of.type.kind) || listableTimes.has(of.type.kind))) {
    return {
      type: { kind: 'text' },
      asTextBecause: `no list holds every value of ${element.name}[] exactly`,
    };
  }
  return { type: { kind: 'list', of: of.type } };
}

/** Kinds that DuckDB's reader casts itself; the others arrive as text and are cast by `castSql`. */
const castByReader = new Set(['boolean', 'int16', 'int32', 'int64', 'float32', 'float64', 'decimal', 'uuid']);

/** The type that DuckDB's reader is given for a column. */
export function readerType(type: ColumnType): string {
  return castByReader.has(type.kind) ? duckDbType(type) : 'VARCHAR';
}

/** What PostgreSQL selects for the column, so that its text says the whole value in a spelling that DuckDB reads. */
export function selectSql(name: string, type: ColumnType): string {
  switch (type.kind) {
    case 'bytes':
      return `encode(${name}, 'hex')`;
    case 'interval':
      return intervalSql(name);
    case 'list':
      // Several dimensions and a first index other than 1 are no list: their own text makes the column a misfit.
      return (
        `CASE WHEN array_ndims(${name}) > 1 OR array_lower(${name}, 1) <> 1 THEN ${name}::text ` +
        `ELSE to_json(${name}::text[])::text END`
      );
    default:
      return name;
  }
}

/** PostgreSQL and DuckDB both keep months, days and microseconds, but no spelling of theirs is common to both. */
function intervalSql(name: string): string {
  const months = `(extract(year FROM ${name}) * 12 + extract(month FROM ${name}))::bigint`;
  const clock = ['hour', 'minute'].map(
    (part, at) => `extract(${part} FROM ${name}) * ${[3_600_000_000, 60_000_000][at]}`,
  );
  const micros = `(${clock.join(' + ')} + extract(microseconds FROM ${name}))::bigint`;
  return (
    `CASE WHEN isfinite(${name}) THEN ${months} || ' months ' || extract(day FROM ${name})::bigint || ' days ' || ` +
    `${micros} || ' microseconds' ELSE ${name}::text END`
  );
}

/** SQL for DuckDB that turns what the reader gives as `raw` into the column's type; throws a misfit it cannot keep. */
export function castSql(raw: string, type: ColumnType, column: string): string {
  if (castByReader.has(type.kind)) return raw;
  const refuse = misfit(raw, column);
  const checked = (value: string) => `CASE WHEN ${raw} IS NOT NULL THEN coalesce(${value}, ${refuse}) END`;
  switch (type.kind) {
    case 'text':
      return unescaped(raw);
    case 'bytes':
      return `unhex(${raw})`;
    case 'date':
      return checked(`TRY_CAST(${beforeChrist(raw)} AS DATE)`);
    case 'timestamp':
    case 'timestamptz':
      return checked(`TRY_CAST(${beforeChrist(raw)} AS ${duckDbType(type)})`);
    case 'list':
      return `CASE WHEN ${raw} IS NOT NULL THEN coalesce(${listSql(unescaped(raw), type)}, ${refuse}) END`;
    case 'json':
      return checked(`TRY_CAST(${unescaped(raw)} AS JSON)`);
    default:
      return checked(`TRY_CAST(${raw} AS ${duckDbType(type)})`);
  }
}

function listSql(json: string, type: ColumnType): string {
  return `TRY_CAST(TRY_CAST(TRY_CAST(${json} AS JSON) AS VARCHAR[]) AS ${duckDbType(type)})`;
}

/** PostgreSQL writes "0044-03-15 01:02:03+00 BC", DuckDB "0044-03-15 (BC) 01:02:03+00", and would take the first for AD. */
function beforeChrist(raw: string): string {
  return `CASE WHEN ends_with(${raw}, ' BC') THEN left(${raw}, 10) || ' (BC)' || ${raw}[11:-4] ELSE ${raw} END`;
}

/**
 * Undoes the escapes of COPY's text format, which stand in a few values only: 14 ms per million values that have none.
 * Splitting at escaped backslashes first keeps "\\n" (a backslash and an n) apart from "\n" (a line feed).
 */
function unescaped(raw: string): string {
  const escapes: [string, number][] = [
    ['n', 10],
    ['r', 13],
    ['t', 9],
    ['b', 8],
    ['f', 12],
    ['v', 11],
  ];
  const plain = escapes.reduce(
    (sql, [letter, code]) => `replace(${sql}, ${sqlText(`\\${letter}`)}, chr(${code}))`,
    'piece',
  );
  const pieces = `list_transform(string_split(${raw}, ${sqlText('\\\\')}), lambda piece: ${plain})`;
  return `CASE WHEN contains(${raw}, ${sqlText('\\')}) THEN array_to_string(${pieces}, ${sqlText('\\')}) ELSE ${raw} END`;
}
