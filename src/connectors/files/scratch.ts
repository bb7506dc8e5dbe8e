import { openDuckDb } from '#warehouse/duckdb.ts';

/** A DuckDB of our own in memory that looks into files: it may open nothing outside the given folders. */
export interface Scratch extends AsyncDisposable {
  /** All rows, each value as text or null. Stops in the engine when the signal aborts. */
  rows(sql: string, signal: AbortSignal): Promise<(string | null)[][]>;
}

const memoryBytesMax = 256 * 1024 * 1024;

export async function openScratch(allowedDirectories: string[]): Promise<Scratch> {
  const duckDb = await openDuckDb({ path: ':memory:', allowedDirectories, memoryLimitBytes: memoryBytesMax });
  return {
    async rows(sql, signal) {
      await using session = await duckDb.session();
      const rows = await session.interruptible(signal, () => session.rows(sql));
      return rows.map((row) =>
        row.map((value) => (value === null ? null : `${value as string | number | bigint | boolean}`)),
      );
    },
    [Symbol.asyncDispose]: () => duckDb[Symbol.asyncDispose](),
  };
}
