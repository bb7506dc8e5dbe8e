import { createHash } from 'node:crypto';
import { AppError, messageOf } from '#base/errors.ts';
import { columnTypeOf, duckDbType } from '#connectors/column-type.ts';
import {
  ConnectorError,
  type Json,
  type OpenPart,
  type PublishMarker,
  type StagedPart,
  type StreamColumn,
  type StreamPlan,
  type StreamSelection,
  type StreamWriter,
  type WriteOrigin,
  type WriterNotes,
  type WrittenTable,
} from '#connectors/contract.ts';
import { evolveColumns } from '#connectors/evolve-columns.ts';
import type { DuckDbWarehouse } from '#warehouse/duckdb.ts';
import type { DuckDbSession } from '#warehouse/duckdb-session.ts';
import { stagingPrefix } from '#warehouse/duckdb-tables.ts';
import { quoteName } from '#warehouse/warehouse.ts';
import { publishStaged, refuseKeyless, refuseRemovals, tableExists, tableSql } from './publish.ts';
import {
  findStaging,
  forgetStaging,
  readMarker,
  readParts,
  registerStaging,
  removeDeadStaging,
  type StagingKey,
  type StagingTable,
  writePart,
} from './staging.ts';
import { stageScan } from './stage-scan.ts';

interface WriterOptions {
  datastore: string;
  duckDb: DuckDbWarehouse;
  schema: string;
  origin: WriteOrigin;
  selection: StreamSelection;
}

/** Opens the writer of one stream: reads what was published and staged before, and removes what dead tasks left. */
export async function openTableWriter(options: WriterOptions): Promise<StreamWriter> {
  const { duckDb, origin, selection } = options;
  const key: StagingKey = { origin, stream: JSON.stringify([selection.namespace, selection.name]) };
  return asConnectorError(duckDb, async () => {
    await removeDeadStaging(duckDb, key);
    await using session = await duckDb.session();
    const marker = await readMarker(session, key);
    const staging = await findStaging(session, key);
    const staged = staging ? await readParts(session, staging) : [];
    const [[database]] = (await session.rows('SELECT current_database()')) as [[string]];
    const table = {
      datastore: options.datastore,
      database,
      schema: options.schema,
      name: selection.destinationTable,
    };
    const isGone = marker !== null && !(await tableExists(session, table));
    const published = marker && isGone ? { ...marker, isGone } : marker;
    return new TableWriter(options, key, { published, staging, staged, table });
  });
}

interface Found {
  published: PublishMarker | null;
  staging: StagingTable | null;
  staged: StagedPart[];
  table: WrittenTable;
}

class TableWriter implements StreamWriter {
  readonly published: PublishMarker | null;
  staged: readonly StagedPart[];
  readonly table: WrittenTable;
  readonly #options: WriterOptions;
  readonly #key: StagingKey;
  #staging: StagingTable | null;
  #arriving: StreamColumn[] = [];
  /** The table's from this publish on. */
  #columns: StreamColumn[] = [];
  /** The one that the staging table has beside those, if rows may be removed. */
  #removal: StreamColumn | null = null;

  constructor(options: WriterOptions, key: StagingKey, { published, staging, staged, table }: Found) {
    this.#options = options;
    this.#key = key;
    this.#staging = staging;
    this.published = published;
    this.staged = staged;
    this.table = table;
  }

  begin(columns: StreamColumn[], keepStaged: boolean): Promise<WriterNotes> {
    const { duckDb, selection } = this.#options;
    return asConnectorError(duckDb, async () => {
      await using session = await duckDb.session();
      const existing = await describeTarget(session, this.table);
      const kept = columns.filter((column) => !column.marksRemoved);
      const { columns: next, changes } = evolveColumns(existing, kept, selection.name);
      refuseKeyless(selection, next);
      refuseRemovals(selection, columns);
      this.#arriving = columns;
      this.#columns = next;
      this.#removal = columns.find((column) => column.marksRemoved) ?? null;
      const stays = keepStaged && this.#staging && hasShape(this.#staging, this.#stagedColumns());
      if (stays) return { changes, warnings: [] };
      await session.transaction(() => this.#makeStaging(session));
      return { changes, warnings: [] };
    });
  }

  #stagedColumns(): StreamColumn[] {
    return this.#removal ? [...this.#columns, this.#removal] : this.#columns;
  }

