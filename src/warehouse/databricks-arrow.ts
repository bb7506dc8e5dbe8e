import { NoAnswer } from './databricks-errors.ts';
import { type Column, sqlNameKey } from './databricks-values.ts';

interface Batch {
  batch: Uint8Array;
  rowCount: unknown;
}

/** As Arrow marks that no more follows. */
const endOfStream = Buffer.from([0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]);

/** The schema as a stream that goes on with batches: alone it may carry its end. */
function opened(schema: Uint8Array): Uint8Array {
  const bytes = Buffer.from(schema.buffer, schema.byteOffset, schema.byteLength);
  return bytes.subarray(-8).equals(endOfStream) ? bytes.subarray(0, -8) : bytes;
}

/** What SQL calls the types of the columns, as the Arrow schema of a result says; Arrow is loaded now. */
export async function sqlNamesOf(schema: Uint8Array | undefined): Promise<(string | undefined)[]> {
  if (!schema) return [];
  const { RecordBatchReader } = await import('apache-arrow');
  const reader = RecordBatchReader.from([Buffer.concat([opened(schema), endOfStream])]).open();
  return reader.schema.fields.map((field) => field.metadata.get(sqlNameKey));
}

/** The rows of some batches, one batch after the other. Fails with NoAnswer where one is broken or holds other rows than said. */
export async function* readBatches(
  schema: Uint8Array | undefined,
  batches: readonly Batch[],
  columns: readonly Column[],
): AsyncGenerator<unknown[][], void> {
  if (batches.length === 0) return;
  if (!schema) throw new NoAnswer('its result is not Arrow');
  const { RecordBatchReader } = await import('apache-arrow');
  for (const { batch, rowCount } of batches) {
    const rows: unknown[][] = [];
    try {
      for (const found of RecordBatchReader.from([opened(schema), batch])) {
        const vectors = columns.map((_, at) => found.getChildAt(at)!);
        for (let at = 0; at < found.numRows; at += 1) {
          rows.push(
            columns.map(({ decode }, of) => {
              const raw: unknown = vectors[of]!.get(at);
              return raw === null ? null : decode(raw);
            }),
          );
        }
      }
    } catch (error) {
      throw new NoAnswer('a part of its result is broken', { cause: error });
    }
    if (rows.length !== Number(rowCount)) {
      throw new NoAnswer(`a part of its result has ${rows.length} rows in place of ${Number(rowCount)}`);
    }
    yield rows;
  }
}
