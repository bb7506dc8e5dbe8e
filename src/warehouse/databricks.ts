import { closedError, type Interruption } from './interruption.ts';
import { jsonBytes } from './json-bytes.ts';
import { statementError } from './databricks-errors.ts';
import { describeSelect } from './databricks-describe.ts';
import { listFiles, putFile, removeFile, type VolumeFile } from './databricks-files.ts';
import { databricksDialect } from './databricks-dialect.ts';
import { ask, type Desk, type Result } from './databricks-query.ts';
import { DatabricksSessions } from './databricks-session.ts';
import type { DatabricksLogin } from './databricks-sign-in.ts';
import { describeSchemas, describeTables } from './databricks-tables.ts';
import { dropOwn, ownTables, writeOwn, writeTarget } from './databricks-write.ts';
import { Slots } from './slots.ts';
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

export type DatabricksOptions = DatabricksLogin;

/** A cluster of a SQL warehouse runs ten statements at once, and queues the others; so many wait there, and the rest here. */
const queriesMax = 16;
const writesMax = 4;

const rowsMaxDefault = 10_000;
const bytesMaxDefault = 64 * 1024 * 1024;
const deadlineMsDefault = 30_000;

/** What is listed is names, as many as there are. */
const catalogBounds = { rowsMax: 10_000_000, bytesMax: Infinity };

interface Bounds {
  signal: AbortSignal;
  deadlineMs: number;
  tag: string | undefined;
  stoppedBy(): Interruption | null;
  onWait(said: string): void;
  /** What Databricks last said in place of an answer. */
  waitedFor(): string | null;
}

/** Opens no session yet: the first statement does, with Databricks' own client. */
export function openDatabricks(options: DatabricksOptions): DatabricksWarehouse {
  return new DatabricksWarehouse(options);
}

/** One catalog of a Databricks workspace as one user sees it, through one SQL warehouse. */
export class DatabricksWarehouse implements Warehouse {
  readonly engine = 'DATABRICKS';
  readonly dialect = databricksDialect;
  /** Where files lie that syncs load; undefined when the config names no volume. */
  readonly volume: string | undefined;
  /** The catalog. */
  readonly database: string;
  readonly #sessions: DatabricksSessions;
  readonly #home: Desk['home'];
  readonly #closing = new AbortController();
  readonly #queries = new Slots(queriesMax);
  readonly #writes = new Slots(writesMax);

  constructor(options: DatabricksOptions) {
    this.#sessions = new DatabricksSessions(options);
    this.database = options.catalog.toLowerCase();
    this.volume = options.volume;
    this.#home = {
      database: this.database,
      schema: (options.schema ?? 'default').toLowerCase(),
    };
  }

  run(statement: Statement, options: RunOptions = {}): Promise<Answer> {
    const { rowsMax = rowsMaxDefault, bytesMax = bytesMaxDefault } = options;
    return this.#bounded(options, async (bounds) => {
      const result = await ask(this.#sessions, statement, bounds);
      return take(result, rowsMax, bytesMax);
    });
  }

  async *stream(statement: Statement, options: RunOptions = {}): AsyncGenerator<AnswerPiece, void> {
    const bounds = this.#bounds(options);
    try {
      const free = await this.#queries.take(bounds.signal);
      const { columns, pieces } = await ask(this.#sessions, statement, bounds).finally(free);
      let isFirst = true;
      for await (const rows of pieces()) {
        yield { columns, rows };
        isFirst = false;
        bounds.signal.throwIfAborted();
      }
      if (isFirst) yield { columns, rows: [] };
    } catch (error) {
      throw statementError(error, bounds.stoppedBy(), bounds.deadlineMs, bounds.waitedFor());
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

  /** Puts a file of this machine into a volume. Fails as run does. */
  upload(file: { from: string; to: string }, options: RunOptions = {}): Promise<void> {
    return this.#bounded(options, ({ signal }) => putFile(this.#sessions, file, signal), this.#writes);
  }

  /** The files of a folder of a volume. Fails as run does. */
  files(path: string, options: RunOptions = {}): Promise<VolumeFile[]> {
    return this.#bounded(options, ({ signal }) => listFiles(this.#sessions, path, signal));
  }

  /** Removes a file of a volume, if it is there. Fails as run does. */
  removeFile(path: string, options: RunOptions = {}): Promise<void> {
    return this.#bounded(options, ({ signal }) => removeFile(this.#sessions, path, signal), this.#writes);
  }

  /** Stops what runs, and ends the sessions. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    await this.#sessions[Symbol.asyncDispose]();
  }

  #desk(bounds: Bounds): Desk {
    return {
      home: this.#home,
      run: async (statement) => {
        const result = await ask(this.#sessions, statement, bounds);
        return take(result, catalogBounds.rowsMax, catalogBounds.bytesMax);
      },
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
      throw statementError(error, bounds.stoppedBy(), bounds.deadlineMs, bounds.waitedFor());
    }
  }

  #bounds({ deadlineMs = deadlineMsDefault, signal: asked, tag }: RunOptions): Bounds {
    const closing = this.#closing.signal;
    if (closing.aborted) throw closedError();
    const deadline = AbortSignal.timeout(deadlineMs);
    const signal = AbortSignal.any([deadline, closing, ...(asked ? [asked] : [])]);
    const stoppedBy = () => {
      if (closing.aborted) return 'closed';
      return deadline.aborted ? 'deadline' : signal.aborted ? 'signal' : null;
    };
    let waited: string | null = null;
    const onWait = (said: string) => (waited = said);
    return { signal, deadlineMs, tag, stoppedBy, onWait, waitedFor: () => waited };
  }
}

/** No more rows than `rowsMax`, and none beyond `bytesMax` but the first. */
async function take({ columns, pieces }: Result, rowsMax: number, bytesMax: number): Promise<Answer> {
  const rows: unknown[][] = [];
  let bytes = 2;
  for await (const piece of pieces()) {
    for (const row of piece) {
      const rowBytes = row.reduce((sum: number, value) => sum + jsonBytes(value), 2);
      if (rows.length === rowsMax || (bytes + rowBytes > bytesMax && rows.length > 0)) {
        return { columns, rows, truncated: true, bytes };
      }
      rows.push(row);
      bytes += rowBytes;
    }
  }
  return { columns, rows, truncated: false, bytes };
}
