import { expect, test } from 'vitest';
import { onceAPress } from '#cli/once-a-press.ts';

test('one press of Ctrl-C counts once, though npm sends it again, and a second press counts too', () => {
  const taken: string[] = [];
  let now = 0;
  const take = onceAPress(
    (signal: string) => void taken.push(signal),
    () => now,
  );
  take('SIGINT');
  now = 20;
  take('SIGINT');
  now = 499;
  take('SIGTERM');
  expect(taken).toEqual(['SIGINT']);
  now = 500;
  take('SIGTERM');
  expect(taken).toEqual(['SIGINT', 'SIGTERM']);
});
