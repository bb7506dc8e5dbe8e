import { join } from 'node:path';
import { type DuckDbWarehouse, openDuckDb } from '#warehouse/duckdb.ts';
import { realRoot } from './contained-path.ts';
import type { ConnectorContext } from './contract.ts';
import { makeWorkFolder, removeWorkFolder } from './work-folder.ts';

/** A DuckDB of one task's own, in which the scans of a source run when what they give is written elsewhere. */
export interface WorkDuckDb extends AsyncDisposable {
  duckDb: DuckDbWarehouse;
  /** What lies in it is removed at the end. DuckDB may read and write there. */
  folder: string;
}

/** What does not fit is put into the folder. */
const memoryBytesMax = 320 * 1024 * 1024;

/** Opens one in a new folder inside `parent`. It reaches the files root, the FIFOs and that folder, and nothing else. */
export async function openWorkDuckDb(
  parent: string,
  { filesRoot, pipesDir }: ConnectorContext,
): Promise<WorkDuckDb> {
  await using opening = new AsyncDisposableStack();
  const folder = await makeWorkFolder(parent);
  opening.defer(() => removeWorkFolder(folder));
  const duckDb = opening.use(
    await openDuckDb({
      path: join(folder, 'work.duckdb'),
      allowedDirectories: [await realRoot(filesRoot), pipesDir, folder],
      memoryLimitBytes: memoryBytesMax,
    }),
  );
  const open = opening.move();
  return { duckDb, folder, [Symbol.asyncDispose]: () => open.disposeAsync() };
}
