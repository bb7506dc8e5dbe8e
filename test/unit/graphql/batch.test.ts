import type { GraphQLResolveInfo } from 'graphql';
import { expect, test } from 'vitest';
import { batched, batchedByKey } from '#graphql/batch.ts';
import type { Context } from '#graphql/context.ts';

const context = {} as Context;
const infoOf = (field: object) =>
  ({ parentType: { name: 'Job' }, fieldNodes: [field] }) as unknown as GraphQLResolveInfo;

test('parents that ask in the same tick share one call, per field of the document', async () => {
  const calls: string[][] = [];
  const load = (keys: readonly string[]) => {
    calls.push([...keys]);
    return Promise.resolve(keys.map((key) => key.toUpperCase()));
  };
  const one = infoOf({});
  const other = infoOf({});
  const answers = await Promise.all([
    batched(context, one, 'rows', 'a', load),
    batched(context, one, 'rows', 'b', load),
    batched(context, other, 'rows', 'c', load),
    batched(context, one, 'count', 'a', load),
  ]);
  expect(answers).toEqual(['A', 'B', 'C', 'A']);
  expect(calls).toEqual([['a', 'b'], ['c'], ['a']]);
});

test('nothing is remembered, so that the next event of a subscription reads anew', async () => {
  let reads = 0;
  const load = (keys: readonly string[]) => Promise.resolve(keys.map(() => ++reads));
  const info = infoOf({});
  expect(await batched(context, info, 'rows', 'a', load)).toBe(1);
  expect(await batched(context, info, 'rows', 'a', load)).toBe(2);
});

test('parents with the same key are all answered by one load of it', async () => {
  const calls: string[][] = [];
  const load = (keys: readonly string[]) => {
    calls.push([...keys]);
    return Promise.resolve(
      new Map(keys.filter((key) => key !== 'none').map((key) => [key, key.toUpperCase()])),
    );
  };
  const info = infoOf({});
  const ask = (key: string) => batchedByKey(context, info, 'rows', key, 'NOTHING', load);
  expect(await Promise.all([ask('a'), ask('b'), ask('a'), ask('none')])).toEqual(['A', 'B', 'A', 'NOTHING']);
  expect(calls).toEqual([['a', 'b', 'none']]);
});
