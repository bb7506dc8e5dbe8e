import type { Log } from '#base/log.ts';
import type { Db, Store } from '#store/open-store.ts';
import type { ResultCache } from '#warehouse/result-cache.ts';

const writtenChannel = 'sluice_written';
/** A notice holds 8,000 bytes: a sender and this many ids. */
const idsMax = 200;

/**
 * Drops the answers that were made from these tables, or from these datastores, in this process before it returns and in
 * all others soon after. To be called once the write can be read.
 */
export async function announceWritten(db: Db, cache: ResultCache, ids: readonly string[]): Promise<void> {
  cache.drop(ids);
  for (let from = 0; from < ids.length; from += idsMax) {
    const payload = [cache.id, ...ids.slice(from, from + idsMax)].join(' ');
    await db.$executeRaw`SELECT pg_notify(${writtenChannel}, ${payload})`;
  }
}

/** Drops what other processes announce, and everything when announcements may have been missed. Ends when disposed. */
export function followWrites(store: Store, cache: ResultCache, log: Log): Promise<AsyncDisposable> {
  return store.listen(
    writtenChannel,
    (payload) => {
      const [from, ...ids] = payload.split(' ');
      if (from !== cache.id) cache.drop(ids);
    },
    () => {
      log.info('All kept answers were dropped, since news of writes may have been missed.');
      cache.clear();
    },
  );
}

/**
 * Rings when one of these tables is written, by whichever process, and when news of that may have been missed. Stops when
 * disposed.
 */
export function ringWhenWritten(
  store: Store,
  ids: readonly string[],
  doorbell: { ring(): void },
): Promise<AsyncDisposable> {
  const watched = new Set(ids);
  const heard = (payload: string) => {
    if (payload.split(' ').some((id) => watched.has(id))) doorbell.ring();
  };
  return store.listen(writtenChannel, heard, () => doorbell.ring());
}
