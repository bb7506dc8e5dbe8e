import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import { print, type ExecutionResult } from 'graphql';
import { createClient, type Client } from 'graphql-ws';
import { WebSocket } from 'ws';
import { AppError, messageOf, type ErrorCode } from '#base/errors.ts';

/** Where a gateway is, and who asks. */
export interface ClientOptions {
  /** Without a path: http://127.0.0.1:4000 */
  url: string;
  token: string | undefined;
}

/** The connection broke, or the gateway is going down: worth another try, unlike a refusal. */
export class ConnectionLost extends AppError {
  constructor(url: string, reason: string) {
    super('INTERNAL', `The gateway at ${url} cannot be reached: ${reason}.`, {
      fix: 'Start it with "npm start", or set SLUICE_URL to where it is.',
    });
    this.name = 'ConnectionLost';
  }
}

/** A client of the public API, as any other program is one. */
export interface GatewayClient extends AsyncDisposable {
  url: string;
  /** Runs a query or mutation. Fails with the gateway's own error as AppError, or ConnectionLost. */
  ask<Data, Variables extends object>(
    document: TypedDocumentNode<Data, Variables>,
    variables: Variables,
  ): Promise<Data>;
  /** Events until the gateway ends them or the signal aborts. Fails as ask does. */
  follow<Data, Variables extends object>(
    document: TypedDocumentNode<Data, Variables>,
    variables: Variables,
    signal: AbortSignal,
  ): AsyncGenerator<Data>;
}

const answerMsMax = 60_000;

/** Opens a client; it connects when it is first used. */
export function openClient(options: ClientOptions): GatewayClient {
  const { url, token } = options;
  const authorization = authorizationOf(token);
  const socket = openSocket(url, authorization);
  return {
    url,
    ask: (document, variables) => ask(url, authorization, print(document), variables),
    follow: (document, variables, signal) => follow(url, socket, print(document), variables, signal),
    [Symbol.asyncDispose]: async () => socket.dispose(),
  };
}

function authorizationOf(token: string | undefined): string | undefined {
  return token === undefined ? undefined : `Bearer ${token}`;
}

/** Retries are the follower's: only it knows after which line to go on. */
function openSocket(url: string, authorization: string | undefined): Client {
  return createClient({
    url: `${url.replace(/^http/, 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    retryAttempts: 0,
    keepAlive: 10_000,
    connectionAckWaitTimeout: 10_000,
    ...(authorization !== undefined && { connectionParams: { authorization } }),
  });
}

async function ask<Data>(
  url: string,
  authorization: string | undefined,
  query: string,
  variables: object,
): Promise<Data> {
  return dataOf(url, await answerOf(url, authorization, query, variables)) as Data;
}

/** The whole answer of the gateway, with what failed in it. Fails with ConnectionLost alone. */
export function answerTo(
  { url, token }: ClientOptions,
  query: string,
  variables: object,
): Promise<ExecutionResult> {
  return answerOf(url, authorizationOf(token), query, variables);
}

async function answerOf(
  url: string,
  authorization: string | undefined,
  query: string,
  variables: object,
): Promise<ExecutionResult> {
  try {
    const answer = await fetch(`${url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(authorization !== undefined && { authorization }) },
      body: JSON.stringify({ query, variables }),
      signal: AbortSignal.timeout(answerMsMax),
    });
    return (await answer.json()) as ExecutionResult;
  } catch (error) {
    throw new ConnectionLost(url, reasonOf(error));
  }
}

async function* follow<Data>(
  url: string,
  socket: Client,
  query: string,
  variables: object,
  signal: AbortSignal,
): AsyncGenerator<Data> {
  const events = socket.iterate<Data>({ query, variables: { ...variables } });
  const stop = () => void events.return?.();
  signal.addEventListener('abort', stop, { once: true });
  try {
    for await (const event of events) yield dataOf(url, event) as Data;
  } catch (error) {
    throw refusalOf(url, error);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

function dataOf(url: string, result: { data?: unknown; errors?: readonly unknown[] }): unknown {
  const [error] = result.errors ?? [];
  if (error !== undefined) throw errorOf(error);
  if (result.data === undefined || result.data === null)
    throw new ConnectionLost(url, 'its answer holds no data');
  return result.data;
}

/** An error of the gateway's answer; one that only a programmer can put right with its request. */
export function errorOf(error: unknown): AppError {
  const { message, extensions } = error as { message: string; extensions?: Record<string, unknown> };
  const code = (extensions?.['code'] ?? 'INTERNAL') as ErrorCode;
  const requestId = extensions?.['requestId'];
  const fix = extensions?.['fix'];
  const said =
    code === 'INTERNAL' && typeof requestId === 'string' ? `${message} (request ${requestId})` : message;
  return new AppError(code, said, { fix: typeof fix === 'string' ? fix : undefined });
}

/** graphql-ws throws errors of the operation as a list, and the close event of the socket. */
function refusalOf(url: string, error: unknown): AppError {
  if (error instanceof AppError) return error;
  if (Array.isArray(error)) return errorOf(error[0]);
  const { code, reason } = error as { code?: unknown; reason?: unknown };
  if (code === 4401 || code === 4403) {
    return new AppError(
      'UNAUTHENTICATED',
      'The gateway refuses the token: it is unknown, expired or revoked.',
      { fix: signInFix },
    );
  }
  if (typeof code === 'number')
    return new ConnectionLost(url, `closed with code ${code} ${String(reason)}`.trim());
  return new ConnectionLost(url, reasonOf(error));
}

/** What lies under "fetch failed", and the text of an ErrorEvent, which is no Error. */
function reasonOf(error: unknown): string {
  const { cause, message } = error as { cause?: unknown; message?: unknown };
  if (cause instanceof AggregateError) return reasonOf(cause.errors[0]);
  if (cause !== undefined) return reasonOf(cause);
  return typeof message === 'string' && message !== '' ? message : messageOf(error);
}

/** What to do without a token, or with one that is worth nothing. */
export const signInFix = 'Set SLUICE_TOKEN to a session token (from logIn) or an API key.';
