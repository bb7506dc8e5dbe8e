import { stripVTControlCharacters } from 'node:util';
import { expect, test } from 'vitest';
import { printTask } from '#cli/task-printer.ts';
import type { TaskView } from '#cli/task-view.ts';

const task = (status: string, rowsRead: number): TaskView => ({
  status,
  rowsRead,
  rowsWritten: 0,
  bytesRead: 0,
  runtimeMs: 100,
  error: null,
  streams: [{ name: 'orders', status, rowsRead, estimatedRows: 100 }],
});

function screen(isTTY: boolean) {
  const writes: string[] = [];
  let now = 0;
  const printer = printTask({ isTTY, columns: 80, write: (text) => writes.push(text) }, () => now);
  return { printer, writes, pass: (ms: number) => void (now += ms) };
}

test('on a terminal the bars are drawn anew in place, at most ten times a second, the last state always', () => {
  const { printer, writes, pass } = screen(true);
  for (let rows = 1; rows <= 50; rows += 1) {
    printer.show(task('RUNNING', rows));
    pass(10);
  }
  printer.show(task('SUCCEEDED', 100));
  expect(writes).toHaveLength(6);
  expect(writes[0]).not.toContain('\u001b[2A');
  expect(writes[1]!.startsWith('\u001b[2A\u001b[0J')).toBe(true);
  expect(stripVTControlCharacters(writes.at(-1)!)).toBe(
    `  orders  ${'█'.repeat(24)} 100%  100 rows\n  succeeded · 100 rows in 0.1 s\n`,
  );
});

test('on a terminal a log line stays above the bars', () => {
  const { printer, writes } = screen(true);
  printer.show(task('RUNNING', 1));
  printer.line('a line');
  expect(writes).toHaveLength(2);
  expect(writes[1]!.startsWith('\u001b[2A\u001b[0Ja line\n  orders')).toBe(true);
});

test('in a file there is a line at the start, every three seconds and at the end, and no control character', () => {
  const { printer, writes, pass } = screen(false);
  for (let second = 0; second < 10; second += 1) {
    printer.show(task('RUNNING', second));
    pass(1000);
  }
  printer.line('a line');
  printer.show(task('SUCCEEDED', 100));
  printer.end();
  expect(writes.map((text) => text.split(' ')[0])).toEqual([
    'running',
    'running',
    'running',
    'running',
    'a',
    'succeeded',
  ]);
  expect(writes.join('')).not.toMatch(/[^\P{Cc}\n]/u);
});
