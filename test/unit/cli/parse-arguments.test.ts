import { describe, expect, test } from 'vitest';
import { UsageError } from '#cli/command.ts';
import { commands } from '#cli/commands.ts';
import { commandHelp, overallHelp } from '#cli/help.ts';
import { parseArguments } from '#cli/parse-arguments.ts';

const parse = (...argv: string[]) => parseArguments(commands, argv);

function refusal(...argv: string[]): string {
  try {
    parse(...argv);
  } catch (error) {
    if (error instanceof UsageError) return `${error.message} ${error.fix}`;
    throw error;
  }
  return 'understood';
}

test('a command is read with its arguments and flags, in any order', () => {
  for (const argv of [
    ['sync', 'orders', '--logs', '--level', 'warn', '-d'],
    ['sync', '-d', '--level=warn', '-l', 'orders'],
  ]) {
    expect(parse(...argv)).toMatchObject({
      kind: 'run',
      command: { name: 'sync' },
      typed: { arguments: ['orders'], flags: { logs: true, level: 'warn', detach: true } },
    });
  }
});

test('what follows -- is an argument, even if it looks like a flag', () => {
  expect(parse('sync', '--', '--odd name')).toMatchObject({ typed: { arguments: ['--odd name'] } });
});

test('--help anywhere asks for help, and --version for the version', () => {
  expect(parse()).toEqual({ kind: 'help', command: null });
  expect(parse('--help')).toEqual({ kind: 'help', command: null });
  expect(parse('-v')).toEqual({ kind: 'version' });
  for (const argv of [
    ['watch', '--help'],
    ['watch', 'id', '-h'],
    ['help', 'watch'],
  ]) {
    expect(parse(...argv)).toMatchObject({ kind: 'help', command: { name: 'watch' } });
  }
});

describe('what cannot be understood is refused with what was probably meant', () => {
  test.each([
    [['sevre'], 'There is no command "sevre". Did you mean "serve"?'],
    [
      ['x'],
      'There is no command "x". The commands are serve, worker, migrate, demo, sync, watch, query, endpoints.',
    ],
    [['constructor'], /^There is no command "constructor"/],
    [['--logs'], 'The command comes first, and --logs is a flag. Run: sluice --help'],
    [['sync'], '"sluice sync" needs JOB. Run: sluice sync --help'],
    [['sync', 'a', 'b'], '"sluice sync" has no use for "b". Run: sluice sync --help'],
    [['sync', 'a', '--detatch'], '"sluice sync" has no flag --detatch. Did you mean "--detach"?'],
    [['sync', 'a', '-x'], '"sluice sync" has no flag -x. Run: sluice sync --help'],
    [['sync', 'a', '--detach=no'], '--detach takes no value, and got "no". Run: sluice sync --help'],
    [['sync', 'a', '--level'], '--level needs a value: LEVEL. Run: sluice sync --help'],
    [['serve', '--toString'], /^"sluice serve" has no flag --toString/],
  ] as const)('%j', (argv, expected) => {
    expect(refusal(...argv)).toMatch(expected);
  });
});

test('every command stands in the overall help and has its own, none wider than 120 characters', () => {
  const overall = overallHelp(commands);
  for (const command of commands) {
    expect(overall).toContain(`  ${command.name}`);
    const help = commandHelp(command);
    for (const flag of Object.keys(command.flags)) expect(help).toContain(`--${flag}`);
    for (const line of help.split('\n')) expect(line.length).toBeLessThanOrEqual(120);
  }
  expect(commandHelp(commands.find(({ name }) => name === 'sync')!)).toContain(
    'Usage: sluice sync JOB [FLAGS]\n',
  );
});
