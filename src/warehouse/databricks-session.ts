import { setTimeout as sleep } from 'node:timers/promises';
import { callError, connect, type Connected, type Driver, turnedAway } from './databricks-client.ts';
import { DatabricksError, NoAnswer, NotLetIn } from './databricks-errors.ts';
import type { DatabricksLogin } from './databricks-sign-in.ts';
import { orAborted } from './or-aborted.ts';

type Request<K extends keyof Driver> = Parameters<Driver[K]>[0];
type Response<K extends keyof Driver> = Awaited<ReturnType<Driver[K]>>;
export type SessionHandle = Request<'closeSession'>['sessionHandle'];

/** What one call may cost, and who is told what Databricks says in place of an answer. */
export interface Calling<Answer = unknown> {
  signal: AbortSignal;
  onWait?: ((said: string) => void) | undefined;
  /** Is given an answer that came after the signal had aborted. */
  onLate?: ((this: void, answer: Answer) => void) | undefined;
}

/** So often one call is made; the waits between double from the first. */
const triesMax = 6;
const firstWaitMsDefault = 100;
const longestWaitMs = 30_000;

/** These change nothing at Databricks when they are made twice. */
const repeatable: readonly (keyof Driver)[] = [
  'getOperationStatus',
  'getResultSetMetadata',
  'fetchResults',
  'cancelOperation',
  'closeOperation',
  'closeSession',
];

const goodbyeMs = 5_000;

/** The client misses it when a connection breaks in the middle of an answer whose length was said: it waits for the rest. */
const patienceMs = 15_000;

/** Protocol V8: the first with named parameters. */
const protocol = 0xa508;
const success = new Set([0, 1]);
const invalidHandle = 4;

/** The sessions of one login: one for each rounded deadline, since only a session can limit how long its statements run. */
export class DatabricksSessions implements AsyncDisposable {
  readonly #login: DatabricksLogin;
  #connected: Promise<Connected> | null = null;
  readonly #sessions = new Map<number, Promise<SessionHandle>>();
  readonly #open = new Set<SessionHandle>();
  #closed = false;

  /** The wait before a request that failed in passing is sent again; each wait doubles. */
  readonly firstWaitMs: number;

  constructor(login: DatabricksLogin) {
    this.#login = login;
    this.firstWaitMs = login.firstWaitMs ?? firstWaitMsDefault;
  }

