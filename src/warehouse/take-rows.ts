import { jsonBytes } from './json-bytes.ts';
import type { Answer, ResultColumn } from './warehouse.ts';

export const rowsMaxDefault = 10_000;
const bytesMaxDefault = 64 * 1024 * 1024;

/** What a statement gave: its rows are fetched as they are taken. */
export interface Pieces {
  columns: ResultColumn[];
  pieces: () => AsyncIterable<unknown[][]>;
}

/** No more rows than `rowsMax`, and none beyond `bytesMax` but the first. */
export async function takeRows(
  { columns, pieces }: Pieces,
  rowsMax = rowsMaxDefault,
  bytesMax = bytesMaxDefault,
): Promise<Answer> {
  const rows: unknown[][] = [];
  let bytes = 2;
  for await (const piece of pieces()) {
    for (const row of piece) {
      const rowBytes = row.reduce((sum: number, value) => sum + jsonBytes(value), 2);
      if (rows.length === rowsMax || (bytes + rowBytes > bytesMax && rows.length > 0)) {
        return { columns, rows, truncated: true, bytes };
      }
      rows.push(row);
      bytes += rowBytes;
    }
  }
  return { columns, rows, truncated: false, bytes };
}
