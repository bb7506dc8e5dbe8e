import type { IncomingMessage } from 'node:http';
import { AppError } from '#base/errors.ts';
import type { Exchange } from './exchange.ts';

/** A token that a client sent, and how. Whether it is worth anything is for accounts/ to say. */
export interface Credentials {
  token: string;
  from: 'authorization' | 'cookie' | 'connectionParams';
}

const plainName = 'sluice_session';
// Browsers take a cookie of this name only with Secure, for the whole host and from the host itself.
const secureName = `__Host-${plainName}`;
// As long as browsers allow: when a session ends is for the server to say, since each use prolongs it.
const cookieSeconds = 400 * 24 * 60 * 60;

/** The token of a request: the Authorization header before the cookie. Null without both. */
export function credentialsOf(request: IncomingMessage, secure: boolean): Credentials | null {
  const header = request.headers.authorization;
  if (header !== undefined) return { token: bearerToken(header), from: 'authorization' };
  const token = cookiesOf(request).get(secure ? secureName : plainName);
  return token ? { token, from: 'cookie' } : null;
}

/** The token in the payload of connection_init, `{ authorization: "Bearer …" }` or `{ token }`. Null without one. */
export function credentialsOfParams(params: Record<string, unknown> | undefined): Credentials | null {
  const header = params?.['authorization'] ?? params?.['Authorization'];
  if (typeof header === 'string') return { token: bearerToken(header), from: 'connectionParams' };
  const token = params?.['token'];
  if (typeof token === 'string') return { token, from: 'connectionParams' };
  if ((header ?? token ?? null) === null) return null;
  throw new AppError('UNAUTHENTICATED', 'The credentials in connectionParams are not a string.', {
    fix: 'Send { "authorization": "Bearer <token>" } or { "token": "<token>" }.',
  });
}

function bearerToken(header: string): string {
  const token = /^Bearer +([^\s]+) *$/i.exec(header)?.[1];
  if (token) return token;
  throw new AppError('UNAUTHENTICATED', 'The authorization is not of the form "Bearer <token>".', {
    fix: 'Send "Authorization: Bearer" followed by a session token (from logIn) or an API key.',
  });
}

function cookiesOf(request: IncomingMessage): Map<string, string> {
  const cookies = new Map<string, string>();
  for (const pair of (request.headers.cookie ?? '').split(';')) {
    const at = pair.indexOf('=');
    if (at > 0) cookies.set(pair.slice(0, at).trim(), pair.slice(at + 1).trim());
  }
  return cookies;
}

/** Sets the session's cookie on the answer, or clears it with null. */
export function setSessionCookie(exchange: Exchange, token: string | null): void {
  const name = exchange.secure ? secureName : plainName;
  const age = token === null ? 0 : cookieSeconds;
  exchange.response.setHeader(
    'set-cookie',
    `${name}=${token ?? ''}; Path=/; HttpOnly; SameSite=Lax; Max-Age=${age}${exchange.secure ? '; Secure' : ''}`,
  );
}
