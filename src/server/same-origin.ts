import type { IncomingMessage } from 'node:http';
import { type Exchange, refused, type Refused } from './exchange.ts';

/**
 * Why a request that a browser signs in by its cookie may come from a foreign page; undefined when it cannot.
 *
 * Browsers send Sec-Fetch-Site and Origin by themselves, and no page can change them. Where neither is there, a header
 * of the client's own choosing proves the same: a foreign page may set one only after a preflight, which no foreign
 * page is granted. A POST carries one already, since only application/json is executed.
 */
export function foreignRequest(exchange: Pick<Exchange, 'request' | 'host'>): Refused | undefined {
  const { request } = exchange;
  const site = request.headers['sec-fetch-site'];
  // Older browsers send Origin only; Sec-Fetch-Site is the surer one, since Origin is "null" under some policies.
  const own =
    site === undefined ? isSameOrigin(request, exchange.host) : site === 'same-origin' || site === 'none';
  if (!own) {
    return refused(
      403,
      'FORBIDDEN',
      `A page of another origin (${String(request.headers.origin ?? site).slice(0, 100)}) may not use the session's cookie.`,
      'Send "Authorization: Bearer <token>" and no cookie.',
    );
  }
  const proven = site !== undefined || preflighted.some((name) => request.headers[name] !== undefined);
  if (request.method === 'POST' || proven) return undefined;
  return refused(
    403,
    'FORBIDDEN',
    'A GET request with the cookie of a session could come from a foreign page.',
    'Send POST with application/json, or add the header "graphql-require-preflight: 1".',
  );
}

const preflighted = ['graphql-require-preflight', 'apollo-require-preflight', 'x-graphql-yoga-csrf'];

/** False when the browser says that the request comes from a page of another origin. */
export function isSameOrigin(request: IncomingMessage, host: string): boolean {
  const { origin } = request.headers;
  return origin === undefined || URL.parse(origin)?.host.toLowerCase() === host.toLowerCase();
}
