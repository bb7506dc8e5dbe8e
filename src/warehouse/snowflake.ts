import { closedError, type Interruption } from './interruption.ts';
import { statementError } from './snowflake-errors.ts';
import { describeSelect } from './snowflake-describe.ts';
import { examine } from './snowflake-examine.ts';
import { snowflakeDialect } from './snowflake-dialect.ts';
import type { SnowflakeLogin } from './snowflake-login.ts';
import { ask, type Desk } from './snowflake-query.ts';
import { SnowflakeSession } from './snowflake-session.ts';
import { SnowflakeUploads } from './snowflake-upload.ts';
import { describeSchemas, describeTables } from './snowflake-tables.ts';
import { dropOwn, ownTables, writeOwn, writeTarget } from './snowflake-write.ts';
import { Slots } from './slots.ts';
import { takeRows } from './take-rows.ts';
import type {
  Answer,
  AnswerPiece,
  DescribedSchema,
  DescribedSelect,
  DescribedTable,
  Examination,
  RunOptions,
  Statement,
  TableName,
  Warehouse,
  WriteTarget,
} from './warehouse.ts';

export type SnowflakeOptions = SnowflakeLogin;

/** A virtual warehouse runs eight statements at once, and queues the others; so many wait there, and the rest here. */
const queriesMax = 16;
const writesMax = 4;

const deadlineMsDefault = 30_000;

/** What is listed is names, as many as there are. */
const catalogBounds = { rowsMax: 10_000_000, bytesMax: Infinity };

interface Bounds {
  signal: AbortSignal;
  deadlineMs: number;
  tag: string | undefined;
  stoppedBy(): Interruption | null;
}

/** Opens no session yet: the first statement does, with Snowflake's own client. */
export function openSnowflake(options: SnowflakeOptions): SnowflakeWarehouse {
  return new SnowflakeWarehouse(options);
}

/** One account of Snowflake as one role sees it, over one session. */
export class SnowflakeWarehouse implements Warehouse {
  readonly engine = 'SNOWFLAKE';
  readonly dialect = snowflakeDialect;
  closedFor?: string;
  readonly #options: SnowflakeOptions;
  readonly #session: SnowflakeSession;
  readonly #uploads: SnowflakeUploads;
  readonly #home: Desk['home'];
  readonly #names: Parameters<typeof examine>[1];
  readonly #closing = new AbortController();
  readonly #queries = new Slots(queriesMax);
  readonly #writes = new Slots(writesMax);

  constructor(options: SnowflakeOptions) {
    this.#options = options;
    this.#session = new SnowflakeSession(options);
    const { warehouse, database, schema = null } = options;
    this.#names = { warehouse, database, schema };
    this.#uploads = new SnowflakeUploads(options);
    this.#home = { database: options.database, schema: options.schema ?? 'PUBLIC' };
  }

