/** A value bound to a statement. Lists bind as one value. */
export type Bind = null | boolean | number | bigint | string | Date | Uint8Array | readonly Bind[];

export interface Statement {
  sql: string;
  binds?: readonly Bind[];
}

export interface RunOptions {
  /** Stops the statement in the engine when it aborts. */
  signal?: AbortSignal;
  /** After this the statement is stopped and WAREHOUSE_TIMEOUT thrown. Default 30,000. */
  deadlineMs?: number;
  /** More rows than this are not fetched; the answer then says truncated. Default 10,000. */
  rowsMax?: number;
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
  /** Exact where the engine knows it without reading the table, else null. */
  rowCount: bigint | null;
}

/** An engine that holds tables and answers SQL. One file an engine. */
export interface Warehouse extends AsyncDisposable {
  readonly engine: 'DUCKDB' | 'SNOWFLAKE' | 'POSTGRES' | 'REDSHIFT' | 'BIGQUERY' | 'DATABRICKS';
  /** Runs one statement. Fails with WAREHOUSE_UNAVAILABLE, WAREHOUSE_TIMEOUT, or BAD_USER_INPUT for SQL the engine refuses. */
  run(statement: Statement, options?: RunOptions): Promise<Answer>;
  /** Every table and view outside the engine's own schemas, or only the named ones. */
  tables(only?: readonly TableName[], options?: RunOptions): Promise<DescribedTable[]>;
}

/** A name as standard SQL quotes it, so that no character of it is read as syntax. */
export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
