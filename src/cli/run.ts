import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError, InputError } from '#base/errors.ts';
import { type Command, UsageError } from './command.ts';
import { commandHelp, overallHelp } from './help.ts';
import { parseArguments } from './parse-arguments.ts';

/**
 * Runs what the command line asks for and gives the exit code: 2 when it cannot be understood, 1 for what failed. An
 * expected failure prints what happened and what to do; anything else its stack, too.
 */
export async function run(commands: readonly Command[], argv: readonly string[]): Promise<number> {
  try {
    const asked = parseArguments(commands, argv);
    if (asked.kind === 'run') return await asked.command.run(asked.typed);
    process.stdout.write(
      asked.kind === 'version' ? `${await version()}\n` : helpText(commands, asked.command),
    );
    return 0;
  } catch (error) {
    process.stderr.write(`${explain(error)}\n`);
    return error instanceof UsageError ? 2 : 1;
  }
}

function helpText(commands: readonly Command[], command: Command | null): string {
  return command === null ? overallHelp(commands) : commandHelp(command);
}

async function version(): Promise<string> {
  const file = join(import.meta.dirname, '..', '..', 'package.json');
  return (JSON.parse(await readFile(file, 'utf8')) as { version: string }).version;
}

/** Every problem with its fix for what a user can put right; the stack for what only a programmer can. */
function explain(error: unknown): string {
  if (error instanceof InputError)
    return error.problems.flatMap(({ message, fix }) => [message, ...listed(fix)]).join('\n');
  if (error instanceof AppError || error instanceof UsageError)
    return [error.message, ...listed(error.fix)].join('\n');
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return `Something unexpected happened. Please report it with what follows.\n${text}`;
}

function listed(fix: string | undefined): string[] {
  return fix === undefined ? [] : [fix];
}
