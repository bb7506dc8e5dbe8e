import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { delimiter, dirname, join } from 'node:path';
import { eventually } from './gateway.ts';

const main = join(import.meta.dirname, '..', '..', 'src', 'cli', 'main.ts');

/** A running `sluice`. */
export interface Cli {
  child: ChildProcess;
  stdout(): string;
  stderr(): string;
  ended: Promise<{ code: number | null; stdout: string; stderr: string }>;
}

/** Starts `sluice` as its shebang does, with nothing of the environment but what is given, and the input as standard input. */
export function startCli(args: string[], env: Record<string, string> = {}, input?: string): Cli {
  const PATH = `${dirname(process.execPath)}${delimiter}${process.env['PATH']}`;
  const child = spawn(main, args, { env: { PATH, ...env }, stdio: ['pipe', 'pipe', 'pipe'] });
  child.stdin.end(input);
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk) => (stdout += String(chunk)));
  child.stderr.on('data', (chunk) => (stderr += String(chunk)));
  const ended = once(child, 'close').then(() => ({ code: child.exitCode, stdout, stderr }));
  return { child, stdout: () => stdout, stderr: () => stderr, ended };
}

/** Waits for that text on standard output; fails with what there was when the process ends without it. */
export async function untilShown(cli: Cli, text: string): Promise<void> {
  await eventually(`"${text}" to be shown`, async () => {
    if (cli.stdout().includes(text)) return true;
    if (cli.child.exitCode === null) return undefined;
    throw new Error(`It ended with ${cli.child.exitCode}:\n${cli.stdout()}\n${cli.stderr()}`);
  });
}

/** Runs `sluice` to its end. */
export const cli = (args: string[], env: Record<string, string> = {}) => startCli(args, env).ended;
