import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { columnTypeOf } from '#connectors/column-type.ts';
import type {
  Json,
  OpenPart,
  StreamColumn,
  StreamPlan,
  StreamSelection,
  StreamWriter,
  WriteOrigin,
} from '#connectors/contract.ts';
import { parquetDestination } from '#connectors/parquet/destination.ts';
import { openFilesLab, type FilesLab } from './files-lab.ts';
import { selectionOf } from './move-stream.ts';

/** The config of the destination under test. */
export const lake = { path: 'lake' };
export const noSignal = new AbortController().signal;

/** Who writes, in tests. */
export function originOf(taskId: string, jobId = 'job-1'): WriteOrigin {
  return { projectId: 'project', jobId, taskId };
}

/** Columns by DuckDB's names of their types. */
export function columnsOf(types: Record<string, string>): StreamColumn[] {
  return Object.entries(types).map(([name, type]) => ({
    name,
    type: columnTypeOf(type),
    nullable: true,
    sourceType: type,
  }));
}

/** A part whose scan is a query. */
export function partOf(scan: string, more: Partial<OpenPart> = {}): OpenPart {
  return {
    scan,
    finished: Promise.resolve(),
    bytesRead: () => 10,
    explain: () => undefined,
    async [Symbol.asyncDispose]() {},
    ...more,
  };
}

/** One whole task's write of the table "t". */
export interface Sync extends Partial<StreamSelection> {
  types?: Record<string, string>;
  /** Queries, one a part. */
  parts: string[];
  state?: Json;
  ties?: StreamPlan['ties'];
}

/** A files root with a Parquet destination in it that writes the table "t". */
export interface ParquetLab extends FilesLab {
  writing<T>(
    taskId: string,
    selection: Partial<StreamSelection>,
    use: (writer: StreamWriter) => Promise<T>,
    jobId?: string,
  ): Promise<T>;
  sync(
    taskId: string,
    sync: Sync,
  ): Promise<{ rowsWritten: bigint; table: null | object; changes: string[]; warnings: string[] }>;
  /** The table's rows as a reader of the files sees them. */
  table(order?: string): Promise<unknown[][]>;
  versions(): Promise<string[]>;
}

/** The table "t" as DuckDB reads it. */
export const tableSql = "read_parquet('$root/lake/t/*.parquet')";

export async function openParquetLab(): Promise<ParquetLab> {
  const lab = await openFilesLab();
  const writing: ParquetLab['writing'] = async (taskId, selection, use, jobId) => {
    await using session = await parquetDestination.open(lake, lab.context);
    await using writer = await session.stream(originOf(taskId, jobId), selectionOf('t', selection));
    return await use(writer);
  };
  return {
    ...lab,
    writing,
    sync(
      taskId,
      { types = { id: 'INTEGER', v: 'VARCHAR' }, parts, state = null, ties = null, ...selection },
    ) {
      return writing(taskId, selection, async (writer) => {
        const { changes, warnings } = await writer.begin(columnsOf(types), false);
        await Promise.all(
          parts.map((scan, at) => writer.stage(partOf(scan), `part-${at}`, noSignal, () => {})),
        );
        return { ...(await writer.publish(state, ties)), changes, warnings };
      });
    },
    table: (order = 'id') => lab.rows(`SELECT * FROM ${tableSql} ORDER BY ${order}`),
    async versions() {
      return (await readdir(join(lab.root, 'lake/.sluice-tables/t')))
        .filter((name) => name.startsWith('v'))
        .sort();
    },
  };
}
