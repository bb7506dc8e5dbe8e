import type { Viewer } from '#accounts/viewer.ts';
import type { Asker } from '#catalog/ask.ts';
import type { EndpointDeps } from './deps.ts';
import type { RateState } from './rates.ts';
import type { ParamValues } from './read-params.ts';
import {
  callEndpoint,
  type EndpointAnswer,
  type EndpointCall,
  type RowsPiece,
  streamEndpoint,
} from './run.ts';
import type { Endpoint } from './served.ts';

/** Who calls: null where anybody may. */
export interface Caller {
  viewer: Viewer | null;
  /** The network address, where it is known. */
  address: string | null;
}

interface Served {
  caller: Caller;
  asker: Asker;
}

/**
 * Answers a call of a served endpoint, within its rate limit, and counts it. Fails with RATE_LIMITED, and as callEndpoint
 * does.
 */
export async function serveCall(
  deps: EndpointDeps,
  { caller, asker }: Served,
  endpoint: Endpoint,
  call: EndpointCall,
): Promise<EndpointAnswer & { rate: RateState | null }> {
  const startedAt = performance.now();
  try {
    const rate = deps.rates.take(endpoint, caller);
    const answer = await callEndpoint(deps.catalog, asker, endpoint, call);
    const cached = answer.cache === 'HIT' || answer.cache === 'STALE';
    deps.usage.count(endpoint, { durationMs: performance.now() - startedAt, cached });
    return { ...answer, rate };
  } catch (error) {
    deps.usage.count(endpoint, { durationMs: performance.now() - startedAt, failed: true });
    throw error;
  }
}

/**
 * All rows of a call, as they come; counted when they end, or when nobody takes more. Fails with RATE_LIMITED; the pieces
 * as streamEndpoint does, the first or a later one.
 */
export function serveStream(
  deps: EndpointDeps,
  { caller, asker }: Served,
  endpoint: Endpoint,
  values: ParamValues,
): { rate: RateState | null; pieces: AsyncGenerator<RowsPiece, void> } {
  const startedAt = performance.now();
  const count = (failed: boolean) =>
    deps.usage.count(endpoint, { durationMs: performance.now() - startedAt, failed });
  async function* counted(): AsyncGenerator<RowsPiece, void> {
    let failed = false;
    try {
      yield* streamEndpoint(deps.catalog, asker, endpoint, values);
    } catch (error) {
      failed = true;
      throw error;
    } finally {
      count(failed);
    }
  }
  try {
    return { rate: deps.rates.take(endpoint, caller), pieces: counted() };
  } catch (error) {
    count(true);
    throw error;
  }
}
