import type { Dialect, ValueType } from './dialect.ts';

/** A value bound to a statement. Lists bind as one value. */
export type Bind = null | boolean | number | bigint | string | Date | Uint8Array | readonly Bind[];

export interface Statement {
  sql: string;
  binds?: readonly Bind[];
  /** What binds are cast to wherever they stand, by their place in `binds`, where an engine asked for it: see `typedBind`. */
  bindTypes?: readonly (ValueType | undefined)[];
}

export interface RunOptions {
  /** Stops the statement in the engine when it aborts. */
  signal?: AbortSignal;
  /** After this the statement is stopped and WAREHOUSE_TIMEOUT thrown. Default 30,000. */
  deadlineMs?: number;
  /** More rows than this are not fetched; the answer then says truncated. Default 10,000. */
  rowsMax?: number;
  /** Rows beyond this many bytes, counted as JSON would hold them, are not fetched either. Default 64 MiB. */
  bytesMax?: number;
  /** Who asks and why, where the engine keeps such a note for its statements: request id and operation. */
  tag?: string;
  /** Called when run or stream has its turn, which may be never: until then it waits for others to free a slot. */
  started?: () => void;
}

export interface ResultColumn {
  name: string;
  /** The engine's own name of the type, such as DECIMAL(38,2). */
  dataType: string;
}

/** Rows as arrays in the order of columns. 64-bit integers are bigint, decimals are strings, timestamps are ISO 8601 in UTC. */
export interface Answer {
  columns: ResultColumn[];
  rows: unknown[][];
  truncated: boolean;
  /** The size of the rows, counted as JSON would hold them. */
  bytes: number;
}

/** Some rows of a stream. */
export type AnswerPiece = Pick<Answer, 'columns' | 'rows'>;

/** What a SELECT gives and reads. */
export interface DescribedSelect {
  columns: ResultColumn[];
  reads: TableName[];
}

export interface TableName {
  database: string;
  schema: string;
  name: string;
}

export interface DescribedColumn {
  name: string;
  dataType: string;
  nullable: boolean;
  /** 1 for the first. */
  ordinal: number;
}

export interface DescribedTable extends TableName {
  kind: 'TABLE' | 'VIEW';
  columns: DescribedColumn[];
  /** What the engine knows without reading the table: exact, or its own estimate; null when it knows neither. */
  rowCount: bigint | null;
}

/** A schema of a database, and how many tables and views lie in it. */
export interface DescribedSchema {
  database: string;
  schema: string;
  tables: number;
}

/** Where a write goes, and whether it keeps rows there or the SELECT. */
export interface WriteTarget extends TableName {
  kind: 'TABLE' | 'VIEW';
}

/** A grant, a setting or an object that is missing, and what brings it. */
export interface Lack {
  /** The field of the config that it is about. */
  path: readonly string[];
  message: string;
  fix: string;
}

/** What keeps a datastore from being read as its config means. */
export interface Examination {
  lacks: Lack[];
  /** What may be meant so, and may surprise; null for nothing. */
  note: string | null;
}

/** An engine that holds tables and answers SQL. One file an engine. */
export interface Warehouse extends AsyncDisposable {
  readonly engine: 'DUCKDB' | 'SNOWFLAKE' | 'POSTGRES' | 'REDSHIFT' | 'BIGQUERY' | 'DATABRICKS';
  readonly dialect: Dialect;
  /** The database that tables are written to; left out by engines of which a connection sees one alone. */
  readonly database?: string;
  /** Why it is about to be closed, as "its settings were changed"; what is stopped then is told. Left out, the process stops. */
  closedFor?: string;
  /** Runs one statement. Fails with WAREHOUSE_UNAVAILABLE, WAREHOUSE_TIMEOUT, or BAD_USER_INPUT for SQL the engine refuses. */
  run(statement: Statement, options?: RunOptions): Promise<Answer>;
  /**
   * As run, in pieces of some thousand rows, read no faster than they are taken; at least one piece, empty when there are no
   * rows. `rowsMax` and `bytesMax` do not count. Leaving the loop stops the statement.
   */
  stream(statement: Statement, options?: RunOptions): AsyncIterable<AnswerPiece>;
  /**
   * The columns of a SELECT without binds, and the tables and views that it reads: those it names, and what the views among
   * them read. Nothing is run. Fails with BAD_USER_INPUT for SQL the engine refuses, for anything but exactly one statement
   * that only reads, and for one that reads anything but tables and views, such as a file.
   */
  describe(select: string, options?: RunOptions): Promise<DescribedSelect>;
  /** Every table and view outside the engine's own schemas, or only the named ones. */
  tables(only?: readonly TableName[], options?: RunOptions): Promise<DescribedTable[]>;
  /** Every schema outside the engine's own, empty ones too. */
  schemas(options?: RunOptions): Promise<DescribedSchema[]>;
  /**
   * Makes the target from a SELECT, in place of what was there: readers see the old until the new is whole, and keep the
   * old when it fails. Returns the rows of a table, null for a view. Fails as run does, and with CONFLICT when the target
   * is of the other kind or is written by somebody else at the same time.
   */
  write(target: WriteTarget, select: Statement, options?: RunOptions): Promise<bigint | null>;
  /**
   * As write, a table of Sluice's own: in the schema `stagingSchema` of the engine's current database, which no catalog lists,
   * and where statements find it by schema and name.
   */
  writeOwn(name: string, select: Statement, options?: RunOptions): Promise<bigint>;
  /** Drops a table of Sluice's own, if it is there. */
  dropOwn(name: string, options?: RunOptions): Promise<void>;
  /** The names of the tables of Sluice's own that this role can see. */
  ownTables(options?: RunOptions): Promise<string[]>;
  /**
   * The bytes that running the statement reads at most, as the engine itself says before; left out by engines that do not. Nothing
   * is run, and it costs nothing. Fails as run does.
   */
  estimate?(statement: Statement, options?: RunOptions): Promise<bigint>;
  /** Looks for what is missing beyond being let in, where the engine can say so. Changes nothing. Fails as run does. */
  examine?(options?: RunOptions): Promise<Examination>;
}

/** A name as standard SQL quotes it, so that no character of it is read as syntax. */
export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
