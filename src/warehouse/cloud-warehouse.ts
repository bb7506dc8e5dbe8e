import { type Bounds, Running } from './bounds.ts';
import type { Dialect } from './dialect.ts';
import { closedError, type Interruption } from './interruption.ts';
import { Slots } from './slots.ts';
import { type Pieces, rowsMaxDefault, takeRows } from './take-rows.ts';
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
import type { AppError } from '#base/errors.ts';

/** The bounds of one piece of work at an engine elsewhere. */
export interface CloudBounds extends Bounds {
  /** What the engine last said in place of an answer, such as that it starts. */
  waitedFor: string | null;
}

/** What the engines of the clouds do each their own way. A desk runs the statements of one piece of work. */
export interface CloudKind<Desk> {
  readonly engine: Warehouse['engine'];
  readonly dialect: Dialect;
  /** What tables are written to. */
  readonly database: string;
  /** So many statements that read are under way at once; the others wait here. */
  readonly queriesMax: number;
  /** Runs a statement until it has rows to give, of which no more than `rowsMax` will be taken. */
  ask(statement: Statement, bounds: CloudBounds, rowsMax: number): Promise<Pieces>;
  /** `run` gives every row of a statement, as many as there are. */
  deskOf(bounds: CloudBounds, run: (statement: Statement) => Promise<Answer>): Desk;
  describe(desk: Desk, select: string): Promise<DescribedSelect>;
  tables(desk: Desk, only?: readonly TableName[]): Promise<DescribedTable[]>;
  schemas(desk: Desk): Promise<DescribedSchema[]>;
  write(desk: Desk, target: WriteTarget, select: Statement): Promise<bigint | null>;
  writeOwn(desk: Desk, name: string, select: Statement): Promise<bigint>;
  dropOwn(desk: Desk, name: string): Promise<void>;
  ownTables(desk: Desk): Promise<string[]>;
  /** What callers are told of what failed. */
  errorOf(error: unknown, stop: Interruption | null, deadlineMs: number, waitedFor: string | null): AppError;
  /** Leaves the engine. What runs is stopped by then. */
  close(): Promise<void>;
}

const writesMax = 4;

/** An engine of a cloud as one user sees it. Asks nothing before the first statement, which signs in with the engine's own client. */
export class CloudWarehouse<Desk> implements Warehouse {
  readonly engine: Warehouse['engine'];
  readonly dialect: Dialect;
  readonly database: string;
  closedFor?: string;
  readonly #kind: CloudKind<Desk>;
  readonly #running = new Running();
  readonly #queries: Slots;
  readonly #writes = new Slots(writesMax);

  constructor(kind: CloudKind<Desk>) {
    this.engine = kind.engine;
    this.dialect = kind.dialect;
    this.database = kind.database;
    this.#kind = kind;
    this.#queries = new Slots(kind.queriesMax);
  }

  run(statement: Statement, options: RunOptions = {}): Promise<Answer> {
    const { rowsMax = rowsMaxDefault, bytesMax } = options;
    return this.reading(options, async (_desk, bounds) =>
      takeRows(await this.#kind.ask(statement, bounds, rowsMax), rowsMax, bytesMax),
    );
  }

  async *stream(statement: Statement, options: RunOptions = {}): AsyncGenerator<AnswerPiece, void> {
    using bounds = this.#bounds(options);
    try {
      const free = await this.#queries.take(bounds.signal);
      options.started?.();
      const { columns, pieces } = await this.#kind.ask(statement, bounds, Infinity).finally(free);
      let isFirst = true;
      for await (const rows of pieces()) {
        yield { columns, rows };
        isFirst = false;
        bounds.signal.throwIfAborted();
      }
      if (isFirst) yield { columns, rows: [] };
    } catch (error) {
      throw this.#told(error, bounds);
    }
  }

  describe(select: string, options?: RunOptions): Promise<DescribedSelect> {
    return this.reading(options, (desk) => this.#kind.describe(desk, select));
  }

  tables(only?: readonly TableName[], options?: RunOptions): Promise<DescribedTable[]> {
    return this.reading(options, (desk) => this.#kind.tables(desk, only));
  }

  schemas(options?: RunOptions): Promise<DescribedSchema[]> {
    return this.reading(options, (desk) => this.#kind.schemas(desk));
  }

  write(target: WriteTarget, select: Statement, options?: RunOptions): Promise<bigint | null> {
    return this.writing(options, (desk) => this.#kind.write(desk, target, select));
  }

  writeOwn(name: string, select: Statement, options?: RunOptions): Promise<bigint> {
    return this.writing(options, (desk) => this.#kind.writeOwn(desk, name, select));
  }

  dropOwn(name: string, options?: RunOptions): Promise<void> {
    return this.writing(options, (desk) => this.#kind.dropOwn(desk, name));
  }

  ownTables(options?: RunOptions): Promise<string[]> {
    return this.reading(options, (desk) => this.#kind.ownTables(desk));
  }

  /** Work that reads, within the bounds that were asked for and with the errors that callers are told. */
  protected reading<T>(
    options: RunOptions | undefined,
    work: (desk: Desk, bounds: CloudBounds) => Promise<T>,
  ): Promise<T> {
    return this.#bounded(options, this.#queries, work);
  }

  /** As reading, for work that writes. */
  protected writing<T>(
    options: RunOptions | undefined,
    work: (desk: Desk, bounds: CloudBounds) => Promise<T>,
  ): Promise<T> {
    return this.#bounded(options, this.#writes, work);
  }

  /** Stops what runs, and leaves the engine. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#running.closing.aborted) return;
    this.#running.close(closedError(this.closedFor));
    await this.#kind.close();
  }

  async #bounded<T>(
    options: RunOptions = {},
    slots: Slots,
    work: (desk: Desk, bounds: CloudBounds) => Promise<T>,
  ): Promise<T> {
    using bounds = this.#bounds(options);
    try {
      const free = await slots.take(bounds.signal);
      options.started?.();
      return await work(this.#desk(bounds), bounds).finally(free);
    } catch (error) {
      throw this.#told(error, bounds);
    }
  }

  #desk(bounds: CloudBounds): Desk {
    return this.#kind.deskOf(bounds, async (statement) =>
      takeRows(await this.#kind.ask(statement, bounds, Infinity), Infinity, Infinity),
    );
  }

  #bounds(options: RunOptions): CloudBounds {
    return Object.assign(this.#running.bounds(options), { waitedFor: null });
  }

  #told(error: unknown, bounds: CloudBounds): AppError {
    const { deadlineMs, waitedFor } = bounds;
    return this.#kind.errorOf(bounds.causeOf(error), bounds.stoppedBy(), deadlineMs, waitedFor);
  }
}
