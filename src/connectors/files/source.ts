import {
  ConnectorError,
  type CheckResult,
  type ConfigSchema,
  type ConnectorContext,
  type SourceConnector,
  type StreamInfo,
} from '#connectors/contract.ts';
import { realRoot } from '#connectors/contained-path.ts';
import type { FileFormat } from './file-format.ts';
import { knownEndings } from './file-format.ts';
import { listStreams, type ListedStream } from './list-streams.ts';
import { planStream } from './plan-stream.ts';
import { openScratch, type Scratch } from './scratch.ts';
import { unionShapes } from './shape.ts';
import type { CsvOptions } from './sniff.ts';
import { sniffFiles } from './sniff-files.ts';

/** The config of `spec`. */
export interface FilesConfig {
  path: string;
  format?: FileFormat;
  csv?: CsvOptions;
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
        'A folder or a file inside the files root, relative to it. Of a folder, each file directly in it is a stream, and each folder directly in it is one stream of all files below it.',
      minLength: 1,
    },
    format: {
      type: 'string',
      title: 'Format',
      description: 'What the files hold. Left out, each file says it by how its name ends.',
      enum: ['csv', 'json', 'parquet'],
    },
    csv: {
      type: 'object',
      title: 'CSV',
      description: 'How CSV files are read.',
      additionalProperties: false,
      properties: {
        delimiter: {
          type: 'string',
          description:
            'The one character between values. Left out: a tab in .tsv files, else whichever of , ; tab | the first line uses most.',
          minLength: 1,
          maxLength: 1,
          pattern: '^[^"\\r\\n]$',
        },
        header: { type: 'boolean', description: 'Whether the first line names the columns.', default: true },
        nullString: {
          type: 'string',
          description: 'What stands for NULL when it is not quoted.',
          default: '',
        },
      },
    },
  },
};

/** A task of a hundred quick streams lists the folder once; one of a slow stream does not judge the next by an old list. */
const listingMsMax = 5_000;

/** Reads CSV, JSON and Parquet files inside the files root. */
export const filesSource: SourceConnector<FilesConfig> = {
  type: 'files',
  version: '1.0.0',
  title: 'Files',
  documentationUrl: null,
  spec,
  syncModes: ['FULL_REFRESH', 'INCREMENTAL'],
  check,
  discover,
  async open(config, context) {
    const scratch = await scratchFor(context);
    let listing: { at: number; streams: ListedStream[]; planned: Set<string> } | undefined;
    return {
      async plan(selection, from) {
        context.signal.throwIfAborted();
        const isOld =
          !listing || listing.planned.has(selection.name) || performance.now() - listing.at > listingMsMax;
        if (!listing || isOld) {
          const at = performance.now();
          listing = {
            at,
            planned: new Set(),
            streams: await listStreams(config.path, config.format, context),
          };
        }
        const { streams, planned } = listing;
        planned.add(selection.name);
        const stream = streams.find((each) => each.name === selection.name);
        if (!stream) throw noStream(selection.name, streams, config.path);
        return planStream(stream, selection, from, { csv: config.csv ?? {}, scratch, context });
      },
      [Symbol.asyncDispose]: () => scratch[Symbol.asyncDispose](),
    };
  },
};

async function check(config: FilesConfig, context: ConnectorContext): Promise<CheckResult> {
  try {
    const streams = await listStreams(config.path, config.format, context);
    const files = streams.reduce((sum, stream) => sum + stream.files.length, 0);
    const message =
      files === 0
        ? `"${config.path}" can be read; it holds no files that end in ${knownEndings} yet.`
        : `"${config.path}" can be read: ${files} files in ${streams.length} streams.`;
    return { ok: true, message, problems: [] };
  } catch (error) {
    if (!(error instanceof ConnectorError)) throw error;
    const { message, fix, kind, path } = error;
    const code = kind === 'CONFIG' ? 'INVALID' : 'CONNECTION_FAILED';
    return {
      ok: false,
      message,
      problems: [{ code, message, fix, path: ['config', ...(path.length > 0 ? path : ['path'])] }],
    };
  }
}

/** Files looked into for the columns of one stream: half from the beginning of the list, half from its end. */
const discoveredFilesMax = 20;

async function discover(config: FilesConfig, context: ConnectorContext): Promise<StreamInfo[]> {
  await using scratch = await scratchFor(context);
  const found: StreamInfo[] = [];
  for (const { name, files } of await listStreams(config.path, config.format, context)) {
    const half = discoveredFilesMax / 2;
    const some =
      files.length <= discoveredFilesMax ? files : [...files.slice(0, half), ...files.slice(-half)];
    const { signal } = context;
    const sniffed = await sniffFiles(some, {
      csv: config.csv ?? {},
      thorough: false,
      scratch,
      signal,
      places: context,
    });
    const columns = unionShapes(sniffed.map(({ file, shape }) => ({ name: file.relative, shape })));
    if (columns.length === 0) continue;
    const guesses = sniffed.map(({ shape }) => shape.estimatedRows);
    const isWhole = some.length === files.length && guesses.every((guess) => guess !== null);
    found.push({
      namespace: null,
      name,
      columns,
      syncModes: ['FULL_REFRESH', 'INCREMENTAL'],
      primaryKey: [],
      cursorFields: [],
      estimatedRows: isWhole ? guesses.reduce((sum, guess) => sum + guess, 0n) : null,
    });
  }
  return found;
}

async function scratchFor({ filesRoot, pipesDir }: ConnectorContext): Promise<Scratch> {
  return openScratch([await realRoot(filesRoot), pipesDir]);
}

function noStream(name: string, streams: readonly ListedStream[], path: string): ConnectorError {
  const some = streams.slice(0, 20).map((stream) => stream.name);
  const there =
    some.length === 0 ? 'no streams' : some.join(', ') + (streams.length > some.length ? ' …' : '');
  return new ConnectorError(
    'SOURCE',
    `"${path}" has no file or folder for the stream "${name}"; it has ${there}.`,
    {
      fix: 'Put the file back, or take the stream out of the job.',
    },
  );
}
