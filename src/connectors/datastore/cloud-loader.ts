import type { ColumnType, ConnectorError } from '#connectors/contract.ts';
import type { Dialect } from '#warehouse/dialect.ts';
import type { Sql } from '#warehouse/sql.ts';
import type { Statement, TableName } from '#warehouse/warehouse.ts';

/*
 * What an engine has to offer so that syncs write into it: one file an engine. cloud-writer.ts does the rest with it.
 *
 * A part becomes a hidden table of its own, made from a Parquet file that DuckDB wrote, whose NOTE (its comment, description
 * or property) says which part it holds. A table without its note holds nothing: each attempt takes a name that none had
 * before, so that a worker that was thought dead can spoil no other's. The table holds what the file holds, in types that
 * every loader knows; a publish reads it into the target's types (`read`) and goes one of two ways: the target is replaced
 * in one step together with its note, or changed in one transaction together with a row of the markers. An engine without
 * such transactions has no `commit`, and everything is a replacement.
 */

/** How the values of a column reach the engine, and what they are there. */
export interface ColumnTravel {
  /** The engine's type, as its DDL writes it. */
  type: string;
  /** What `describe` says of a column of that type: a second sync finds no change by it. */
  kept: ColumnType;
  /** DuckDB's SQL that makes of a value what stands in the file. */
  write: (value: string) => string;
  /** The engine's type of what stands in the file: of the column in the table that holds a part. */
  staged: string;
  /** The engine's SQL that makes a value of `type` of one of `staged`, when the part is published. */
  read: (value: Sql) => Sql;
  /** DuckDB's condition for values that the engine can hold; those that do not meet it make the column text. */
  fits?: (value: string) => string;
  /** Why the engine holds text in place of the column's type; told as a warning. */
  asTextBecause?: string;
}

/** A column of a file, and of the table that is made from it. Its name is in plain capitals and digits: C0, C1 … */
export interface LoadedColumn {
  name: string;
  /** The engine's type. */
  type: string;
}

export interface NotedTable {
  name: string;
  /** Empty when there is none. */
  note: string;
  createdAt: Date;
}

/** A table as it is there now. */
export interface EngineTable {
  kind: 'TABLE' | 'VIEW';
  columns: { name: string; dataType: string; type: ColumnType; nullable: boolean }[];
  note: string;
  /** What `replace` knows by whether it is still this table; the note where it is left out. */
  seen?: string;
}

/** What takes the place of a table. */
export interface Replacement {
  columns: readonly { name: string; type: string }[];
  /** Gives the columns, in order. */
  select: Sql;
  note: string;
  /** What was `seen` of the table, or else its note, when it was looked at; null when there was none. */
  before: string | null;
}

/**
 * One engine that loads Parquet files. Every function stops when its signal aborts, and fails as Warehouse.run does or with a
 * ConnectorError. Names are taken as they are written.
 */
export interface CloudLoader {
  /** "Snowflake", for messages. */
  readonly title: string;
  readonly dialect: Dialect;
  /** Where the target's schema lies. */
  readonly database: string;
  /** The longest note that a table may have, in characters. */
  readonly noteLengthMax: number;
  travel(type: ColumnType): ColumnTravel;
  /** A value of a column of one type as the wider type: text as DuckDB would write it. */
  convert(value: Sql, from: ColumnType, to: ColumnType): Sql;
  /** What values of that type can be grouped and compared by: the value itself, or a text of it that is equal for equal values. */
  comparable(value: Sql, type: ColumnType): Sql;
  /** Runs one statement, any: it has an hour. Gives the rows of a SELECT. */
  run(statement: Statement, signal: AbortSignal): Promise<unknown[][]>;
  /** Makes the schema where it is missing, and asks for nothing where it is there. */
  makeSchema(schema: string, signal: AbortSignal): Promise<void>;
  /** Null when nothing has that name. */
  describe(table: TableName, signal: AbortSignal): Promise<EngineTable | null>;
  /** Tables of the schema whose names begin so; none when there is no schema. */
  tables(schema: string, prefix: string, signal: AbortSignal): Promise<NotedTable[]>;
  /**
   * Makes the table, which is not there yet, from a Parquet file on this machine. When it has its note, it has all rows of
   * the file; whatever goes wrong leaves no table with a note. The caller removes the file.
   */
  load(
    into: TableName,
    columns: readonly LoadedColumn[],
    file: { path: string; note: string },
    signal: AbortSignal,
  ): Promise<void>;
  /** Removes what loads that were broken off a week ago have left elsewhere than in tables. Called once a task. */
  tidy?(signal: AbortSignal): Promise<void>;
  /**
   * Puts a new table with its note in place of what is there, or where nothing is, in one step for readers; grants stay. It may
   * fail with TRANSIENT, changing nothing, when by then it sees another table than `before`.
   */
  replace(target: TableName, by: Replacement, signal: AbortSignal): Promise<void>;
  /**
   * Runs all statements as one transaction if `guard`, its first, changes exactly one row: else nothing is changed and the
   * answer is false. Of two at once whose guards change the same row, at most one commits. Left out where an engine cannot: then
   * whatever is published rewrites the table, and of two jobs that do so at once one's rows are lost.
   */
  commit?(guard: Statement, then: readonly Statement[], signal: AbortSignal): Promise<boolean>;
  /** What the engine's error means for the task, where it says more than the code of AppError: a missing grant is CONFIG. */
  explain?(error: unknown): ConnectorError | undefined;
}
