import { open, readdir, rename, stat, writeFile } from 'node:fs/promises';
import { AppError, messageOf } from '#base/errors.ts';
import { newId } from '#base/id.ts';
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
} from '#connectors/contract.ts';
import { columnKey, evolveColumns } from '#connectors/evolve-columns.ts';
import type { DuckDbWarehouse } from '#warehouse/duckdb.ts';
import { buildVersion } from './build-version.ts';
import { markerName, stagedName, stagedPartOf, type VersionFile, type VersionMarker } from './marker.ts';
import { stagingName, type TableFolder, type Version } from './table-folder.ts';
import { copyTo, parquetColumns, reshaped } from './version-sql.ts';

interface Opened {
  folder: TableFolder;
  duckDb: DuckDbWarehouse;
  compression: string;
  origin: WriteOrigin;
  selection: StreamSelection;
}

/** Claims the table, puts its link right, and finds what this task has staged before. */
export async function openParquetWriter(opened: Opened): Promise<StreamWriter> {
  const { folder, origin, selection } = opened;
  const { projectId, jobId, taskId } = origin;
  await folder.claim({ projectId, jobId, stream: { namespace: selection.namespace, name: selection.name } });
  await folder.showCurrent();
  await folder.clearLeftovers(taskId);
  return new ParquetWriter(opened, await folder.current(), await stagedParts(folder, taskId));
}

class ParquetWriter implements StreamWriter {
  readonly table = null;
  readonly published: PublishMarker | null;
  staged: readonly StagedPart[];
  readonly #opened: Opened;
  readonly #before: Version | null;
  #arriving: StreamColumn[] = [];
  #columns: StreamColumn[] = [];
  /** The parts to be published, by their ids. */
  #held = new Set<string>();

  constructor(opened: Opened, before: Version | null, staged: readonly StagedPart[]) {
    this.#opened = opened;
    this.#before = before;
    this.published = before && publishedBy(before.marker);
    this.staged = staged;
  }

  async begin(columns: StreamColumn[], keepStaged: boolean): Promise<WriterNotes> {
    const { folder, origin, selection } = this.#opened;
    refuseRemovals(columns, selection);
    const arriving = parquetColumns(columns);
    const { columns: next, changes } = evolveColumns(
      this.#before?.marker.columns ?? null,
      arriving,
      selection.name,
    );
    refuseKeyless(selection, next);
    if (!keepStaged) {
      await folder.remove(stagingName(origin.taskId));
      this.staged = [];
    }
    await folder.makeFolder(stagingName(origin.taskId));
    this.#held = new Set(this.staged.map(({ partId }) => partId));
    this.#arriving = columns;
    this.#columns = next;
    const asText = arriving.filter((column, at) => column !== columns[at]);
    const warnings = asText.map(
      (column) => `The column "${column.name}" is written as text: ${column.asTextBecause}`,
    );
    return { changes, warnings };
  }

  async stage(
    part: OpenPart,
    partId: string,
    signal: AbortSignal,
    onRows: (rows: bigint) => void,
  ): Promise<StagedPart> {
    const { folder, origin } = this.#opened;
    const staging = stagingName(origin.taskId);
    const unfinished = `unfinished-${newId()}`;
    try {
      const rows = await this.#copy(part, folder.at(staging, unfinished), signal);
      const staged: StagedPart = { partId, rows, bytes: BigInt(part.bytesRead()) };
      await using file = await open(folder.at(staging, unfinished), 'r');
      await file.sync();
      await rename(folder.at(staging, unfinished), folder.at(staging, stagedName(staged)));
      this.#held.add(partId);
      onRows(rows);
      return staged;
    } catch (error) {
      await folder.remove(`${staging}/${unfinished}`);
      signal.throwIfAborted();
      throw part.explain(error) ?? destinationError(error);
    }
  }

