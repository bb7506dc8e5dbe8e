import { expect, test } from 'vitest';
import type { SignalMeasure, SignalOperator } from '#generated/prisma/enums.ts';
import { judge, periodWords } from '#metrics/judge-signal.ts';

function found(
  value: number | null,
  previousValue: number | null,
  [operator, threshold, measure = 'VALUE']: [SignalOperator, number, SignalMeasure?],
) {
  const measured = { metric: 'm', period: 'the day', value, previousValue };
  const { state, message } = judge(measured, { operator, threshold, measure });
  return `${state}: ${message}`;
}

test.each<[SignalOperator, number[]]>([
  ['GT', [3]],
  ['GTE', [2, 3]],
  ['LT', [1]],
  ['LTE', [1, 2]],
  ['EQ', [2]],
  ['NEQ', [1, 3]],
])('%s of 2 holds for %j of 1, 2 and 3', (operator, triggering) => {
  const triggered = [1, 2, 3].filter((value) => found(value, null, [operator, 2]).startsWith('TRIGGERED'));
  expect(triggered).toEqual(triggering);
});

test('what was found is said in words', () => {
  expect(found(12, 20, ['LT', 20])).toBe('TRIGGERED: m was 12 in the day, below 20.');
  expect(found(20, 12, ['LT', 20])).toBe('OK: m was 20 in the day, not below 20.');
  expect(found(12, 20, ['LTE', -8, 'CHANGE'])).toBe(
    'TRIGGERED: m changed by -8, from 20 to 12, in the day: at most -8.',
  );
  expect(found(30, 20, ['GT', 50, 'CHANGE_PERCENT'])).toBe(
    'OK: m changed by 50 %, from 20 to 30, in the day: not above 50 %.',
  );
  expect(found(0.1 + 0.2, null, ['GTE', 0.3])).toBe('TRIGGERED: m was 0.3 in the day, at least 0.3.');
});

test('where there is no number to hold against the threshold, it says which one is missing', () => {
  expect(found(null, 5, ['LT', 20])).toBe('NO_DATA: m has no value in the day.');
  expect(found(12, null, ['LT', 20])).toMatch(/^TRIGGERED/);
  expect(found(12, null, ['LT', 20, 'CHANGE'])).toMatch(
    /^NO_DATA: m was 12 in the day and has no value in the period before/,
  );
  expect(found(12, 0, ['GT', 20, 'CHANGE_PERCENT'])).toMatch(
    /^NO_DATA: .* a change from 0 has no percentage/,
  );
  expect(found(12, 0, ['LT', 20, 'CHANGE'])).toMatch(/^TRIGGERED/);
});

test('a period is named as the clocks of its time zone show it', () => {
  const start = new Date('2026-10-31T23:00:00Z');
  const words = (grain: Parameters<typeof periodWords>[0], timeZone = 'Europe/Berlin') =>
    periodWords(grain, start, timeZone);
  expect(words('MINUTE')).toBe('the minute of 2026-11-01 00:00 (Europe/Berlin)');
  expect(words('HOUR')).toBe('the hour of 2026-11-01 00:00 (Europe/Berlin)');
  expect(words('DAY')).toBe('the day of 2026-11-01 (Europe/Berlin)');
  expect(words('WEEK', 'UTC')).toBe('the week of 2026-10-31');
  expect(words('MONTH')).toBe('the month of 2026-11 (Europe/Berlin)');
  expect(words('MONTH', 'UTC')).toBe('the month of 2026-10');
  expect(words('QUARTER')).toBe('quarter 4 of 2026 (Europe/Berlin)');
  expect(words('YEAR', 'UTC')).toBe('the year 2026');
});
