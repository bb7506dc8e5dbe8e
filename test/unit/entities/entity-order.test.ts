import { expect, test } from 'vitest';
import { type AskedOrder, entityOrder } from '#entities/entity-order.ts';

const row = { key: '42', orderValue: '2026-01-01T00:00:00.123456Z' };
const cursor = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

test('a cursor holds exactly where its row stands', () => {
  const order = entityOrder('EVENT');
  expect(order.keyOf(order.cursorOf(row))).toEqual({ key: '42', value: '2026-01-01T00:00:00.123456Z' });
  const odd = { key: 'a"|\n💥', orderValue: null };
  expect(order.keyOf(order.cursorOf(odd))).toEqual({ key: 'a"|\n💥', value: null });
});

test('a cursor of another kind, field or direction is none of this list', () => {
  const own = entityOrder('USER', { field: 'name', direction: 'ASC' });
  const others: [Parameters<typeof entityOrder>[0], AskedOrder?][] = [
    ['USER'],
    ['USER', { field: 'name', direction: 'DESC' }],
    ['USER', { field: 'email', direction: 'ASC' }],
    ['ORGANIZATION', { field: 'name', direction: 'ASC' }],
  ];
  for (const [kind, asked] of others) expect(own.keyOf(entityOrder(kind, asked).cursorOf(row))).toBeNull();
  expect(own.keyOf(own.cursorOf(row))).not.toBeNull();
});

test.each([
  '',
  'garbage',
  cursor(null),
  cursor({}),
  cursor(['USER:key:ASC']),
  cursor(['USER:key:ASC', 1, null]),
  cursor(['USER:key:ASC', '1', 2]),
  cursor(['USER:key:ASC', '1', null, 'more']),
])('%j is no cursor', (text) => {
  expect(entityOrder('USER').keyOf(text)).toBeNull();
});
