import type pg from 'pg';
import { CopyIn } from './postgres-copy-in.ts';
import type { PostgresConnection } from './postgres-pool.ts';
import { PostgresStatement, rowsOf } from './postgres-statement.ts';
import type { Bind } from './warehouse.ts';

/** One connection that writes: its transactions are its own. Errors come as the server words them. */
export class PostgresSession implements AsyncDisposable {
  readonly #connection: PostgresConnection;
  readonly #signal: AbortSignal;
  readonly #onClosed: () => void;
  #isClosed = false;

  constructor(connection: PostgresConnection, signal: AbortSignal, onClosed: () => void) {
    this.#connection = connection;
    this.#signal = signal;
    this.#onClosed = onClosed;
  }

  /** The connection, for what asks by pg itself. */
  get client(): pg.Client {
    return this.#connection.client;
  }

  /** Runs one statement and gives its rows. */
  async rows(sql: string, binds: readonly Bind[] = []): Promise<unknown[][]> {
    return (await this.#run(sql, binds)).rows;
  }

  /** Runs one statement, and gives how many rows it wrote. */
  async run(sql: string, binds: readonly Bind[] = []): Promise<bigint> {
    return rowsOf((await this.#run(sql, binds)).done);
  }

  async #run(sql: string, binds: readonly Bind[]): Promise<{ rows: unknown[][]; done: string }> {
    this.#signal.throwIfAborted();
    const running = this.#connection.client.query(new PostgresStatement({ sql, binds }));
    try {
      const { rows } = await running.piece();
      return { rows, done: running.done };
    } catch (error) {
      this.#signal.throwIfAborted();
      throw error;
    }
  }

  /** Runs `work` in one transaction: committed when it resolves, rolled back when it fails. */
  async transaction<T>(work: () => Promise<T>): Promise<T> {
    await this.run('BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE');
    try {
      const result = await work();
      // Where a statement failed and nobody heeded it, the server rolls back instead, and says so without an error.
      const { done } = await this.#run('COMMIT', []);
      if (done !== 'COMMIT')
        throw new Error('a transaction was to be committed in which a statement had failed');
      return result;
    } catch (error) {
      await this.#connection.client.query('ROLLBACK').catch(() => undefined);
      throw error;
    }
  }

  /** Begins a COPY … FROM STDIN of what is written to it. The next statement here waits for its end. */
  copyIn(sql: string): CopyIn {
    this.#signal.throwIfAborted();
    return this.#connection.client.query(new CopyIn(sql));
  }

  /** Lets go of the connection; an open transaction is rolled back. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#onClosed();
  }
}
