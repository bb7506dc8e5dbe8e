import { expect, test } from 'vitest';
import { cursorOf, keyOfCursor } from '#endpoints/cursor.ts';
import type { KeyColumn } from '#endpoints/statement.ts';

const columns: [KeyColumn['type'], unknown, string][] = [
  ['text', `it's \u{1f600} "odd"`, `it's \u{1f600} "odd"`],
  ['integer', 2n ** 63n, '9223372036854775808'],
  ['decimal', '-1.250', '-1.250'],
  ['uuid', '00000000-0000-4000-8000-000000000000', '00000000-0000-4000-8000-000000000000'],
  ['date', '2026-01-31', '2026-01-31'],
  ['date', '+012345-01-31', '+012345-01-31'],
  ['timestamp', '-infinity', '-infinity'],
  ['timestamptz', '2026-01-31T12:00:00.123456Z', '2026-01-31T12:00:00.123456Z'],
];

test('a cursor gives back the key that it was made of, and is none of any other key', () => {
  const key = columns.map(([type]) => ({ name: type, type }));
  const cursor = cursorOf(
    key,
    columns.map(([, value]) => value),
  )!;
  expect(keyOfCursor(key, 'after', cursor)).toEqual(columns.map(([, , text]) => text));
  for (const other of [key.slice(1), key.toReversed(), key.map(({ type }) => ({ name: 'x', type }))])
    expect(() => keyOfCursor(other, 'after', cursor)).toThrow('after is no cursor of this endpoint.');
});

test('a row whose key is NULL in part has no cursor', () => {
  expect(
    cursorOf(
      [
        { name: 'a', type: 'text' },
        { name: 'b', type: 'text' },
      ],
      ['x', null],
    ),
  ).toBeNull();
});

test.each(columns)('a cursor of %s that was made by hand is refused unless it holds such a value', (type) => {
  const key = [{ name: 'a', type }];
  const [tag] = JSON.parse(Buffer.from(cursorOf(key, ['x'])!, 'base64url').toString()) as [string];
  const made = (value: unknown) => Buffer.from(JSON.stringify([tag, value])).toString('base64url');
  for (const value of [null, 1, true, [], {}, 'a\0b', `1' OR TRUE`].slice(0, type === 'text' ? 6 : 7))
    expect(() => keyOfCursor(key, 'before', made(value))).toThrow('before is no cursor');
});
