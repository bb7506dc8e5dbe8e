import { afterAll, beforeAll, expect, test } from 'vitest';
import { once, type OnceOnly } from '#accounts/idempotency.ts';
import { newId } from '#base/id.ts';
import { openAccounts, problemsOf, type TestAccounts } from './open-accounts.ts';

let accounts: TestAccounts;
beforeAll(async () => {
  accounts = await openAccounts();
});
afterAll(() => accounts[Symbol.asyncDispose]());

let made = 0;
const make = () => {
  made += 1;
  return Promise.resolve({ id: newId() });
};
const projectId = newId();
const create = (ask: Partial<OnceOnly>) =>
  accounts.deps.store.db.$transaction((tx) =>
    once(
      tx,
      { projectId, operation: 'createSource', key: 'k', input: { name: 'a', config: { x: 1 } }, ...ask },
      make,
    ),
  );

test('the same key and input make one thing, however many ask at once', async () => {
  made = 0;
  const results = await Promise.all(Array.from({ length: 8 }, () => create({})));
  expect(made).toBe(1);
  expect(new Set(results.map(({ id }) => id)).size).toBe(1);
  expect(results.filter(({ repeated }) => !repeated)).toHaveLength(1);
});

test('the order of fields, undefined ones and the key itself are not part of the input', async () => {
  made = 0;
  const input = { config: { x: 1 }, idempotencyKey: 'k', name: 'a', version: undefined };
  expect(await create({ input })).toMatchObject({ repeated: true });
  expect(made).toBe(0);
});

test('the same key with another input is refused', async () => {
  expect(await problemsOf(create({ input: { name: 'b' } }))).toEqual([
    'IDEMPOTENCY_KEY_REUSED idempotencyKey',
  ]);
});

test('another project, operation or key makes something new, and so does none', async () => {
  made = 0;
  await create({ projectId: newId() });
  await create({ operation: 'createJob' });
  await create({ key: 'k2' });
  await create({ key: null });
  await create({ key: undefined });
  expect(made).toBe(5);
});

test('what failed is not remembered', async () => {
  const { db } = accounts.deps.store;
  const ask = { projectId, operation: 'createSource', key: 'fails', input: {} };
  await expect(db.$transaction((tx) => once(tx, ask, () => Promise.reject(new Error('no'))))).rejects.toThrow(
    'no',
  );
  expect(await create({ key: 'fails', input: {} })).toMatchObject({ repeated: false });
});

test('a key is forgotten after a day, and its row removed by the next writes', async () => {
  const { db } = accounts.deps.store;
  await create({ key: 'old' });
  await create({ key: 'older' });
  await db.idempotencyKey.updateMany({
    where: { key: { in: ['old', 'older'] } },
    data: { createdAt: new Date(Date.now() - 25 * 3_600_000) },
  });
  expect(await create({ key: 'old', input: { name: 'other' } })).toMatchObject({ repeated: false });
  expect(await db.idempotencyKey.count({ where: { key: 'older' } })).toBe(0);
});

test.each(['', 'x'.repeat(201)])('the key %j is refused', async (key) => {
  expect(await problemsOf(create({ key }))).toEqual(['INVALID idempotencyKey']);
});
