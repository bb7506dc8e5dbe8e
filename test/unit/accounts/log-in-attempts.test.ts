import { expect, test } from 'vitest';
import { createLogInAttempts } from '#accounts/log-in-attempts.ts';
import { AppError } from '#base/errors.ts';

const start = Date.parse('2026-11-21T00:00:00Z');
const after = (seconds: number) => new Date(start + seconds * 1000);

function fixOf(run: () => void): string | undefined {
  try {
    run();
  } catch (error) {
    if (error instanceof AppError && error.code === 'RATE_LIMITED') return error.fix;
    throw error;
  }
  return undefined;
}

test('the sixth wrong password in a row must wait, and each further one twice as long, to a minute', () => {
  const attempts = createLogInAttempts();
  for (let count = 0; count < 5; count += 1) attempts.begin('ada', after(0));
  expect(fixOf(() => attempts.begin('ada', after(0)))).toBe('Try again in 1 second.');
  attempts.begin('ada', after(1));
  expect(fixOf(() => attempts.begin('ada', after(1)))).toBe('Try again in 2 seconds.');
  let at = 1;
  for (const wait of [2, 4, 8, 16, 32, 60, 60]) {
    at += wait;
    attempts.begin('ada', after(at));
  }
  expect(fixOf(() => attempts.begin('ada', after(at)))).toBe('Try again in 60 seconds.');
});

test('one name does not slow another, and the right password or fifteen minutes forget the tries', () => {
  const attempts = createLogInAttempts();
  for (let count = 0; count < 5; count += 1) attempts.begin('ada', after(0));
  expect(fixOf(() => attempts.begin('grace', after(0)))).toBeUndefined();
  attempts.succeeded('ada');
  expect(fixOf(() => attempts.begin('ada', after(0)))).toBeUndefined();
  for (let count = 0; count < 4; count += 1) attempts.begin('ada', after(0));
  expect(fixOf(() => attempts.begin('ada', after(0)))).toBe('Try again in 1 second.');
  expect(fixOf(() => attempts.begin('ada', after(901)))).toBeUndefined();
  expect(fixOf(() => attempts.begin('ada', after(901)))).toBeUndefined();
});
