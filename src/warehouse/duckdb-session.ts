import {
  type DuckDBConnection,
  type DuckDBExtractedStatements,
  type DuckDBPreparedStatement,
  type DuckDBType,
  ResultReturnType,
  StatementType,
} from '@duckdb/node-api';
import { AppError, messageOf } from '#base/errors.ts';
import { bindType, fromDuckDb, toDuckDb } from './duckdb-values.ts';
import { jsonBytes } from './json-bytes.ts';
import type { Answer, Bind, ResultColumn, Statement } from './warehouse.ts';

/** The rows of a statement that runs as they are taken; null when there are no more. */
interface Rows {
  columns: ResultColumn[];
  next: () => Promise<unknown[][] | null>;
}

/** Each name and type takes the longer the more there are, on the thread that all else runs on: 12 s for 45,000. */
const columnsMax = 4_000;

function nameOfType(type: DuckDBType): string {
  return type.alias ?? type.toString();
}

/** One connection: its transactions are its own. Errors come as DuckDB words them. */
export class DuckDbSession implements AsyncDisposable {
  readonly #connection: DuckDBConnection;
  readonly #onClosed: () => void;
  #running: Promise<unknown> = Promise.resolve();
  #closed = false;
  #interrupted = false;

  constructor(connection: DuckDBConnection, onClosed: () => void) {
    this.#connection = connection;
    this.#onClosed = onClosed;
  }

  /** Runs one statement and gives its rows. */
  async rows(sql: string, binds: readonly Bind[] = []): Promise<unknown[][]> {
    return (await this.answer({ sql, binds }, Number.MAX_SAFE_INTEGER)).rows;
  }

  /** Runs one or more statements without binds, or one with; gives the rows changed by the last. */
  async run(sql: string, binds: readonly Bind[] = []): Promise<number> {
    const running =
      binds.length === 0
        ? this.#connection.run(sql)
        : this.#connection.run(sql, binds.map(toDuckDb), binds.map(bindType) as DuckDBType[]);
    this.#running = running.catch(() => undefined);
    return (await running).rowsChanged;
  }

  /** Runs `work` in one transaction: committed when it resolves, rolled back when it fails. */
  async transaction<T>(work: () => Promise<T>): Promise<T> {
    await this.run('BEGIN TRANSACTION');
    try {
      const result = await work();
      await this.run('COMMIT');
      return result;
    } catch (error) {
      // A failed COMMIT has ended the transaction already.
      await this.run('ROLLBACK').catch(() => undefined);
      throw error;
    }
  }

