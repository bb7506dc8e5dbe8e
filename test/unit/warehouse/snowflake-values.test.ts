import { expect, test } from 'vitest';
import { bindingsOf, decoderOf } from '#warehouse/snowflake-values.ts';

const decode = (type: string, raw: string, scale: number | null = null) =>
  decoderOf({ name: 'v', type, precision: 38, scale })(raw);

test.each([
  ['fixed', '9223372036854775807', 0, 9_223_372_036_854_775_807n],
  ['fixed', '9223372036854775808', 0, '9223372036854775808'],
  ['fixed', '-99999999999999999999999999999999999999', 0, '-99999999999999999999999999999999999999'],
  ['fixed', '12345678901234567890.120', 3, '12345678901234567890.120'],
  ['real', '1.0E-7', null, 1e-7],
  ['real', 'NaN', null, 'NaN'],
  ['boolean', '1', null, true],
  ['boolean', 'false', null, false],
  ['date', '-1', null, '1969-12-31'],
  ['date', '-719529', null, '-000001-12-31'],
  ['time', '11045.000000000', null, '03:04:05'],
  ['time', '11045.000006789', null, '03:04:05.000006789'],
  ['timestamp_ntz', '1767323045.123456789', null, '2026-01-02T03:04:05.123456789Z'],
  ['timestamp_ltz', '1767323045', null, '2026-01-02T03:04:05.000000Z'],
  ['timestamp_ntz', '-0.001000000', null, '1969-12-31T23:59:59.999000Z'],
  ['timestamp_tz', '1767323045.500000000 1740', null, '2026-01-02T03:04:05.500000Z'],
  ['binary', '00FF', null, 'AP8='],
  ['variant', '{"a": 12345678901234567890}', null, '{"a": 12345678901234567890}'],
  ['array', '[1, 12345678901234567890, 1.5, null, "x"]', null, [1, '12345678901234567890', 1.5, null, 'x']],
  ['array', '[undefined]', null, '[undefined]'],
] as const)('%s %s with scale %s is read exactly', (type, raw, scale, wanted) => {
  expect(decode(type, raw, scale)).toEqual(wanted);
});

test('binds keep every digit, and a list is one text', () => {
  const binds = [2n ** 63n - 1n, 1, 1.5, 1e300, new Date(5), [1n, null, 'x', new Date(0)], null, true];
  expect(Object.values(bindingsOf(binds))).toEqual([
    { type: 'FIXED', value: '9223372036854775807' },
    { type: 'FIXED', value: '1' },
    { type: 'REAL', value: '1.5' },
    { type: 'REAL', value: '1e+300' },
    { type: 'TIMESTAMP_LTZ', value: '5000000' },
    { type: 'TEXT', value: '["1",null,"x","1970-01-01T00:00:00.000Z"]' },
    { type: 'TEXT', value: null },
    { type: 'BOOLEAN', value: 'true' },
  ]);
});
