import {
  lstat,
  mkdir,
  open,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { newId } from '#base/id.ts';
import { containedFolder, holdContained, type Held } from '#connectors/contained-path.ts';
import { ConnectorError, type ConnectorContext } from '#connectors/contract.ts';
import { markerName, parseMarker, parseOwner, type TableOwner, type VersionMarker } from './marker.ts';

/*
 * <path>/<table>                      a link to the newest version: what readers open
 * <path>/.sluice-tables/<table>/v000012/     a version: Parquet files and its marker
 * <path>/.sluice-tables/<table>/staging-…/   the parts that a task has staged
 * <path>/.sluice-tables/<table>/building-…/  a version that is being put together
 *
 * The commit is the rename of building-… to the next version's name. It fails when that name is taken, so that of two
 * writers one wins; the link follows, and is put right by whoever opens the table next.
 */

/** Beside the links that readers open. Not ".sluice": that is a home's usual name, which may lie in the files root. */
export const tablesFolder = '.sluice-tables';

export interface Version {
  name: string;
  marker: VersionMarker;
}

/** One table's folder, held open. */
export class TableFolder implements AsyncDisposable {
  readonly table: string;
  readonly #path: Held;
  readonly #folder: Held;
  readonly #where: string;
  #closed = false;

  constructor(table: string, path: Held, folder: Held, where: string) {
    this.table = table;
    this.#path = path;
    this.#folder = folder;
    this.#where = where;
  }

  /** A path inside the table's folder, which no exchanged link can lead elsewhere. */
  at(...names: string[]): string {
    return join(this.#folder.door, ...names);
  }

  /** The newest version, or null. */
  async current(): Promise<Version | null> {
    const name = (await this.#versions()).at(-1);
    if (name === undefined) return null;
    const text = await readFile(this.at(name, markerName), 'utf8').catch(() => '');
    return { name, marker: parseMarker(text, `${this.#where}/${name}`) };
  }

  /** Takes the table for the job's stream. Throws DESTINATION when it is another's. */
  async claim(owner: TableOwner): Promise<void> {
    const file = this.at('owner.json');
    await writeFile(file, JSON.stringify(owner), { flag: 'wx' }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
    const held = parseOwner(await readFile(file, 'utf8'));
    if (!held) return writeFile(file, JSON.stringify(owner));
    const isOwn =
      held.jobId === owner.jobId &&
      held.stream.name === owner.stream.name &&
      held.stream.namespace === owner.stream.namespace;
    if (isOwn) return;
    throw new ConnectorError(
      'DESTINATION',
      `The table "${this.table}" is written by the stream "${held.stream.name}" of job ${held.jobId}; one table takes one stream of one job.`,
      {
        fix: `Give this stream another destinationTable, or remove "${this.table}" and "${this.#where}" from the files root.`,
      },
    );
  }

  /** Lets the link show the newest version. Throws DESTINATION when something else has the table's name. */
  async showCurrent(): Promise<void> {
    const link = join(this.#path.door, this.table);
    const shown = await readlink(link).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return null;
      throw this.#taken(error);
    });
    if (shown !== null && !shown.startsWith(`${tablesFolder}/${this.table}/v`)) throw this.#taken();
    const newest = (await this.#versions()).at(-1);
    if (newest === undefined || shown === `${tablesFolder}/${this.table}/${newest}`) return;
    const next = this.at(`link-${newId()}`);
    await symlink(`${tablesFolder}/${this.table}/${newest}`, next);
    await rename(next, link);
    await this.#path.handle.sync();
  }

  /** Makes a built folder the version after `before`. False when another writer has made that version meanwhile. */
  async commit(building: string, before: Version | null): Promise<boolean> {
    await syncAll(this.at(building));
    const name = `v${String(numberOf(before?.name ?? 'v0') + 1).padStart(6, '0')}`;
    try {
      await rename(this.at(building), this.at(name));
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOTEMPTY' || code === 'EEXIST') return false;
      throw error;
    }
    await this.#folder.handle.sync();
    return true;
  }

  /** Removes versions before the last two, since a reader may still hold the last but one. */
  async forgetOld(): Promise<void> {
    const old = (await this.#versions()).slice(0, -2);
    for (const name of old) await this.remove(name);
  }

  /** Removes what tasks that ended in a crash have left, except what `taskId` can go on from. */
  async clearLeftovers(taskId: string): Promise<void> {
    for (const name of await readdir(this.at())) {
      if (/^(staging|building|link)-/.test(name) && name !== stagingName(taskId)) await this.remove(name);
    }
  }

  /** Makes a folder in the table's folder, unless it is there. Throws DESTINATION when a link or a file has its name. */
  async makeFolder(name: string): Promise<void> {
    await mkdir(this.at(name), { recursive: true });
    if (!(await lstat(this.at(name))).isDirectory()) throw this.#taken();
  }

  async remove(name: string): Promise<void> {
    await rm(this.at(name), { recursive: true, force: true });
  }

  async #versions(): Promise<string[]> {
    const names = (await readdir(this.at())).filter((name) => /^v\d+$/.test(name));
    return names.sort((a, b) => numberOf(a) - numberOf(b));
  }

  #taken(cause?: unknown): ConnectorError {
    return new ConnectorError(
      'DESTINATION',
      `"${this.table}" is there already and was not made by this destination.`,
      {
        fix: 'Move it away, or give the stream another destinationTable.',
        cause,
      },
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#folder[Symbol.asyncDispose]();
    await this.#path[Symbol.asyncDispose]();
  }
}

/** Opens, and makes where it is missing, the folder of a table below `path`. Throws CONFIG for a path that is refused. */
export async function openTableFolder(
  path: string,
  table: string,
  context: Pick<ConnectorContext, 'filesRoot' | 'pipesDir'>,
): Promise<TableFolder> {
  await using opening = new AsyncDisposableStack();
  const { filesRoot, pipesDir } = context;
  const base = await containedFolder(filesRoot, path);
  const below = join(base.relative, tablesFolder, table);
  const folder = await containedFolder(filesRoot, below);
  const heldBase = opening.use(await holdContained(filesRoot, base, 'folder', pipesDir));
  const heldFolder = opening.use(await holdContained(filesRoot, folder, 'folder', pipesDir));
  opening.move();
  return new TableFolder(table, heldBase, heldFolder, below);
}

/** The folder in which a task stages its parts. */
export function stagingName(taskId: string): string {
  return `staging-${taskId}`;
}

function numberOf(version: string): number {
  return Number(version.slice(1));
}

/** Rows and marker must be on the disk before the rename that makes them the truth. */
async function syncAll(folder: string): Promise<void> {
  for (const name of await readdir(folder)) await sync(join(folder, name));
  await sync(folder);
}

async function sync(path: string): Promise<void> {
  await using handle = await open(path, 'r');
  await handle.sync();
}
