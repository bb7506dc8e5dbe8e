import { expect, test } from 'vitest';
import { checkSchedule, nextRunAfter } from '#base/schedule.ts';

function runs(cron: string, timeZone: string, from: string, count: number): string[] {
  const all: string[] = [];
  let moment = new Date(from);
  for (let at = 0; at < count; at += 1) {
    moment = nextRunAfter({ cron, timeZone }, moment);
    all.push(moment.toISOString().slice(0, 16));
  }
  return all;
}

test('a time of the night that summer time leaves out is moved behind the gap, once', () => {
  expect(runs('30 2 * * *', 'Europe/Berlin', '2026-03-28T12:00:00Z', 3)).toEqual([
    '2026-03-29T01:30',
    '2026-03-30T00:30',
    '2026-03-31T00:30',
  ]);
});

test('a time of the night that comes twice when summer time ends runs once', () => {
  expect(runs('30 2 * * *', 'Europe/Berlin', '2026-10-24T12:00:00Z', 3)).toEqual([
    '2026-10-25T00:30',
    '2026-10-26T01:30',
    '2026-10-27T01:30',
  ]);
  expect(runs('30 1 * * *', 'America/New_York', '2026-10-31T12:00:00Z', 2)).toEqual([
    '2026-11-01T05:30',
    '2026-11-02T06:30',
  ]);
});

test('an hourly schedule runs every hour through both changes of time', () => {
  expect(runs('0 * * * *', 'Europe/Berlin', '2026-10-24T23:30:00Z', 4)).toEqual([
    '2026-10-25T00:00',
    '2026-10-25T01:00',
    '2026-10-25T02:00',
    '2026-10-25T03:00',
  ]);
  expect(runs('0 * * * *', 'Europe/Berlin', '2026-03-28T23:30:00Z', 3)).toEqual([
    '2026-03-29T00:00',
    '2026-03-29T01:00',
    '2026-03-29T02:00',
  ]);
});

test('the same cron expression is another moment in another time zone', () => {
  expect(runs('0 9 * * 1-5', 'Asia/Tokyo', '2026-11-20T12:00:00Z', 2)).toEqual([
    '2026-11-23T00:00',
    '2026-11-24T00:00',
  ]);
  expect(runs('0 9 * * 1-5', 'UTC', '2026-11-20T12:00:00Z', 1)).toEqual(['2026-11-23T09:00']);
});

test('the next run is after the moment, never at it', () => {
  expect(runs('0 9 * * *', 'UTC', '2026-11-20T09:00:00.000Z', 1)).toEqual(['2026-11-21T09:00']);
});

test('a schedule without a time zone is in UTC, and white space does not matter', () => {
  expect(checkSchedule({ cron: '  0  9 * * * ' })).toEqual({
    schedule: { cron: '0 9 * * *', timeZone: 'UTC' },
    problems: [],
  });
  expect(checkSchedule({ cron: '@daily', timeZone: 'Europe/Berlin' }).problems).toEqual([]);
});

test.each([
  ['', 'it has 0 fields, five are needed'],
  ['* *', 'it has 2 fields, five are needed'],
  ['* * * * * *', 'it has 6 fields, five are needed'],
  ['61 * * * *', 'Constraint error, got value 61 expected range 0-59'],
  ['a * * * *', 'Invalid characters, got value: a'],
  ['H * * * *', '"H" is not a time'],
  ['0 0 31 2 *', 'Invalid explicit day of month definition'],
  ['@reboot', 'of the shorthands only @hourly'],
])('the cron expression "%s" is refused with its reason', (cron, reason) => {
  expect(checkSchedule({ cron }).problems).toMatchObject([
    { code: 'INVALID', path: ['schedule', 'cron'], message: expect.stringContaining(reason) },
  ]);
});

test.each(['Mars/Olympus', '+01:00', 'Europe/Berlim'])('the time zone "%s" is refused', (timeZone) => {
  expect(checkSchedule({ cron: '0 9 * * *', timeZone }).problems).toMatchObject([
    { code: 'INVALID', path: ['schedule', 'timeZone'], message: `"${timeZone}" is not a known time zone.` },
  ]);
});
