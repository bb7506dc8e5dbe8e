import { duckDbType, typeName } from '#connectors/column-type.ts';
import type { OpenPart, StreamColumn } from '#connectors/contract.ts';
import { columnKey } from '#connectors/evolve-columns.ts';
import type { DuckDbWarehouse } from '#warehouse/duckdb.ts';
import type { DuckDbSession } from '#warehouse/duckdb-session.ts';
import { quoteName } from '#warehouse/warehouse.ts';

interface Into {
  /** As SQL. */
  table: string;
  /** What the scan gives. */
  arriving: readonly StreamColumn[];
  /** What the table has. */
  columns: readonly StreamColumn[];
}

/**
 * Runs a part's scan into a table on a connection of its own, so that several parts are staged at once, and commits
 * together with what `mark` writes, once the source has said that it gave all. Any failure leaves nothing.
 */
export async function stageScan<T>(
  duckDb: DuckDbWarehouse,
  into: Into,
  part: OpenPart,
  signal: AbortSignal,
  mark: (session: DuckDbSession, rows: bigint) => Promise<T>,
): Promise<T> {
  await using session = await duckDb.session();
  const failed = new AbortController();
  // A source that fails while nothing flows must end the scan that waits for it.
  part.finished.catch((error: unknown) => failed.abort(error));
  const stopped = AbortSignal.any([signal, failed.signal]);
  try {
    return await session.interruptible(stopped, () =>
      session.transaction(async () => {
        const rows = await session.run(insertSql(into, part.scan));
        // An end of the bytes looks the same whether the source had no more or broke off.
        await part.finished;
        signal.throwIfAborted();
        return mark(session, BigInt(rows));
      }),
    );
  } catch (error) {
    signal.throwIfAborted();
    failed.signal.throwIfAborted();
    throw error;
  }
}

function insertSql({ table, arriving, columns }: Into, scan: string): string {
  const targets = new Map(columns.map((column) => [columnKey(column.name), column]));
  const selected = arriving.map((column) => {
    const target = targets.get(columnKey(column.name))!;
    const name = quoteName(column.name);
    return typeName(target.type) === typeName(column.type)
      ? name
      : `CAST(${name} AS ${duckDbType(target.type)})`;
  });
  const names = arriving.map((column) => quoteName(column.name));
  return `INSERT INTO ${table} (${names.join(', ')}) SELECT ${selected.join(', ')} FROM (${scan})`;
}
