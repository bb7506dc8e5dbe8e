import type { Viewer } from '#accounts/viewer.ts';
import { AppError } from '#base/errors.ts';
import { type Credentials, credentialsOf, setSessionCookie } from './credentials.ts';
import { type Exchange, Refused } from './exchange.ts';
import { foreignRequest } from './same-origin.ts';
import type { SignInGuard } from './sign-in-guard.ts';

/** Who asks, and what they showed for it. */
export interface Admitted {
  credentials: Credentials | null;
  viewer: Viewer | null;
}

/** Who asks. A cookie counts only when no foreign page can have sent it; a dead one is cleared, so that logIn works. */
export async function admit(exchange: Exchange, server: { guard: SignInGuard }): Promise<Admitted> {
  let credentials: Credentials | null = null;
  try {
    credentials = credentialsOf(exchange.request, exchange.secure);
    const foreign = credentials?.from === 'cookie' ? foreignRequest(exchange) : undefined;
    if (foreign) throw foreign;
    return { credentials, viewer: await server.guard.admit(credentials) };
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'UNAUTHENTICATED') throw error;
    if (credentials?.from === 'cookie') setSessionCookie(exchange, null);
    throw new Refused(401, error, { 'www-authenticate': 'Bearer realm="sluice"' });
  }
}
