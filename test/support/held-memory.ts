import { setImmediate as turn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/**
 * The most bytes that are held while so many rows are taken, beyond what was held before: looked at ten times on the way, without
 * what is garbage. Counted are JavaScript, its buffers, and what `elsewhere` tells of memory that JavaScript does not see.
 */
export async function mostHeld(
  pieces: AsyncIterable<{ rows: readonly unknown[] }>,
  rowsAll: number,
  elsewhere: () => Promise<number> = () => Promise.resolve(0),
): Promise<{ rows: number; bytes: number }> {
  const before = await heldNow(elsewhere);
  const most = { rows: 0, bytes: 0 };
  let looked = 0;
  for await (const { rows } of pieces) {
    most.rows += rows.length;
    if (most.rows < ((looked + 0.5) * rowsAll) / 10) continue;
    looked += 1;
    most.bytes = Math.max(most.bytes, (await heldNow(elsewhere)) - before);
  }
  return most;
}

async function heldNow(elsewhere: () => Promise<number>): Promise<number> {
  collect();
  // Buffers go behind those that held them.
  await turn();
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external + (await elsewhere());
}
