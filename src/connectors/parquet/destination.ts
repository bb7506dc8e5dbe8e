import { access, constants } from 'node:fs/promises';
import { join } from 'node:path';
import { containedFolder, realRoot, refuseHidden } from '#connectors/contained-path.ts';
import {
  ConnectorError,
  type CheckResult,
  type ConfigSchema,
  type ConnectorContext,
  type DestinationConnector,
  type DestinationSession,
} from '#connectors/contract.ts';
import { openDuckDb } from '#warehouse/duckdb.ts';
import { refuseTableName } from './marker.ts';
import { openParquetWriter } from './parquet-writer.ts';
import { openTableFolder, tablesFolder } from './table-folder.ts';
import { makeWorkFolder, removeWorkFolder } from './work-folder.ts';

/** The config of `spec`. */
export interface ParquetConfig {
  path: string;
  compression?: 'zstd' | 'snappy';
}

const spec: ConfigSchema = {
  type: 'object',
  required: ['path'],
  additionalProperties: false,
  properties: {
    path: {
      type: 'string',
      title: 'Path',
      description:
        'A folder inside the files root, relative to it. It is made when it is missing; each table becomes a folder in it.',
      minLength: 1,
    },
    compression: {
      type: 'string',
      title: 'Compression',
      description: 'zstd makes smaller files, snappy is read by older tools.',
      enum: ['zstd', 'snappy'],
      default: 'zstd',
    },
  },
};

/** Writes tables as folders of Parquet files inside the files root. */
export const parquetDestination: DestinationConnector<ParquetConfig> = {
  type: 'parquet',
  version: '1.0.0',
  title: 'Parquet files',
  documentationUrl: null,
  spec,
  writeModes: ['OVERWRITE', 'APPEND', 'UPSERT'],
  check,
  open: openDestination,
  datastoreOf: () => null,
};

async function check(config: ParquetConfig, context: ConnectorContext): Promise<CheckResult> {
  const refused = (message: string, fix: string | undefined, field: readonly string[]): CheckResult => ({
    ok: false,
    message,
    problems: [{ code: 'INVALID', message, fix, path: ['config', ...field] }],
  });
  try {
    await refuseHidden(context.filesRoot, config.path);
    const folder = await containedFolder(context.filesRoot, config.path);
    await access(folder.real, constants.W_OK | constants.X_OK);
    return { ok: true, message: `"${config.path}" can be written.`, problems: [] };
  } catch (error) {
    if (error instanceof ConnectorError) return refused(error.message, error.fix, error.path);
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EACCES' && code !== 'EROFS' && code !== 'EPERM') throw error;
    return refused(
      `"${config.path}" cannot be written: ${code === 'EROFS' ? 'its file system is read-only' : 'permission denied'}.`,
      'Let Sluice write there, or name another folder.',
      ['path'],
    );
  }
}

/** Everything a task does to Parquet files runs in one DuckDB of its own, which puts what does not fit its memory beside them. */
const memoryBytesMax = 320 * 1024 * 1024;

async function openDestination(
  config: ParquetConfig,
  context: ConnectorContext,
): Promise<DestinationSession> {
  await using opening = new AsyncDisposableStack();
  const { filesRoot, pipesDir } = context;
  await refuseHidden(filesRoot, config.path);
  const own = await containedFolder(filesRoot, join(config.path, tablesFolder));
  const work = await makeWorkFolder(own.real);
  opening.defer(() => removeWorkFolder(work));
  const duckDb = opening.use(
    await openDuckDb({
      path: join(work, 'work.duckdb'),
      allowedDirectories: [await realRoot(filesRoot), pipesDir],
      memoryLimitBytes: memoryBytesMax,
    }),
  );
  const open = opening.move();
  return {
    async stream(origin, selection) {
      refuseTableName(selection.destinationTable);
      // Closed with the session at the latest: a writer that was lost on the way must not hold folders for good.
      const folder = open.use(await openTableFolder(config.path, selection.destinationTable, context));
      const compression = config.compression ?? 'zstd';
      return openParquetWriter({ folder, duckDb, compression, origin, selection }).catch(
        async (error: unknown) => {
          await folder[Symbol.asyncDispose]();
          throw error;
        },
      );
    },
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  };
}