  /**
   * Makes one call, again while Databricks is busy or starts and the call cannot have been heard or may be made twice. Fails
   * with DatabricksError, NotLetIn or NoAnswer, and with the signal's reason.
   */
  async call<K extends keyof Driver>(
    name: K,
    request: Request<K>,
    { signal, onWait, onLate }: Calling<Response<K>>,
  ): Promise<Response<K>> {
    let signedInAgain = false;
    for (let tries = 1; ; tries += 1) {
      signal.throwIfAborted();
      if (this.#closed && name !== 'closeSession') throw new NoAnswer('the session is closed');
      const { driver, signIn } = await orAborted((this.#connected ??= connect(this.#login)), signal);
      try {
        // One method of the driver with its own request: TypeScript cannot see that they belong together.
        const method = driver[name] as (of: Request<K>) => Promise<Response<K>>;
        const sent = method.call(driver, request);
        sent.then(
          (answer) => signal.aborted && onLate?.(answer),
          () => undefined,
        );
        return checked(await orAborted(withPatience(sent, name), signal));
      } catch (error) {
        if (signal.aborted || error instanceof DatabricksError) throw error;
        const turned = turnedAway(error);
        // A token that ran out between two calls.
        const isOut = turned?.status === 401 || turned?.status === 403;
        if (isOut && !signedInAgain && this.#login.token === undefined) {
          signedInAgain = true;
          signIn.forget();
          continue;
        }
        const said = callError(error);
        if (said instanceof NotLetIn || !this.#mayRepeat(name, error)) throw said;
        const isAsked = turned?.retryAfterMs != null;
        if (!isAsked && tries >= triesMax) throw said;
        if (isAsked) onWait?.(said.message);
        const waitMs = turned?.retryAfterMs ?? this.firstWaitMs * 2 ** (tries - 1);
        await sleep(Math.min(waitMs, longestWaitMs), undefined, { signal });
      }
    }
  }

  /** A session whose statements Databricks ends, at the latest, after twice the deadline and a minute. */
  async session(deadlineMs: number, calling: Calling): Promise<SessionHandle> {
    const seconds = 2 ** Math.ceil(Math.log2(Math.max(60, deadlineMs / 1000)));
    let opening = this.#sessions.get(seconds);
    if (!opening) {
      // Others may wait for it as well: it outlives whoever asked first, but not for long.
      opening = this.#begin(seconds, {
        signal: AbortSignal.timeout(Math.max(deadlineMs, longestWaitMs)),
        onWait: calling.onWait,
      });
      this.#sessions.set(seconds, opening);
      opening.catch(() => this.#sessions.delete(seconds));
    }
    return orAborted(opening, calling.signal);
  }

  /** The session is over at Databricks: the next statement opens another. */
  async forget(handle: SessionHandle): Promise<void> {
    this.#open.delete(handle);
    for (const [seconds, opening] of this.#sessions) {
      if ((await opening.catch(() => null)) === handle) this.#sessions.delete(seconds);
    }
  }

  /** Where the workspace is reached. */
  get url(): string {
    return this.#login.url;
  }

  /** The token was refused: a service principal is given another. */
  async signInAgain(signal: AbortSignal): Promise<void> {
    const { signIn } = await orAborted((this.#connected ??= connect(this.#login)), signal);
    signIn.forget();
  }

  /** The bearer token, for what is asked of the workspace beside statements. */
  async token(signal: AbortSignal): Promise<string> {
    const { signIn } = await orAborted((this.#connected ??= connect(this.#login)), signal);
    return orAborted(signIn.token(), signal);
  }

  /** Ends the sessions, so that they do not wait for their end at Databricks. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#sessions.values()].map((opening) => opening.catch(() => null)));
    const signal = AbortSignal.timeout(goodbyeMs);
    await Promise.all(
      [...this.#open].map((sessionHandle) =>
        this.call('closeSession', { sessionHandle }, { signal }).catch(() => null),
      ),
    );
  }

  async #begin(seconds: number, calling: Calling): Promise<SessionHandle> {
    const { catalog, schema } = this.#login;
    const { sessionHandle } = await this.call(
      'openSession',
      {
        client_protocol_i64: protocol,
        canUseMultipleCatalogs: true,
        initialNamespace: { catalogName: catalog, schemaName: schema ?? 'default' },
        // What our SQL relies on, whatever the workspace says.
        configuration: { TIMEZONE: 'UTC', ANSI_MODE: 'true', STATEMENT_TIMEOUT: String(seconds) },
      },
      calling,
    );
    if (!sessionHandle) throw new NoAnswer('it opens no session');
    this.#open.add(sessionHandle);
    return sessionHandle;
  }

  #mayRepeat(name: keyof Driver, error: unknown): boolean {
    if (repeatable.includes(name)) return true;
    const turned = turnedAway(error);
    if (turned) return turned.status === 429 || turned.status === 503;
    const { code } = error as { code?: unknown };
    return code === 'ECONNREFUSED' || code === 'ENOTFOUND' || code === 'EAI_AGAIN';
  }
}

/** Gives up what may be asked for again and takes too long. */
async function withPatience<T>(sent: Promise<T>, name: keyof Driver): Promise<T> {
  if (!repeatable.includes(name)) return sent;
  const done = new AbortController();
  const late = sleep(patienceMs, undefined, { signal: done.signal, ref: false }).then(
    () => Promise.reject(new NoAnswer('its answer does not come')),
    () => sent,
  );
  return Promise.race([sent, late]).finally(() => done.abort());
}

/** Whether the session that a statement was sent in was over before it began. */
export function isSessionLost(error: unknown): boolean {
  if (!(error instanceof DatabricksError)) return false;
  return (
    error.condition === 'INVALID_HANDLE' ||
    /Invalid SessionHandle|session .*(closed|expired)/i.test(error.message)
  );
}

interface Status {
  statusCode: number;
  sqlState?: string | null;
  errorMessage?: string | null;
  displayMessage?: string | null;
}

function checked<T extends { status: Status }>(answer: T): T {
  const { statusCode, sqlState, errorMessage, displayMessage } = answer.status;
  if (success.has(statusCode)) return answer;
  const said = displayMessage || errorMessage || 'it gives no reason';
  const message = statusCode === invalidHandle ? `[INVALID_HANDLE] ${said}` : said;
  throw new DatabricksError(message, sqlState ?? '');
}
