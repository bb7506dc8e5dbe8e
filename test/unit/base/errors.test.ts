import { expect, test } from 'vitest';
import { AppError, InputError, inputError } from '#base/errors.ts';

test('an InputError says every problem, and the first way out', () => {
  const error = new InputError([
    { code: 'REQUIRED', path: ['config', 'host'], message: 'host is missing.', fix: 'Give the host.' },
    { code: 'INVALID', path: ['config', 'port'], message: 'port is 70000; 1 to 65535 are allowed.' },
  ]);
  expect(error).toBeInstanceOf(AppError);
  expect(error.code).toBe('BAD_USER_INPUT');
  expect(error.message).toBe('host is missing. port is 70000; 1 to 65535 are allowed.');
  expect(error.fix).toBe('Give the host.');
});

test('inputError keeps code, path and fix of its one problem', () => {
  expect(inputError('NOT_FOUND', ['id'], 'No such job.', 'List them.').problems).toEqual([
    { code: 'NOT_FOUND', path: ['id'], message: 'No such job.', fix: 'List them.' },
  ]);
});
