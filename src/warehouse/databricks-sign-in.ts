import { NoAnswer, NotLetIn } from './databricks-errors.ts';

/** How a workspace is reached, and as whom: by a token, or as a service principal. */
export interface DatabricksLogin {
  /** Such as https://dbc-1.cloud.databricks.com, without a path. */
  url: string;
  warehouseId: string;
  token?: string;
  clientId?: string;
  clientSecret?: string;
  catalog: string;
  schema?: string;
  /** Where files lie that syncs load, such as /Volumes/catalog/schema/volume. */
  volume?: string;
  /** The wait before a request that failed in passing is sent again; each wait doubles. */
  firstWaitMs?: number;
}

/** A token that a service principal was given is taken for dead so long before it is. */
const marginMs = 60_000;
const signInMs = 30_000;

/** The bearer token of a login: the personal one, or one that Databricks gives a service principal, renewed as it runs out. */
export class SignIn {
  readonly #login: DatabricksLogin;
  #given: Promise<{ token: string; goodUntil: number }> | null = null;

  constructor(login: DatabricksLogin) {
    this.#login = login;
  }

  /** Fails with NotLetIn when the credentials are wrong, and with NoAnswer when nobody says. */
  async token(): Promise<string> {
    if (this.#login.token !== undefined) return this.#login.token;
    const given = await this.#given?.catch(() => null);
    if (given && given.goodUntil > Date.now()) return given.token;
    this.#given = this.#ask();
    return (await this.#given).token;
  }

  /** What was given is good for nothing any more. */
  forget(): void {
    this.#given = null;
  }

  async #ask(): Promise<{ token: string; goodUntil: number }> {
    const { url, clientId = '', clientSecret = '' } = this.#login;
    const pair = Buffer.from(`${encodeURIComponent(clientId)}:${encodeURIComponent(clientSecret)}`);
    const response = await fetch(`${url}/oidc/v1/token`, {
      method: 'POST',
      redirect: 'error',
      headers: {
        authorization: `Basic ${pair.toString('base64')}`,
        'content-type': 'application/x-www-form-urlencoded',
      },
      body: 'grant_type=client_credentials&scope=all-apis',
      signal: AbortSignal.timeout(signInMs),
    }).catch((error: unknown) => {
      throw new NoAnswer('the address that gives out tokens is not reached', { cause: error });
    });
    const body = (await response.json().catch(() => ({}))) as Record<string, unknown>;
    if (response.status >= 400 && response.status < 500) {
      const why =
        typeof body.error_description === 'string' ? body.error_description : 'it knows no such client';
      throw new NotLetIn(response.status, why);
    }
    if (!response.ok || typeof body.access_token !== 'string') {
      throw new NoAnswer(`it gives out no token: status ${response.status}`);
    }
    const seconds = Number(body.expires_in ?? 3_600);
    return { token: body.access_token, goodUntil: Date.now() + seconds * 1000 - marginMs };
  }
}
