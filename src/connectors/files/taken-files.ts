import type { Json, StreamColumn } from '#connectors/contract.ts';
import { ConnectorError } from '#connectors/contract.ts';
import type { ListedFile } from './list-streams.ts';

/** What identifies a file's content: size and time of its last change in milliseconds. */
type Identity = [size: number, mtimeMs: number];

/** What is kept of a stream between tasks. */
export interface FilesState {
  /** Every file taken, by its path from the files root. */
  files: Record<string, Identity>;
  /** The stream's columns as they were last found, for when there is nothing new to look at. */
  columns: StreamColumn[];
}

/**
 * Files that are gone stay known, newest first, up to this number: a folder that is empty for an hour (a mount that is away)
 * is not taken again whole. With filesMax it bounds the state of one stream to 110,000 files.
 */
const goneFilesMax = 10_000;

/** Reads what `nextState` wrote. Throws INTERNAL for anything else, rather than take every file again. */
export function readState(state: Json | null): FilesState | null {
  if (state === null) return null;
  const { files, columns } = state as unknown as Partial<FilesState>;
  if (typeof files === 'object' && Array.isArray(columns)) return { files, columns };
  throw new ConnectorError('INTERNAL', 'The stored state of this stream is not one of the files source.', {
    fix: 'Make a new job for the stream.',
  });
}

/** The files that have not been taken as they are now, and which of them were taken in another form before. */
export function notYetTaken(
  files: readonly ListedFile[],
  state: FilesState | null,
): { files: ListedFile[]; changed: ListedFile[] } {
  const fresh = files.filter((file) => !isSame(file, state?.files[file.relative]));
  return { files: fresh, changed: fresh.filter((file) => state?.files[file.relative] !== undefined) };
}

/** The state once `taken` are published: what was known before, bounded, with them. */
export function nextState(
  before: FilesState | null,
  listed: readonly ListedFile[],
  taken: readonly ListedFile[],
  columns: StreamColumn[],
): FilesState {
  const present = new Set(listed.map((file) => file.relative));
  const known = Object.entries(before?.files ?? {});
  const gone = known
    .filter(([path]) => !present.has(path))
    .sort(([, a], [, b]) => b[1] - a[1])
    .slice(0, goneFilesMax);
  const files = Object.fromEntries([
    ...gone,
    ...known.filter(([path]) => present.has(path)),
    ...taken.map(identified),
  ]);
  return { files, columns };
}

/** A file's entry in a state. */
export function identified(file: ListedFile): [string, Identity] {
  return [file.relative, [file.size, file.mtimeMs]];
}

/** Whether the file still is what was kept of it. */
export function isSame(file: ListedFile, kept: Identity | undefined): boolean {
  return kept !== undefined && kept[0] === file.size && kept[1] === file.mtimeMs;
}
