import { availableParallelism, totalmem } from 'node:os';
import {
  type DuckDBConnection,
  DuckDBInstance,
  type DuckDBPreparedStatement,
  type DuckDBType,
} from '@duckdb/node-api';
import { AppError } from '#base/errors.ts';
import {
  closedError,
  type Interruption,
  openError,
  openTwiceError,
  statementError,
} from './duckdb-errors.ts';
import { duckDbDialect } from './duckdb-dialect.ts';
import { describeTables } from './duckdb-tables.ts';
import { bindType, fromDuckDb, toDuckDb } from './duckdb-values.ts';
import { Slots } from './slots.ts';
import type {
  Answer,
  Bind,
  DescribedTable,
  RunOptions,
  Statement,
  TableName,
  Warehouse,
} from './warehouse.ts';

interface DuckDbOptions {
  /** The database's file, or ":memory:". */
  path: string;
  /** Folders that scans may read and COPY may write; everything else outside the database is refused. */
  allowedDirectories: string[];
  memoryLimitBytes?: number;
  threads?: number;
}

/** Every running statement holds a thread of libuv's pool, so the process as a whole runs no more than this at once. */
const queriesMax = 8;
const querySlots = new Slots(queriesMax);

/**
 * What DuckDB may keep before it puts things on disk, until extendMemory. Its allocations outside this and the gaps that
 * malloc leaves come on top: while 10 million rows are synced the whole process peaks at 640 to 750 MB with 192 MiB, and
 * at 590 to 640 with 128, which is too little for values of many megabytes.
 */
const memoryLimitDefault = 192 * 1024 * 1024;

function memoryLimitExtendedKiB(): number {
  return Math.floor(Math.max(memoryLimitDefault, totalmem() / 4) / 1024);
}

/**
 * Each statement also runs on the thread that asks. With a second one on two cores, a scan that only one thread can do
 * is taken by it every other time while the asking thread spins: 11.5 s of CPU for 5 million synced rows against 9 s.
 */
const threadsDefault = Math.max(1, availableParallelism() - 1);

const openPaths = new Set<string>();

/**
 * Opens or makes a DuckDB file. Its settings are locked: no file outside the database and `allowedDirectories`, no
 * extensions from elsewhere, UTC. Fails with WAREHOUSE_UNAVAILABLE, naming the pid when another process holds the file.
 */
export async function openDuckDb(options: DuckDbOptions): Promise<DuckDbWarehouse> {
  const { path } = options;
  const inFile = path !== ':memory:';
  if (inFile && openPaths.has(path)) throw openTwiceError(path);
  if (inFile) openPaths.add(path);
  try {
    const instance = await DuckDBInstance.create(path, {
      memory_limit: `${Math.floor((options.memoryLimitBytes ?? memoryLimitDefault) / 1024)}KiB`,
      threads: String(options.threads ?? threadsDefault),
      autoinstall_known_extensions: 'false',
      autoload_known_extensions: 'false',
    });
    await lockDown(instance, options.allowedDirectories);
    return new DuckDbWarehouse(instance, () => openPaths.delete(path));
  } catch (error) {
    openPaths.delete(path);
    throw openError(path, error);
  }
}

async function lockDown(instance: DuckDBInstance, allowedDirectories: string[]): Promise<void> {
  const connection = await instance.connect();
  try {
    const folders = allowedDirectories.map((folder) => `'${folder.replaceAll("'", "''")}'`).join(', ');
    await connection.run(
      `SET GLOBAL TimeZone = 'UTC';
       SET allowed_directories = [${folders}];
       SET enable_external_access = false;
       SET allowed_configs = ['memory_limit'];
       SET lock_configuration = true;`,
    );
  } finally {
    connection.closeSync();
  }
}

/** Closing does it too, but on the thread that all else runs on. What cannot be written now is in the log beside the file. */
async function checkpoint(instance: DuckDBInstance): Promise<void> {
  const connection = await instance.connect();
  await connection.run('CHECKPOINT').catch(() => undefined);
  connection.closeSync();
}

/** A warehouse in one DuckDB file, and the sessions that connectors stage and publish through. */
export class DuckDbWarehouse implements Warehouse {
  readonly engine = 'DUCKDB';
  readonly dialect = duckDbDialect;
  readonly #instance: DuckDBInstance;
  readonly #onClosed: () => void;
  readonly #busy = new Map<Promise<unknown>, () => void>();
  #closed = false;

