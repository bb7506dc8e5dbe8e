import { isDeepStrictEqual } from 'node:util';
import { Doorbell } from '#base/doorbell.ts';
import { AppError } from '#base/errors.ts';
import { tablesBehind } from '#catalog/behind.ts';
import { ringWhenWritten } from '#catalog/written.ts';
import type { EndpointDeps } from './deps.ts';
import type { Endpoint } from './served.ts';

/** Once in so long the tables are taken for written in any case. */
const atLeastMs = 600_000;

/**
 * Once now, and then whenever one of the tables of an endpoint, or one behind a view among them, was written. Ends with the
 * signal; fails with NOT_FOUND when the endpoint is served no longer, or otherwise than it was.
 */
export async function* followFreshened(
  { store, registry }: Pick<EndpointDeps, 'store' | 'registry'>,
  { endpoint, signal }: { endpoint: Endpoint; signal: AbortSignal },
): AsyncGenerator<object, void> {
  const { projectId, tableIds } = endpoint;
  const ids = await tablesBehind(store.db, projectId, tableIds);
  const doorbell = new Doorbell(signal);
  await using _ringing = await ringWhenWritten(store, ids, doorbell);
  while (!signal.aborted) {
    const { all } = await registry.of(projectId);
    const now = all.find(({ id }) => id === endpoint.id);
    if (!now || !isDeepStrictEqual(servedBy(now), servedBy(endpoint))) throw servedOtherwise(endpoint);
    yield {};
    await doorbell.wait(atLeastMs);
  }
}

/** What answers are made of, and who may have them. That it is deprecated changes nothing of it. */
function servedBy({ prepared, columns, datastore, rowsMax, pages, scopes }: Endpoint): unknown {
  return { prepared, columns, datastore, rowsMax, pages, scopes };
}

function servedOtherwise({ name, version }: Endpoint): AppError {
  return new AppError('NOT_FOUND', `"${name}" version ${version} is not served any more as it was.`, {
    fix: 'Subscribe again, if it is still there.',
  });
}
