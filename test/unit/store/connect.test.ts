import { expect, test } from 'vitest';
import { connectionError, withoutPassword } from '#store/connect.ts';

const url = 'postgresql://ann:hunter2@db.example:6543/store?sslmode=require&sslpassword=hunter2';

test('a URL is shown without its password and without secret parameters', () => {
  expect(withoutPassword(url)).toBe('postgresql://ann@db.example:6543/store?sslmode=require');
  expect(withoutPassword('not a url with hunter2')).toBe('DATABASE_URL');
});

test.each([
  [
    '28P01',
    'password authentication failed for user "ann"',
    'refuses the user "ann"',
    'user name and password',
  ],
  ['3D000', 'database "store" does not exist', 'has no database "store"', 'CREATE DATABASE "store"'],
  ['57P03', 'the database system is starting up', 'does not take connections yet', 'in a moment'],
  ['53300', 'sorry, too many clients already', 'has no connection left', 'max_connections'],
  ['ECONNREFUSED', 'connect ECONNREFUSED 10.0.0.1:6543', 'cannot be reached', 'correct host and port'],
  ['ENOTFOUND', 'getaddrinfo ENOTFOUND db.example', 'cannot be reached', 'correct host and port'],
  ['', 'timeout expired', 'cannot be reached', 'correct host and port'],
  ['', 'The server does not support SSL connections', 'TLS connection', 'sslmode'],
  ['SELF_SIGNED_CERT_IN_CHAIN', 'self-signed certificate in certificate chain', 'TLS connection', 'sslmode'],
])('a failure %s "%s" says what it is and what to do', (code, said, message, fix) => {
  const error = connectionError(url, Object.assign(new Error(said), { code }));
  expect(error.code).toBe('BAD_USER_INPUT');
  expect(error.message).toContain(`PostgreSQL at db.example:6543`);
  expect(error.message).toContain(message);
  expect(error.fix).toContain(fix);
  expect(error.message + error.fix).not.toContain('hunter2');
});

test('a DATABASE_URL that is no URL is not repeated', () => {
  const error = connectionError('hunter2@@', new Error('Invalid URL'));
  expect(error.message).toBe('DATABASE_URL is no URL.');
});
