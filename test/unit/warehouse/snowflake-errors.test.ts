import { expect, test } from 'vitest';
import { NoAnswer, SnowflakeError, statementError } from '#warehouse/snowflake-errors.ts';

test.each([
  [
    '000606',
    '57P03',
    'No active warehouse selected in the current session.',
    'WAREHOUSE_UNAVAILABLE',
    /USAGE/,
  ],
  ['000608', '57P03', "Warehouse 'WH' cannot be resumed.", 'WAREHOUSE_UNAVAILABLE', /AUTO_RESUME/],
  [
    '090073',
    '57014',
    "Warehouse 'WH' was suspended by its monitor.",
    'WAREHOUSE_UNAVAILABLE',
    /resource monitor/,
  ],
  ['390100', '08001', 'Incorrect username or password.', 'WAREHOUSE_UNAVAILABLE', /password/],
  ['390144', '08001', 'JWT token is invalid.', 'WAREHOUSE_UNAVAILABLE', /RSA_PUBLIC_KEY/],
  ['390101', '08004', 'User access disabled.', 'WAREHOUSE_UNAVAILABLE', /DISABLED = FALSE/],
  ['390186', '08004', "Role 'R' is not granted to this user.", 'WAREHOUSE_UNAVAILABLE', /Check the role/],
  ['394400', '08001', 'Programmatic access token is invalid.', 'WAREHOUSE_UNAVAILABLE', /network policy/],
  ['003001', '42501', "Insufficient privileges to operate on schema 'S'", 'BAD_USER_INPUT', /Grant the role/],
  ['002003', '42S02', "Object 'T' does not exist or not authorized.", 'BAD_USER_INPUT', null],
  ['000630', '57014', 'Statement reached its timeout.', 'WAREHOUSE_TIMEOUT', /Ask for less/],
  ['000604', '57014', 'SQL execution canceled', 'WAREHOUSE_TIMEOUT', /Ask again/],
  ['000625', '57014', "Statement aborted: the table 'T' is locked.", 'CONFLICT', /again/],
  ['000603', 'XX000', 'Processing aborted by error 300002.', 'WAREHOUSE_UNAVAILABLE', /status/],
] as const)('%s of Snowflake is told as what it is', (code, sqlState, message, wanted, fix) => {
  const error = statementError(new SnowflakeError(message, code, sqlState), null, 1_000);
  expect(error.code).toBe(wanted);
  if (fix) expect(error.fix).toMatch(fix);
});

test('a statement that was stopped says by what, whatever came of it', () => {
  const error = new NoAnswer('the socket was closed');
  expect(statementError(error, 'deadline', 1_500)).toMatchObject({
    code: 'WAREHOUSE_TIMEOUT',
    message: expect.stringContaining('1500 ms') as unknown,
  });
  expect(statementError(error, 'signal', 1_500)).toMatchObject({ code: 'WAREHOUSE_TIMEOUT' });
  expect(statementError(error, 'closed', 1_500)).toMatchObject({ code: 'WAREHOUSE_UNAVAILABLE' });
  expect(statementError(error, null, 1_500)).toMatchObject({
    code: 'WAREHOUSE_UNAVAILABLE',
    message: 'Snowflake did not answer: the socket was closed',
  });
});
