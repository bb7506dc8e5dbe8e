import { expect, test } from 'vitest';
import { rateStateOf } from '#endpoints/rate-state.ts';
import { RateWindow } from '#endpoints/rate-window.ts';

const minute = 60_000;

function openWindow(startAt: number) {
  let now = startAt;
  const window = new RateWindow(minute, () => now);
  window.bringUpToDate();
  const costs: number[] = [];
  return {
    window,
    costs,
    begin: (expectedMs: number) => window.begin(expectedMs, (ms) => costs.push(ms)),
    wait: (ms: number) => {
      now += ms;
    },
    pass: (ms: number) => {
      now += ms;
      window.bringUpToDate();
    },
  };
}

test('the work of a statement is counted while it goes on, in the window in which it is done', () => {
  const { window, begin, pass, costs } = openWindow(10 * minute + 50_000);
  const call = begin(0);
  pass(1_000);
  // It waited for its turn.
  expect(window.used.costMs).toBe(0);
  const ended = call.working();
  pass(4_000);
  expect(window.used).toEqual({ requests: 1, costMs: 4_000, heldMs: 0 });
  pass(20_000);
  expect(window.used).toEqual({ requests: 0, costMs: 15_000, heldMs: 0 });
  ended();
  pass(1_000);
  call.ended(true);
  expect(window.used.costMs).toBe(15_000);
  expect(costs).toEqual([24_000]);
});

test('a call holds what such calls cost until it has cost more, and lets go when it is over', () => {
  const { window, begin, pass } = openWindow(0);
  const [one, other] = [begin(3_000), begin(3_000)];
  expect(window.used).toMatchObject({ costMs: 0, heldMs: 6_000 });
  const ended = one.working();
  pass(1_000);
  expect(window.used).toMatchObject({ costMs: 1_000, heldMs: 5_000 });
  pass(4_000);
  expect(window.used).toMatchObject({ costMs: 5_000, heldMs: 3_000 });
  other.ended(true);
  ended();
  one.ended(true);
  expect(window.used).toMatchObject({ costMs: 5_000, heldMs: 0 });
});

test('a statement is paid that goes on when its call is over, or begins then to renew what was kept', () => {
  const { window, begin, pass, costs } = openWindow(0);
  const left = begin(500);
  const stopped = left.working();
  left.ended(false);
  pass(2_000);
  stopped();
  const stale = begin(500);
  stale.ended(true);
  const renewed = stale.working();
  pass(3_000);
  renewed();
  pass(1_000);
  expect(window.used).toEqual({ requests: 2, costMs: 5_000, heldMs: 0 });
  expect(costs).toEqual([2_000, 0, 3_000]);
  // What failed before it was run says nothing of what such calls cost.
  begin(500).ended(false);
  expect(costs).toHaveLength(3);
});

test('a window is over when it has ended and nothing runs in it', () => {
  const { window, begin, wait } = openWindow(0);
  const call = begin(0);
  wait(minute - 1);
  expect(window.isOver).toBe(false);
  wait(1);
  expect(window.isOver).toBe(false);
  call.ended(true);
  expect(window.isOver).toBe(true);
});

test('a caller is told what is left, never less than nothing, and when the window ends', () => {
  const limit = { requests: 10, costMs: 2_000, perMs: minute, by: 'key' } as const;
  expect(rateStateOf(limit, { requests: 3, costMs: 500.5 }, 1)).toEqual({
    requests: { limit: 10, remaining: 7 },
    cost: { limit: 2_000, remaining: 1_499 },
    windowSeconds: 60,
    resetSeconds: 1,
  });
  const over = rateStateOf({ ...limit, requests: null }, { requests: 3, costMs: 9_000 }, 30_001);
  expect(over).toMatchObject({ requests: null, cost: { remaining: 0 }, resetSeconds: 31 });
});
