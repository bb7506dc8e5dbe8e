import { execFile } from 'node:child_process';
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Whether the process runs, and does so in that folder: PostgreSQL's server works inside its data folder. */
export async function runsIn(pid: number, folder: string): Promise<boolean> {
  try {
    const [own, expected] = await Promise.all([stat(`/proc/${pid}/cwd/`), stat(folder)]);
    return own.ino === expected.ino && own.dev === expected.dev;
  } catch {
    if (process.platform === 'linux') return false;
  }
  try {
    const { stdout } = await run('ps', ['-o', 'command=', '-p', String(pid)]);
    return stdout.includes(folder);
  } catch {
    return false;
  }
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
