import type { Problem } from '#base/errors.ts';
import type { Grain } from '#warehouse/dialect.ts';
import type { TableName, Warehouse } from '#warehouse/warehouse.ts';

/*
 * What a source and a destination promise each other and the pipelines that join them.
 *
 * A source cuts a stream into parts. A part offers its rows as something DuckDB can scan: a FIFO that bytes flow
 * through, or files. The destination runs that scan, so that rows go from system to system without passing through
 * JavaScript. Every part is staged beside its marker in one commit of the destination; when all parts are staged the
 * stream is published in one commit too. Readers see the old table, then the new one, and nothing between.
 */

export type SyncMode = 'FULL_REFRESH' | 'INCREMENTAL' | 'CDC' | 'STRICT_CDC';
export type WriteMode = 'OVERWRITE' | 'APPEND' | 'UPSERT';
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** Types that keep every value exactly. `text` is where whatever has no exact type goes. */
export type ColumnType =
  | { kind: 'boolean' | 'int16' | 'int32' | 'int64' | 'float32' | 'float64' | 'text' | 'uuid' }
  | { kind: 'date' | 'time' | 'timestamp' | 'timestamptz' | 'interval' | 'json' | 'bytes' }
  | { kind: 'decimal'; precision: number; scale: number }
  | { kind: 'list'; of: ColumnType };

export interface StreamColumn {
  name: string;
  type: ColumnType;
  nullable: boolean;
  /** The source's own name of the type, for messages: "numeric", "tsvector". */
  sourceType: string;
  /** Why the column travels as text, when it does: logged once per column as a warning. */
  asTextBecause?: string;
  /** The source expects hardly any value twice, so that a destination need not look for values to store once. */
  nearlyUnique?: boolean;
  /**
   * A boolean that no table gets: a row in which it is true takes the row of its key out of the table, and is otherwise
   * empty. Only UPSERT takes such a column, and a plan has one at most.
   */
  marksRemoved?: true;
}

/** A table, collection or file set that a source offers. */
export interface StreamInfo {
  namespace: string | null;
  name: string;
  columns: StreamColumn[];
  syncModes: SyncMode[];
  /** Empty when the source knows of none. */
  primaryKey: string[];
  /** Columns that INCREMENTAL may use. Empty when the connector needs none (files). */
  cursorFields: string[];
  estimatedRows: bigint | null;
  /** INCREMENTAL may also go by difference. */
  comparable?: true;
}

/** INCREMENTAL without a cursor: rows are compared, by key and hash, with those of the last run. */
export interface Difference {
  /** Rows that are gone from the source go from the destination's table too. Only UPSERT can. */
  mirrorRemovals: boolean;
}

/** What a difference found since the last run; in the first one every row is added. */
export interface FoundChanges {
  added: bigint;
  changed: bigint;
  removed: bigint;
}

/** What a job asks of one stream, with every default filled in. */
export interface StreamSelection {
  namespace: string | null;
  name: string;
  syncMode: SyncMode;
  writeMode: WriteMode;
  cursorField: string | null;
  primaryKey: string[];
  destinationTable: string;
  /** Null for all. */
  selectedColumns: string[] | null;
  /** Left out, INCREMENTAL goes by its cursor. */
  difference?: Difference;
}

export type TaskErrorKind =
  'CONFIG' | 'SOURCE' | 'DESTINATION' | 'SCHEMA' | 'TRANSIENT' | 'WORKER_LOST' | 'CANCELED' | 'INTERNAL';

/** A failure of the source, the destination or what flows between, classified once where it enters. */
export class ConnectorError extends Error {
  readonly kind: TaskErrorKind;
  readonly fix: string | undefined;
  /** Only TRANSIENT is tried again. */
  readonly retryable: boolean;
  /** Where in the config, when the config is to blame: ['password']. */
  readonly path: readonly string[];

  constructor(
    kind: TaskErrorKind,
    message: string,
    options: ErrorOptions & { fix?: string; path?: readonly string[] } = {},
  ) {
    super(message, options);
    this.name = 'ConnectorError';
    this.kind = kind;
    this.fix = options.fix;
    this.path = options.path ?? [];
    this.retryable = kind === 'TRANSIENT';
  }
}

/** A value that its column's type cannot hold. The stream starts anew with the column as text. */
export class ColumnMisfit extends Error {
  readonly column: string;
  readonly value: string;

