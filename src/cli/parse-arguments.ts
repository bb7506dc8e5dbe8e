import { parseArgs } from 'node:util';
import { nearest } from '#base/nearest.ts';
import { type Command, type Flag, type Typed, UsageError } from './command.ts';

/** What the command line asks for. */
export type Asked =
  | { kind: 'help'; command: Command | null }
  | { kind: 'version' }
  | { kind: 'run'; command: Command; typed: Typed };

const everywhere: Record<string, Flag> = {
  help: { type: 'boolean', short: 'h', summary: 'Show this help.' },
};

/** Reads the command line, without the node and script paths. Fails with UsageError naming what was probably meant. */
export function parseArguments(commands: readonly Command[], argv: readonly string[]): Asked {
  const [name, ...rest] = argv;
  if (name === undefined || name === '--help' || name === '-h') return { kind: 'help', command: null };
  if (name === '--version' || name === '-v') return { kind: 'version' };
  if (name === 'help') {
    const asked = rest[0] === undefined ? null : commandOf(commands, rest[0]);
    return { kind: 'help', command: asked };
  }
  if (name.startsWith('-')) {
    throw new UsageError(`The command comes first, and ${name} is a flag.`, 'Run: sluice --help');
  }
  const command = commandOf(commands, name);
  const typed = parseTyped(command, rest);
  return typed === null ? { kind: 'help', command } : { kind: 'run', command, typed };
}

function commandOf(commands: readonly Command[], name: string): Command {
  const command = commands.find((one) => one.name === name);
  if (command !== undefined) return command;
  const names = commands.map((one) => one.name);
  const meant = nearest(name, names);
  throw new UsageError(
    `There is no command "${name}".`,
    meant === undefined ? `The commands are ${names.join(', ')}.` : `Did you mean "${meant}"?`,
  );
}

/** Null when help is asked for. */
function parseTyped(command: Command, argv: readonly string[]): Typed | null {
  const known = { ...command.flags, ...everywhere };
  const { tokens } = parseArgs({ args: [...argv], options: known, strict: false, tokens: true });
  const typed: Typed = { arguments: [], flags: {} };
  for (const token of tokens) {
    if (token.kind === 'positional') typed.arguments.push(token.value);
    if (token.kind !== 'option') continue;
    const flag = Object.hasOwn(known, token.name) ? known[token.name] : undefined;
    if (flag === undefined) throw unknownFlag(command, token.rawName, known);
    if (token.name === 'help') return null;
    typed.flags[token.name] = valueOf(command, flag, token);
  }
  const { length } = typed.arguments;
  if (length < command.arguments.length) {
    throw new UsageError(`"sluice ${command.name}" needs ${command.arguments[length]}.`, runHelp(command));
  }
  if (length > command.arguments.length) {
    const extra = typed.arguments[command.arguments.length];
    throw new UsageError(`"sluice ${command.name}" has no use for "${extra}".`, runHelp(command));
  }
  return typed;
}

function valueOf(command: Command, flag: Flag, token: { rawName: string; value: string | undefined }) {
  if (flag.type === 'boolean') {
    if (token.value === undefined) return true;
    throw new UsageError(`${token.rawName} takes no value, and got "${token.value}".`, runHelp(command));
  }
  if (token.value !== undefined) return token.value;
  throw new UsageError(`${token.rawName} needs a value: ${flag.value}.`, runHelp(command));
}

function unknownFlag(command: Command, rawName: string, known: Record<string, Flag>): UsageError {
  const meant = nearest(rawName.replace(/^-+/, ''), Object.keys(known));
  const fix = meant === undefined ? runHelp(command) : `Did you mean "--${meant}"?`;
  return new UsageError(`"sluice ${command.name}" has no flag ${rawName}.`, fix);
}

function runHelp(command: Command): string {
  return `Run: sluice ${command.name} --help`;
}