  async #copy(part: OpenPart, path: string, signal: AbortSignal): Promise<bigint> {
    const { duckDb, compression } = this.#opened;
    const select = `SELECT ${reshaped(this.#arriving, this.#columns)} FROM (${part.scan})`;
    const failed = new AbortController();
    // A source that fails while nothing flows must end the scan that waits for it.
    part.finished.catch((error: unknown) => failed.abort(error));
    try {
      await using session = await duckDb.session();
      const stopped = AbortSignal.any([signal, failed.signal]);
      const rows = await session.interruptible(stopped, () => session.run(copyTo(select, path, compression)));
      await part.finished;
      signal.throwIfAborted();
      return BigInt(rows);
    } catch (error) {
      failed.signal.throwIfAborted();
      throw error;
    }
  }

  async publish(state: Json | null, ties: StreamPlan['ties']): Promise<{ rowsWritten: bigint; table: null }> {
    const { folder, origin, duckDb, compression, selection } = this.#opened;
    const done = await this.#published();
    if (done) return done;
    const into = `building-${newId()}`;
    try {
      await folder.makeFolder(into);
      await using session = await duckDb.session();
      const staging = stagingName(origin.taskId);
      const staged = await stagedFiles(folder, origin.taskId, this.#held);
      const columns = this.#columns;
      const { files, rowsWritten } = await buildVersion({
        folder,
        into,
        session,
        compression,
        before: this.#before,
        columns,
        selection,
        ties,
        staged,
        staging,
      });
      const marker: VersionMarker = {
        ...origin,
        stream: { namespace: selection.namespace, name: selection.name },
        state,
        rowsWritten: String(rowsWritten),
        columns,
        files,
        publishedAt: new Date().toISOString(),
      };
      await writeFile(folder.at(into, markerName), JSON.stringify(marker, null, 2));
      if (!(await folder.commit(into, this.#before))) throw overtaken(folder.table);
      await this.#tidy();
      return { rowsWritten, table: null };
    } catch (error) {
      // Another worker may have published for this very task meanwhile, and removed what was staged.
      const other = await this.#published().catch(() => null);
      if (other) return other;
      throw destinationError(error);
    } finally {
      await folder.remove(into);
    }
  }

  /** What this task has published before, by this worker or another. */
  async #published(): Promise<{ rowsWritten: bigint; table: null } | null> {
    const { folder, origin } = this.#opened;
    const marker = (await folder.current())?.marker;
    return marker?.taskId === origin.taskId ? { rowsWritten: BigInt(marker.rowsWritten), table: null } : null;
  }

  async #tidy(): Promise<void> {
    const { folder, origin } = this.#opened;
    await folder.showCurrent();
    await folder.forgetOld();
    await folder.remove(stagingName(origin.taskId));
  }

  async abandon(): Promise<void> {
    await this.#opened.folder.remove(stagingName(this.#opened.origin.taskId));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#opened.folder[Symbol.asyncDispose]();
  }
}

function publishedBy(marker: VersionMarker): PublishMarker {
  return { taskId: marker.taskId, state: marker.state, rowsWritten: BigInt(marker.rowsWritten) };
}

async function stagedParts(folder: TableFolder, taskId: string): Promise<StagedPart[]> {
  const names = await readdir(folder.at(stagingName(taskId))).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  return names.flatMap((name) => stagedPartOf(name) ?? []);
}

/**
 * The files of these parts in the order of their ids, which is the order of what is read when the source has one. Fails with
 * TRANSIENT when another attempt of the task has removed one; what that has staged itself is left out.
 */
async function stagedFiles(
  folder: TableFolder,
  taskId: string,
  held: ReadonlySet<string>,
): Promise<VersionFile[]> {
  const names = await readdir(folder.at(stagingName(taskId)));
  const found = names.flatMap((name) => {
    const part = stagedPartOf(name);
    return part && held.has(part.partId) ? [{ name, part }] : [];
  });
  // Two attempts may have staged the same part, under names of their own.
  const parts = [...new Map(found.map((each) => [each.part.partId, each])).values()];
  if (parts.length < held.size) {
    throw new ConnectorError('TRANSIENT', 'What was staged was removed by another attempt of the task.');
  }
  parts.sort((a, b) => (a.part.partId < b.part.partId ? -1 : 1));
  return Promise.all(
    parts.map(async ({ name, part }) => ({
      name,
      rows: Number(part.rows),
      bytes: (await stat(folder.at(stagingName(taskId), name))).size,
    })),
  );
}

function refuseKeyless(
  { writeMode, primaryKey, name }: StreamSelection,
  columns: readonly StreamColumn[],
): void {
  if (writeMode !== 'UPSERT') return;
  const known = new Set(columns.map((column) => columnKey(column.name)));
  const missing = primaryKey.filter((column) => !known.has(columnKey(column)));
  if (primaryKey.length > 0 && missing.length === 0) return;
  const what =
    primaryKey.length === 0
      ? 'has no primary key'
      : `has no column "${missing.join('", "')}" of its primary key`;
  throw new ConnectorError('SCHEMA', `"${name}" ${what}, which UPSERT needs.`, {
    fix: 'Choose primaryKey among the selected columns, or another write mode.',
  });
}

function overtaken(table: string): ConnectorError {
  return new ConnectorError('DESTINATION', `The table "${table}" was published by another task meanwhile.`, {
    fix: 'Sync again.',
  });
}

function destinationError(error: unknown): unknown {
  if (error instanceof ConnectorError || !(error instanceof Error)) return error;
  if (error instanceof AppError && error.code === 'WAREHOUSE_UNAVAILABLE') {
    return new ConnectorError('TRANSIENT', error.message, { fix: error.fix, cause: error });
  }
  const isFull = /no space left|ENOSPC|disk quota/i.test(error.message);
  return new ConnectorError(
    'DESTINATION',
    `The Parquet files cannot be written: ${messageOf(error).split('\n')[0]}`,
    {
      fix: isFull ? 'Make room on the disk and sync again.' : undefined,
      cause: error,
    },
  );
}

/** A row can be taken out of a file only by writing the file anew. */
function refuseRemovals(columns: readonly StreamColumn[], { name }: StreamSelection): void {
  if (!columns.some((column) => column.marksRemoved)) return;
  throw new ConnectorError('CONFIG', `Parquet files cannot mirror the removed rows of "${name}".`, {
    fix: 'Leave mirrorRemovals out, read with FULL_REFRESH, or write to a datastore.',
  });
}
