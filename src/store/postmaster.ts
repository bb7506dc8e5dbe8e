import { execFile } from 'node:child_process';
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/**
 * Whether the process runs and is a PostgreSQL server with its data in that folder. Asks its command line, which
 * everybody may read: its working folder is closed to root, too, in a container without SYS_PTRACE.
 */
export async function runsIn(pid: number, folder: string): Promise<boolean> {
  try {
    const [program = '', ...args] = await commandLine(pid);
    const at = args[args.indexOf('-D') + 1];
    if (path.basename(program) !== 'postgres' || !args.includes('-D') || at === undefined) return false;
    const [own, expected] = await Promise.all([stat(at), stat(folder)]);
    return own.ino === expected.ino && own.dev === expected.dev;
  } catch {
    // The process or the folder is gone.
    return false;
  }
}

async function commandLine(pid: number): Promise<string[]> {
  if (process.platform === 'linux') return (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0');
  // Without the quotes: a folder with a space in its name is not recognized, and its server not used again.
  const { stdout } = await run('ps', ['-o', 'command=', '-p', String(pid)]);
  return stdout.trim().split(' ');
}

/** The lines of postmaster.pid that matter. Null while there is none or it is only half written. */
export async function readPostmasterPid(
  dataDir: string,
): Promise<{ pid: number; port: number; status: string; text: string } | null> {
  let text: string;
  try {
    text = await readFile(path.join(dataDir, 'postmaster.pid'), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  const lines = text.split('\n');
  const pid = Number(lines[0]);
  if (!Number.isInteger(pid) || pid <= 0) return null;
  return { pid, port: Number(lines[3] ?? 0), status: (lines[7] ?? '').trim(), text };
}
