import { createHash } from 'node:crypto';
import type { Held } from '#connectors/contained-path.ts';
import type { ConnectorContext, OpenPart, Part, StreamColumn } from '#connectors/contract.ts';
import { brokenFile, explainScan } from './explain.ts';
import { holdUnchanged, refuseChange } from './hold-file.ts';
import type { ListedFile } from './list-streams.ts';
import { refuseDamage } from './plain-bytes.ts';
import { selectFrom } from './reader-sql.ts';
import type { SniffedFile } from './sniff.ts';
import { identified } from './taken-files.ts';

/**
 * Files that one reader fits, as one part. Its id says which files in which state they are, and begins with its place:
 * a destination that sorts by id meets the files in the order of their paths.
 */
export function filesPart(
  place: number,
  group: readonly SniffedFile[],
  columns: readonly StreamColumn[],
  context: ConnectorContext,
): Part {
  const files = group.map(({ file }) => file);
  const identity = JSON.stringify([files.map(identified), columns]);
  return {
    id: `${String(place).padStart(6, '0')}-${createHash('sha256').update(identity).digest('hex').slice(0, 32)}`,
    title: titleOf(files),
    open: (signal) => openFiles(group, columns, context, signal),
  };
}

function titleOf(files: readonly ListedFile[]): string {
  const [first, last] = [files[0]!.relative, files.at(-1)!.relative];
  return files.length === 1 ? first : `${files.length} files, "${first}" to "${last}"`;
}

interface Opened {
  file: ListedFile;
  held: Held;
  door: string;
}

async function openFiles(
  group: readonly SniffedFile[],
  columns: readonly StreamColumn[],
  context: ConnectorContext,
  signal: AbortSignal,
): Promise<OpenPart> {
  await using opening = new AsyncDisposableStack();
  const open: Opened[] = [];
  for (const { file } of group) {
    signal.throwIfAborted();
    const held = opening.use(await holdUnchanged(file, context));
    open.push({ file, held, door: held.door });
  }
  const bytes = group.reduce((sum, { file }) => sum + file.size, 0);
  const closing = new AbortController();
  const sound = Promise.all(
    open.map((each) => refuseUnsound(each, AbortSignal.any([signal, closing.signal]))),
  );
  sound.catch(() => undefined);
  opening.defer(async () => {
    closing.abort();
    await sound.catch(() => undefined);
  });
  const holding = opening.move();
  const doors = open.map(({ door }) => door);
  return {
    scan: selectFrom(group[0]!.reader!, doors, columns),
    // Asked for when the scan is through, it also sees a file that was written to meanwhile.
    get finished() {
      return sound
        .then(() => Promise.all(open.map(({ file, held }) => refuseChange(file, held))))
        .then(() => undefined);
    },
    bytesRead: () => bytes,
    explain: (error) => explainScan(error, open),
    [Symbol.asyncDispose]: () => holding.disposeAsync(),
  };
}

async function refuseUnsound({ file, held, door }: Opened, signal: AbortSignal): Promise<void> {
  try {
    await refuseDamage(held.handle, file.named.compression, signal);
  } catch (error) {
    signal.throwIfAborted();
    throw brokenFile(error, { door, file });
  }
}
