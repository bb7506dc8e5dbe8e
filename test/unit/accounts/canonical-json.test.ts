import { expect, test } from 'vitest';
import { canonicalJson } from '#accounts/canonical-json.ts';

test('equal inputs give one text, whatever the order of their fields', () => {
  const one = canonicalJson({ name: 'a', config: { b: [1, 'x'], a: null }, left: undefined });
  expect(one).toBe('{"config":{"a":null,"b":[1,"x"]},"name":"a"}');
  expect(canonicalJson({ config: { a: null, b: [1, 'x'] }, name: 'a' })).toBe(one);
});

test('different inputs give different texts', () => {
  const texts = [
    {},
    [],
    null,
    '',
    'null',
    0,
    false,
    { a: 1 },
    [['a', 1]],
    { a: '1' },
    { a: null },
    [1, 2],
    [2, 1],
  ];
  expect(new Set(texts.map(canonicalJson)).size).toBe(texts.length);
});

test('dates and bigints have a text too', () => {
  expect(canonicalJson({ at: new Date(0), rows: 9007199254740993n })).toBe(
    '{"at":"1970-01-01T00:00:00.000Z","rows":"9007199254740993"}',
  );
});
