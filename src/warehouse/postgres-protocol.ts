import { type Bounds, Running, timerMsMax } from './bounds.ts';
import { closedError } from './interruption.ts';
import type { PostgresServer } from './postgres-connect.ts';
import type { Dialect } from './dialect.ts';
import { PostgresCursor } from './postgres-cursor.ts';
import type { RunInside } from './postgres-describe.ts';
import { postgresDialect } from './postgres-dialect.ts';
import { isLost, statementError } from './postgres-errors.ts';
import type { PostgresKind } from './postgres-kind.ts';
import { type PostgresConnection, PostgresPool } from './postgres-pool.ts';
import { commands, type Ending, readAll } from './postgres-read-all.ts';
import { PostgresSession } from './postgres-session.ts';
import { type PostgresField, PostgresStatement, rowsOf } from './postgres-statement.ts';
import type { Writing } from './postgres-swap.ts';
import { Slots } from './slots.ts';
import { nameSql, toStatement } from './sql.ts';
import { stagingSchema } from './duckdb-tables.ts';
import type {
  Answer,
  AnswerPiece,
  DescribedSchema,
  DescribedSelect,
  DescribedTable,
  ResultColumn,
  RunOptions,
  Statement,
  TableName,
  Warehouse,
  WriteTarget,
} from './warehouse.ts';

/** Where a PostgreSQL warehouse is, and the schema that names without one are looked up in: the role's own when left out. */
export interface PostgresOptions extends PostgresServer {
  schema?: string;
}

/** What one process asks of one server at once; the others wait. A connection each. */
const queriesMax = 8;
const streamsMax = 32;
const writesMax = 2;
const sessionsMax = 16;

const rowsMaxDefault = 10_000;
const bytesMaxDefault = 64 * 1024 * 1024;
/** What is listed is names, as many as there are. */
const catalogBounds = { rowsMax: 1_000_000, bytesMax: Infinity };

/** The server stops what this process could not. */
const graceMs = 2_000;

/** A database of a server that speaks PostgreSQL's protocol. Statements but writes run in transactions that may only read. */
export class PostgresProtocolWarehouse implements Warehouse {
  readonly engine: PostgresKind['engine'];
  readonly dialect: Dialect;
  /** Where it is, and as whom: for connectors that stream through connections of their own. */
  readonly server: PostgresServer;
  closedFor?: string;
  readonly #options: PostgresOptions;
  readonly #kind: PostgresKind;
  /** Sent behind a statement, they leave the connection in the state of a new one. */
  readonly #cleaning: Buffer;
  readonly #pool: PostgresPool;
  readonly #queries = new Slots(queriesMax);
  readonly #streams = new Slots(streamsMax);
  readonly #writes = new Slots(writesMax);
  readonly #sessions = new Slots(sessionsMax);
  readonly #running = new Running();
  readonly #busy = new Set<Promise<unknown>>();
  /** By oid and modifier, as format_type writes them. */
  readonly #typeNames = new Map<string, string>();

  constructor(options: PostgresOptions, kind: PostgresKind) {
    this.engine = kind.engine;
    this.dialect = kind.dialect;
    this.#options = options;
    this.server = options;
    this.#kind = kind;
    this.#cleaning = commands(kind.clean).bytes;
    this.#pool = new PostgresPool(options, kind, options.schema);
  }

  /** Fails with Unreachable when the server is not reached, is none of the kind, or has not the schema. */
  check(): Promise<void> {
    return this.#kind.check((statement) => this.run(statement), this.#options);
  }

