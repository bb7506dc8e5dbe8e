import { expect, test } from 'vitest';
import { AppError } from '#base/errors.ts';
import {
  addGrains,
  addLocal,
  periodAt,
  periodBefore,
  periodsOf,
  periodYearBefore,
} from '#metrics/periods.ts';
import { timeZone } from '#metrics/time-zone.ts';
import type { Grain } from '#warehouse/dialect.ts';

const hourMs = 3_600_000;

/** Each period as its start and its hours. */
function periods(zone: string, grain: Grain, from: string, to: string): string[] {
  const range = { fromMs: Date.parse(from), toMs: Date.parse(to) };
  return periodsOf(timeZone(zone), grain, range, 1_000).map(
    ({ startMs, endMs }) => `${new Date(startMs).toISOString().slice(0, 16)} ${(endMs - startMs) / hourMs}`,
  );
}

test.each<[string, string, Grain, string, string, string[]]>([
  [
    'a day of 23 hours',
    'Europe/Berlin',
    'DAY',
    '2025-03-29T12:00Z',
    '2025-03-31T00:00Z',
    ['2025-03-28T23:00 24', '2025-03-29T23:00 23', '2025-03-30T22:00 24'],
  ],
  [
    'a day of 25 hours',
    'America/New_York',
    'DAY',
    '2025-11-02T12:00Z',
    '2025-11-03T12:00Z',
    ['2025-11-02T04:00 25', '2025-11-03T05:00 24'],
  ],
  [
    'both of an hour that comes twice',
    'Europe/Berlin',
    'HOUR',
    '2025-10-26T00:00Z',
    '2025-10-26T02:00Z',
    ['2025-10-26T00:00 1', '2025-10-26T01:00 1'],
  ],
  [
    'no hour that is skipped',
    'Europe/Berlin',
    'HOUR',
    '2025-03-30T00:00Z',
    '2025-03-30T02:00Z',
    ['2025-03-30T00:00 1', '2025-03-30T01:00 1'],
  ],
  [
    'half an hour where the clock goes back by one',
    'Australia/Lord_Howe',
    'HOUR',
    '2025-04-05T14:00Z',
    '2025-04-05T16:00Z',
    ['2025-04-05T14:00 1', '2025-04-05T15:00 0.5', '2025-04-05T15:30 1'],
  ],
  [
    'a day of 23.5 hours',
    'Australia/Lord_Howe',
    'DAY',
    '2025-10-04T20:00Z',
    '2025-10-05T14:00Z',
    ['2025-10-04T13:30 23.5', '2025-10-05T13:00 24'],
  ],
  [
    'hours that begin at half past',
    'Asia/Kolkata',
    'HOUR',
    '2025-01-01T00:00Z',
    '2025-01-01T01:00Z',
    ['2024-12-31T23:30 1', '2025-01-01T00:30 1'],
  ],
  [
    'no day that a zone has skipped',
    'Pacific/Apia',
    'DAY',
    '2011-12-29T12:00Z',
    '2011-12-31T12:00Z',
    ['2011-12-29T10:00 24', '2011-12-30T10:00 24', '2011-12-31T10:00 24'],
  ],
  [
    'an hour that is the same after a change by one at a minute past',
    'America/St_Johns',
    'HOUR',
    '2010-11-07T02:30Z',
    '2010-11-07T03:40Z',
    ['2010-11-07T02:30 1', '2010-11-07T03:30 1'],
  ],
  [
    'a day that begins at one where midnight is skipped',
    'America/Asuncion',
    'DAY',
    '2023-10-01T12:00Z',
    '2023-10-01T13:00Z',
    ['2023-10-01T04:00 23'],
  ],
  [
    'weeks from Monday, across years',
    'UTC',
    'WEEK',
    '2024-12-31T00:00Z',
    '2025-01-07T00:00Z',
    ['2024-12-30T00:00 168', '2025-01-06T00:00 168'],
  ],
  [
    'February of a leap year',
    'UTC',
    'MONTH',
    '2024-02-10T00:00Z',
    '2024-03-01T00:00Z',
    ['2024-02-01T00:00 696'],
  ],
  [
    'quarters',
    'UTC',
    'QUARTER',
    '2024-03-31T00:00Z',
    '2024-04-02T00:00Z',
    ['2024-01-01T00:00 2184', '2024-04-01T00:00 2184'],
  ],
  ['a leap year', 'UTC', 'YEAR', '2024-06-01T00:00Z', '2024-06-02T00:00Z', ['2024-01-01T00:00 8784']],
  [
    'years from before there were time zones',
    'Europe/Berlin',
    'DAY',
    '1850-01-01T12:00Z',
    '1850-01-01T13:00Z',
    ['1849-12-31T23:06 24'],
  ],
])('the calendar gives %s', (_what, zone, grain, from, to, expected) => {
  expect(periods(zone, grain, from, to)).toEqual(expected);
});

