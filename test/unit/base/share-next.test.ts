import { expect, test } from 'vitest';
import { shareNext } from '#base/share-next.ts';

/** Readings that end when the test says so, each with its number. */
function readings() {
  const begun: { key: string; end(): void; fail(): void }[] = [];
  const read = shareNext(
    (key: string) => key,
    (key) => {
      const { promise, resolve, reject } = Promise.withResolvers<number>();
      const number = begun.length;
      begun.push({ key, end: () => resolve(number), fail: () => reject(new Error(`reading ${number}`)) });
      return promise;
    },
  );
  return { begun, read };
}

test('who asks while one reads is given a reading that began later, and all of them the same', async () => {
  const { begun, read } = readings();
  const first = read('a');
  const second = read('a');
  const third = read('a');
  expect(begun).toHaveLength(1);
  begun[0]!.end();
  expect(await first).toBe(0);
  const fourth = read('a');
  expect(begun).toHaveLength(2);
  begun[1]!.end();
  expect(await Promise.all([second, third])).toEqual([1, 1]);
  begun[2]!.end();
  expect(await fourth).toBe(2);
  void read('a');
  expect(begun).toHaveLength(4);
});

test('other keys wait for nothing, and a failure is of those alone who share it', async () => {
  const { begun, read } = readings();
  const first = read('a');
  const second = read('a');
  void read('b');
  expect(begun.map(({ key }) => key)).toEqual(['a', 'b']);
  begun[0]!.fail();
  await expect(first).rejects.toThrow('reading 0');
  begun[2]!.end();
  expect(await second).toBe(2);
});
