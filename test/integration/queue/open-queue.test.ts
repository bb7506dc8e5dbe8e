import { expect, test } from 'vitest';
import { createLog } from '#base/log.ts';
import type { PipelineDeps } from '#pipelines/deps.ts';
import { openQueue, type Queue } from '#queue/open-queue.ts';
import { openTestPipelines } from '../../support/pipelines.ts';
import { createTestDatabase } from '../../support/database.ts';
import { eventually } from '../../support/gateway.ts';

async function put(queue: Queue, { store }: PipelineDeps, data: object, key?: string): Promise<void> {
  await store.db.$transaction((tx) => queue.enqueue(tx, 'some', data, key === undefined ? {} : { key }));
}

test('two processes that start at once on an empty database both open the queue', async () => {
  await using database = await createTestDatabase();
  const opened = await Promise.all([
    openTestPipelines({ databaseUrl: database.url }),
    openTestPipelines({ databaseUrl: database.url }),
  ]);
  for (const each of opened) await each[Symbol.asyncDispose]();
});

test('an item exists only when the transaction that put it commits', async () => {
  await using pipelines = await openTestPipelines();
  const { deps } = pipelines;
  const seen: unknown[] = [];
  await using _worker = await deps.queue.work(
    ['some'],
    { concurrency: 1 },
    async (data) => void seen.push(data),
  );
  const undone = deps.store.db.$transaction(async (tx) => {
    await deps.queue.enqueue(tx, 'some', { number: 1 });
    throw new Error('undone');
  });
  await expect(undone).rejects.toThrow('undone');
  await put(deps.queue, deps, { number: 2 });
  await eventually('the item', async () => seen.length > 0 || undefined);
  expect(seen).toEqual([{ number: 2 }]);
});

test('an item is given to one of two processes, at once and not at the next poll', async () => {
  await using one = await openTestPipelines();
  await using other = await openTestPipelines({ databaseUrl: one.databaseUrl });
  const seen: number[] = [];
  const take = async (data: object): Promise<void> => void seen.push((data as { number: number }).number);
  await using _first = await one.deps.queue.work(['some'], { concurrency: 3 }, take);
  await using _second = await other.deps.queue.work(['some'], { concurrency: 3 }, take);
  const startedAt = Date.now();
  for (let number = 0; number < 20; number += 1) await put(one.deps.queue, one.deps, { number });
  await eventually('all items', async () => seen.length >= 20 || undefined);
  expect(Date.now() - startedAt).toBeLessThan(1_900);
  expect(seen.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, number) => number));
});

test('while an item of a key waits another is not added, and once it is taken it is', async () => {
  await using pipelines = await openTestPipelines();
  const { deps } = pipelines;
  const seen: unknown[] = [];
  for (let number = 0; number < 3; number += 1) await put(deps.queue, deps, { number }, 'same');
  await using _worker = await deps.queue.work(
    ['some'],
    { concurrency: 1 },
    async (data) => void seen.push(data),
  );
  await eventually('the item', async () => seen.length > 0 || undefined);
  await put(deps.queue, deps, { number: 9 }, 'same');
  await eventually('the next', async () => seen.length > 1 || undefined);
  expect(seen).toEqual([{ number: 0 }, { number: 9 }]);
});

test('over all queues together no more items are worked at once than asked for, the earlier queue first', async () => {
  await using pipelines = await openTestPipelines();
  const { deps } = pipelines;
  const seen: string[] = [];
  let now = 0;
  let most = 0;
  await deps.store.db.$transaction(async (tx) => {
    for (const queue of ['b', 'a', 'b', 'a']) await deps.queue.enqueue(tx, queue, { queue });
  });
  const release = Promise.withResolvers<void>();
  const run = async (data: object): Promise<void> => {
    now += 1;
    most = Math.max(most, now);
    seen.push((data as { queue: string }).queue);
    await release.promise;
    now -= 1;
  };
  await using _worker = await deps.queue.work(['a', 'b'], { concurrency: 2 }, run);
  await eventually('two items', async () => seen.length === 2 || undefined);
  release.resolve();
  await eventually('all items', async () => seen.length === 4 || undefined);
  expect(seen).toEqual(['a', 'a', 'b', 'b']);
  expect(most).toBe(2);
});

test('disposing aborts what runs, waits for it, and takes nothing more', async () => {
  await using pipelines = await openTestPipelines();
  const { deps } = pipelines;
  const events: string[] = [];
  const worker = await deps.queue.work(['some'], { concurrency: 1 }, async (_data, signal) => {
    events.push('began');
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
    events.push('ended');
  });
  await put(deps.queue, deps, { number: 1 });
  await eventually('the item', async () => events.length > 0 || undefined);
  await put(deps.queue, deps, { number: 2 });
  await worker[Symbol.asyncDispose]();
  expect(events).toEqual(['began', 'ended']);
});

test('an item whose work fails does not keep the others from being worked', async () => {
  await using pipelines = await openTestPipelines();
  const quiet = await openQueue(pipelines.deps.store, createLog('silent'));
  const seen: unknown[] = [];
  await using opened = new AsyncDisposableStack();
  opened.use(quiet);
  opened.use(
    await quiet.work(['some'], { concurrency: 1 }, async (data) => {
      seen.push(data);
      throw new Error('no');
    }),
  );
  await put(quiet, pipelines.deps, { number: 1 });
  await put(quiet, pipelines.deps, { number: 2 });
  await eventually('both', async () => seen.length === 2 || undefined);
});
