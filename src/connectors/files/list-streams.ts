import { lstat, readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { containedPath, refuseHidden, type ContainedPath } from '#connectors/contained-path.ts';
import { ConnectorError, type ConnectorContext } from '#connectors/contract.ts';
import { formatOf, knownEndings, type FileFormat, type NamedFormat } from './file-format.ts';

export interface ListedFile {
  /** From the files root: the file's name in states, logs and messages. */
  relative: string;
  real: string;
  size: number;
  mtimeMs: number;
  named: NamedFormat;
}

export interface ListedStream {
  name: string;
  /** Sorted by path. A folder's stream may have none. */
  files: ListedFile[];
}

/** More files in one stream are refused, so that what is kept of them stays bounded. */
export const filesMax = 100_000;

interface Listing {
  context: Pick<ConnectorContext, 'filesRoot' | 'signal' | 'log'>;
  format: FileFormat | undefined;
  /** Real paths of the folders above, against links that lead in a circle. */
  above: readonly string[];
}

/**
 * The streams that `path` offers: a file is one stream; of a folder each direct file is one, and each direct folder is one
 * of all files below it. Throws CONFIG for a refused path or link, SOURCE when two files claim one name, when a stream
 * mixes formats or has too many files.
 */
export async function listStreams(
  path: string,
  format: FileFormat | undefined,
  context: Listing['context'],
): Promise<ListedStream[]> {
  await refuseHidden(context.filesRoot, path);
  const found = await containedPath(context.filesRoot, path);
  if (found.stats.isFile()) return [singleFile(found, format)];
  const listing: Listing = { context, format, above: [found.real] };
  const streams = new Map<string, { stream: ListedStream; from: string }>();
  for (const entry of await entriesOf(found, listing)) {
    const stream = entry.stats.isDirectory()
      ? { name: basename(entry.name), files: await filesBelow(entry, listing) }
      : fileStream(entry, listing);
    if (!stream) continue;
    const twin = streams.get(stream.name);
    if (twin) throw sameName(stream.name, twin.from, entry.name);
    streams.set(stream.name, { stream, from: entry.name });
  }
  return [...streams.values()].map(({ stream }) => stream);
}

/** A direct entry: where it is (links resolved), and the path by which it was found. */
interface Entry extends ContainedPath {
  name: string;
}

async function entriesOf(
  folder: { real: string; relative: string; name?: string },
  listing: Listing,
): Promise<Entry[]> {
  const { context } = listing;
  const names = await readdir(folder.real).catch((error: NodeJS.ErrnoException) => {
    throw new ConnectorError('SOURCE', `The folder "${folder.relative}" cannot be read: ${error.message}.`, {
      cause: error,
    });
  });
  const entries: Entry[] = [];
  for (const name of names.sort()) {
    context.signal.throwIfAborted();
    if (name.startsWith('.') || name.startsWith('_')) continue;
    const below = joinRelative(folder.relative, name);
    const real = join(folder.real, name);
    const stats = await lstat(real).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return null;
      throw error;
    });
    // It was moved away since the names were read.
    if (!stats) continue;
    // Only a link leads elsewhere than its name says; what is neither link, file nor folder is refused there too.
    const isPlain = stats.isFile() || stats.isDirectory();
    const entry = isPlain ? { real, relative: below, stats } : await containedPath(context.filesRoot, below);
    entries.push({ ...entry, name: joinRelative(folder.name ?? folder.relative, name) });
  }
  return entries;
}

async function filesBelow(folder: Entry, listing: Listing): Promise<ListedFile[]> {
  refuseCircle(folder, listing.above);
  const files: ListedFile[] = [];
  const pending: { entry: Entry; above: readonly string[] }[] = [{ entry: folder, above: listing.above }];
  for (let next = pending.shift(); next; next = pending.shift()) {
    const above = [...next.above, next.entry.real];
    for (const entry of await entriesOf(next.entry, listing)) {
      if (entry.stats.isDirectory()) {
        refuseCircle(entry, above);
        pending.push({ entry, above });
      } else {
        const file = fileStream(entry, listing)?.files[0];
        if (file) files.push(file);
      }
    }
    if (files.length > filesMax) throw tooMany(folder.name);
  }
  refuseMixture(folder.name, files);
  return files.sort((a, b) => (a.relative < b.relative ? -1 : 1));
}

function fileStream(entry: Entry, { format, context }: Listing): ListedStream | undefined {
  const named = formatOf(basename(entry.name), format);
  if (named) return { name: named.stem, files: [listedFile(entry, named)] };
  context.log('INFO', `"${entry.name}" is left out: its name does not end in ${knownEndings}.`);
  return undefined;
}

function singleFile(found: ContainedPath, format: FileFormat | undefined): ListedStream {
  const named = formatOf(basename(found.relative), format);
  if (!named) {
    throw new ConnectorError(
      'CONFIG',
      `"${found.relative}" does not say what it holds: its name does not end in ${knownEndings}.`,
      {
        path: ['format'],
        fix: 'Set format to csv, json or parquet.',
      },
    );
  }
  return { name: named.stem, files: [listedFile({ ...found, name: found.relative }, named)] };
}

function listedFile(entry: Entry, named: NamedFormat): ListedFile {
  return {
    relative: entry.name,
    real: entry.real,
    size: entry.stats.size,
    mtimeMs: Math.trunc(entry.stats.mtimeMs),
    named,
  };
}

function refuseCircle(entry: Entry, above: readonly string[]): void {
  if (!above.includes(entry.real)) return;
  throw new ConnectorError('SOURCE', `The link "${entry.name}" leads back to a folder above it.`, {
    fix: 'Remove that link.',
  });
}

function refuseMixture(folder: string, files: readonly ListedFile[]): void {
  const first = files[0];
  const other = files.find((file) => file.named.format !== first?.named.format);
  if (!first || !other) return;
  throw new ConnectorError(
    'SOURCE',
    `The folder "${folder}" mixes formats: "${first.relative}" is ${first.named.format}, "${other.relative}" is ${other.named.format}.`,
    { fix: 'Keep one format to a folder, or set format in the config to read only that one.' },
  );
}

function sameName(name: string, one: string, other: string): ConnectorError {
  return new ConnectorError('SOURCE', `"${one}" and "${other}" both give the stream "${name}".`, {
    fix: 'Rename one of them; a name that begins with "_" is not read.',
  });
}

function tooMany(folder: string): ConnectorError {
  return new ConnectorError('SOURCE', `The folder "${folder}" holds more than ${filesMax} files.`, {
    fix: 'Spread them over several folders: each is a stream of its own.',
  });
}

function joinRelative(folder: string, name: string): string {
  return folder === '' ? name : `${folder}/${name}`;
}