  constructor(column: string, value: string, options?: ErrorOptions) {
    super(`column "${column}" cannot keep the value ${value} exactly`, options);
    this.name = 'ColumnMisfit';
    this.column = column;
    this.value = value;
  }
}

export interface ConnectorLog {
  (level: 'DEBUG' | 'INFO' | 'WARN' | 'ERROR', message: string): void;
}

/** What a connector may use of the process that runs it. */
export interface ConnectorContext {
  /** The one folder that files may be read from and written to; links out of it are refused. */
  filesRoot: string;
  /** A private folder (mode 0700) for FIFOs. */
  pipesDir: string;
  signal: AbortSignal;
  log: ConnectorLog;
  /** The project's datastore of that name; the default warehouse without one. Fails with CONFIG naming those that exist. */
  datastore(name: string | undefined): Promise<OpenDatastore>;
  /** Of those of these jobs that are or were, what they compare now: nothing, of one that is deleted. Left out where no jobs are. */
  compared?: (jobIds: readonly string[]) => Promise<ReadonlyMap<string, readonly StreamSelection[]>>;
  /** The values of metrics by period. Fails with BAD_USER_INPUT for what cannot be asked. Left out where no metrics are. */
  series?: (question: SeriesQuestion) => Promise<Series>;
}

/** What is asked of metrics, unchecked. Of what is left out, metrics know what goes without saying. */
export interface SeriesQuestion {
  metrics: readonly string[];
  grain: Grain;
  timeZone?: string;
  by?: readonly string[];
  filter?: readonly { property: string; [operator: string]: Json }[];
  from?: string;
  to?: string;
  /** So many, up to `to`, where there is no `from`. */
  periods?: number;
  limit?: number;
}

export interface Series {
  /** The one that all the metrics are measured in, and what is read there. */
  datastore: string;
  tables: TableName[];
  /** Asks, never for what was answered before. `tag` is who asks. By period, then by group. */
  points(tag: string): Promise<SeriesPoint[]>;
}

export interface SeriesPoint {
  /** The start of the period. */
  at: Date;
  /** In the order of `by`; "other" in each for what a limit left over. */
  dimensions: Json[];
  /** In the order of `metrics`. */
  values: (number | null)[];
}

export interface OpenDatastore {
  name: string;
  warehouse: Warehouse;
}

/** A JSON Schema object whose secret fields carry `"secret": true`. Checked by connectors/check-config.ts. */
export type ConfigSchema = { type: 'object'; [keyword: string]: Json };

export interface CheckResult {
  ok: boolean;
  /** What was reached ("PostgreSQL 18.4, 12 tables"), or what went wrong. */
  message: string;
  problems: Problem[];
}

export interface ConnectorInfo {
  type: string;
  version: string;
  title: string;
  documentationUrl: string | null;
  spec: ConfigSchema;
}

export interface SourceConnector<Config = unknown> extends ConnectorInfo {
  syncModes: SyncMode[];
  /**
   * The datastore of the project whose tables it reads, which its sessions can name: the default one without a name. Left out by
   * sources that read elsewhere.
   */
  datastoreOf?(config: Config): { name?: string };
  /** Tries the config against the real system. An expected failure is a result; each cause has its own message. */
  check(config: Config, context: ConnectorContext): Promise<CheckResult>;
  discover(config: Config, context: ConnectorContext): Promise<StreamInfo[]>;
  open(config: Config, context: ConnectorContext): Promise<SourceSession>;
}

/** What a stream reads of a datastore. */
export interface SourceReads {
  datastore: string;
  tables: TableName[];
  /** Names of its tables that differ in case alone are one name. */
  ignoresCase: boolean;
}

/** One task's hold on a source. */
export interface SourceSession extends AsyncDisposable {
  /**
   * Plans the read of a stream. `state` is what the last publish left (null at first); `resume` is the plan an earlier
   * attempt of this very task stored with its finished parts, or null. `asText` names columns that must travel as text.
   */
  plan(selection: StreamSelection, from: PlanFrom): Promise<StreamPlan>;
  /** The tables of a datastore that the stream reads, those behind views included; left out by sources that read elsewhere. */
  reads?(selection: StreamSelection): Promise<SourceReads>;
}

export interface PlanFrom {
  state: Json | null;
  resume: Json | null;
  asText: string[];
  /** Who reads: what a source keeps for a stream is kept by it. Needed for a difference alone. */
  origin?: WriteOrigin;
  /** The parts that an earlier attempt of this very task has staged, by their ids. None when left out. */
  staged?: readonly string[];
}

