import { spawn } from 'node:child_process';
import { messageOf } from '#base/errors.ts';
import type { PostgresUser } from './postgres-user.ts';

/** Runs a program of PostgreSQL to its end as that user. What keeps it from running is in the output too, with code null. */
export async function startProgram(
  user: PostgresUser,
  program: string,
  programArgs: string[],
): Promise<{ code: number | null; output: string }> {
  const { file, args, ...ids } = user.command(program, programArgs);
  // No variable of ours or the user's (PGDATA, PGPORT, LC_…) may lead PostgreSQL astray.
  const env = { PATH: process.env['PATH'], LC_ALL: 'C' };
  let output = '';
  try {
    return await new Promise((resolve, reject) => {
      const child = spawn(file, args, { ...ids, cwd: '/', env, stdio: ['ignore', 'pipe', 'pipe'] });
      child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
      child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
      child.once('error', reject);
      child.once('close', (code) => resolve({ code, output }));
    });
  } catch (error) {
    return { code: null, output: messageOf(error) };
  }
}