  run(statement: Statement, options: RunOptions = {}): Promise<Answer> {
    const { rowsMax, bytesMax } = options;
    return this.#bounded(options, async (bounds) => {
      const result = await ask(this.#session, statement, bounds);
      return takeRows(result, rowsMax, bytesMax);
    });
  }

  async *stream(statement: Statement, options: RunOptions = {}): AsyncGenerator<AnswerPiece, void> {
    const bounds = this.#bounds(options);
    try {
      const free = await this.#queries.take(bounds.signal);
      const { columns, pieces } = await ask(this.#session, statement, bounds).finally(free);
      let isFirst = true;
      for await (const rows of pieces()) {
        yield { columns, rows };
        isFirst = false;
        bounds.signal.throwIfAborted();
      }
      if (isFirst) yield { columns, rows: [] };
    } catch (error) {
      throw statementError(this.#causeOf(error), bounds.stoppedBy(), bounds.deadlineMs);
    }
  }

  describe(select: string, options: RunOptions = {}): Promise<DescribedSelect> {
    return this.#bounded(options, (bounds) => describeSelect(this.#desk(bounds), select));
  }

  tables(only?: readonly TableName[], options: RunOptions = {}): Promise<DescribedTable[]> {
    return this.#bounded(options, (bounds) => describeTables(this.#desk(bounds), only));
  }

  schemas(options: RunOptions = {}): Promise<DescribedSchema[]> {
    return this.#bounded(options, (bounds) => describeSchemas(this.#desk(bounds)));
  }

  write(target: WriteTarget, select: Statement, options: RunOptions = {}): Promise<bigint | null> {
    return this.#bounded(options, (bounds) => writeTarget(this.#desk(bounds), target, select), this.#writes);
  }

  writeOwn(name: string, select: Statement, options: RunOptions = {}): Promise<bigint> {
    return this.#bounded(options, (bounds) => writeOwn(this.#desk(bounds), name, select), this.#writes);
  }

  dropOwn(name: string, options: RunOptions = {}): Promise<void> {
    return this.#bounded(options, (bounds) => dropOwn(this.#desk(bounds), name), this.#writes);
  }

  ownTables(options: RunOptions = {}): Promise<string[]> {
    return this.#bounded(options, (bounds) => ownTables(this.#desk(bounds)));
  }

  examine(options: RunOptions = {}): Promise<Examination> {
    return this.#bounded(options, (bounds) => examine(this.#desk(bounds), this.#names));
  }

  /** The database that it was opened with. */
  get database(): string {
    return this.#home.database;
  }

  /** Puts a file of this machine into a folder of the user's own stage. Fails as run does. */
  upload(path: string, folder: string, options: RunOptions = {}): Promise<void> {
    return this.#bounded(options, ({ signal }) => this.#uploads.put(path, folder, signal), this.#writes);
  }

  /**
   * Runs statements in a session of their own, which ends with them: a transaction that is open then is rolled back. Fails
   * when the session is lost on the way.
   */
  together<T>(
    options: RunOptions,
    work: (run: (statement: Statement) => Promise<unknown[][]>) => Promise<T>,
  ): Promise<T> {
    const runAll = async (bounds: Bounds): Promise<T> => {
      await using session = new SnowflakeSession(this.#options, { isOne: true });
      return await work(async (statement) => {
        const result = await ask(session, statement, bounds);
        return (await takeRows(result)).rows;
      });
    };
    return this.#bounded(options, runAll, this.#writes);
  }

  /** Stops what runs, and ends the session. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort(closedError(this.closedFor));
    await Promise.all([this.#session[Symbol.asyncDispose](), this.#uploads[Symbol.asyncDispose]()]);
  }

  #desk(bounds: Bounds): Desk {
    return {
      home: this.#home,
      run: async (statement) => {
        const result = await ask(this.#session, statement, bounds);
        return takeRows(result, catalogBounds.rowsMax, catalogBounds.bytesMax);
      },
      describe: (statement) => ask(this.#session, statement, { ...bounds, describeOnly: true }),
    };
  }

  /** Work within the bounds that were asked for, with the errors that callers are told. */
  async #bounded<T>(
    options: RunOptions,
    work: (bounds: Bounds) => Promise<T>,
    slots: Slots = this.#queries,
  ): Promise<T> {
    const bounds = this.#bounds(options);
    try {
      const free = await slots.take(bounds.signal);
      return await work(bounds).finally(free);
    } catch (error) {
      throw statementError(this.#causeOf(error), bounds.stoppedBy(), bounds.deadlineMs);
    }
  }

  #causeOf(error: unknown): unknown {
    return this.#closing.signal.aborted ? this.#closing.signal.reason : error;
  }

  #bounds({ deadlineMs = deadlineMsDefault, signal: asked, tag }: RunOptions): Bounds {
    const closing = this.#closing.signal;
    if (closing.aborted) throw closedError(this.closedFor);
    const deadline = AbortSignal.timeout(deadlineMs);
    const signal = AbortSignal.any([deadline, closing, ...(asked ? [asked] : [])]);
    const stoppedBy = () => {
      if (closing.aborted) return 'closed';
      return deadline.aborted ? 'deadline' : signal.aborted ? 'signal' : null;
    };
    return { signal, deadlineMs, tag, stoppedBy };
  }
}