  constructor(instance: DuckDBInstance, onClosed: () => void) {
    this.#instance = instance;
    this.#onClosed = onClosed;
  }

  /** Exactly one statement, on a connection of its own: no setting or transaction outlives it. */
  async run(statement: Statement, options: RunOptions = {}): Promise<Answer> {
    const deadlineMs = options.deadlineMs ?? 30_000;
    const deadline = AbortSignal.timeout(deadlineMs);
    const signal = options.signal ? AbortSignal.any([deadline, options.signal]) : deadline;
    const stoppedBy = (): Interruption | null => {
      if (this.#closed) return 'closed';
      return deadline.aborted ? 'deadline' : signal.aborted ? 'signal' : null;
    };
    try {
      const free = await querySlots.take(signal);
      try {
        await using session = await this.session();
        return await session.interruptible(signal, () =>
          session.answer(statement, options.rowsMax ?? 10_000),
        );
      } finally {
        free();
      }
    } catch (error) {
      throw statementError(error, stoppedBy(), deadlineMs);
    }
  }

  tables(only?: readonly TableName[], options?: RunOptions): Promise<DescribedTable[]> {
    return describeTables((statement) => this.run(statement, { ...options, rowsMax: 1_000_000 }), only);
  }

  /**
   * Lets DuckDB keep up to a quarter of the machine's memory from now on. What changes rows in place needs it: for each
   * 2,048 rows of which some were deleted it keeps 16 KiB that cannot be put on disk.
   */
  async extendMemory(): Promise<void> {
    await using session = await this.session();
    await session.run(`SET memory_limit = '${memoryLimitExtendedKiB()}KiB'`);
  }

  /** A connection to write through. Fails with WAREHOUSE_UNAVAILABLE once the warehouse is closed. */
  async session(): Promise<DuckDbSession> {
    if (this.#closed) throw closedError();
    const connection = await this.#instance.connect();
    const { promise: closed, resolve } = Promise.withResolvers<void>();
    const session = new DuckDbSession(connection, () => {
      this.#busy.delete(closed);
      resolve();
    });
    this.#busy.set(closed, () => session.interrupt());
    return session;
  }

  /** Stops what runs, waits for it, then closes the file. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const nag = setInterval(() => this.#busy.forEach((interrupt) => interrupt()), 20);
    await Promise.allSettled(this.#busy.keys());
    clearInterval(nag);
    await checkpoint(this.#instance);
    this.#instance.closeSync();
    this.#onClosed();
  }
}

/** One connection: its transactions are its own. Errors come as DuckDB words them. */
export class DuckDbSession implements AsyncDisposable {
  readonly #connection: DuckDBConnection;
  readonly #onClosed: () => void;
  #running: Promise<unknown> = Promise.resolve();
  #closed = false;

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

  /** Exactly one statement; no more than `rowsMax` rows are fetched. */
  async answer(statement: Statement, rowsMax: number): Promise<Answer> {
    const answering = this.#answer(statement, rowsMax);
    this.#running = answering.catch(() => undefined);
    return answering;
  }

  async #answer({ sql, binds = [] }: Statement, rowsMax: number): Promise<Answer> {
    const statements = await this.#connection.extractStatements(sql);
    if (statements.count !== 1) {
      throw new AppError('BAD_USER_INPUT', `The statement must be exactly one; this is ${statements.count}.`);
    }
    const prepared = await statements.prepare(0);
    try {
      return await this.#fetch(prepared, binds, rowsMax);
    } finally {
      prepared.destroySync();
    }
  }

  async #fetch(prepared: DuckDBPreparedStatement, binds: readonly Bind[], rowsMax: number): Promise<Answer> {
    prepared.bind(binds.map(toDuckDb), binds.map(bindType) as DuckDBType[]);
    const result = await prepared.stream();
    const types = result.columnTypes();
    const columns = result
      .columnNames()
      .map((name, at) => ({ name, dataType: types[at]!.alias ?? types[at]!.toString() }));
    const rows: unknown[][] = [];
    for (;;) {
      const chunk = await result.fetchChunk();
      if (!chunk || chunk.rowCount === 0) return { columns, rows, truncated: false };
      for (const row of chunk.getRows()) {
        if (rows.length === rowsMax) return { columns, rows, truncated: true };
        rows.push(row.map((value, at) => fromDuckDb(value, types[at]!)));
      }
    }
  }

  /** Stops what `work` runs here when the signal aborts, and rejects with the signal's reason at the latest then. */
  async interruptible<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    signal.throwIfAborted();
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
