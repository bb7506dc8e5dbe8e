import type { Viewer } from '#accounts/viewer.ts';
import type { Asker } from '#catalog/ask.ts';
import type { EndpointDeps } from './deps.ts';
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

/** What a call of a served endpoint asks for; where it may not, or not so, that is counted as a failed call. */
export function readCall<Read>(
  { usage }: Pick<EndpointDeps, 'usage'>,
  endpoint: Endpoint,
  read: () => Read,
): Read {
  try {
    return read();
  } catch (error) {
    usage.count(endpoint, { durationMs: null, failed: true });
    throw error;
  }
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
): Promise<EndpointAnswer> {
  const startedAt = performance.now();
  const { working, ended } = readCall(deps, endpoint, () => deps.rates.take(endpoint, caller));
  const count = (cached: boolean, failed: boolean) => {
    ended(!failed);
    deps.usage.count(endpoint, { durationMs: performance.now() - startedAt, cached, failed });
  };
  try {
    const answer = await callEndpoint(deps.catalog, { ...asker, working }, endpoint, call);
    count(answer.cache === 'HIT' || answer.cache === 'STALE', false);
    return answer;
  } catch (error) {
    count(false, true);
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
): AsyncGenerator<RowsPiece, void> {
  const startedAt = performance.now();
  const { working, ended } = readCall(deps, endpoint, () => deps.rates.take(endpoint, caller));
  async function* counted(): AsyncGenerator<RowsPiece, void> {
    let failed = false;
    try {
      yield* streamEndpoint(deps.catalog, { ...asker, working }, endpoint, values);
    } catch (error) {
      failed = true;
      throw error;
    } finally {
      ended(!failed);
      deps.usage.count(endpoint, { durationMs: performance.now() - startedAt, failed });
    }
  }
  return counted();
}
