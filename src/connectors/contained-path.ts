import { constants, type Stats } from 'node:fs';
import {
  access,
  lstat,
  mkdir,
  open,
  readlink,
  realpath,
  rm,
  symlink,
  type FileHandle,
} from 'node:fs/promises';
import { isAbsolute, join, relative, sep } from 'node:path';
import { newId } from '#base/id.ts';
import { ConnectorError } from './contract.ts';

/** A file or folder inside the files root, every link on the way resolved. */
export interface ContainedPath {
  /** Absolute, without links. */
  real: string;
  /** From the files root, for people and for states that outlive a move of the root. */
  relative: string;
  stats: Stats;
}

/** What was opened and found inside the root after opening it: it stays this very file whatever happens to its path. */
export interface Held extends AsyncDisposable {
  handle: FileHandle;
  stats: Stats;
  /** A path to what is held, inside `pipesDir`: no change of a link on the real path leads it elsewhere. */
  door: string;
}

const rootName = 'the files root (SLUICE_FILES_ROOT)';

/**
 * Where `path` (relative to the root, or absolute within it) lies. Throws CONFIG with the reason for `..`, NUL, whatever
 * lies or links outside, what is neither file nor folder, and what does not exist.
 */
export async function containedPath(filesRoot: string, path: string): Promise<ContainedPath> {
  const root = await realRoot(filesRoot);
  let at = root;
  for (const name of namesBelow(filesRoot, root, path)) at = await step(root, join(at, name), path);
  const stats = await lstat(at);
  if (!stats.isFile() && !stats.isDirectory())
    throw refusal(path, `it is ${kindOf(stats)}, not a file or a folder`);
  return { real: at, relative: relative(root, at), stats };
}

/** The same for a folder that is made, with all folders above it, where it does not exist. */
export async function containedFolder(filesRoot: string, path: string): Promise<ContainedPath> {
  const root = await realRoot(filesRoot);
  let at = root;
  for (const name of namesBelow(filesRoot, root, path)) {
    const next = join(at, name);
    await mkdir(next).catch(ignore('EEXIST'));
    at = await step(root, next, path);
  }
  const stats = await lstat(at);
  if (!stats.isDirectory()) throw refusal(path, `it is ${kindOf(stats)}, not a folder`);
  return { real: at, relative: relative(root, at), stats };
}

/**
 * Opens what containedPath found and looks again where it is: a link swapped in between is refused like one found before.
 * Never waits on a FIFO.
 */
