import { setTimeout as sleep } from 'node:timers/promises';
import { newId } from '#base/id.ts';
import { orAborted } from './or-aborted.ts';
import { NoAnswer, SnowflakeError } from './snowflake-errors.ts';
import { firstWaitMsDefault, logIn, type SnowflakeLogin, type Tokens } from './snowflake-login.ts';

/** An answer of Snowflake, whatever was asked. */
export interface Reply {
  success: boolean;
  code?: string | null;
  message?: string | null;
  data: Record<string, unknown> | null;
}

/** So often one request is sent; the waits between them double from the first. */
const triesMax = 6;

/**
 * Snowflake has the same statement only once for one request id: it can be sent again. So are those that it sends elsewhere,
 * which may be within its own network.
 */
const isPassing = (status: number) => [307, 308, 408, 425, 429].includes(status) || status >= 500;

const sessionExpired = '390112';
/** The session is gone, or its renewing is: a new one is opened. */
const sessionLost = new Set(['390103', '390104', '390110', '390111', '390113', '390114', '390115']);
/** A statement is to be stopped that has not begun, or has ended. */
const notRunning = '000605';
const stopTriesMax = 5;

const goodbyeMs = 5_000;
const openMs = 30_000;

/** One session of an account, opened when first needed and renewed as it runs out. It takes many statements at once. */
export class SnowflakeSession implements AsyncDisposable {
  readonly #login: SnowflakeLogin;
  readonly #isOne: boolean;
  #tokens: Promise<Tokens> | null = null;
  readonly #stopping = new Set<Promise<unknown>>();
  #closed = false;

  /** The wait before what failed in passing is asked for again; each wait doubles. */
  readonly firstWaitMs: number;

  /** With `isOne` it is never opened anew: what a transaction began is not gone on with outside of it. */
  constructor(login: SnowflakeLogin, { isOne = false }: { isOne?: boolean } = {}) {
    this.#login = login;
    this.#isOne = isOne;
    this.firstWaitMs = login.firstWaitMs ?? firstWaitMsDefault;
  }

