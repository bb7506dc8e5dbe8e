import type { Command, Flag } from './command.ts';

/** What `sluice --help` prints. */
export function overallHelp(commands: readonly Command[]): string {
  const rows = commands.map(
    (command) => [[command.name, ...command.arguments].join(' '), command.summary] as const,
  );
  return [
    'Sluice: one GraphQL gateway over your warehouse, which also moves the data.',
    '',
    'Usage: sluice COMMAND',
    '',
    ...columns(rows),
    '',
    'sluice COMMAND --help says more about one. Settings come from the environment: see docs/configuration.md.',
    '',
  ].join('\n');
}

/** What `sluice COMMAND --help` prints. */
export function commandHelp(command: Command): string {
  const flags = Object.entries(command.flags).map(
    ([name, flag]) => [flagText(name, flag), flag.summary] as const,
  );
  return [
    `Usage: sluice ${[command.name, ...command.arguments, ...(flags.length > 0 ? ['[FLAGS]'] : [])].join(' ')}`,
    '',
    ...command.details,
    '',
    ...columns([...flags, ['-h, --help', 'Show this help.']]),
    '',
  ].join('\n');
}

function flagText(name: string, flag: Flag): string {
  const short = flag.short === undefined ? '' : `-${flag.short}, `;
  return `${short}--${name}${flag.value === undefined ? '' : ` ${flag.value}`}`;
}

function columns(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`);
}
