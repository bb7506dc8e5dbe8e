import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createLog } from '#base/log.ts';
import { sparing } from '#base/sparing.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function openLines() {
  const lines: Record<string, unknown>[] = [];
  const log = createLog('warn', (line) => lines.push(JSON.parse(line) as Record<string, unknown>));
  return { log, take: () => lines.splice(0).map(({ n, leftOut }) => [n, leftOut]) };
}

test('what fails a thousand times a second is a line a second, which says how many were left out', () => {
  const { log, take } = openLines();
  for (let n = 0; n < 3_000; n += 1) {
    sparing(log).warn('users', 'It failed.', { n });
    vi.advanceTimersByTime(1);
  }
  vi.advanceTimersByTime(10_000);
  expect(take()).toEqual([
    [0, undefined],
    [999, 998],
    [1_999, 999],
    [2_999, 999],
  ]);
  expect(vi.getTimerCount()).toBe(0);
  sparing(log).warn('users', 'It failed.', { n: 1 });
  expect(take()).toEqual([[1, undefined]]);
});

test('what fails rarely, or is of another kind, is always a line', () => {
  const { log, take } = openLines();
  for (const n of [0, 1, 2]) {
    sparing(log).warn('users', 'It failed.', { n });
    sparing(log).warn('orders', 'It failed.', { n: -n });
    vi.advanceTimersByTime(1_001);
  }
  expect(take().map(([n]) => n)).toEqual([0, -0, 1, -1, 2, -2].map((n) => n + 0));
});
