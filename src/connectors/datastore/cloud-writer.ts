import { randomBytes } from 'node:crypto';
import { duckDbType, typeName } from '#connectors/column-type.ts';
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
import { columnKey, evolveColumns } from '#connectors/evolve-columns.ts';
import type { WorkDuckDb } from '#connectors/work-duckdb.ts';
import { stagingPrefix } from '#warehouse/duckdb-tables.ts';
import { sql, tableSql, toStatement } from '#warehouse/sql.ts';
import type { TableName } from '#warehouse/warehouse.ts';
import { asConnectorError, cloudError } from './cloud-error.ts';
import { type FilePlan, planFile, writeFile } from './cloud-file.ts';
import type { CloudLoader, EngineTable } from './cloud-loader.ts';
import { readMarked, type StreamKey } from './cloud-marker.ts';
import { hashOf, type PartNote, readPartNote, readPublishNote, writePartNote } from './cloud-note.ts';
import { publishParts } from './cloud-publish.ts';
import type { Place } from './engine-tables.ts';
import { refuseKeyless, refuseRemovals } from './publish.ts';

interface WriterOptions {
  loader: CloudLoader;
  work: WorkDuckDb;
  place: Place;
  origin: WriteOrigin;
  selection: StreamSelection;
  signal: AbortSignal;
}

/** A part, and the table that holds it. */
interface HeldPart extends PartNote {
  table: string;
}

const dayMs = 86_400_000;
/** No task lives for so long. */
const staleMs = 7 * dayMs;
/** A publish goes on when the task is canceled, but not for ever. */
const publishMs = 6 * 3_600_000;
const tidyMs = 60_000;

/** Opens the writer of one stream: reads what was published and staged before, and removes what dead tasks left. */
export async function openCloudWriter(options: WriterOptions): Promise<StreamWriter> {
  const { loader, place, origin, selection, signal } = options;
  const key: StreamKey = { origin, stream: JSON.stringify([selection.namespace, selection.name]) };
  const target = { database: loader.database, schema: place.schema, name: selection.destinationTable };
  return asConnectorError(loader, async () => {
    const existing = await loader.describe(target, signal);
    const marked = await readMarked(loader, key, readPublishNote(existing?.note ?? ''), signal);
    const published =
      marked.published && !existing ? { ...marked.published, isGone: true as const } : marked.published;
    const writer = new CloudWriter(options, key, target, published);
    await writer.find();
    return writer;
  });
}

class CloudWriter implements StreamWriter {
  readonly published: PublishMarker | null;
  readonly table: WrittenTable;
  readonly #options: WriterOptions;
  readonly #key: StreamKey;
  readonly #target: TableName;
  #held: HeldPart[] = [];
  #plan: FilePlan | null = null;

  constructor(options: WriterOptions, key: StreamKey, target: TableName, published: PublishMarker | null) {
    this.#options = options;
    this.#key = key;
    this.#target = target;
    this.published = published;
    this.table = { datastore: options.place.datastore, ...target };
  }

  get staged(): readonly StagedPart[] {
    return this.#held.map(({ partId, rows, bytes }) => ({ partId, rows, bytes }));
  }

  /** Finds what an earlier attempt of this task staged; drops what lies there of dead tasks and broken attempts. */
  async find(): Promise<void> {
    const { loader, place, signal } = this.#options;
    const [jobs, mine] = this.#prefixes();
    const held = new Map<string, HeldPart>();
    const dead: string[] = [];
    for (const { name, note, createdAt } of await loader.tables(place.schema, stagingPrefix, signal)) {
      const part = name.startsWith(mine) ? readPartNote(note) : null;
      if (part && !held.has(part.partId)) held.set(part.partId, { ...part, table: name });
      else if (name.startsWith(jobs) || createdAt.getTime() < Date.now() - staleMs) dead.push(name);
    }
    await this.#drop(dead, signal);
    this.#held = [...held.values()];
  }