  /** Exactly one statement in a transaction that may only read: no setting, lock or transaction outlives it. */
  run(statement: Statement, options: RunOptions = {}): Promise<Answer> {
    const { rowsMax = rowsMaxDefault, bytesMax = bytesMaxDefault } = options;
    return this.#bounded(options, this.#queries, async (bounds) => {
      const { fields, ...answer } = await this.#reading(bounds, (connection, ending) =>
        readAll(
          connection,
          statement,
          {
            rowsMax,
            bytesMax,
            before: this.#begin(bounds),
            after: this.#cleaning,
            textOid: this.#kind.textOid,
          },
          ending,
        ),
      );
      return { columns: await this.#columnsOf(fields, bounds), ...answer };
    });
  }

  async *stream(statement: Statement, options: RunOptions = {}): AsyncGenerator<AnswerPiece, void> {
    using bounds = this.#running.bounds(options);
    const { signal } = bounds;
    try {
      const held = await this.#holdStream(signal);
      try {
        options.started?.();
        const running = this.#opened(held.connection, statement, bounds);
        let piece = await running.piece();
        const columns = await this.#columnsOf(piece.fields, bounds);
        try {
          for (let isFirst = true; ; isFirst = false) {
            if (isFirst || piece.rows.length > 0) yield { columns, rows: piece.rows };
            signal.throwIfAborted();
            if (piece.isLast) return;
            piece = await running.more();
          }
        } finally {
          // Left early, the portal is closed: what the server has not yet computed it never does.
          if (!signal.aborted) await running.end();
        }
      } finally {
        held.letGo();
      }
    } catch (error) {
      throw statementError(bounds.causeOf(error), bounds.stoppedBy(), bounds.deadlineMs);
    }
  }

  #opened({ client }: PostgresConnection, statement: Statement, bounds: Bounds) {
    const { streams, textOid } = this.#kind;
    const options = { before: this.#begin(bounds), rowsAtOnce: streams.rowsAtOnce, textOid };
    return streams.isDeclared
      ? new PostgresCursor(client, statement, options)
      : client.query(new PostgresStatement(statement, options));
  }

  /** What makes a transaction that may only read and ends with its deadline, and says who asks. */
  #begin(bounds: Bounds): { bytes: Buffer; count: number } {
    return commands([this.#kind.begin.read, ...this.#limits(bounds)]);
  }

  async #beginWriting({ client }: PostgresConnection, bounds: Bounds): Promise<void> {
    await client.query([this.#kind.begin.write, ...this.#limits(bounds)].join('; '));
  }

  async #inside(
    { client }: PostgresConnection,
    statement: Statement,
  ): Promise<{ rows: unknown[][]; done: string }> {
    const running = client.query(new PostgresStatement(statement, { textOid: this.#kind.textOid }));
    const { rows } = await running.piece();
    return { rows, done: running.done };
  }

  #rowsOn(connection: PostgresConnection): RunInside {
    return async (statement) => (await this.#inside(connection, statement)).rows;
  }

  #limits({ deadlineMs, tag }: Bounds): string[] {
    const timeoutMs = Math.ceil(Math.min(deadlineMs + graceMs, timerMsMax));
    return this.#kind.limits(timeoutMs, tag === undefined ? 'sluice' : `sluice ${tag}`);
  }

  /** A connection for as long as a stream is read. When the signal aborts it is let go at once: its reader may never come back. */
  async #holdStream(signal: AbortSignal): Promise<{ connection: PostgresConnection; letGo: () => void }> {
    const free = await this.#streams.take(signal);
    const connection = await this.#pool.take(signal).catch((error: unknown) => {
      free();
      throw error;
    });
    let isHeld = true;
    const letGo = () => {
      if (!isHeld) return;
      isHeld = false;
      signal.removeEventListener('abort', letGo);
      free();
      if (signal.aborted || connection.isLost) this.#pool.stop(connection);
      else this.#pool.give(connection);
    };
    signal.addEventListener('abort', letGo, { once: true });
    if (signal.aborted) letGo();
    return { connection, letGo };
  }

  describe(select: string, options: RunOptions = {}): Promise<DescribedSelect> {
    return this.#bounded(options, this.#queries, (bounds) =>
      this.#reading(bounds, async (connection) => {
        await this.#beginWriting(connection, bounds);
        return this.#kind.describe(this.#rowsOn(connection), select, this.#options.schema);
      }),
    );
  }

  tables(only?: readonly TableName[], options?: RunOptions): Promise<DescribedTable[]> {
    return this.#kind.tables((statement) => this.run(statement, { ...options, ...catalogBounds }), only);
  }

  schemas(options?: RunOptions): Promise<DescribedSchema[]> {
    return this.#kind.schemas((statement) => this.run(statement, { ...options, ...catalogBounds }));
  }

  write(target: WriteTarget, select: Statement, options: RunOptions = {}): Promise<bigint | null> {
    return this.#writing(options, (writing) =>
      this.#kind.write(writing, target, select, this.#options.schema),
    );
  }

  writeOwn(name: string, select: Statement, options: RunOptions = {}): Promise<bigint> {
    return this.#writing(options, (writing) => this.#kind.writeOwn(writing, name, select));
  }

  dropOwn(name: string, options: RunOptions = {}): Promise<void> {
    const { sql } = toStatement(nameSql(stagingSchema, name), postgresDialect);
    return this.#writing(options, async ({ run }) => {
      await run({ sql: `DROP TABLE IF EXISTS ${sql}` });
    });
  }

  async ownTables(options?: RunOptions): Promise<string[]> {
    const { rows } = await this.run(
      {
        sql: `SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
          WHERE n.nspname = $1 AND c.relkind = 'r'`,
        binds: [stagingSchema],
      },
      { ...options, ...catalogBounds },
    );
    return rows.flat() as string[];
  }

  /** Work in one transaction that may write, committed when it resolves. */
  #writing<T>(options: RunOptions, work: (writing: Writing) => Promise<T>): Promise<T> {
    return this.#bounded(options, this.#writes, (bounds) =>
      this.#onConnection(bounds, async (connection) => {
        await this.#beginWriting(connection, bounds);
        const run = async (statement: Statement) => rowsOf((await this.#inside(connection, statement)).done);
        const result = await work({ rows: this.#rowsOn(connection), run });
        await connection.client.query('COMMIT');
        return result;
      }),
    );
  }

  /**
   * A connection to write through, for as long as it is held; when the signal aborts it is dropped, and what runs there is
   * stopped in the server. Fails with Unreachable, or with the signal's reason.
   */
  async session(given: AbortSignal): Promise<PostgresSession> {
    const signal = AbortSignal.any([given, this.#running.closing]);
    const free = await this.#sessions.take(signal);
    const closed = Promise.withResolvers<void>();
    this.#busy.add(closed.promise);
    const end = () => {
      this.#busy.delete(closed.promise);
      closed.resolve();
      free();
    };
    try {
      const connection = await this.#takeAlive(signal);
      const stop = () => this.#pool.stop(connection);
      signal.addEventListener('abort', stop, { once: true });
      return new PostgresSession(connection, signal, () => {
        signal.removeEventListener('abort', stop);
        if (!signal.aborted && connection.isLost) this.#pool.stop(connection);
        else if (!signal.aborted) this.#pool.give(connection);
        end();
      });
    } catch (error) {
      end();
      throw error;
    }
  }

  /** What writes cannot be done once more: a connection that waited is asked first whether it is still there. */
  async #takeAlive(signal: AbortSignal): Promise<PostgresConnection> {
    for (;;) {
      const connection = await this.#pool.take(signal);
      if (!connection.isUsed) return connection;
      try {
        await connection.client.query('SELECT 1');
        return connection;
      } catch {
        this.#pool.forgetIdle();
      }
    }
  }

  /** What only reads is done once more on a new connection when the one that waited for it turns out to be lost. */
  async #reading<T>(
    bounds: Bounds,
    work: (connection: PostgresConnection, ending: Ending) => Promise<T>,
  ): Promise<T> {
    let wasUsed = false;
    const attempt = () =>
      this.#onConnection(bounds, async (connection, ending) => {
        wasUsed = connection.isUsed;
        return work(connection, ending);
      });
    try {
      return await attempt();
    } catch (error) {
      if (!wasUsed || !isLost(error) || bounds.signal.aborted) throw error;
      this.#pool.forgetIdle();
      return attempt();
    }
  }

  /** A connection for the time of the work; dropped, and what runs there stopped, when the signal aborts. */
  async #onConnection<T>(
    { signal }: Bounds,
    work: (connection: PostgresConnection, ending: Ending) => Promise<T>,
  ): Promise<T> {
    const connection = await this.#pool.take(signal);
    const ending: Ending = { isCut: false, isClean: false };
    const stop = () => this.#pool.stop(connection);
    signal.addEventListener('abort', stop, { once: true });
    let isHealthy = false;
    try {
      const result = await work(connection, ending);
      isHealthy = true;
      return result;
    } catch (error) {
      isHealthy = !isLost(error);
      throw error;
    } finally {
      signal.removeEventListener('abort', stop);
      if (!signal.aborted) {
        if (isHealthy && !ending.isCut) this.#pool.give(connection, ending.isClean);
        else this.#pool.stop(connection);
      }
    }
  }

  /** By what is known of their types; a question to the server where something is not. */
  async #columnsOf(fields: readonly PostgresField[], bounds: Bounds): Promise<ResultColumn[]> {
    const keyOf = ({ oid, modifier }: PostgresField) => `${oid} ${modifier}`;
    const unknown = fields.filter((field) => !this.#typeNames.has(keyOf(field)));
    if (unknown.length > 0) {
      // Numbers of the server's own.
      const names = unknown.map(
        ({ oid, modifier }) => `format_type(${oid}, ${modifier < 0 ? 'NULL' : modifier})`,
      );
      const [found] = await this.#reading(bounds, (connection) =>
        this.#rowsOn(connection)({ sql: `SELECT ${names.join(', ')}` }),
      );
      for (const [at, field] of unknown.entries()) this.#typeNames.set(keyOf(field), found![at] as string);
    }
    return fields.map((field) => ({ name: field.name, dataType: this.#typeNames.get(keyOf(field))! }));
  }

  /** Work in a slot, stopped at the deadline and by the signal, with the errors that callers are told. */
  async #bounded<T>(options: RunOptions, slots: Slots, work: (bounds: Bounds) => Promise<T>): Promise<T> {
    using bounds = this.#running.bounds(options);
    const working = (async () => {
      const free = await slots.take(bounds.signal);
      options.started?.();
      try {
        return await work(bounds);
      } finally {
        free();
      }
    })();
    this.#busy.add(working);
    try {
      return await working;
    } catch (error) {
      throw statementError(bounds.causeOf(error), bounds.stoppedBy(), bounds.deadlineMs);
    } finally {
      this.#busy.delete(working);
    }
  }

  /** Stops what runs, waits for it, then closes the connections. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#running.close(closedError(this.closedFor));
    await Promise.allSettled(this.#busy);
    await this.#pool[Symbol.asyncDispose]();
  }
}
