import { expect, test } from 'vitest';
import { parseQuestion } from '#metrics/parse-question.ts';
import type { Question } from '#metrics/question.ts';

const now = new Date('2025-03-05T10:20:30.400Z');
const open = { grain: null, from: null, to: null, compareTo: null, timeZone: null, limit: null };
const parse = (question: Partial<Question>) =>
  parseQuestion({ ...open, metrics: ['m'], by: [], filter: [], ...question }, now);
const iso = (ms: number) => new Date(ms).toISOString();

test('without a range the answer has 30 periods, of which the last holds now', () => {
  const { periods, fromMs, toMs } = parse({ grain: 'DAY' });
  expect(periods.length).toBe(30);
  expect([iso(fromMs), iso(toMs)]).toEqual(['2025-02-04T00:00:00.000Z', '2025-03-05T10:21:00.000Z']);
  expect(parse({ grain: 'MONTH', to: new Date('2025-03-01T00:00Z') }).periods.length).toBe(30);
});

test('without a grain it is one period, of 30 days when nothing is said', () => {
  const { periods, fromMs } = parse({ to: new Date('2025-03-31T00:00Z') });
  expect(periods).toEqual([
    { period: { key: 1, startMs: fromMs, endMs: Date.parse('2025-03-31T00:00Z') }, previous: null },
  ]);
  expect(iso(fromMs)).toBe('2025-03-01T00:00:00.000Z');
});

test('equal questions of one minute ask for the same range', () => {
  const later = parseQuestion(
    { ...open, metrics: ['m'], by: [], filter: [], grain: 'HOUR' },
    new Date(now.getTime() + 20_000),
  );
  expect(later.toMs).toBe(parse({ grain: 'HOUR' }).toMs);
});

test.each<[Partial<Question>, RegExp]>([
  [{ metrics: [] }, /No metric is asked for/],
  [{ from: now, to: now }, /The range is empty/],
  [{ from: new Date('2020-01-01'), to: now, grain: 'MINUTE' }, /more than 10000 periods of one MINUTE/],
  [{ from: new Date('1700-01-01'), grain: 'YEAR' }, /the years 1800 to 2399 can/],
  [{ timeZone: 'Mars/Base' }, /"Mars\/Base" is no time zone/],
  [{ metrics: ['a', 'b', 'a'] }, /The metric "a" is asked for twice/],
  [{ by: ['a', 'a'] }, /names "a" twice/],
  [{ by: ['a'], limit: 0 }, /The limit is 0; 1 to 1000/],
  [{ limit: 3 }, /"by" asks for none/],
  [{ by: ['a', 'b', 'c', 'd', 'e', 'f'] }, /names 6 dimensions; at most 5/],
  [{ by: ['a'], limit: 999, grain: 'DAY' }, /30 periods of 1000 groups are more than 10000 points/],
])('a question of %j is refused', (question, message) => {
  expect(() => parse(question)).toThrow(message);
});
