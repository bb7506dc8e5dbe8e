import { describe, expect, test } from 'vitest';
import { parseSignUp, type SignUpInput } from '#accounts/parse-sign-up.ts';
import { InputError } from '#base/errors.ts';

const ada: SignUpInput = { email: 'Ada@Example.com ', username: 'ada.l-1_x', password: 'correct horse' };

function problemsOf(input: Partial<SignUpInput>) {
  try {
    parseSignUp({ ...ada, ...input });
  } catch (error) {
    if (error instanceof InputError) return error.problems;
    throw error;
  }
  return [];
}

test('a good input gives the email in lower case and an account named after the member', () => {
  expect(parseSignUp(ada)).toEqual({
    email: 'ada@example.com',
    username: 'ada.l-1_x',
    password: 'correct horse',
    accountName: 'ada.l-1_x',
  });
  expect(parseSignUp({ ...ada, accountName: ' Analytical Engines ' }).accountName).toBe('Analytical Engines');
});

test('every problem is told at once, each at its field', () => {
  const problems = problemsOf({ email: 'nowhere', username: 'A', password: 'short', accountName: ' ' });
  expect(problems.map(({ code, path }) => [code, ...path])).toEqual([
    ['INVALID', 'email'],
    ['INVALID', 'username'],
    ['INVALID', 'password'],
    ['INVALID', 'accountName'],
  ]);
});

test('a missing field is REQUIRED', () => {
  const problems = problemsOf({ email: ' ', username: '', password: '' });
  expect(problems.map(({ code, path }) => [code, ...path])).toEqual([
    ['REQUIRED', 'email'],
    ['REQUIRED', 'username'],
    ['REQUIRED', 'password'],
  ]);
});

test('a username out of shape comes back with one that is allowed', () => {
  expect(problemsOf({ username: 'Ada Lovelace' })).toEqual([
    {
      code: 'INVALID',
      path: ['username'],
      message:
        'The username "Ada Lovelace" is not allowed: it has 2 to 40 characters of a-z, 0-9, ".", "_" and "-".',
      fix: 'Use "ada-lovelace", for example.',
    },
  ]);
});

test('the password is in no message', () => {
  const [problem] = problemsOf({ password: 'hunter2' });
  expect(JSON.stringify(problem)).not.toContain('hunter2');
  expect(problem?.message).toBe('The password has 7 characters; it needs at least 10.');
});

describe('bounds', () => {
  test.each([
    { username: 'ab' },
    { username: 'a'.repeat(40) },
    { password: 'x'.repeat(10) },
    { password: 'x'.repeat(200) },
    { email: 'a@b' },
    { email: "o'neil+tag@mail.example.co.uk" },
  ])('%j is allowed', (input) => {
    expect(problemsOf(input)).toEqual([]);
  });

  test.each([
    { username: 'a' },
    { username: 'a'.repeat(41) },
    { username: 'ada@example.com' },
    { password: 'x'.repeat(9) },
    { password: 'x'.repeat(201) },
    { email: 'a@b@c' },
    { email: 'a b@c' },
    { email: `${'a'.repeat(250)}@b.co` },
    { accountName: 'x'.repeat(101) },
  ])('%j is refused', (input) => {
    expect(problemsOf(input)).toHaveLength(1);
  });
});
