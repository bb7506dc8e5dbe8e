import { pipeline } from 'node:stream/promises';
import { messageOf } from '#base/errors.ts';
import { ConnectorError, type OpenPart, type StreamColumn } from '#connectors/contract.ts';
import { columnKey } from '#connectors/evolve-columns.ts';
import type { FifoReader } from '#connectors/fifo.ts';
import { sqlText } from '#connectors/files/text-casts.ts';
import type { DuckDbWarehouse } from '#warehouse/duckdb.ts';
import type { PostgresSession } from '#warehouse/postgres-session.ts';
import { quoteName } from '#warehouse/warehouse.ts';
import { ScanError } from './postgres-error.ts';
import { refusedValue, writtenValue } from './postgres-types.ts';

export interface Copying {
  /** Runs the scan. */
  duckDb: DuckDbWarehouse;
  /** Takes the rows, in the transaction that is open there. */
  session: PostgresSession;
  fifo: FifoReader;
  /** As SQL. */
  table: string;
  /** What the scan gives. */
  arriving: readonly StreamColumn[];
  /** What the table has. */
  columns: readonly StreamColumn[];
}

/**
 * Runs a part's scan and copies its rows into the table: bytes flow from DuckDB through a FIFO to the server's socket. Resolves
 * with the rows once the source has said that it gave all and the server that it has them. After any failure the transaction is to
 * be rolled back.
 */
export async function copyScan(copying: Copying, part: OpenPart, signal: AbortSignal): Promise<bigint> {
  const { duckDb, session, fifo } = copying;
  const failed = new AbortController();
  // A source that fails while nothing flows must end the scan that waits for it.
  part.finished.catch((error: unknown) => failed.abort(error));
  await using scanning = await duckDb.session();
  const into = session.copyIn(copyInSql(copying));
  const stopped = AbortSignal.any([signal, failed.signal]);
  const scan = scanning
    .interruptible(stopped, () => scanning.run(copyOutSql(copying, part.scan)))
    .catch((error: unknown) => {
      throw refusedValue(error) ?? new ScanError(messageOf(error), { cause: error });
    })
    .finally(() => fifo.end());
  const flow = pipeline(fifo.reader, into, { end: false });
  try {
    const [rows] = await Promise.all([scan, flow]);
    // An end of the bytes looks the same whether the source had no more or broke off.
    await part.finished;
    signal.throwIfAborted();
    into.end();
    await into.done;
    if (into.rows === BigInt(rows)) return into.rows;
    const said = `DuckDB gave ${rows} rows and PostgreSQL took ${into.rows}.`;
    throw new ConnectorError('INTERNAL', `A part did not arrive whole: ${said}`);
  } catch (error) {
    into.destroy();
    // Whoever writes to the FIFO waits for room that never comes.
    fifo.reader.destroy();
    await Promise.allSettled([scan, flow, into.done]);
    signal.throwIfAborted();
    failed.signal.throwIfAborted();
    throw error;
  }
}

function copyOutSql({ fifo, arriving, columns }: Copying, scan: string): string {
  const values = arriving.map((column) => writtenValue(column, targetOf(column, columns).type));
  const named = values.map((value, at) => `${value} AS c${at}`);
  // Alone in its line, \. would be the end of the rows to servers before 18.
  const quoted = arriving.length === 1 ? ', FORCE_QUOTE *' : '';
  return (
    `COPY (SELECT ${named.join(', ')} FROM (${scan})) TO ${sqlText(fifo.path)} ` +
    `(FORMAT csv, HEADER false, DELIMITER ',', QUOTE '"', ESCAPE '"', NULLSTR ''${quoted})`
  );
}

function copyInSql({ table, arriving, columns }: Copying): string {
  const names = arriving.map((column) => quoteName(targetOf(column, columns).name));
  return `COPY ${table} (${names.join(', ')}) FROM STDIN (FORMAT csv, ENCODING 'UTF8')`;
}

/** The table's column that a column of the scan goes to. */
function targetOf({ name }: StreamColumn, columns: readonly StreamColumn[]): StreamColumn {
  return columns.find((column) => columnKey(column.name) === columnKey(name))!;
}
