import { newId } from '#base/id.ts';
import { describeSelect } from './bigquery-describe.ts';
import { bigQueryDialect } from './bigquery-dialect.ts';
import { statementError } from './bigquery-errors.ts';
import { ask, askAsJob, type Desk, dryRun, type QuerySettings } from './bigquery-query.ts';
import { type BigQueryLogin, BigQueryRest } from './bigquery-rest.ts';
import { describeSchemas, describeTables, tableNames } from './bigquery-tables.ts';
import { dropTable, writeOwn, writeTarget } from './bigquery-write.ts';
import { stagingSchema } from './duckdb-tables.ts';
import { closedError, type Interruption } from './interruption.ts';
import { Slots } from './slots.ts';
import { rowsMaxDefault, takeRows } from './take-rows.ts';
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

export interface BigQueryOptions extends BigQueryLogin, Partial<QuerySettings> {}

/** A project runs a hundred statements at once and queues more; so many go there, and the rest waits here. */
const queriesMax = 32;
const writesMax = 4;

const deadlineMsDefault = 30_000;
/** BigQuery ends a page at about 10 MB in any case. */
const pageRowsMax = 10_000;

/** What is listed is names, as many as there are. */
const catalogBounds = { rowsMax: 10_000_000, bytesMax: Infinity };

interface Bounds {
  signal: AbortSignal;
  deadlineMs: number;
  tag: string | undefined;
  stoppedBy(): Interruption | null;
}

/** Asks nothing yet: the first statement signs in, with Google's own client. */
export function openBigQuery(options: BigQueryOptions): BigQueryWarehouse {
  return new BigQueryWarehouse(options);
}

/** One project of BigQuery as one service account sees it. */
export class BigQueryWarehouse implements Warehouse {
  readonly engine = 'BIGQUERY';
  readonly dialect = bigQueryDialect;
  readonly #rest: BigQueryRest;
  readonly #settings: QuerySettings;
  readonly #closing = new AbortController();
  readonly #queries = new Slots(queriesMax);
  readonly #writes = new Slots(writesMax);

  /** The project that it asks, which is also the database of its tables. */
  get projectId(): string {
    return this.#rest.login.projectId;
  }

  get database(): string {
    return this.projectId;
  }

  constructor({ dataset, location, maximumBytesBilled, ...login }: BigQueryOptions) {
    this.#rest = new BigQueryRest(login);
    this.#settings = { dataset, location, maximumBytesBilled };
  }

  run(statement: Statement, options: RunOptions = {}): Promise<Answer> {
    const { rowsMax = rowsMaxDefault, bytesMax } = options;
    return this.#bounded(options, async (bounds) => {
      // One row more says whether there are more.
      const pageRows = Math.min(rowsMax + 1, pageRowsMax);
      const result = await ask(this.#rest, this.#settings, statement, { ...bounds, pageRows });
      return takeRows(result, rowsMax, bytesMax);
    });
  }

  async *stream(statement: Statement, options: RunOptions = {}): AsyncGenerator<AnswerPiece, void> {
    const bounds = this.#bounds(options);
    try {
      const free = await this.#queries.take(bounds.signal);
      const asking = { ...bounds, pageRows: pageRowsMax };
      const { columns, pieces } = await ask(this.#rest, this.#settings, statement, asking).finally(free);
      let isFirst = true;
      for await (const rows of pieces()) {
        yield { columns, rows };
        isFirst = false;
        bounds.signal.throwIfAborted();
      }
      if (isFirst) yield { columns, rows: [] };
    } catch (error) {
      throw statementError(error, bounds.stoppedBy(), bounds.deadlineMs);
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
    const drop = (bounds: Bounds) => dropTable(this.#desk(bounds), stagingSchema, name);
    return this.#bounded(options, drop, this.#writes);
  }

  ownTables(options: RunOptions = {}): Promise<string[]> {
    return this.#bounded(options, (bounds) => tableNames(this.#desk(bounds), stagingSchema));
  }

  /** Work with the REST API of the project, within the bounds that were asked for and with the errors that callers are told. */
  work<T>(options: RunOptions, work: (desk: Desk) => Promise<T>): Promise<T> {
    return this.#bounded(options, (bounds) => work(this.#desk(bounds)), this.#writes);
  }

  /** Fails as run does where nothing can be asked, or the dataset that names are looked for in is not there. */
  async ping(): Promise<void> {
    await this.run({ sql: 'SELECT 1' });
    const { dataset } = this.#settings;
    if (dataset === undefined) return;
    const path = `/datasets/${encodeURIComponent(dataset)}`;
    await this.#bounded({}, ({ signal }) => this.#rest.send({ method: 'GET', path, signal }));
  }

  /** Cancels what runs. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    return Promise.resolve();
  }

  #desk(bounds: Bounds): Desk {
    const [rest, settings] = [this.#rest, this.#settings];
    const asking = { ...bounds, pageRows: pageRowsMax };
    return {
      rest,
      settings,
      signal: bounds.signal,
      run: async (statement) => {
        const result = await ask(rest, settings, statement, asking);
        return takeRows(result, catalogBounds.rowsMax, catalogBounds.bytesMax);
      },
      dryRun: (statement) => dryRun(rest, settings, statement, bounds.signal),
      write: (statement, more) =>
        askAsJob(rest, settings, statement, {
          ...asking,
          pageRows: 1,
          jobId: `sluice_${newId()}`,
          ...(more && { more }),
        }),
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
      throw statementError(error, bounds.stoppedBy(), bounds.deadlineMs);
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
    return { signal, deadlineMs, tag, stoppedBy };
  }
}
