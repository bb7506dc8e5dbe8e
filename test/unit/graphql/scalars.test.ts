import { parseValue } from 'graphql';
import { expect, test } from 'vitest';
import {
  jsonOfLiteral,
  parseBigInt,
  parseDate,
  parseDateTime,
  serializeBigInt,
  serializeDateTime,
} from '#graphql/scalars.ts';
import { jsonOfValue } from '#base/json-value.ts';

test('a DateTime with any offset is the same moment in UTC', () => {
  expect(parseDateTime('2026-11-21T10:30:00.123+01:00').toISOString()).toBe('2026-11-21T09:30:00.123Z');
  expect(parseDateTime('2026-11-21T09:30:00Z').toISOString()).toBe('2026-11-21T09:30:00.000Z');
});

test.each([
  '2026-11-21',
  '2026-11-21T09:30:00',
  '2026-02-30T00:00:00Z',
  '2026-11-21T25:00:00Z',
  'now',
  1763717400,
  null,
  {},
])('DateTime refuses %j', (value) => {
  expect(() => parseDateTime(value)).toThrow(/is not a DateTime: it takes an RFC 3339 time/);
});

test('DateTime writes what engines give as it writes what it reads, and nothing that is no moment', () => {
  const days = [
    '0000-01-01',
    '2026-01-28',
    '2026-01-31',
    '2028-02-29',
    '2026-02-29',
    '2026-13-01',
    '2026-00-10',
    '9999-12-28',
  ];
  const clocks = [
    '00:00:00.000000',
    '23:59:59.999999',
    '12:30:45.123456',
    '24:00:00.000000',
    '12:60:00.000000',
    '12:30:61.000000',
  ];
  let written = 0;
  for (const day of days) {
    for (const text of clocks.map((clock) => `${day}T${clock}Z`)) {
      let read: string | null = null;
      try {
        read = parseDateTime(text).toISOString();
      } catch {
        expect(() => serializeDateTime(text)).toThrow(/is not a DateTime/);
      }
      if (read === null) continue;
      expect(serializeDateTime(text)).toBe(read);
      written += 1;
    }
  }
  expect(written).toBeGreaterThan(14);
});

test.each(['2026-02-29', '2026-13-01', '2026-1-1', '21.11.2026', 20261121, null])(
  'Date refuses %j',
  (value) => {
    expect(() => parseDate(value)).toThrow(/is not a Date/);
  },
);

test('Date takes a day that exists', () => {
  expect(parseDate('2028-02-29')).toBe('2028-02-29');
});

test('BigInt is a JSON number while that is exact, else its digits', () => {
  expect(serializeBigInt(9007199254740991n)).toBe(9007199254740991);
  expect(serializeBigInt(9007199254740992n)).toBe('9007199254740992');
  expect(serializeBigInt(-9223372036854775808n)).toBe('-9223372036854775808');
  expect(serializeBigInt(7)).toBe(7);
});

test('BigInt reads what it writes', () => {
  for (const whole of [0n, -1n, 9007199254740991n, 9223372036854775807n]) {
    expect(parseBigInt(serializeBigInt(whole))).toBe(whole);
  }
});

test.each(['1.5', '', ' 1', '0x10', '1e3', '01', 1.5, 9007199254740992, '9223372036854775808', true, null])(
  'BigInt refuses %j',
  (value) => {
    expect(() => parseBigInt(value)).toThrow(/is not a BigInt/);
  },
);

test('a JSON literal is the value it spells, with its variables', () => {
  const literal = parseValue('{ a: [1, 2.5, "x", true, null], __proto__: { b: $v } }');
  expect(JSON.stringify(jsonOfLiteral(literal, { v: { c: 1 } }))).toBe(
    '{"a":[1,2.5,"x",true,null],"__proto__":{"b":{"c":1}}}',
  );
  expect(() => jsonOfLiteral(parseValue('[FOO]'), {})).toThrow(/put words in quotes/);
});

test('a value of a warehouse stays exact in JSON', () => {
  const value = [
    1n,
    9007199254740993n,
    Number.NaN,
    -Infinity,
    new Date(0),
    new Uint8Array([1, 2]),
    { list: [2n] },
    null,
    '1.10',
  ];
  expect(jsonOfValue(value)).toEqual([
    1,
    '9007199254740993',
    'NaN',
    '-Infinity',
    '1970-01-01T00:00:00.000Z',
    'AQI=',
    { list: [2] },
    null,
    '1.10',
  ]);
});