  async #makeStaging(session: DuckDbSession): Promise<void> {
    const { schema, origin } = this.#options;
    if (this.#staging) await forgetStaging(session, this.#staging, 'drop');
    const hash = createHash('sha256').update(`${origin.taskId} ${this.#key.stream}`).digest('hex');
    const table = { schema, name: `${stagingPrefix}${hash.slice(0, 24)}`, columns: this.#stagedColumns() };
    const columns = table.columns.map(columnSql);
    await session.run(`CREATE SCHEMA IF NOT EXISTS ${quoteName(schema)}`);
    await session.run(`CREATE OR REPLACE TABLE ${tableSql(table)} (${columns.join(', ')})`);
    this.#staging = await registerStaging(session, this.#key, table);
    this.staged = [];
  }

  async stage(
    part: OpenPart,
    partId: string,
    signal: AbortSignal,
    onRows: (rows: bigint) => void,
  ): Promise<StagedPart> {
    const staging = this.#begun();
    const into = { table: tableSql(staging), arriving: this.#arriving, columns: this.#stagedColumns() };
    try {
      return await stageScan(this.#options.duckDb, into, part, signal, async (session, rows) => {
        const staged = { partId, rows, bytes: BigInt(part.bytesRead()) };
        await writePart(session, staging, staged);
        onRows(rows);
        return staged;
      });
    } catch (error) {
      throw part.explain(error) ?? (await failureOf(this.#options.duckDb, error));
    }
  }

  async publish(
    state: Json | null,
    ties: StreamPlan['ties'],
  ): Promise<{ rowsWritten: bigint; table: WrittenTable }> {
    const { duckDb, selection, origin } = this.#options;
    return asConnectorError(duckDb, async () => {
      await using session = await duckDb.session();
      const before = await readMarker(session, this.#key);
      if (before?.taskId === origin.taskId) return { rowsWritten: before.rowsWritten, table: this.table };
      if (selection.writeMode === 'UPSERT') await duckDb.extendMemory();
      const rowsWritten = await publishStaged(session, {
        staging: this.#begun(),
        target: this.table,
        columns: this.#columns,
        removal: this.#removal,
        selection,
        ties,
        key: this.#key,
        state,
      });
      this.#staging = null;
      return { rowsWritten, table: this.table };
    });
  }

  async abandon(): Promise<void> {
    await asConnectorError(this.#options.duckDb, async () => {
      await using session = await this.#options.duckDb.session();
      const staging = await findStaging(session, this.#key);
      if (staging) await session.transaction(() => forgetStaging(session, staging, 'drop'));
      this.#staging = null;
    });
  }

  #begun(): StagingTable {
    if (this.#staging) return this.#staging;
    throw new ConnectorError('INTERNAL', 'A stream was written to before it was begun.');
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

/**
 * Texts that hardly repeat are stored as FSST at once: looking for a dictionary first takes DuckDB a ninth of its CPU for
 * rows with two of them. Those that FSST cannot keep stay uncompressed.
 */
function columnSql({ name, type, nearlyUnique }: StreamColumn): string {
  const compression = type.kind === 'text' && nearlyUnique ? ' USING COMPRESSION fsst' : '';
  return `${quoteName(name)} ${duckDbType(type)}${compression}`;
}

/** The target's columns; null when there is none. Fails with SCHEMA when a view has its name. */
async function describeTarget(session: DuckDbSession, table: WrittenTable): Promise<StreamColumn[] | null> {
  const named = 'database_name = ? AND lower(schema_name) = lower(?)';
  const binds = [table.database, table.schema, table.name];
  const views = await session.rows(
    `SELECT 1 FROM duckdb_views() WHERE ${named} AND lower(view_name) = lower(?)`,
    binds,
  );
  if (views.length > 0) {
    throw new ConnectorError(
      'SCHEMA',
      `"${table.schema}.${table.name}" is a view: no rows can be written to it.`,
      {
        fix: 'Give the stream another destinationTable, or drop the view.',
      },
    );
  }
  const rows = (await session.rows(
    `SELECT column_name, data_type, is_nullable FROM duckdb_columns()
     WHERE ${named} AND lower(table_name) = lower(?) ORDER BY column_index`,
    binds,
  )) as [string, string, boolean][];
  if (rows.length === 0) return null;
  return rows.map(([name, type, nullable]) => ({
    name,
    type: columnTypeOf(type),
    nullable,
    sourceType: type,
  }));
}

/** Rows staged for another shape of the table would be put into the wrong columns. */
function hasShape(staging: StagingTable, columns: readonly StreamColumn[]): boolean {
  const shape = (of: readonly StreamColumn[]) =>
    JSON.stringify(of.map(({ name, type }) => [name, duckDbType(type)]));
  return shape(staging.columns) === shape(columns);
}

async function asConnectorError<T>(duckDb: DuckDbWarehouse, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw await failureOf(duckDb, error);
  }
}

/** What did not fit into memory is tried again, and then finds more of it. */
async function failureOf(duckDb: DuckDbWarehouse, error: unknown): Promise<unknown> {
  if (isOutOfMemory(error)) await duckDb.extendMemory().catch(() => undefined);
  return destinationError(error);
}

function isOutOfMemory(error: unknown): boolean {
  return messageOf(error).startsWith('Out of Memory Error');
}

/** A closed warehouse and a write that collided with another may go well the next time; the rest will not. */
function destinationError(error: unknown): unknown {
  if (error instanceof ConnectorError) return error;
  const message = messageOf(error);
  if (error instanceof AppError && error.code === 'WAREHOUSE_UNAVAILABLE') {
    return new ConnectorError('TRANSIENT', message, {
      cause: error,
      ...(error.fix ? { fix: error.fix } : {}),
    });
  }
  if (isOutOfMemory(error)) {
    return new ConnectorError(
      'TRANSIENT',
      `The warehouse ran out of the memory it is allowed: ${message.split('\n')[0]}`,
      {
        fix: "It is tried again with up to a quarter of the machine's memory. If that fails too, give the machine more.",
        cause: error,
      },
    );
  }
  if (/conflict/i.test(message)) {
    return new ConnectorError('TRANSIENT', `Another write to the table came first: ${message}`, {
      fix: 'The stream is tried again; let two jobs write to two tables.',
      cause: error,
    });
  }
  return new ConnectorError('DESTINATION', `The warehouse could not write: ${message}`, {
    fix: 'Check the free disk space and memory of the machine.',
    cause: error,
  });
}