test('periods follow each other without a gap, in every zone and grain', () => {
  for (const zone of [
    'Europe/Berlin',
    'Australia/Lord_Howe',
    'Pacific/Apia',
    'America/St_Johns',
    'Africa/Casablanca',
  ]) {
    for (const grain of ['HOUR', 'DAY', 'WEEK', 'MONTH'] as const) {
      const range = { fromMs: Date.UTC(2010, 9, 1), toMs: Date.UTC(2012, 0, 10) };
      const all = periodsOf(timeZone(zone), grain, range, 100_000);
      for (const [at, period] of all.entries()) {
        if (at > 0) expect(period.startMs).toBe(all[at - 1]!.endMs);
        expect(period.endMs).toBeGreaterThan(period.startMs);
      }
      expect(new Set(all.map(({ key }) => key)).size).toBe(all.length);
    }
  }
});

test('the same period of the year before is the same date, 52 weeks earlier, or February 28', () => {
  const before = (grain: Grain, at: string, zone = 'UTC') => {
    const period = periodAt(timeZone(zone), grain, Date.parse(at));
    return new Date(periodYearBefore(timeZone(zone), grain, period).startMs).toISOString().slice(0, 16);
  };
  expect(before('DAY', '2025-03-05T10:00Z')).toBe('2024-03-05T00:00');
  expect(before('DAY', '2024-02-29T10:00Z')).toBe('2023-02-28T00:00');
  expect(before('WEEK', '2025-03-05T10:00Z')).toBe('2024-03-04T00:00');
  expect(before('QUARTER', '2024-05-05T10:00Z')).toBe('2023-04-01T00:00');
  // In summer time on the one date, not yet on the other.
  expect(before('HOUR', '2025-03-30T10:00Z', 'Europe/Berlin')).toBe('2024-03-30T11:00');
});

test('the period before is the one that ends where this begins', () => {
  const zone = timeZone('Pacific/Apia');
  const after = periodAt(zone, 'DAY', Date.parse('2011-12-30T12:00Z'));
  expect(periodBefore(zone, 'DAY', after).endMs).toBe(after.startMs);
});

test('grains are added by the calendar, hours as they pass', () => {
  const zone = timeZone('Europe/Berlin');
  const noon = Date.parse('2025-03-29T11:00Z');
  expect(addGrains(zone, noon, 1, 'DAY') - noon).toBe(23 * hourMs);
  expect(addGrains(zone, noon, 24, 'HOUR') - noon).toBe(24 * hourMs);
  expect(new Date(addLocal(Date.UTC(2024, 0, 31), 1, 'MONTH')).toISOString()).toBe(
    '2024-02-29T00:00:00.000Z',
  );
  expect(new Date(addLocal(Date.UTC(2024, 1, 29), -1, 'YEAR')).toISOString()).toBe(
    '2023-02-28T00:00:00.000Z',
  );
});

test('what is no time zone is told with what one looks like', () => {
  expect(() => timeZone('Berlin')).toThrow(AppError);
  expect(() => timeZone('Berlin')).toThrow('"Berlin" is no time zone.');
});
