import { expect, test } from 'vitest';
import { checkDeclaration } from '#endpoints/check-declaration.ts';

const problemsOf = (rateLimit: unknown) =>
  checkDeclaration({
    metadata: { name: 'users', version: 1 },
    route: '/users',
    query: 'SELECT 1 AS id',
    rateLimit,
  });

test.each([
  { requests: 10, per: '1m' },
  { cost: '30s', per: '1m' },
  { requests: 10, cost: '1ms', per: '1d', by: 'address' },
  { cost: '30d', per: '1s' },
])('%j is a rate limit', (rateLimit) => {
  expect(problemsOf(rateLimit)).toEqual([]);
});

test.each([
  [{ per: '1m' }, 'requests', 'rateLimit has neither requests nor cost.'],
  [{ cost: '30s' }, 'per', 'rateLimit.per is missing.'],
  [{ cost: 30, per: '1m' }, 'cost', 'rateLimit.cost'],
  [{ cost: '0s', per: '1m' }, 'cost', 'Calls may cost 1ms to 30d, not 0s.'],
  [{ cost: '31d', per: '1m' }, 'cost', 'Calls may cost 1ms to 30d, not 31d.'],
  [{ cost: '1s', per: '100ms' }, 'per', 'Calls are counted over 1s to 1d, not 100ms.'],
])('%j is none, and what is wrong is said', (rateLimit, field, message) => {
  const [problem, ...others] = problemsOf(rateLimit);
  expect(problem).toMatchObject({ path: ['rateLimit', field], message: expect.stringContaining(message) });
  expect(problem!.fix).toBeDefined();
  expect(others).toEqual([]);
});