  /** Exactly one statement; no more than `rowsMax` rows are fetched, and none beyond `bytesMax` but the first. */
  answer(statement: Statement, rowsMax: number, bytesMax = Infinity): Promise<Answer> {
    return this.#run(async () => {
      const reading = await this.#begin(statement);
      const rows: unknown[][] = [];
      let bytes = 2;
      for (;;) {
        const some = await reading.next();
        if (some === null) return { columns: reading.columns, rows, truncated: false, bytes };
        for (const row of some) {
          const rowBytes = row.reduce((sum: number, value) => sum + jsonBytes(value), 2);
          if (rows.length === rowsMax || (bytes + rowBytes > bytesMax && rows.length > 0)) {
            return { columns: reading.columns, rows, truncated: true, bytes };
          }
          rows.push(row);
          bytes += rowBytes;
        }
      }
    });
  }

  /** Exactly one statement, its rows to be taken chunk by chunk; the next statement here ends it. */
  async read(statement: Statement): Promise<Rows> {
    const { columns, next } = await this.#run(() => this.#begin(statement));
    return { columns, next: () => this.#run(next) };
  }

  /** Fails unless the text is exactly one statement. Nothing that it names is looked at. */
  parse(sql: string): Promise<void> {
    return this.#run(async () => {
      await this.#extract(sql);
    });
  }

  /** What one statement is, without running it; `isSelect` also for those that DuckDB turns into one. No columns with binds. */
  prepare(sql: string): Promise<{ isSelect: boolean; columns: ResultColumn[]; binds: number }> {
    return this.#run(async () => {
      const prepared = await this.#prepare(sql);
      try {
        const binds = prepared.parameterCount;
        if (prepared.columnCount > columnsMax) {
          const message = `The statement gives ${prepared.columnCount} columns; at most ${columnsMax} are allowed.`;
          throw new AppError('BAD_USER_INPUT', message);
        }
        // Without its binds it may have no types yet.
        const columns = Array.from({ length: binds > 0 ? 0 : prepared.columnCount }, (_, at) => ({
          name: prepared.columnName(at),
          dataType: nameOfType(prepared.columnType(at)),
        }));
        const isSelect = prepared.statementType === StatementType.SELECT;
        return { isSelect, columns, binds };
      } finally {
        prepared.destroySync();
      }
    });
  }

  /** The tables that a statement reads, also through views and macros, each as DuckDB would write it: raw.orders AS o. */
  tableNames(sql: string): readonly string[] {
    return this.#connection.getTableNames(sql, true);
  }

  async #run<T>(work: () => Promise<T>): Promise<T> {
    const running = work();
    this.#running = running.catch(() => undefined);
    return running;
  }

  async #prepare(sql: string): Promise<DuckDBPreparedStatement> {
    return (await this.#extract(sql)).prepare(0);
  }

  async #extract(sql: string): Promise<DuckDBExtractedStatements> {
    const statements = await this.#connection.extractStatements(sql).catch((error: unknown) => {
      // So DuckDB says that there is none.
      if (messageOf(error) === 'Error in native callback') return null;
      throw error;
    });
    if (statements?.count === 1) return statements;
    const count = statements?.count ?? 0;
    throw new AppError('BAD_USER_INPUT', `The statement must be exactly one; this is ${count}.`);
  }

  async #begin({ sql, binds = [] }: Statement): Promise<Rows> {
    const prepared = await this.#prepare(sql);
    try {
      prepared.bind(binds.map(toDuckDb), binds.map(bindType) as DuckDBType[]);
      const isSelect = prepared.statementType === StatementType.SELECT;
      const result = await prepared.stream();
      const types = result.columnTypes();
      const columns = result.columnNames().map((name, at) => ({ name, dataType: nameOfType(types[at]!) }));
      const next = async () => {
        const chunk = await result.fetchChunk();
        if (!chunk || chunk.rowCount === 0) {
          // So the driver also ends the rows of a statement that has failed, or was stopped, after the first of them.
          if (result.returnType === ResultReturnType.INVALID)
            throw await this.#whyFailed({ sql, binds }, isSelect);
          return null;
        }
        return chunk.getRows().map((row) => row.map((value, at) => fromDuckDb(value, types[at]!)));
      };
      return { columns, next };
    } finally {
      prepared.destroySync();
    }
  }

  /** The driver does not say why: the SELECT is run once more, its rows reduced to one, which computes each value again. */
  async #whyFailed({ sql, binds = [] }: Statement, isSelect: boolean): Promise<unknown> {
    if (this.#interrupted) return new Error('INTERRUPT Error: Interrupted!');
    const unknown = new AppError('WAREHOUSE_UNAVAILABLE', 'The statement failed after its first rows.', {
      fix: 'Try again; when it goes on, ask for fewer rows or columns to find the one that cannot be computed.',
    });
    if (!isSelect) return unknown;
    const again = `SELECT max(hash(each)) FROM (${sql.replace(/[;\s]+$/, '')}\n) AS each`;
    const prepared = await this.#prepare(again).catch(() => null);
    try {
      prepared?.bind(binds.map(toDuckDb), binds.map(bindType) as DuckDBType[]);
      await prepared?.run();
      return unknown;
    } catch (error) {
      return error;
    } finally {
      prepared?.destroySync();
    }
  }

  /** Stops what `work` runs here when the signal aborts, and rejects with the signal's reason at the latest then. */
  async interruptible<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    signal.throwIfAborted();
    this.#interrupted = false;
    let nag: NodeJS.Timeout | undefined;
    // Once is not enough: DuckDB forgets an interrupt that arrives before its statement has begun.
    const stop = () => {
      this.interrupt();
      nag = setInterval(() => this.interrupt(), 20);
    };
    signal.addEventListener('abort', stop, { once: true });
    try {
      return await work();
    } finally {
      signal.removeEventListener('abort', stop);
      clearInterval(nag);
    }
  }

  interrupt(): void {
    this.#interrupted = true;
    if (!this.#closed) this.#connection.interrupt();
  }

  /** Waits for what runs here, then closes; an open transaction is rolled back. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    await this.#running;
    this.#closed = true;
    this.#connection.closeSync();
    this.#onClosed();
  }
}
