import { expect, test } from 'vitest';
import { AppError, inputError } from '#base/errors.ts';
import { NotHere } from '#catalog/datastores.ts';
import { ColumnMisfit, ConnectorError } from '#connectors/contract.ts';
import { Prisma } from '#generated/prisma/client.ts';
import { classifyError, connectorProblems } from '#pipelines/classify-error.ts';

const storeError = (code: string) =>
  new Prisma.PrismaClientKnownRequestError('secret detail', { code, clientVersion: '7' });

test.each([
  [new ConnectorError('SOURCE', 'gone', { fix: 'look' }), 'SOURCE', false],
  [new ConnectorError('TRANSIENT', 'lost'), 'TRANSIENT', true],
  [new ColumnMisfit('id', '1e400'), 'SCHEMA', false],
  [new AppError('WAREHOUSE_UNAVAILABLE', 'held by 12'), 'TRANSIENT', true],
  [new AppError('BAD_USER_INPUT', 'no such datastore'), 'CONFIG', false],
  [storeError('P1001'), 'TRANSIENT', true],
  [storeError('P2002'), 'INTERNAL', false],
  [new Error('secret detail'), 'INTERNAL', false],
])('%s has its kind, and is tried again only when that may help', (error, kind, retryable) => {
  expect(classifyError(error)).toMatchObject({ kind, retryable });
  expect(classifyError(error).message).not.toContain('secret');
});

test('what is wrong with a config has its path in the input; what nobody expected is no problem of the input', () => {
  const wrong = new ConnectorError('CONFIG', 'no such user', { path: ['username'] });
  expect(connectorProblems(wrong)).toMatchObject([{ code: 'INVALID', path: ['config', 'username'] }]);
  const away = new ConnectorError('SOURCE', 'refused', { path: ['host'] });
  expect(connectorProblems(away)).toMatchObject([{ code: 'CONNECTION_FAILED', path: ['config', 'host'] }]);
  expect(connectorProblems(new NotHere('warehouse', 'h'))).toMatchObject([{ code: 'CONNECTION_FAILED' }]);
  expect(connectorProblems(inputError('REQUIRED', ['type'], 'type?'))).toMatchObject([{ path: ['type'] }]);
  expect(connectorProblems(new Error('bug'))).toBeUndefined();
});
