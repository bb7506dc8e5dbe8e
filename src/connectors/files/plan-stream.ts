import { createHash } from 'node:crypto';
import { typeName } from '#connectors/column-type.ts';
import {
  ConnectorError,
  type ConnectorContext,
  type Json,
  type StreamColumn,
  type StreamPlan,
  type StreamSelection,
} from '#connectors/contract.ts';
import { columnKey } from '#connectors/evolve-columns.ts';
import type { ListedFile, ListedStream } from './list-streams.ts';
import { filesPart } from './open-part.ts';
import { readerKey } from './reader-sql.ts';
import type { Scratch } from './scratch.ts';
import { unionShapes } from './shape.ts';
import type { CsvOptions, SniffedFile } from './sniff.ts';
import { sniffFiles } from './sniff-files.ts';
import { identified, isSame, nextState, notYetTaken, readState } from './taken-files.ts';

interface Planning {
  csv: CsvOptions;
  scratch: Scratch;
  context: ConnectorContext;
}

interface From {
  state: Json | null;
  resume: Json | null;
  asText: string[];
}

/** What a plan was made of: the same again gives the same parts. */
interface Resume {
  of: string;
  files: Record<string, [size: number, mtimeMs: number]>;
}

/**
 * Plans the read of one stream's files: all of them, or for INCREMENTAL those not yet taken. A plan is resumed when each of
 * its files still is as it was; files that came since wait for the next sync.
 */
export async function planStream(
  stream: ListedStream,
  selection: StreamSelection,
  from: From,
  planning: Planning,
): Promise<StreamPlan> {
  const { context } = planning;
  const state = readState(from.state);
  const of = fingerprint([
    selection.syncMode,
    selection.selectedColumns,
    planning.csv,
    [...from.asText].sort(),
  ]);
  const resumed = resumable(stream, from.resume as unknown as Resume | null, of);
  if (from.resume !== null && !resumed)
    context.log('INFO', `The files of "${stream.name}" changed: it is read from the beginning.`);
  const files = resumed ?? filesToTake(stream, selection, from, context);
  const sniffed = await sniffAll(files, planning);
  const columns = columnsOf(stream, sniffed, state?.columns ?? [], selection, from.asText);
  const full = sniffed.filter((each) => each.reader !== null);
  const guesses = full.map((each) => each.shape.estimatedRows);
  const resume: Resume = { of, files: Object.fromEntries(files.map(identified)) };
  const known = selection.syncMode === 'INCREMENTAL' ? state : null;
  return {
    columns,
    parts: groupsOf(full).map((group, at) => filesPart(at, group, columns, context)),
    estimatedRows: guesses.every((guess) => guess !== null)
      ? guesses.reduce((sum, guess) => sum + guess, 0n)
      : null,
    resume: (resumed ? from.resume : resume) as unknown as Json,
    nextState: nextState(known, stream.files, files, columns) as unknown as Json,
    ties: null,
    async [Symbol.asyncDispose]() {},
  };
}

function resumable(stream: ListedStream, resume: Resume | null, of: string): ListedFile[] | null {
  if (resume?.of !== of) return null;
  const listed = new Map(stream.files.map((file) => [file.relative, file]));
  const files = Object.entries(resume.files).map(([path, identity]) => {
    const file = listed.get(path);
    return file && isSame(file, identity) ? file : null;
  });
  return files.every((file) => file !== null) ? files : null;
}

function filesToTake(
  stream: ListedStream,
  selection: StreamSelection,
  from: From,
  { log }: ConnectorContext,
): ListedFile[] {
  if (selection.syncMode !== 'INCREMENTAL') return stream.files;
  const { files, changed } = notYetTaken(stream.files, readState(from.state));
  for (const file of changed)
    log('WARN', `"${file.relative}" changed since it was taken: all its rows are taken again.`);
  log('INFO', `${files.length} of ${stream.files.length} files of "${stream.name}" are new.`);
  return files;
}

async function sniffAll(
  files: readonly ListedFile[],
  { csv, scratch, context }: Planning,
): Promise<SniffedFile[]> {
  const { signal, log } = context;
  const sniffed = await sniffFiles(files, { csv, thorough: true, scratch, signal, places: context });
  for (const { file, reader } of sniffed) if (!reader) log('INFO', `"${file.relative}" is empty.`);
  return sniffed;
}

function columnsOf(
  stream: ListedStream,
  sniffed: readonly SniffedFile[],
  before: StreamColumn[],
  selection: StreamSelection,
  asText: readonly string[],
): StreamColumn[] {
  const found = unionShapes(sniffed.map(({ file, shape }) => ({ name: file.relative, shape })));
  const all = found.length > 0 ? found : before;
  if (all.length === 0) {
    throw new ConnectorError(
      'SOURCE',
      `The stream "${stream.name}" has no file with columns in it: nothing says what its table looks like.`,
      {
        fix: 'Put a file with a header line, or with rows, in its place.',
      },
    );
  }
  const columns = selection.selectedColumns
    ? selected(selection.selectedColumns, all, before, stream.name)
    : all;
  const textual = new Set(asText.map(columnKey));
  return columns.map((column) =>
    textual.has(columnKey(column.name)) && column.type.kind !== 'text'
      ? { ...column, type: { kind: 'text' }, asTextBecause: `a value in it is not ${typeName(column.type)}` }
      : column,
  );
}

/** Of the stream's columns those selected; one that only earlier files had is NULL. Throws SCHEMA for one that no file had. */
function selected(
  names: readonly string[],
  all: readonly StreamColumn[],
  before: readonly StreamColumn[],
  stream: string,
): StreamColumn[] {
  const wanted = new Set(names.map(columnKey));
  const known = new Set(all.map((column) => columnKey(column.name)));
  const columns = [...all, ...before.filter((column) => !known.has(columnKey(column.name)))];
  const kept = columns.filter((column) => wanted.delete(columnKey(column.name)));
  const missing = names.filter((name) => wanted.has(columnKey(name)));
  if (missing.length === 0) return kept;
  throw new ConnectorError('SCHEMA', `The files of "${stream}" have no column "${missing.join('", "')}".`, {
    fix: `Change selectedColumns; there are: ${columns.map((column) => column.name).join(', ')}.`,
  });
}

const partBytesMax = 64 * 1024 * 1024;
/** Every file of an open part is held open. */
const partFilesMax = 128;

/** Neighbours that one call can read share a part while they are small; a large file is one alone. */
function groupsOf(sniffed: readonly SniffedFile[]): SniffedFile[][] {
  const groups: SniffedFile[][] = [];
  let [key, bytes] = ['', 0];
  for (const each of sniffed) {
    const group = groups.at(-1);
    const next = readerKey(each.reader!);
    if (group && key === next && group.length < partFilesMax && bytes + each.file.size <= partBytesMax) {
      group.push(each);
      bytes += each.file.size;
    } else {
      groups.push([each]);
      [key, bytes] = [next, each.file.size];
    }
  }
  return groups;
}

function fingerprint(of: unknown): string {
  return createHash('sha256').update(JSON.stringify(of)).digest('hex').slice(0, 32);
}
