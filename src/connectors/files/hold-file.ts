import { holdContained, type Held } from '#connectors/contained-path.ts';
import { ConnectorError, type ConnectorContext } from '#connectors/contract.ts';
import type { ListedFile } from './list-streams.ts';

type Places = Pick<ConnectorContext, 'filesRoot' | 'pipesDir'>;

/** Opens a file as it was listed. Throws SOURCE when it is gone or has another size or time now. */
export async function holdUnchanged(file: ListedFile, places: Places): Promise<Held> {
  const held = await holdContained(places.filesRoot, file, 'file', places.pipesDir).catch((error: Error) => {
    if ((error.cause as NodeJS.ErrnoException | undefined)?.code !== 'ENOENT') throw error;
    throw new ConnectorError('SOURCE', `"${file.relative}" is gone since its folder was listed.`, {
      fix: again,
      cause: error,
    });
  });
  try {
    await refuseChange(file, held);
  } catch (error) {
    await held[Symbol.asyncDispose]();
    throw error;
  }
  return held;
}

const again = 'Sync again. Files are read safely when they are moved into the folder whole.';

/** Throws SOURCE when the open file no longer has the size and time it was listed with. */
export async function refuseChange(file: ListedFile, { handle }: Pick<Held, 'handle'>): Promise<void> {
  const now = await handle.stat();
  if (now.size === file.size && Math.trunc(now.mtimeMs) === file.mtimeMs) return;
  throw new ConnectorError(
    'SOURCE',
    `"${file.relative}" changed while it was read: it had ${file.size} bytes, now ${now.size}, written ${now.mtime.toISOString()}.`,
    { fix: again },
  );
}
