import { createHash, createPublicKey, randomUUID, verify } from 'node:crypto';
import type { Who } from './access.ts';

/** Who may sign in, and what opens the door. */
export interface Account {
  name: string;
  user: string;
  password: string;
  /** PEM; the key that a JWT must be signed with. */
  publicKey: string;
  /** An OAuth access token. */
  token: string;
  /** A programmatic access token, which stands in place of a password. */
  accessToken: string;
}

interface Session extends Who {
  session: string;
  master: string;
  isExpired: boolean;
  isGone: boolean;
  /** Nobody knows its tokens any more. */
  isUnknown: boolean;
}

/** What a login sends that matters here. */
interface LoginData {
  ACCOUNT_NAME?: string;
  LOGIN_NAME?: string;
  PASSWORD?: string;
  AUTHENTICATOR?: string;
  TOKEN?: string;
}

/** Sessions by their tokens, and how many there ever were. */
export class Sessions {
  readonly #account: Account;
  readonly #sessions: Session[] = [];
  logins = 0;
  renewals = 0;
  ended = 0;

  constructor(account: Account) {
    this.#account = account;
  }

  /** A new session, or the code and message with which the account refuses one. */
  logIn(data: LoginData, who: Who): Session | [code: string, message: string] {
    const refusal = this.#refuse(data);
    if (refusal) return refusal;
    this.logins += 1;
    const session = {
      ...who,
      session: randomUUID(),
      master: randomUUID(),
      isExpired: false,
      isGone: false,
      isUnknown: false,
    };
    this.#sessions.push(session);
    return session;
  }

  /** Whose session it is. */
  whoOf(token: string): Who {
    return this.#sessions.find(({ session }) => session === token)!;
  }

  /** What the session is known by here, however often its token is renewed. */
  idOf(token: string): string {
    return this.#sessions.find(({ session }) => session === token)?.master ?? '';
  }

  /** Null when the token is good; else the code that says what is wrong with it. */
  problemOf(token: string): string | null {
    const found = this.#sessions.find(({ session }) => session === token);
    if (!found || found.isUnknown) return '390104';
    if (found.isGone) return '390111';
    return found.isExpired ? '390112' : null;
  }

  /** The session with a new token; null when the master token is good for nothing. */
  renew(master: string): Session | null {
    const found = this.#sessions.find((each) => each.master === master && !each.isGone && !each.isUnknown);
    if (!found) return null;
    this.renewals += 1;
    Object.assign(found, { session: randomUUID(), isExpired: false });
    return found;
  }

  end(token: string): void {
    const found = this.#sessions.find(({ session }) => session === token);
    if (!found || found.isGone) return;
    found.isGone = true;
    this.ended += 1;
  }

  /** Lets all that are open run out, or be forgotten. */
  expire(how: 'expired' | 'gone' | 'unknown'): void {
    const property = { expired: 'isExpired', gone: 'isGone', unknown: 'isUnknown' } as const;
    for (const session of this.#sessions) session[property[how]] = true;
  }

  #refuse(data: LoginData): [code: string, message: string] | null {
    const { name, user, password, accessToken, token } = this.#account;
    const isUser = data.ACCOUNT_NAME?.toUpperCase() === name && data.LOGIN_NAME?.toUpperCase() === user;
    switch (data.AUTHENTICATOR) {
      case 'SNOWFLAKE_JWT':
        return this.#isSigned(data.TOKEN ?? '') ? null : ['390144', 'JWT token is invalid.'];
      case 'OAUTH':
        return isUser && data.TOKEN === token ? null : ['390303', 'Invalid OAuth access token.'];
      default:
        if (isUser && [password, accessToken].includes(data.PASSWORD ?? '')) return null;
        return ['390100', 'Incorrect username or password was specified.'];
    }
  }

  /** The issuer names account, user and the fingerprint of the key; all in capitals. */
  #isSigned(jwt: string): boolean {
    const [header = '', payload = '', signature = ''] = jwt.split('.');
    const key = createPublicKey(this.#account.publicKey);
    const signed = Buffer.from(`${header}.${payload}`);
    if (!verify('RSA-SHA256', signed, key, Buffer.from(signature, 'base64url'))) return false;
    const { iss, sub, exp } = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Record<
      string,
      unknown
    >;
    const der = key.export({ type: 'spki', format: 'der' });
    const fingerprint = createHash('sha256').update(der).digest('base64');
    const subject = `${this.#account.name}.${this.#account.user}`;
    return sub === subject && iss === `${subject}.SHA256:${fingerprint}` && Number(exp) > Date.now() / 1000;
  }
}
