import { setTimeout as sleep } from 'node:timers/promises';
import { BigQueryError, errorOf, isPassing, NotLetIn } from './bigquery-errors.ts';
import { orAborted } from './or-aborted.ts';

/** Who signs in, and where BigQuery is reached. */
export interface BigQueryLogin {
  /** https://bigquery.googleapis.com, or an emulator, which then is also where tokens come from. */
  url: string;
  isEmulator: boolean;
  projectId: string;
  clientEmail: string;
  /** PEM. */
  privateKey: string;
  /** The wait before a request that failed in passing is sent again; each wait doubles. */
  firstWaitMs?: number;
}

export interface Request {
  method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Below the project, such as /queries. */
  path: string;
  query?: Record<string, string | number | undefined>;
  body?: unknown;
  signal: AbortSignal;
  /** Once it aborts nothing is sent any more; what is on its way goes on. */
  sendUntil?: AbortSignal;
}

/** So often one request is sent; the waits between them double from the first. */
const triesMax = 6;
export const firstWaitMsDefault = 250;
const goodbyeMs = 5_000;

/** A text to be sent, with the headers that say what it is. */
interface Sent {
  url: string;
  method: string;
  headers: Record<string, string>;
  data: string | Buffer | undefined;
  signal: AbortSignal;
  sendUntil?: AbortSignal;
  /** Not sent again by itself. */
  isOnce?: boolean;
}

interface Received {
  status: number;
  text: string;
  headers: Headers;
}

type Door = (sent: Sent) => Promise<Received>;

/**
 * The REST API of one project. Google's own client signs in and keeps the token fresh; it is loaded with the first request.
 * All that is sent may be sent twice: it reads, or carries an id that BigQuery runs once.
 */
export class BigQueryRest {
  readonly login: BigQueryLogin;
  #door: Promise<Door> | null = null;
  readonly #behind = new Set<Promise<unknown>>();

  constructor(login: BigQueryLogin) {
    this.login = login;
  }

  /** Takes note of work that nobody waits for before the warehouse is closed. */
  leave(work: Promise<unknown>): void {
    const left = work.catch(() => undefined);
    this.#behind.add(left);
    void left.then(() => this.#behind.delete(left));
  }

  /** Waits for what was left behind, but not for long. */
  async settled(): Promise<void> {
    await Promise.race([Promise.all(this.#behind), sleep(goodbyeMs, undefined, { ref: false })]);
  }

  /** Gives the answer's JSON. What fails in passing is sent again until `signal` aborts. Fails with BigQueryError and NotLetIn. */
  async send({ method, path, query = {}, body, signal, sendUntil }: Request): Promise<unknown> {
    const { text } = await this.transfer({
      url: this.#urlOf('/bigquery/v2', path, query),
      method,
      headers: body === undefined ? {} : { 'content-type': 'application/json' },
      data: body === undefined ? undefined : JSON.stringify(body),
      signal,
      ...(sendUntil && { sendUntil }),
    });
    return text === '' ? {} : JSON.parse(text);
  }

  /** Sends what is for the upload of files, as send does. */
  async upload(request: Omit<Sent, 'url'> & { path: string; query: Request['query'] }): Promise<Received> {
    const { path, query = {}, ...sent } = request;
    return this.transfer({ ...sent, url: this.#urlOf('/upload/bigquery/v2', path, query) });
  }

  /** The address, if it is one of where BigQuery is reached: no other is told the token. */
  ownUrl(address: string): string {
    if (address.startsWith(`${this.login.url}/`)) return address;
    throw new Error('it names another address to send the file to');
  }

  /** As send, of a whole address. Statuses below 400 are an answer. */
  async transfer({ isOnce, sendUntil, ...sent }: Sent): Promise<Received> {
    const most = isOnce ? 1 : triesMax;
    let isNew = false;
    for (let tries = 1; ; tries += 1) {
      sent.signal.throwIfAborted();
      sendUntil?.throwIfAborted();
      const using = (this.#door ??= this.#opened());
      const failure = await orAborted(using, sent.signal)
        .then((door) => door(sent))
        .catch((error: unknown) => failureOf(error, sent.signal));
      if (!(failure instanceof Error)) {
        // Of the statuses between, only that of an upload that goes on is an answer.
        if (failure.status < 300 || failure.status === 308) return failure;
        const error = errorOf(failure.status, failure.text);
        // A token may be revoked before its time.
        if (error.status === 401 && !isNew) {
          isNew = true;
          if (this.#door === using) this.#door = null;
          continue;
        }
        if (!isPassing(error) || tries === most) throw error;
      } else if (tries === most) throw failure;
      const { firstWaitMs = firstWaitMsDefault } = this.login;
      await sleep(firstWaitMs * 2 ** (tries - 1) * (0.5 + Math.random()), undefined, {
        signal: sent.signal,
      });
    }
  }

  #urlOf(base: string, path: string, query: NonNullable<Request['query']>): string {
    const url = new URL(
      `${this.login.url}${base}/projects/${encodeURIComponent(this.login.projectId)}${path}`,
    );
    url.searchParams.set('prettyPrint', 'false');
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) url.searchParams.set(name, String(value));
    }
    return url.href;
  }

  /** Forgotten when it fails, so that the next request tries again. */
  #opened(): Promise<Door> {
    const opening = openDoor(this.login);
    opening.catch(() => {
      if (this.#door === opening) this.#door = null;
    });
    return opening;
  }
}

const tokenHost = 'oauth2.googleapis.com';

async function openDoor(login: BigQueryLogin): Promise<Door> {
  const { BigQuery } = await import('@google-cloud/bigquery');
  const { authClient } = new BigQuery({
    projectId: login.projectId,
    credentials: { client_email: login.clientEmail, private_key: login.privateKey },
  });
  const client = await authClient.getClient();
  const local = { noProxy: [new URL(login.url)] };
  if (login.isEmulator) {
    client.transporter.interceptors.request.add({
      resolved: async (config) => {
        if (config.url.host !== tokenHost) return config;
        return { ...config, ...local, url: new URL('/token', login.url) };
      },
    });
  }
  return async (sent) => {
    const { status, data, headers } = await client.request<string>({
      ...sent,
      headers: { ...sent.headers, 'user-agent': 'Sluice' },
      responseType: 'text',
      redirect: 'manual',
      validateStatus: () => true,
      ...(login.isEmulator && local),
    });
    return { status, text: data, headers };
  };
}

/**
 * Gives what another try may do away with, and throws the rest. Of the client's errors only the words are kept: they hold the
 * whole request.
 */
function failureOf(error: unknown, signal: AbortSignal): Error {
  signal.throwIfAborted();
  const { response, message } = error as { response?: { status: number; data?: unknown }; message: string };
  // No answer of BigQuery is an error to the client: this one is of where tokens are made.
  if (response !== undefined) {
    const { error: code, error_description: description } = (response.data ?? {}) as Record<string, unknown>;
    const said = [code, description].filter((part) => typeof part === 'string').join(': ');
    if (response.status < 500 && response.status !== 429) throw new NotLetIn(said || message);
    return new BigQueryError(said || message, 'backendError', response.status);
  }
  // A key that cannot be read.
  const { code } = error as { code?: unknown };
  if (typeof code === 'string' && code.startsWith('ERR_OSSL'))
    throw new NotLetIn('the private key cannot be read');
  return new Error(message.replace(/^.*reason: /, '').replace(/ while trying to fetch \S+/, ''));
}