  begin(columns: StreamColumn[], keepStaged: boolean): Promise<WriterNotes> {
    const { loader, selection, signal, place } = this.#options;
    return asConnectorError(loader, async () => {
      const { writeMode, name } = selection;
      refuseRemovals(selection, columns);
      const arriving = columns.filter(({ marksRemoved }) => !marksRemoved);
      const existing = columnsOf(refuseView(this.#target, await loader.describe(this.#target, signal)));
      const { columns: next, changes } = evolveColumns(existing, arriving.map(this.#kept), name);
      refuseKeyless(selection, next);
      this.#plan = planFile(loader, columns, next, writeMode === 'UPSERT');
      const shape = this.#shape();
      const [stay, go] = [this.#held.filter((part) => keepStaged && part.shape === shape), this.#held];
      await this.#drop(
        go.filter((part) => !stay.includes(part)).map(({ table }) => table),
        signal,
      );
      this.#held = stay;
      await loader.makeSchema(place.schema, signal);
      return { changes, warnings: this.#warnings(arriving) };
    });
  }

  /** What the engine makes of a column. */
  readonly #kept = (column: StreamColumn): StreamColumn => {
    const { kept, asTextBecause } = this.#options.loader.travel(column.type);
    if (typeName(kept) === typeName(column.type)) return column;
    return { ...column, type: kept, ...(asTextBecause !== undefined && { asTextBecause }) };
  };

  #warnings(arriving: readonly StreamColumn[]): string[] {
    return arriving.flatMap(({ name, type }) => {
      const { asTextBecause } = this.#options.loader.travel(type);
      return asTextBecause === undefined
        ? []
        : [`The column "${name}" is written as text: ${asTextBecause}.`];
    });
  }

  async stage(
    part: OpenPart,
    partId: string,
    signal: AbortSignal,
    onRows: (rows: bigint) => void,
  ): Promise<StagedPart> {
    const { loader, work, place } = this.#options;
    const plan = this.#begun();
    try {
      await using file = await writeFile(work, plan, part, signal);
      onRows(file.rows);
      const staged = { partId, rows: file.rows, bytes: BigInt(part.bytesRead()), shape: this.#shape() };
      const note = writePartNote(staged);
      if (note.length > loader.noteLengthMax) {
        throw new ConnectorError(
          'DESTINATION',
          `The name of the part "${partId.slice(0, 100)}…" is too long.`,
        );
      }
      // A name that no attempt had before: what another worker still does cannot end in this table.
      const table = `${this.#prefixes()[1]}${randomBytes(4).toString('hex')}`;
      const into = { database: loader.database, schema: place.schema, name: table };
      await loader.load(into, plan.columns, { path: file.path, note }, signal);
      this.#held.push({ ...staged, table });
      return { partId, rows: staged.rows, bytes: staged.bytes };
    } catch (error) {
      signal.throwIfAborted();
      throw part.explain(error) ?? cloudError(loader, error);
    }
  }

  publish(
    state: Json | null,
    ties: StreamPlan['ties'],
  ): Promise<{ rowsWritten: bigint; table: WrittenTable }> {
    const { loader, selection } = this.#options;
    return asConnectorError(loader, async () => {
      const plan = this.#begun();
      const signal = AbortSignal.timeout(publishMs);
      const existing = refuseView(this.#target, await loader.describe(this.#target, signal));
      const parts = this.#held.toSorted((a, b) => (a.partId < b.partId ? -1 : 1));
      const rowsWritten = await publishParts(
        {
          loader,
          existing,
          state,
          ties,
          target: this.#target,
          columns: plan.target,
          versions: plan.versions,
          parts: parts.map(({ table }) => ({ ...this.#target, name: table })),
          staged: parts,
          primaryKey: selection.primaryKey,
          cursorField: selection.cursorField,
          tie: ties && (await this.#inFile(ties)),
          key: this.#key,
          writeMode: selection.writeMode,
          stream: selection.name,
          before: this.published,
        },
        signal,
      );
      // What stays is found by its name, and dropped when the job writes again.
      await this.abandon().catch(() => undefined);
      return { rowsWritten, table: this.table };
    });
  }

  /** The value as the file would hold it, as text. */
  async #inFile({ column, value }: NonNullable<StreamPlan['ties']>): Promise<string | null> {
    const found = this.#begun().target.find(({ name }) => columnKey(name) === columnKey(column));
    if (!found) return null;
    await using session = await this.#options.work.duckDb.session();
    const written = this.#options.loader.travel(found.type).write(`CAST(? AS ${duckDbType(found.type)})`);
    const [[text]] = (await session.rows(`SELECT CAST(${written} AS VARCHAR)`, [value])) as [[string]];
    return text;
  }

  async abandon(): Promise<void> {
    const { loader, place } = this.#options;
    await asConnectorError(loader, async () => {
      // The task's own signal may have aborted: that is why it abandons.
      const signal = AbortSignal.timeout(tidyMs);
      const found = await loader.tables(place.schema, this.#prefixes()[1], signal);
      await this.#drop(
        found.map(({ name }) => name),
        signal,
      );
      this.#held = [];
    });
  }

  async #drop(names: readonly string[], signal: AbortSignal): Promise<void> {
    const { loader, place } = this.#options;
    for (const name of names) {
      const table = { database: loader.database, schema: place.schema, name };
      await loader.run(toStatement(sql`DROP TABLE IF EXISTS ${tableSql(table)}`, loader.dialect), signal);
    }
  }

  /** What the names of tables begin with that hold parts of this stream, and of this task. */
  #prefixes(): [stream: string, task: string] {
    const { origin, stream } = this.#key;
    const ofStream = `${stagingPrefix}${hashOf(`${origin.jobId} ${stream}`, 12)}_`;
    return [ofStream, `${ofStream}${hashOf(origin.taskId, 12)}_`];
  }

  #shape(): string {
    const { target, columns } = this.#begun();
    const shape = [target.map(({ name, engineType, from }) => [name, engineType, from?.name]), columns];
    return hashOf(JSON.stringify(shape), 16);
  }

  #begun(): FilePlan {
    if (this.#plan) return this.#plan;
    throw new ConnectorError('INTERNAL', 'A stream was written to before it was begun.');
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

function refuseView(target: TableName, found: EngineTable | null): EngineTable | null {
  if (found?.kind !== 'VIEW') return found;
  throw new ConnectorError(
    'SCHEMA',
    `"${target.schema}.${target.name}" is a view: no rows can be written to it.`,
    { fix: 'Give the stream another destinationTable, or drop the view.' },
  );
}

function columnsOf(table: EngineTable | null): StreamColumn[] | null {
  if (!table) return null;
  return table.columns.map(({ name, dataType, type, nullable }) => ({
    name,
    type,
    nullable,
    sourceType: dataType,
  }));
}
