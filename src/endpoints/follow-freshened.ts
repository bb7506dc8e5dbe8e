import { Doorbell } from '#base/doorbell.ts';
import { tablesBehind } from '#catalog/behind.ts';
import { ringWhenWritten } from '#catalog/written.ts';
import type { EndpointDeps } from './deps.ts';

/** Once in so long the tables are taken for written in any case. */
const atLeastMs = 600_000;

/** Once now, and then whenever one of the tables, or one behind a view among them, was written. Ends with the signal. */
export async function* followFreshened(
  { store }: Pick<EndpointDeps, 'store'>,
  { projectId, tableIds, signal }: { projectId: string; tableIds: readonly string[]; signal: AbortSignal },
): AsyncGenerator<object, void> {
  const ids = await tablesBehind(store.db, projectId, tableIds);
  const doorbell = new Doorbell(signal);
  await using _ringing = await ringWhenWritten(store, ids, doorbell);
  while (!signal.aborted) {
    yield {};
    await doorbell.wait(atLeastMs);
  }
}
