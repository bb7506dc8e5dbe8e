import { expect, test } from 'vitest';
import { mostHeld } from '../support/held-memory.ts';
import { heldBytesMax } from './warehouse-streams.suite.ts';

const rowsAll = 1_000_000;
const pieceRows = 1_000;

/** Pieces as engines send them, of which it keeps those. */
async function* pieces(isKept: (at: number) => boolean): AsyncGenerator<{ rows: string[] }> {
  const kept: Buffer[] = [];
  for (let at = 0; at < rowsAll / pieceRows; at += 1) {
    const bytes = Buffer.alloc(pieceRows * 200, 'x');
    if (isKept(at)) kept.push(bytes);
    yield { rows: Array.from({ length: pieceRows }, (_, row) => bytes.toString('latin1', row, row + 10)) };
  }
  expect(kept.length).toBeLessThanOrEqual(rowsAll / pieceRows);
}

test.each([
  ['half of its rows', (at: number) => at % 2 === 0],
  ['the first half of its rows', (at: number) => at < 500],
  ['the second half of its rows', (at: number) => at >= 500],
])('a stream that holds %s is seen to', async (_what, isKept) => {
  const { rows, bytes } = await mostHeld(pieces(isKept), rowsAll);
  expect([rows, bytes > heldBytesMax]).toEqual([rowsAll, true]);
});

test('a stream that lets go of its rows is seen to', async () => {
  const { bytes } = await mostHeld(
    pieces(() => false),
    rowsAll,
  );
  expect(bytes).toBeLessThan(heldBytesMax / 10);
});
