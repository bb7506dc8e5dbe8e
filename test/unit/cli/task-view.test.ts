import { expect, test } from 'vitest';
import { barLines, exitCodeOf, isEnded, plainLine, type StreamView, type TaskView } from '#cli/task-view.ts';

const stream = (fields: Partial<StreamView>): StreamView => ({
  name: 'public.orders',
  status: 'RUNNING',
  rowsRead: 0,
  estimatedRows: null,
  ...fields,
});

const running: TaskView = {
  status: 'RUNNING',
  rowsRead: 124_000,
  rowsWritten: 0,
  bytesRead: 12_345_678,
  runtimeMs: 3_100,
  error: null,
  streams: [
    stream({ name: 'users', status: 'SUCCEEDED', rowsRead: 1, estimatedRows: 2 }),
    stream({ rowsRead: 120_000, estimatedRows: 200_000 }),
    stream({ name: 'files', rowsRead: 3_999 }),
    stream({ name: 'events', status: 'QUEUED', estimatedRows: 5 }),
    stream({ name: 'bad', status: 'FAILED', rowsRead: 7 }),
  ],
};

test('each stream has a bar as long as its share, and the task a line with its rate', () => {
  expect(barLines(running, 100)).toEqual([
    '  users          ████████████████████████ 100%  1 row',
    '  public.orders  ██████████████░░░░░░░░░░  60%  120,000 of about 200,000 rows',
    '  files          ░░░░░░░░░░░░░░░░░░░░░░░░       3,999 rows',
    '  events         ░░░░░░░░░░░░░░░░░░░░░░░░   0%  waiting',
    '  bad            ░░░░░░░░░░░░░░░░░░░░░░░░       failed after 7 rows',
    '  running · 124,000 rows in 3.1 s, 40,000 rows/s · 12.3 MB',
  ]);
});

test('no line is wider than the terminal, which would break the drawing in place', () => {
  for (const columns of [10, 40, 79]) {
    for (const line of barLines(running, columns)) expect(line.length).toBeLessThanOrEqual(columns);
  }
});

test('more streams than the terminal has lines are counted, and those that move are shown', () => {
  const streams = Array.from({ length: 50 }, (_, index) =>
    stream({ name: `t${index}`, status: index < 20 ? 'SUCCEEDED' : index < 22 ? 'RUNNING' : 'QUEUED' }),
  );
  const lines = barLines({ ...running, streams }, 100, 6);
  expect(lines.map((line) => line.trim().split(' ')[0])).toEqual([
    't20',
    't21',
    't22',
    't23',
    'and',
    'running',
  ]);
  expect(lines[4]).toBe('  and 46 more streams');
});

test('an estimate that was too low does not show a running stream as done', () => {
  const task = { ...running, streams: [stream({ rowsRead: 300, estimatedRows: 200 })] };
  expect(barLines(task, 100)[0]).toContain(' 99%  300 of about 200 rows');
});

test('a log file gets one line with the whole and each stream that has begun', () => {
  expect(plainLine(running)).toBe(
    'running · 124,000 rows in 3.1 s, 40,000 rows/s · 12.3 MB · users 100% succeeded · public.orders 60% · ' +
      'files 3,999 rows · bad 7 rows failed',
  );
  expect(plainLine({ ...running, status: 'QUEUED', rowsRead: 0, streams: [] })).toBe('queued');
});

test('the exit code says how the task ended', () => {
  expect(['SUCCEEDED', 'FAILED', 'CANCELED'].map(exitCodeOf)).toEqual([0, 1, 130]);
  expect(['QUEUED', 'RUNNING', 'CANCELING', 'SUCCEEDED', 'FAILED', 'CANCELED'].map(isEnded)).toEqual([
    false,
    false,
    false,
    true,
    true,
    true,
  ]);
});
