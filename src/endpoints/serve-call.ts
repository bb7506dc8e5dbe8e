import type { Viewer } from '#accounts/viewer.ts';
import type { Asker } from '#catalog/ask.ts';
import type { EndpointDeps } from './deps.ts';
import { callEndpoint, type EndpointAnswer, type EndpointCall } from './run.ts';
import type { Endpoint } from './served.ts';

/** Who calls: null where anybody may. */
export interface Caller {
  viewer: Viewer | null;
  /** The network address, where it is known. */
  address: string | null;
}

/**
 * Answers a call of a served endpoint, within its rate limit, and counts it. Fails with RATE_LIMITED, and as callEndpoint
 * does.
 */
export async function serveCall(
  deps: EndpointDeps,
  { caller, asker }: { caller: Caller; asker: Asker },
  endpoint: Endpoint,
  call: EndpointCall,
): Promise<EndpointAnswer> {
  const startedAt = performance.now();
  try {
    deps.rates.take(endpoint, caller);
    const answer = await callEndpoint(deps.catalog, asker, endpoint, call);
    deps.usage.count(endpoint, {
      durationMs: performance.now() - startedAt,
      cached: answer.cache === 'HIT' || answer.cache === 'STALE',
    });
    return answer;
  } catch (error) {
    deps.usage.count(endpoint, { durationMs: performance.now() - startedAt, failed: true });
    throw error;
  }
}
