import { gunzipSync } from 'node:zlib';
import { NoAnswer } from './snowflake-errors.ts';

/** A row as Snowflake writes it. */
export type RawRow = (string | null)[];

const [quote, backslash, opening, closing] = Buffer.from('"\\[]') as unknown as [
  number,
  number,
  number,
  number,
];

/**
 * The rows of a chunk, so many at a time: rows one after the other, with commas between them and nothing around. They are cut
 * out of the bytes before they are parsed, so that of a large chunk only some are values at once. Fails with NoAnswer when
 * there are not `rowCount` of them.
 */
export function* rowsOfChunk(bytes: Buffer, rowCount: number, rowsMax: number): Generator<RawRow[], void> {
  const plain = bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzipSync(bytes) : bytes;
  let found = 0;
  for (let from = 0; from < plain.length;) {
    const to = endOfRows(plain, from, rowsMax);
    const rows = parse(plain.toString('utf8', from, to));
    found += rows.length;
    if (rows.length > 0) yield rows;
    from = to;
    while (from < plain.length && plain[from] !== opening) from += 1;
  }
  if (found !== rowCount)
    throw new NoAnswer(`a part of its result has ${found} rows in place of ${rowCount}`);
}

/** Where the last of so many rows ends, or the bytes do. A row holds no lists but as text. */
function endOfRows(bytes: Buffer, from: number, rowsMax: number): number {
  let rows = 0;
  let isInText = false;
  for (let at = from; at < bytes.length; at += 1) {
    const byte = bytes[at];
    if (isInText) {
      if (byte === backslash) at += 1;
      else if (byte === quote) isInText = false;
    } else if (byte === quote) isInText = true;
    else if (byte === closing && (rows += 1) === rowsMax) return at + 1;
  }
  return bytes.length;
}

function parse(rows: string): RawRow[] {
  try {
    return JSON.parse(`[${rows}]`) as RawRow[];
  } catch (error) {
    throw new NoAnswer('a part of its result is broken', { cause: error });
  }
}