export async function holdContained(
  filesRoot: string,
  found: Pick<ContainedPath, 'real' | 'relative'>,
  kind: 'file' | 'folder',
  pipesDir: string,
): Promise<Held> {
  const root = await realRoot(filesRoot);
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const handle = await open(found.real, kind === 'folder' ? flags | constants.O_DIRECTORY : flags).catch(
    (error) => {
      throw openFailure(found.relative, error);
    },
  );
  try {
    const stats = await handle.stat();
    if (kind === 'file' ? !stats.isFile() : !stats.isDirectory()) {
      throw refusal(found.relative, `it is ${kindOf(stats)}, not a ${kind}`);
    }
    const where = await whereIs(handle, found.real, stats);
    if (!isWithin(root, where)) throw refusal(found.relative, `it leads out of ${rootName}`);
    const door = join(pipesDir, `door-${newId()}`);
    await symlink((await hasProc()) ? `/proc/${process.pid}/fd/${handle.fd}` : where, door);
    return {
      handle,
      stats,
      door,
      async [Symbol.asyncDispose]() {
        await rm(door, { force: true });
        await handle.close();
      },
    };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** The root without links. Throws CONFIG when there is none. */
export async function realRoot(filesRoot: string): Promise<string> {
  try {
    return await realpath(filesRoot);
  } catch (error) {
    throw new ConnectorError('CONFIG', `${rootName} ${filesRoot} cannot be used: ${reasonOf(error)}.`, {
      fix: 'Make that folder, or set SLUICE_FILES_ROOT to the folder that holds the files.',
      cause: error,
    });
  }
}

/** Throws CONFIG for a path through a hidden folder: that is where programs keep what is not for others, Sluice's home too. */
export async function refuseHidden(filesRoot: string, path: string): Promise<void> {
  const names = namesBelow(filesRoot, await realRoot(filesRoot), path);
  const hidden = names.find((name) => name.startsWith('.'));
  if (hidden !== undefined) throw refusal(path, `"${hidden}" is hidden: its name begins with a dot`);
}

function namesBelow(filesRoot: string, root: string, path: string): string[] {
  if (path.includes('\0')) throw refusal(path.replaceAll('\0', '\\0'), 'it contains a NUL character');
  if (path.split(/[\\/]/).includes('..')) throw refusal(path, 'it contains ".."');
  if (!isAbsolute(path)) return namesOf(path);
  const base = [filesRoot, root].find((each) => isWithin(each, path));
  if (base === undefined) throw refusal(path, `it lies outside ${rootName}`);
  return namesOf(relative(base, path));
}

function namesOf(path: string): string[] {
  return path.split(sep).filter((name) => name !== '' && name !== '.');
}

async function step(root: string, next: string, path: string): Promise<string> {
  try {
    const stats = await lstat(next);
    if (!stats.isSymbolicLink()) return next;
    const target = await realpath(next);
    if (isWithin(root, target)) return target;
  } catch (error) {
    throw openFailure(path, error);
  }
  throw refusal(path, `the link "${relative(root, next)}" leads out of ${rootName}`);
}

/** Whether `path` is the folder or lies below it; both absolute. */
export function isWithin(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return way === '' || (way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way));
}

let proc: Promise<boolean> | undefined;

/** Linux names each open file; elsewhere the door leads to the path that was checked a moment ago. */
function hasProc(): Promise<boolean> {
  proc ??= access('/proc/self/fd').then(
    () => true,
    () => false,
  );
  return proc;
}

async function whereIs(handle: FileHandle, path: string, stats: Stats): Promise<string> {
  if (await hasProc()) return readlink(`/proc/self/fd/${handle.fd}`);
  const real = await realpath(path);
  const now = await lstat(real);
  if (now.dev !== stats.dev || now.ino !== stats.ino)
    throw refusal(path, 'it was exchanged while it was opened');
  return real;
}

function kindOf(stats: Stats): string {
  if (stats.isDirectory()) return 'a folder';
  if (stats.isFile()) return 'a file';
  if (stats.isFIFO()) return 'a named pipe';
  if (stats.isSocket()) return 'a socket';
  return stats.isSymbolicLink() ? 'a link' : 'a device';
}

function refusal(path: string, reason: string): ConnectorError {
  return new ConnectorError('CONFIG', `The path "${path}" is refused: ${reason}.`, {
    path: ['path'],
    fix: `Name a file or a folder inside ${rootName}, relative to it and without "..".`,
  });
}

function openFailure(path: string, error: unknown): ConnectorError {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === 'ELOOP')
    return refusal(path, 'its links go round in a circle, or one was put in place of a file');
  if (code === 'ENXIO') return refusal(path, 'it is a socket or a device, not a file');
  return new ConnectorError(
    'CONFIG',
    `The path "${path}" cannot be opened in ${rootName}: ${reasonOf(error)}.`,
    {
      path: ['path'],
      fix: 'Check the spelling of the path and that Sluice may read it.',
      cause: error,
    },
  );
}

function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  const reasons: Record<string, string> = {
    ENOENT: 'it does not exist',
    ENOTDIR: 'something on the way is no folder',
    EACCES: 'permission denied',
    ENAMETOOLONG: 'its name is too long',
  };
  return reasons[code ?? ''] ?? message;
}

function ignore(code: string): (error: NodeJS.ErrnoException) => void {
  return (error) => {
    if (error.code !== code) throw error;
  };
}