  /**
   * Sends one request and gives its answer. What fails in passing is sent again until `signal` aborts, and so is what an
   * expired or lost session refused. Fails with SnowflakeError or NoAnswer.
   */
  async send(method: 'GET' | 'POST', path: string, body: unknown, signal: AbortSignal): Promise<Reply> {
    if (this.#closed) throw new NoAnswer('the session is closed');
    return this.#send(method, path, body, signal);
  }

  async #send(method: 'GET' | 'POST', path: string, body: unknown, signal: AbortSignal): Promise<Reply> {
    let renewed = 0;
    for (;;) {
      signal.throwIfAborted();
      const using = (this.#tokens ??= this.#open());
      const tokens = await orAborted(using, signal);
      const reply = await this.#exchange({ method, path, body, token: tokens.session }, signal);
      const code = reply.code ?? '';
      const isOver = code === sessionExpired || sessionLost.has(code);
      if (!isOver || renewed === 2) return checked(reply);
      if (this.#isOne && code !== sessionExpired) throw new NoAnswer('its session was lost');
      renewed += 1;
      // Of all statements that find it over, one renews it for all.
      if (this.#tokens === using) this.#tokens = this.#kept(this.#renew(tokens, code));
    }
  }

  /** Asks Snowflake to stop a statement. Never fails: one that goes on ends by its own time limit. */
  stop(requestId: string): void {
    if (this.#tokens === null) return;
    const asked = this.#stop(requestId, AbortSignal.timeout(goodbyeMs)).catch(() => undefined);
    this.#stopping.add(asked);
    void asked.then(() => this.#stopping.delete(asked));
  }

  /** Asks again where that came before the statement, which was on its way. */
  async #stop(requestId: string, signal: AbortSignal): Promise<void> {
    for (let tries = 1; ; tries += 1) {
      try {
        await this.#send('POST', `/queries/v1/abort-request?requestId=${newId()}`, { requestId }, signal);
        return;
      } catch (error) {
        const isEarly = error instanceof SnowflakeError && error.code === notRunning;
        if (!isEarly || tries === stopTriesMax) throw error;
        await sleep(this.firstWaitMs * 2 ** (tries - 1), undefined, { signal });
      }
    }
  }

  /** The next statement opens a new session: this one has no virtual warehouse, which it takes only when it begins. */
  leave(): void {
    this.#tokens?.then((tokens) => this.#end(tokens)).catch(() => undefined);
    this.#tokens = null;
  }

  /** Ends the session, so that it does not wait hours for its end at Snowflake, behind what is asked to stop there. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#stopping);
    const ended = this.#tokens?.then((tokens) => this.#end(tokens)).catch(() => undefined);
    // Whoever is not let in soon is not waited for.
    await Promise.race([ended, sleep(goodbyeMs, undefined, { ref: false })]);
  }

  async #end(tokens: Tokens): Promise<void> {
    const path = `/session?delete=true&requestId=${newId()}`;
    const signal = AbortSignal.timeout(goodbyeMs);
    await this.#exchange({ method: 'POST', path, body: {}, token: tokens.session }, signal).catch(
      () => undefined,
    );
  }

  #open(): Promise<Tokens> {
    return this.#kept(this.#logIn());
  }

  /** With a role that is named, no other of the user's counts beside it, whatever the user has as secondary roles. */
  async #logIn(): Promise<Tokens> {
    const tokens = await logIn(this.#login);
    if (this.#login.role === undefined) return tokens;
    const path = `/queries/v1/query-request?requestId=${newId()}`;
    const body = { sqlText: 'USE SECONDARY ROLES NONE', asyncExec: false };
    const signal = AbortSignal.timeout(openMs);
    checked(await this.#exchange({ method: 'POST', path, body, token: tokens.session }, signal));
    return tokens;
  }

  /** Forgotten when it fails, so that the next statement tries again. */
  #kept(opening: Promise<Tokens>): Promise<Tokens> {
    opening.catch(() => {
      if (this.#tokens === opening) this.#tokens = null;
    });
    return opening;
  }

  async #renew(tokens: Tokens, code: string): Promise<Tokens> {
    if (code === sessionExpired) {
      const request = {
        method: 'POST' as const,
        path: `/session/token-request?requestId=${newId()}`,
        body: { requestType: 'RENEW', oldSessionToken: tokens.session },
        token: tokens.master,
      };
      const { success, data } = await this.#exchange(request, AbortSignal.timeout(openMs));
      if (success) return { session: String(data?.sessionToken), master: String(data?.masterToken) };
      if (this.#isOne) throw new NoAnswer('its session was lost');
    }
    return this.#logIn();
  }

  async #exchange(request: Request, signal: AbortSignal): Promise<Reply> {
    const { method, path, body, token } = request;
    for (let tries = 1; ; tries += 1) {
      const again = tries === 1 ? '' : `${path.includes('?') ? '&' : '?'}retryCount=${tries - 1}`;
      const reply = await fetchJson(`${this.#login.url}${path}${again}`, {
        method,
        redirect: 'manual',
        headers: {
          accept: 'application/snowflake',
          'content-type': 'application/json',
          'user-agent': 'Sluice',
          authorization: `Snowflake Token="${token}"`,
        },
        ...(method === 'POST' && { body: JSON.stringify(body) }),
        signal,
      });
      if (!(reply instanceof NoAnswer)) return reply;
      if (tries === triesMax) throw reply;
      await sleep(this.firstWaitMs * 2 ** (tries - 1), undefined, { signal });
    }
  }
}

interface Request {
  method: 'GET' | 'POST';
  path: string;
  body: unknown;
  token: string;
}

/** Gives, not throws, a NoAnswer that another try may do away with. */
async function fetchJson(url: string, init: RequestInit): Promise<Reply | NoAnswer> {
  try {
    const response = await fetch(url, init);
    if (response.ok) return (await response.json()) as Reply;
    const said = response.status === 401 ? await refusalOf(response) : null;
    if (said) return said;
    await response.body?.cancel();
    const error = new NoAnswer(`it answers with status ${response.status}`);
    if (isPassing(response.status)) return error;
    throw error;
  } catch (error) {
    if (init.signal?.aborted || error instanceof NoAnswer) throw error;
    const { cause } = error as { cause?: unknown };
    return new NoAnswer(cause instanceof Error ? cause.message : String(error), { cause: error });
  }
}

/** A token that Snowflake does not know is refused with a status of its own, and says why as any other answer does. */
async function refusalOf(response: Response): Promise<Reply | null> {
  const said = (await response.json().catch(() => null)) as Reply | null;
  return typeof said?.code === 'string' ? { ...said, success: false } : null;
}

function checked(reply: Reply): Reply {
  if (reply.success) return reply;
  const sqlState = typeof reply.data?.sqlState === 'string' ? reply.data.sqlState : '';
  throw new SnowflakeError(reply.message ?? 'it gives no reason', reply.code ?? '', sqlState);
}
