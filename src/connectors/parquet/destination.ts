import { access, constants } from 'node:fs/promises';
import { join } from 'node:path';
import { containedFolder, refuseHidden } from '#connectors/contained-path.ts';
import {
  ConnectorError,
  type CheckResult,
  type ConfigSchema,
  type ConnectorContext,
  type DestinationConnector,
  type DestinationSession,
} from '#connectors/contract.ts';
import { openWorkDuckDb } from '#connectors/work-duckdb.ts';
import { refuseTableName } from './marker.ts';
import { openParquetWriter } from './parquet-writer.ts';
import { openTableFolder, tablesFolder } from './table-folder.ts';

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

async function openDestination(
  config: ParquetConfig,
  context: ConnectorContext,
): Promise<DestinationSession> {
  await using opening = new AsyncDisposableStack();
  await refuseHidden(context.filesRoot, config.path);
  const own = await containedFolder(context.filesRoot, join(config.path, tablesFolder));
  // Beside the tables, where there is room for as much as they take.
  const { duckDb } = opening.use(await openWorkDuckDb(own.real, context));
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
