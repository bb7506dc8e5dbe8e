import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { rowsOfChunk } from '#warehouse/snowflake-chunk.ts';

const rows = [
  ['1', null, 'plain'],
  ['2', '[1, "]", {}]', 'it\'s "quoted", [\\] \\" ],\n['],
  ['3', '', '\u{1F600} ü'],
  ['4', '\\', '\\\\"'],
];
const chunkOf = (separator: string) => Buffer.from(rows.map((row) => JSON.stringify(row)).join(separator));

test.each([',', ',\n', ' , \r\n'])(
  'the rows of a chunk parted by %j are read whole, any number at a time',
  (separator) => {
    for (const rowsMax of [1, 2, 3, 100]) {
      const pieces = [...rowsOfChunk(chunkOf(separator), rows.length, rowsMax)];
      expect(pieces.flat()).toEqual(rows);
      expect(Math.max(...pieces.map((piece) => piece.length))).toBeLessThanOrEqual(rowsMax);
      expect([...rowsOfChunk(gzipSync(chunkOf(separator)), rows.length, rowsMax)].flat()).toEqual(rows);
    }
  },
);

test('a chunk with rows missing, or cut off, fails', () => {
  const chunk = chunkOf(',');
  expect(() => [...rowsOfChunk(chunk, 5, 2)]).toThrow('4 rows in place of 5');
  expect(() => [...rowsOfChunk(chunk.subarray(0, -3), 4, 2)]).toThrow('broken');
  expect([...rowsOfChunk(Buffer.alloc(0), 0, 2)]).toEqual([]);
});
