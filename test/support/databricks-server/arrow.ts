import {
  DuckDBBigIntVector,
  type DuckDBDataChunk,
  type DuckDBType,
  DuckDBTypeId,
  type DuckDBValue,
} from '@duckdb/node-api';
import {
  Binary,
  Bool,
  type Data,
  DateUnit,
  Date_,
  Field,
  Float32,
  Float64,
  Int16,
  Int32,
  Int64,
  Int8,
  makeData,
  RecordBatch,
  RecordBatchStreamWriter,
  Schema,
  Struct,
  Utf8,
} from 'apache-arrow';
import { sqlNameKey } from '#warehouse/databricks-values.ts';
import { sqlNameOf, textOf } from './values.ts';

/** A result's column as it travels: Arrow's type for those that have one, text for all others. */
interface Column {
  name: string;
  sqlName: string;
  type: object;
}

export interface ResultShape {
  columns: Column[];
  /** The Arrow stream that begins a batch, without its end. */
  schema: Uint8Array;
}

const native: Partial<Record<DuckDBTypeId, () => object>> = {
  [DuckDBTypeId.BOOLEAN]: () => new Bool(),
  [DuckDBTypeId.TINYINT]: () => new Int8(),
  [DuckDBTypeId.SMALLINT]: () => new Int16(),
  [DuckDBTypeId.INTEGER]: () => new Int32(),
  [DuckDBTypeId.BIGINT]: () => new Int64(),
  [DuckDBTypeId.HUGEINT]: () => new Int64(),
  [DuckDBTypeId.FLOAT]: () => new Float32(),
  [DuckDBTypeId.DOUBLE]: () => new Float64(),
  [DuckDBTypeId.DATE]: () => new Date_(DateUnit.DAY),
  [DuckDBTypeId.BLOB]: () => new Binary(),
};

const endBytes = 8;

/** How the columns of a result travel. */
export function shapeOf(names: readonly string[], types: readonly DuckDBType[]): ResultShape {
  const columns = names.map((name, at) => ({
    name,
    sqlName: sqlNameOf(types[at]!),
    type: native[types[at]!.typeId]?.() ?? new Utf8(),
  }));
  const writer = new RecordBatchStreamWriter();
  writer.reset(undefined, schemaOf(columns));
  writer.finish();
  return { columns, schema: writer.toUint8Array(true).slice(0, -endBytes) };
}

function schemaOf(columns: readonly Column[]): Schema {
  return new Schema(
    columns.map(({ name, type, sqlName }) => new Field(name, type, true, new Map([[sqlNameKey, sqlName]]))),
  );
}

/** The rows of a chunk as one Arrow batch, which goes behind the schema; more may follow. */
export function batchOf(chunk: DuckDBDataChunk, { columns, schema }: ResultShape): Buffer {
  const length = chunk.rowCount;
  const children = columns.map((column, at) => {
    const vector = chunk.getColumnVector(at);
    return vector instanceof DuckDBBigIntVector
      ? longsOf(column, vector)
      : dataOf(column, chunk.getColumnValues(at), length);
  });
  const arrowSchema = schemaOf(columns);
  const writer = new RecordBatchStreamWriter();
  writer.write(
    new RecordBatch(
      arrowSchema,
      makeData({ type: new Struct(arrowSchema.fields), length, nullCount: 0, children }),
    ),
  );
  writer.finish();
  return Buffer.from(writer.toUint8Array(true)).subarray(schema.length, -endBytes);
}

/** The quick way for the type that most rows of the tests are of. */
function longsOf({ type }: Column, vector: DuckDBBigIntVector): Data {
  const length = vector.itemCount;
  const data = new BigInt64Array(length);
  const nulls = nullsOf(length, (at) => {
    const value = vector.getItem(at);
    if (value !== null) data[at] = value;
    return value === null;
  });
  return makeData({ type, length, ...nulls, data });
}

function nullsOf(length: number, isNull: (at: number) => boolean) {
  const nullBitmap = new Uint8Array((length + 7) >> 3);
  let nullCount = 0;
  for (let at = 0; at < length; at += 1) {
    if (isNull(at)) nullCount += 1;
    else nullBitmap[at >> 3]! |= 1 << (at & 7);
  }
  return { nullCount, ...(nullCount > 0 && { nullBitmap }) };
}

function dataOf({ type }: Column, values: readonly DuckDBValue[], length: number): Data {
  const shared = { type, length, ...nullsOf(length, (at) => values[at] === null) };
  if (type instanceof Utf8) return makeData({ ...shared, ...bytesOf(values.map((value) => textOf(value))) });
  if (type instanceof Binary) {
    return makeData({
      ...shared,
      ...bytesOf(values.map((value) => (value as { bytes: Uint8Array } | null)?.bytes ?? null)),
    });
  }
  return makeData({ ...shared, data: numbersOf(type, values) });
}

function bytesOf(values: readonly (string | Uint8Array | null)[]) {
  const pieces = values.map((value) => (value === null ? Buffer.alloc(0) : Buffer.from(value as string)));
  const valueOffsets = new Int32Array(values.length + 1);
  for (const [at, piece] of pieces.entries()) valueOffsets[at + 1] = valueOffsets[at]! + piece.length;
  return { valueOffsets, data: new Uint8Array(Buffer.concat(pieces)) };
}

function numbersOf(type: object, values: readonly DuckDBValue[]) {
  const numbers = () => values.map((value) => Number(value));
  if (type instanceof Int64) {
    return BigInt64Array.from(values, (value) => {
      const number = BigInt((value as bigint | null) ?? 0);
      if (BigInt.asIntN(64, number) !== number) throw new Error('Out of Range Error: BIGINT overflow');
      return number;
    });
  }
  if (type instanceof Bool) {
    const bits = new Uint8Array((values.length + 7) >> 3);
    for (const [at, value] of values.entries()) if (value === true) bits[at >> 3]! |= 1 << (at & 7);
    return bits;
  }
  if (type instanceof Date_) {
    return Int32Array.from(values, (value) => (value as { days: number } | null)?.days ?? 0);
  }
  if (type instanceof Int8) return Int8Array.from(numbers());
  if (type instanceof Int16) return Int16Array.from(numbers());
  if (type instanceof Int32) return Int32Array.from(numbers());
  return type instanceof Float32 ? Float32Array.from(numbers()) : Float64Array.from(numbers());
}
