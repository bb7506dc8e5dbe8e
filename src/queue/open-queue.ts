import { fromPrisma, PgBoss } from 'pg-boss';
import { newId } from '#base/id.ts';
import type { Log } from '#base/log.ts';
import type { Store, Tx } from '#store/open-store.ts';

/** Work items kept in Postgres by pg-boss, in its own schema `pgboss` of the store's database. */
export interface Queue extends AsyncDisposable {
  /**
   * Puts an item on the queue when `tx` commits. While an item with the same `key` waits there, another is not added.
   * Before `notBefore` it is not given out.
   */
  enqueue(tx: Tx, queue: string, data: object, options?: { key?: string; notBefore?: Date }): Promise<void>;
  /**
   * Takes items off these queues, earlier named ones first, at most `concurrency` at once over all of them. An item is
   * given out once: if its process dies with it, it is lost, and whoever enqueued it has to notice. `signal` aborts when
   * the returned handle is disposed, which waits until every `run` has settled. What `run` throws is logged.
   */
  work(
    queues: readonly string[],
    options: { concurrency: number },
    run: (data: object, signal: AbortSignal) => Promise<void>,
  ): Promise<AsyncDisposable>;
}

const channel = 'sluice_queue';
/** The queues are looked at this often even when no notification came: those can be lost, items cannot. */
const pollMs = 2_000;
const queueOptions = {
  // One waiting item a key, any number being worked.
  policy: 'short',
  retryLimit: 0,
  // The longest that pg-boss allows; when it passes, nothing happens but that the item is called failed.
  expireInSeconds: 24 * 60 * 60,
  deleteAfterSeconds: 60 * 60,
};

/** Opens pg-boss, making its schema where it is missing; two processes may do so at once. Fails when Postgres does not answer. */
export async function openQueue(store: Store, log: Log): Promise<Queue> {
  const boss = new PgBoss({
    connectionString: store.databaseUrl,
    application_name: 'sluice queue',
    max: 2,
    // Schedules are rows of jobs, and notifications come over the store's one listening connection.
    schedule: false,
    useListenNotify: false,
  });
  boss.on('error', (error) => log.warn('The queue met an error and goes on.', { error }));
  await boss.start();

  const made = new Map<string, Promise<void>>();
  const make = (queue: string): Promise<void> => {
    let making = made.get(queue);
    if (!making) {
      making = boss.createQueue(queue, queueOptions);
      made.set(queue, making);
      making.catch(() => made.delete(queue));
    }
    return making;
  };

  return {
    async enqueue(tx, queue, data, options = {}) {
      await make(queue);
      await boss.send(queue, data, {
        db: fromPrisma(tx),
        // Items without a key are items of one key to this policy.
        singletonKey: options.key ?? newId(),
        startAfter: options.notBefore,
      });
      await tx.$executeRaw`SELECT pg_notify(${channel}, ${queue})`;
    },
    async work(queues, { concurrency }, run) {
      await Promise.all(queues.map(make));
      return openWork({ boss, store, log, queues, concurrency, run });
    },
    async [Symbol.asyncDispose]() {
      await boss.stop({ graceful: false });
    },
  };
}

interface WorkOptions {
  boss: PgBoss;
  store: Store;
  log: Log;
  queues: readonly string[];
  concurrency: number;
  run: (data: object, signal: AbortSignal) => Promise<void>;
}

/** One loop over all queues, and not pg-boss's own workers, since those bound each queue by itself and not their sum. */
async function openWork({
  boss,
  store,
  log,
  queues,
  concurrency,
  run,
}: WorkOptions): Promise<AsyncDisposable> {
  const stop = new AbortController();
  const running = new Set<Promise<void>>();
  let wake = Promise.withResolvers<void>();
  const ring = (): void => wake.resolve();

  const takeOne = async (): Promise<boolean> => {
    for (const queue of queues) {
      const [item] = await boss.fetch<object>(queue);
      if (!item) continue;
      const work = run(item.data, stop.signal)
        .then(() => boss.complete(queue, item.id))
        .catch((error: unknown) => log.error('A work item failed.', { queue, item: item.id, error }))
        .then(() => {
          running.delete(work);
          ring();
        });
      running.add(work);
      return true;
    }
    return false;
  };
  const loop = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      wake = Promise.withResolvers<void>();
      try {
        while (running.size < concurrency && !stop.signal.aborted && (await takeOne()));
      } catch (error) {
        log.warn('The queue could not be read, and is tried again.', { error });
      }
      const poll = setTimeout(ring, pollMs);
      await wake.promise;
      clearTimeout(poll);
    }
  };

  const listening = await store.listen(channel, (queue) => queues.includes(queue) && ring(), ring);
  const looping = loop();
  return {
    async [Symbol.asyncDispose]() {
      stop.abort();
      ring();
      await looping;
      await listening[Symbol.asyncDispose]();
      await Promise.all(running);
    },
  };
}
