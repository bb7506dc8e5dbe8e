import { createHash } from 'node:crypto';
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
import type { Fifos } from '#connectors/fifo.ts';
import type { DuckDbWarehouse } from '#warehouse/duckdb.ts';
import { stagingPrefix } from '#warehouse/duckdb-tables.ts';
import type { PostgresWarehouse } from '#warehouse/postgres.ts';
import type { PostgresSession } from '#warehouse/postgres-session.ts';
import { makeSchema } from '#warehouse/postgres-swap.ts';
import { writeError, type Writing } from './postgres-error.ts';
import { publishStaged } from './postgres-publish.ts';
import { copyScan } from './postgres-scan.ts';
import { planShape, shapeText, type Shape, stagingSql } from './postgres-shape.ts';
import {
  findStaging,
  forgetStaging,
  holdStaging,
  readMarker,
  readParts,
  registerStaging,
  removeDeadStaging,
  type StagingPlace,
  writePart,
  writingOf,
} from './postgres-staging.ts';
import { tableSql } from './publish.ts';
import type { StagingKey } from './staging.ts';

interface WriterOptions {
  warehouse: PostgresWarehouse;
  /** Runs the scans. */
  duckDb: DuckDbWarehouse;
  fifos: Fifos;
  /** The task's. */
  signal: AbortSignal;
  datastore: string;
  schema: string;
  origin: WriteOrigin;
  selection: StreamSelection;
}

/** Opens the writer of one stream: reads what was published and staged before, and removes what dead tasks left. */
export async function openPostgresWriter(options: WriterOptions): Promise<StreamWriter> {
  const { warehouse, origin, selection, schema, datastore, signal } = options;
  const key: StagingKey = { origin, stream: JSON.stringify([selection.namespace, selection.name]) };
  await using session = await warehouse.session(signal);
  const [[database, username]] = (await session.rows('SELECT current_database(), current_user')) as [
    [string, string],
  ];
  const name = selection.destinationTable;
  const writing = { what: `${schema}.${name}`, schema, database, username };
  try {
    await removeDeadStaging(session, key);
    const marker = await readMarker(session, key);
    const [[isGone]] = (await session.rows(
      `SELECT to_regclass(format('%I.%I', $1::text, $2::text)) IS NULL`,
      [schema, name],
    )) as [[boolean]];
    const published = marker && isGone ? { ...marker, isGone } : marker;
    const staging = await findStaging(session, key);
    const staged = staging ? await readParts(session, staging) : [];
    const table = { datastore, database, schema, name };
    return new PostgresWriter({ ...options, key, writing }, { published, staging, staged, table });
  } catch (error) {
    throw writeError(writing, error);
  }
}

interface Found {
  published: PublishMarker | null;
  staging: StagingPlace | null;
  staged: StagedPart[];
  table: WrittenTable;
}

/** What must go although its task is canceled may take so long. */
const abandonMs = 30_000;

class PostgresWriter implements StreamWriter {
  readonly published: PublishMarker | null;
  staged: readonly StagedPart[];
  readonly table: WrittenTable;
  readonly #options: WriterOptions & { key: StagingKey; writing: Writing };
  #staging: StagingPlace | null;
  #shape: Shape | null = null;

  constructor(
    options: WriterOptions & { key: StagingKey; writing: Writing },
    { published, staging, staged, table }: Found,
  ) {
    this.#options = options;
    this.#staging = staging;
    this.published = published;
    this.staged = staged;
    this.table = table;
  }

  begin(columns: StreamColumn[], keepStaged: boolean): Promise<WriterNotes> {
    const { selection, signal } = this.#options;
    return this.#writing(signal, async (session) => {
      const shape = await planShape(session, this.table, columns, selection);
      this.#shape = shape;
      if (!keepStaged || this.#staging?.shape !== shapeText(shape, selection)) {
        await session.transaction(() => this.#makeStaging(session, shape));
      }
      return { changes: shape.changes, warnings: shape.warnings };
    });
  }

  async #makeStaging(session: PostgresSession, shape: Shape): Promise<void> {
    const { schema, origin, selection, key } = this.#options;
    if (this.#staging) await forgetStaging(session, this.#staging, 'drop');
    const hash = createHash('sha256').update(`${origin.taskId} ${key.stream}`).digest('hex');
    const name = `${stagingPrefix}${hash.slice(0, 24)}`;
    const staging = { schema, name, shape: shapeText(shape, selection) };
    await makeSchema(writingOf(session), schema);
    await forgetStaging(session, staging, 'drop');
    for (const sql of stagingSql(shape, selection, this.table, staging)) await session.run(sql);
    this.#staging = await registerStaging(session, key, staging);
    this.staged = [];
  }

  async stage(
    part: OpenPart,
    partId: string,
    signal: AbortSignal,
    onRows: (rows: bigint) => void,
  ): Promise<StagedPart> {
    const { staging, shape } = this.#begun();
    const { duckDb, fifos, writing } = this.#options;
    try {
      await using fifo = await fifos.openReader();
      // Before the scan, which holds a thread that looking up the host may need.
      await using session = await this.#options.warehouse.session(signal);
      const { arriving } = shape;
      const columns = [...shape.columns, ...arriving.filter((column) => column.marksRemoved)];
      const staged = await session.transaction(async () => {
        // Before the table is held, or whoever begins anew would wait for that, holding what is waited for here.
        await holdStaging(session, staging);
        const copying = { duckDb, session, fifo, table: tableSql(staging), arriving, columns };
        const rows = await copyScan(copying, part, signal);
        const written = { partId, rows, bytes: BigInt(part.bytesRead()) };
        await writePart(session, staging, written);
        return written;
      });
      onRows(staged.rows);
      return staged;
    } catch (error) {
      signal.throwIfAborted();
      throw part.explain(error) ?? writeError(writing, error);
    }
  }

  publish(
    state: Json | null,
    ties: StreamPlan['ties'],
  ): Promise<{ rowsWritten: bigint; table: WrittenTable }> {
    const { selection, key, signal } = this.#options;
    const { staging, shape } = this.#begun();
    return this.#writing(signal, async (session) => {
      const target = this.table;
      const rowsWritten = await publishStaged(session, {
        staging,
        target,
        shape,
        selection,
        ties,
        key,
        state,
      });
      this.#staging = null;
      return { rowsWritten, table: target };
    });
  }

  async abandon(): Promise<void> {
    // The task's own signal may have aborted: that is why.
    await this.#writing(AbortSignal.timeout(abandonMs), async (session) => {
      const staging = await findStaging(session, this.#options.key);
      if (staging) await session.transaction(() => forgetStaging(session, staging, 'drop'));
      this.#staging = null;
    });
  }

  async #writing<T>(signal: AbortSignal, work: (session: PostgresSession) => Promise<T>): Promise<T> {
    try {
      await using session = await this.#options.warehouse.session(signal);
      return await work(session);
    } catch (error) {
      signal.throwIfAborted();
      throw writeError(this.#options.writing, error);
    }
  }

  #begun(): { staging: StagingPlace; shape: Shape } {
    if (this.#staging && this.#shape) return { staging: this.#staging, shape: this.#shape };
    throw new ConnectorError('INTERNAL', 'A stream was written to before it was begun.');
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}
