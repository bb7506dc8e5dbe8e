import { spawn } from 'node:child_process';
import type { PostgresUser } from './postgres-user.ts';

/** Runs a program of PostgreSQL to its end as that user. Whatever stops it is in the output, with a code that is not 0. */
export function startProgram(
  user: PostgresUser,
  program: string,
  programArgs: string[],
): Promise<{ code: number | null; output: string }> {
  const { file, args, ...ids } = user.command(program, programArgs);
  return new Promise((resolve) => {
    // No variable of ours or the user's (PGDATA, PGPORT, LC_…) may lead PostgreSQL astray.
    const env = { PATH: process.env['PATH'], LC_ALL: 'C' };
    const child = spawn(file, args, { ...ids, cwd: '/', env, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.once('error', (error) => resolve({ code: null, output: error.message }));
    child.once('close', (code) => resolve({ code, output }));
  });
}
