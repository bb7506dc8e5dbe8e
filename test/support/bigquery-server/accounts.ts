import { createPublicKey, randomBytes, verify } from 'node:crypto';

export interface Account {
  clientEmail: string;
  publicKey: string;
}

const scope = 'https://www.googleapis.com/auth/bigquery';

/** Tokens of one service account: made of a JWT that its key signed, and good until they are revoked. */
export class Tokens {
  readonly #account: Account;
  readonly #good = new Set<string>();
  made = 0;

  constructor(account: Account) {
    this.#account = account;
  }

  /** Of a form as OAuth posts it; null when its JWT is not what it has to be. */
  make(form: URLSearchParams): string | null {
    if (form.get('grant_type') !== 'urn:ietf:params:oauth:grant-type:jwt-bearer') return null;
    if (!this.#isSigned(form.get('assertion') ?? '')) return null;
    const token = `ya29.${randomBytes(24).toString('base64url')}`;
    this.#good.add(token);
    this.made += 1;
    return token;
  }

  isGood(token: string): boolean {
    return this.#good.has(token);
  }

  revoke(): void {
    this.#good.clear();
  }

  #isSigned(jwt: string): boolean {
    const [header = '', payload = '', signature = ''] = jwt.split('.');
    const key = createPublicKey(this.#account.publicKey);
    const signed = Buffer.from(`${header}.${payload}`);
    if (!verify('RSA-SHA256', signed, key, Buffer.from(signature, 'base64url'))) return false;
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Record<string, unknown>;
    const isOurs =
      claims.iss === this.#account.clientEmail && claims.aud === 'https://oauth2.googleapis.com/token';
    return isOurs && String(claims.scope).includes(scope) && Number(claims.exp) > Date.now() / 1000;
  }
}
