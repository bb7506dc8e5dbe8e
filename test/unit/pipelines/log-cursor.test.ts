import { expect, test } from 'vitest';
import { newId } from '#base/id.ts';
import { logCursor, parseLogCursor } from '#pipelines/log-cursor.ts';

test('a cursor stands exactly after its line, for its own task only', () => {
  const taskId = newId();
  expect(parseLogCursor(taskId, logCursor({ taskId, seq: 1_234_567 }))).toBe(1_234_567);
  expect(() => parseLogCursor(newId(), logCursor({ taskId, seq: 1 }))).toThrow('is not a cursor');
});

test.each([
  '',
  'x',
  'bG9nOjE',
  Buffer.from('log:-1:abcdef').toString('base64url'),
  'log:1:abcdef',
  'é'.repeat(500),
])('the garbage cursor "%s" is BAD_USER_INPUT', (cursor) => {
  expect(() => parseLogCursor(newId(), cursor)).toThrow(expect.objectContaining({ code: 'BAD_USER_INPUT' }));
});
