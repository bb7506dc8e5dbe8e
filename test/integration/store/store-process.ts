import { spawn, type ChildProcess } from 'node:child_process';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { setTimeout as wait } from 'node:timers/promises';
import { createLog } from '#base/log.ts';
import { stopEmbeddedPostgres } from '#store/embedded-postgres.ts';
import { runsIn } from '#store/postmaster.ts';

export const programFile = fileURLToPath(new URL('./open-and-wait.ts', import.meta.url));

export interface Opened {
  ready: true;
  homeId: string;
  url: string;
  postgresPid: number;
  accounts: number;
  openMs: number;
}

export interface Refused {
  ready: false;
  message: string;
  code?: string;
  fix?: string;
}

export interface StoreProcess extends AsyncDisposable {
  child: ChildProcess;
  said: Opened | Refused;
  /** What it logged so far. */
  log: string[];
  /** Sends the signal and waits for the end. */
  end(signal: NodeJS.Signals): Promise<number | null>;
}

/** A home in a folder of its own of that mode; gone, with its PostgreSQL, when disposed of. */
export async function temporaryHome(folderMode = 0o755): Promise<{ home: string } & AsyncDisposable> {
  const folder = await mkdtemp(path.join(tmpdir(), 'sluice-home-'));
  await chmod(folder, folderMode);
  const home = path.join(folder, 'home');
  return {
    home,
    async [Symbol.asyncDispose]() {
      await stopEmbeddedPostgres(path.join(home, 'postgres'), createLog('silent'));
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Opens the store in a process of its own, and waits until it has, or has not. `prefix` runs before node. */
export async function startStoreProcess(
  home: string,
  role = 'serve',
  prefix: string[] = [],
): Promise<StoreProcess> {
  const [file, ...args] = [...prefix, process.execPath, programFile, home, role] as const;
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: process.env['PATH'] } });
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  const log: string[] = [];
  createInterface(child.stderr).on('line', (line) => log.push(line));
  const line = await new Promise<string | null>((resolve) => {
    createInterface(child.stdout).once('line', resolve);
    void ended.then(() => resolve(null));
  });
  if (line === null) throw new Error(`The process ended without a word: ${log.join('\n')}`);
  const end = async (signal: NodeJS.Signals) => {
    child.kill(signal);
    return ended;
  };
  return {
    child,
    said: JSON.parse(line) as Opened | Refused,
    log,
    end,
    [Symbol.asyncDispose]: async () => void (await end('SIGKILL')),
  };
}

export function opened(process: StoreProcess): Opened {
  if (process.said.ready) return process.said;
  throw new Error(`The store did not open: ${process.said.message}`);
}

export function isServerAlive(home: string, pid: number): Promise<boolean> {
  return runsIn(pid, path.join(home, 'postgres', 'data'));
}

/** Waits until it is so, and fails after ten seconds. */
export async function until(what: string, isSo: () => Promise<boolean> | boolean): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error(`Still not after 10 s: ${what}`);
    await wait(20);
  }
}
