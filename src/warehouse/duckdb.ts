import { availableParallelism, totalmem } from 'node:os';
import { DuckDBInstance } from '@duckdb/node-api';
import { openError, openTwiceError, statementError } from './duckdb-errors.ts';
import { duckDbDialect } from './duckdb-dialect.ts';
import { describeSelect } from './duckdb-describe.ts';
import { DuckDbSession } from './duckdb-session.ts';
import { describeSchemas, describeTables, stagingSchema } from './duckdb-tables.ts';
import { nameSql, toStatement } from './sql.ts';
import { writeOwn, writeTarget } from './duckdb-write.ts';
import { closedError, type Interruption } from './interruption.ts';
import { Slots, takeEach } from './slots.ts';
import type {
  Answer,
  AnswerPiece,
  DescribedSchema,
  DescribedSelect,
  DescribedTable,
  RunOptions,
  Statement,
  TableName,
  Warehouse,
  WriteTarget,
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

/** Those of one warehouse leave room for the questions of other projects. */
const queriesOfOneMax = 6;

/** What is written may take an hour: it holds up other writes, and no question. */
const writesMax = 4;
const writeSlots = new Slots(writesMax);

/**
 * What DuckDB may keep before it puts things on disk, until extendMemory. Its allocations outside this and the gaps that
 * malloc leaves come on top: while 10 million rows are synced the whole process peaks at 580 MB, and at 700 without
 * MALLOC_ARENA_MAX=2. With 128 MiB values of many megabytes do not fit, and with 160 the peak is the same.
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

const rowsMaxDefault = 10_000;
const bytesMaxDefault = 64 * 1024 * 1024;
/** What is listed is names, as many as there are. */
const catalogBounds = { rowsMax: 1_000_000, bytesMax: Infinity };

const openPaths = new Set<string>();

/** When a statement is to stop, and why it was stopped. */
interface Bounds {
  signal: AbortSignal;
  deadlineMs: number;
  stoppedBy: () => Interruption | null;
}

/** One step of a statement whose rows are taken one after the other: a slot is held while it runs, not while it waits. */
async function inSlot<T>(
  { session, slots }: { session: DuckDbSession; slots: readonly Slots[] },
  signal: AbortSignal,
  step: () => Promise<T>,
): Promise<T> {
  const free = await takeEach(slots, signal);
  try {
    return await session.interruptible(signal, step);
  } finally {
    free();
  }
}

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

/**
 * Besides what SQL may reach: keys of groups stay as they are. Packed into numbers, as texts up to 15 bytes are by default, they lose
 * the dictionary that they are read with: ten million rows by day and one of ten names take 170 ms of CPU and not 210, other
 * groups, joins and windows as long or 5 to 20 % less, large sorts 10 % more, in as much memory.
 */
async function lockDown(instance: DuckDBInstance, allowedDirectories: string[]): Promise<void> {
  const connection = await instance.connect();
  try {
    const folders = allowedDirectories.map((folder) => `'${folder.replaceAll("'", "''")}'`).join(', ');
    await connection.run(
      `SET GLOBAL TimeZone = 'UTC';
       SET allowed_directories = [${folders}];
       SET enable_external_access = false;
       SET disabled_optimizers = 'compressed_materialization';
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
  closedFor?: string;
  readonly #instance: DuckDBInstance;
  readonly #onClosed: () => void;
  readonly #busy = new Map<Promise<unknown>, () => void>();
  readonly #streams = new Set<AbortController>();
  /** Its own first, so that who waits for that holds none of the process's. */
  readonly #slots = [new Slots(queriesOfOneMax), querySlots];
  #closed = false;

  constructor(instance: DuckDBInstance, onClosed: () => void) {
    this.#instance = instance;
    this.#onClosed = onClosed;
  }

  /** Exactly one statement, on a connection of its own: no setting or transaction outlives it. */
  run(statement: Statement, options: RunOptions = {}): Promise<Answer> {
    const { rowsMax = rowsMaxDefault, bytesMax = bytesMaxDefault } = options;
    return this.#bounded(options, (session) => session.answer(statement, rowsMax, bytesMax));
  }

  async *stream(statement: Statement, options: RunOptions = {}): AsyncGenerator<AnswerPiece, void> {
    const closing = new AbortController();
    const bounds = this.#bounds(options, closing.signal);
    const { signal } = bounds;
    this.#streams.add(closing);
    try {
      await using session = await this.session();
      const of = { session, slots: this.#slots };
      // Nobody may come for the next rows: what was read so far is then let go at once.
      const leave = () => void session[Symbol.asyncDispose]();
      signal.addEventListener('abort', leave, { once: true });
      try {
        const rows = await inSlot(of, signal, () => {
          options.started?.();
          return session.read(statement);
        });
        for (let isFirst = true; ; isFirst = false) {
          const some = await inSlot(of, signal, () => rows.next());
          if (some !== null || isFirst) yield { columns: rows.columns, rows: some ?? [] };
          if (some === null) return;
        }
      } finally {
        signal.removeEventListener('abort', leave);
      }
    } catch (error) {
      throw statementError(this.#causeOf(error), bounds.stoppedBy(), bounds.deadlineMs);
    } finally {
      this.#streams.delete(closing);
    }
  }

  describe(select: string, options: RunOptions = {}): Promise<DescribedSelect> {
    return this.#bounded(options, (session) => describeSelect(session, select));
  }

  tables(only?: readonly TableName[], options?: RunOptions): Promise<DescribedTable[]> {
    return describeTables((statement) => this.run(statement, { ...options, ...catalogBounds }), only);
  }

  schemas(options?: RunOptions): Promise<DescribedSchema[]> {
    return describeSchemas((statement) => this.run(statement, { ...options, ...catalogBounds }));
  }

  write(target: WriteTarget, select: Statement, options: RunOptions = {}): Promise<bigint | null> {
    return this.#bounded(options, (session) => writeTarget(session, target, select), [writeSlots]);
  }

  writeOwn(name: string, select: Statement, options: RunOptions = {}): Promise<bigint> {
    return this.#bounded(options, (session) => writeOwn(session, name, select), [writeSlots]);
  }

  /** As writeOwn, and runs another statement without binds that sees the same moment. Where either fails, neither was. */
  writeOwnWith(name: string, select: Statement, also: string, options: RunOptions = {}): Promise<bigint> {
    return this.#bounded(options, (session) => writeOwn(session, name, select, also), [writeSlots]);
  }

  async dropOwn(name: string, options: RunOptions = {}): Promise<void> {
    const { sql } = toStatement(nameSql(stagingSchema, name), duckDbDialect);
    await this.#bounded(options, (session) => session.run(`DROP TABLE IF EXISTS ${sql}`));
  }

  async ownTables(options?: RunOptions): Promise<string[]> {
    const { rows } = await this.run(
      {
        sql: 'SELECT table_name FROM duckdb_tables() WHERE schema_name = ? AND database_name = current_database()',
        binds: [stagingSchema],
      },
      { ...options, ...catalogBounds },
    );
    return rows.flat() as string[];
  }

  /** Work on a session of its own, stopped at the deadline and by the signal, with the errors that callers are told. */
  async #bounded<T>(
    options: RunOptions,
    work: (session: DuckDbSession) => Promise<T>,
    slots: readonly Slots[] = this.#slots,
  ): Promise<T> {
    const { signal, stoppedBy, deadlineMs } = this.#bounds(options);
    try {
      const free = await takeEach(slots, signal);
      options.started?.();
      try {
        await using session = await this.session();
        return await session.interruptible(signal, () => work(session));
      } finally {
        free();
      }
    } catch (error) {
      throw statementError(this.#causeOf(error), stoppedBy(), deadlineMs);
    }
  }

  #causeOf(error: unknown): unknown {
    return this.#closed ? closedError(this.closedFor) : error;
  }

  #bounds(options: RunOptions, closing?: AbortSignal): Bounds {
    const deadlineMs = options.deadlineMs ?? 30_000;
    const deadline = AbortSignal.timeout(deadlineMs);
    const others = [options.signal, closing].filter((signal) => signal !== undefined);
    const signal = others.length > 0 ? AbortSignal.any([deadline, ...others]) : deadline;
    const stoppedBy = () => {
      if (this.#closed) return 'closed';
      return deadline.aborted ? 'deadline' : signal.aborted ? 'signal' : null;
    };
    return { signal, stoppedBy, deadlineMs };
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
    if (this.#closed) throw closedError(this.closedFor);
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
    this.#streams.forEach((stream) => stream.abort());
    const nag = setInterval(() => this.#busy.forEach((interrupt) => interrupt()), 20);
    await Promise.allSettled(this.#busy.keys());
    clearInterval(nag);
    await checkpoint(this.#instance);
    this.#instance.closeSync();
    this.#onClosed();
  }
}
