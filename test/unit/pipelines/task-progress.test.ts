import { expect, test } from 'vitest';
import { taskProgress } from '#pipelines/task-progress.ts';

const running = { status: 'RUNNING' } as const;
const stream = (
  status: 'QUEUED' | 'RUNNING' | 'SUCCEEDED' | 'FAILED',
  rowsRead: bigint,
  estimatedRows: bigint | null,
) => ({
  status,
  rowsRead,
  estimatedRows,
});

test('progress is the rows read of those expected, over all streams', () => {
  expect(taskProgress(running, [stream('RUNNING', 50n, 100n), stream('QUEUED', 0n, 100n)])).toBe(0.25);
});

test('an estimate that was too low or too high never leads beyond 1 or keeps an ended stream open', () => {
  expect(taskProgress(running, [stream('RUNNING', 150n, 100n)])).toBe(1);
  expect(taskProgress(running, [stream('SUCCEEDED', 10n, 100n), stream('RUNNING', 0n, 10n)])).toBe(0.5);
});

test('progress is null while a size is not known, and 1 when the task succeeded', () => {
  expect(taskProgress(running, [stream('SUCCEEDED', 10n, 10n), stream('QUEUED', 0n, null)])).toBeNull();
  expect(taskProgress(running, [])).toBeNull();
  expect(taskProgress({ status: 'SUCCEEDED' }, [stream('SUCCEEDED', 0n, null)])).toBe(1);
});