export interface StreamPlan extends AsyncDisposable {
  /** The selected columns in order, those of `asText` as text. */
  columns: StreamColumn[];
  /** In no particular order; several may be open at once. Empty when there is nothing new. */
  parts: Part[];
  estimatedRows: bigint | null;
  /** Stored with the task; handed back as `resume` after a crash. Null when parts staged earlier are worthless then. */
  resume: Json | null;
  /** What the next task gets as `state` once this one has published. Null keeps none. */
  nextState: Json | null;
  /** INCREMENTAL: rows with this cursor value may have been taken before; APPEND drops those already there. */
  ties: { column: string; value: string } | null;
  /** Of a difference. */
  changes?: FoundChanges;
  /** Called once the stream is published: what was kept for this plan alone may go. */
  published?(): Promise<void>;
}

/** One slice of a stream, staged whole or not at all. */
export interface Part {
  /** Stable between attempts of one task as long as the plan was resumed. */
  id: string;
  /** For people: "id 1 to 250,000", "orders.csv". */
  title: string;
  open(signal: AbortSignal): Promise<OpenPart>;
}

export interface OpenPart extends AsyncDisposable {
  /** A SELECT for DuckDB giving the plan's columns, in order, named and typed. Runs once. */
  scan: string;
  /** Resolves when the source has given all; rejects when it failed. A part may be committed only after it resolved. */
  finished: Promise<void>;
  /** Bytes taken from the source so far. */
  bytesRead(): number;
  /** Turns an error of DuckDB's scan into ColumnMisfit or ConnectorError; undefined when the source is not to blame. */
  explain(error: unknown): ColumnMisfit | ConnectorError | undefined;
}

export interface DestinationConnector<Config = unknown> extends ConnectorInfo {
  writeModes: WriteMode[];
  check(config: Config, context: ConnectorContext): Promise<CheckResult>;
  open(config: Config, context: ConnectorContext): Promise<DestinationSession>;
  /** The datastore that the config writes to, the default one without a name, and the schema there; null when it writes elsewhere. */
  datastoreOf(config: Config): { name?: string; schema?: string } | null;
}

/** Who writes: staging and markers are kept by these. */
export interface WriteOrigin {
  projectId: string;
  jobId: string;
  taskId: string;
}

/** One task's hold on a destination. */
export interface DestinationSession extends AsyncDisposable {
  /** Prepares to write one stream. Fails with SCHEMA, touching nothing, when the table cannot take the columns. */
  stream(origin: WriteOrigin, selection: StreamSelection): Promise<StreamWriter>;
}

/** What the destination itself remembers of the last publish of a job's stream: the truth after a crash. */
export interface PublishMarker {
  taskId: string;
  state: Json | null;
  rowsWritten: bigint;
  /** The table that is to be written is not there: somebody has dropped it, or the destination writes to another place now. */
  isGone?: true;
}

export interface StagedPart {
  partId: string;
  rows: bigint;
  bytes: bigint;
}

export interface WrittenTable {
  datastore: string;
  database: string;
  schema: string;
  name: string;
}

/** Lines worth logging: how the table's columns change, and what it cannot keep as it comes. */
export interface WriterNotes {
  changes: string[];
  warnings: string[];
}

export interface StreamWriter extends AsyncDisposable {
  /** The table that publish writes, if the catalog can hold it: known before, so that an adopted publish marks it too. */
  readonly table: WrittenTable | null;
  /** The last publish of this job's stream, by any task. */
  readonly published: PublishMarker | null;
  /** Parts that an earlier attempt of this task has staged with their markers; after `begin` those of them that stay. */
  readonly staged: readonly StagedPart[];
  /** Plans the table's new shape and makes the staging table, keeping staged parts or dropping them. */
  begin(columns: StreamColumn[], keepStaged: boolean): Promise<WriterNotes>;
  /** Stages one part, rows and marker in one commit. `onRows` is called with the rows so far as they come in. */
  stage(
    part: OpenPart,
    partId: string,
    signal: AbortSignal,
    onRows: (rows: bigint) => void,
  ): Promise<StagedPart>;
  /** Publishes all staged parts and the marker in one commit, and removes the staging. Returns rows written and the table, if the catalog can hold it. */
  publish(
    state: Json | null,
    ties: StreamPlan['ties'],
  ): Promise<{ rowsWritten: bigint; table: WrittenTable | null }>;
  /** Removes what this task has staged, after a cancel or a failure that will not be tried again. */
  abandon(): Promise<void>;
}
