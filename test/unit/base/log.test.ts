import { expect, test } from 'vitest';
import { createLog } from '#base/log.ts';

function collect(threshold: 'info' | 'warn' | 'silent') {
  const lines: string[] = [];
  return { lines, log: createLog(threshold, (line) => lines.push(line)) };
}

test('what lies below the threshold is not written', () => {
  const { lines, log } = collect('warn');
  log.debug('a');
  log.info('b');
  log.warn('c');
  log.error('d');
  expect(lines.map((line) => JSON.parse(line).message)).toEqual(['c', 'd']);
});

test('silent writes nothing at all', () => {
  const { lines, log } = collect('silent');
  log.error('d');
  expect(lines).toEqual([]);
});

test('an event is one line of JSON, whatever its fields hold', () => {
  const { lines, log } = collect('info');
  log
    .with({ requestId: 'r1' })
    .info('two\nlines', { rows: 2n ** 60n, error: new Error('x', { cause: 'y' }) });
  expect(lines).toHaveLength(1);
  expect(lines[0]?.trimEnd()).not.toContain('\n');
  expect(JSON.parse(lines[0] as string)).toMatchObject({
    level: 'info',
    message: 'two\nlines',
    requestId: 'r1',
    rows: '1152921504606846976',
    error: { name: 'Error', message: 'x', cause: 'y' },
  });
});
