import { once } from 'node:events';
import { OperationTypeNode } from 'graphql';
import type { Viewer } from '#accounts/viewer.ts';
import { AppError } from '#base/errors.ts';
import type { Context } from '#graphql/context.ts';
import { type Accepted, parseAccept } from './accept.ts';
import { type Credentials, credentialsOf, setSessionCookie } from './credentials.ts';
import { type Exchange, Refused, refused, sendJson } from './exchange.ts';
import { delivery } from './delivery.ts';
import type { EventStream } from './event-stream.ts';
import type { GraphqlServer } from './graphql-server.ts';
import { checkCost, executePrepared, type PreparedOperation } from './operations.ts';
import { readOperation } from './read-operation.ts';
import { foreignRequest } from './same-origin.ts';

const pingMs = 12_000;

/** Answers one operation over HTTP: a query or mutation as JSON, anything as a stream of server-sent events. */
export async function answerGraphql(exchange: Exchange, server: GraphqlServer): Promise<void> {
  const startedAt = performance.now();
  const { request, response } = exchange;
  const leave = new AbortController();
  response.once('close', () => leave.abort());

  const accepted = parseAccept(request.headers.accept);
  if (!accepted.json && !accepted.events) throw notAcceptable('application/json or text/event-stream');
  const { credentials, viewer } = await admit(exchange, server);
  const asked = await readOperation(exchange, server.limits.bodyBytesMax);
  const context: Context = {
    app: server.app,
    viewer,
    requestId: exchange.requestId,
    signal: leave.signal,
    startedAt,
    setSessionCookie: (token) => setSessionCookie(exchange, token),
  };

  const prepared = server.prepare(asked);
  if ('errors' in prepared) return sendErrors(exchange, accepted, prepared.errors);
  const kind = prepared.operation.operation;
  if (request.method === 'GET' && kind === OperationTypeNode.MUTATION) {
    throw refused(405, 'BAD_USER_INPUT', 'A mutation is not executed by GET.', 'Send it by POST.', {
      allow: 'POST',
    });
  }
  try {
    checkCost(prepared, context, server.limits.costMax);
  } catch (error) {
    return sendErrors(exchange, accepted, [error]);
  }
  if (kind === OperationTypeNode.SUBSCRIPTION) {
    if (!accepted.events) throw notAcceptable('text/event-stream');
    return await answerSubscription(exchange, server, { prepared, context, leave, credentials });
  }
  const answer = delivery(await executePrepared(prepared, context), exchange);
  if (!accepted.json) return sendEvents(exchange, [answer.text()]);
  const refusedBefore = !('data' in answer.result) && accepted.json === 'application/graphql-response+json';
  sendJson(exchange, refusedBefore ? 400 : 200, answer.result, accepted.json);
}

/** Who asks. A cookie counts only when no foreign page can have sent it; a dead one is cleared, so that logIn works. */
async function admit(
  exchange: Exchange,
  server: GraphqlServer,
): Promise<{ credentials: Credentials | null; viewer: Viewer | null }> {
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

function notAcceptable(types: string): Refused {
  return refused(
    406,
    'BAD_USER_INPUT',
    `The answer can only be sent as ${types}.`,
    `Send "Accept: ${types}".`,
  );
}

/** An operation refused before its execution: 200 for application/json, as GraphQL over HTTP asks for, else 400. */
function sendErrors(exchange: Exchange, accepted: Accepted, errors: readonly unknown[]): void {
  const answer = delivery({ errors: errors }, exchange);
  if (!accepted.json) return sendEvents(exchange, [answer.text()]);
  sendJson(exchange, accepted.json === 'application/json' ? 200 : 400, answer.result, accepted.json);
}

interface Subscribing {
  prepared: PreparedOperation;
  context: Context;
  leave: AbortController;
  credentials: Credentials | null;
}

async function answerSubscription(
  exchange: Exchange,
  server: GraphqlServer,
  about: Subscribing,
): Promise<void> {
  const { followers, limits, guard } = server;
  if (followers.size >= limits.followersMax) {
    throw refused(
      503,
      'RATE_LIMITED',
      `${limits.followersMax} clients follow something already.`,
      'Try again later.',
    );
  }
  followers.add(exchange);
  exchange.response.once('close', () => followers.delete(exchange));
  const events = await server.follow(about.prepared, about.context, about.leave);
  if ('errors' in events) return sendEvents(exchange, [delivery({ errors: events.errors }, exchange).text()]);

  const { viewer } = about.context;
  const unwatch =
    viewer && about.credentials
      ? guard.watch({
          token: about.credentials.token,
          viewer,
          end: (reason) => events.fail(endOfSession(reason)),
        })
      : undefined;
  try {
    await stream(exchange, events);
  } finally {
    unwatch?.();
    await events.return();
  }
}

/** Why a subscription ends that was allowed when it began. */
function endOfSession(reason: 'signed-out' | 'rights-changed'): AppError {
  return reason === 'signed-out'
    ? new AppError('UNAUTHENTICATED', 'The session ended, or the API key was revoked.', {
        fix: 'Sign in again.',
      })
    : new AppError('UNAUTHENTICATED', 'The rights behind this subscription changed.', {
        fix: 'Subscribe again.',
      });
}

function sendEvents(exchange: Exchange, texts: readonly string[]): void {
  beginEvents(exchange);
  for (const text of texts) exchange.response.write(eventOf(text));
  exchange.response.end(completed);
}

const completed = 'event: complete\ndata:\n\n';
const eventOf = (text: string) => `event: next\ndata: ${text}\n\n`;

function beginEvents({ response }: Exchange): void {
  response.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-cache, no-transform',
    'x-accel-buffering': 'no',
  });
  // Some browsers take the answer as begun only with its first byte.
  response.write(':\n\n');
}

/** The next event is pulled only when the one before has left, so that a client that does not read costs one event. */
async function stream(exchange: Exchange, events: EventStream): Promise<void> {
  const { response } = exchange;
  beginEvents(exchange);
  const ping = setInterval(() => {
    if (!response.writableNeedDrain) response.write(':\n\n');
  }, pingMs);
  try {
    for await (const event of events) {
      if (response.destroyed) return;
      if (!response.write(eventOf(event.text()))) await drained(exchange);
    }
    response.end(completed);
  } finally {
    clearInterval(ping);
  }
}

async function drained({ response }: Exchange): Promise<void> {
  if (response.destroyed) return;
  const settled = new AbortController();
  await Promise.race([
    once(response, 'drain', { signal: settled.signal }),
    once(response, 'close', { signal: settled.signal }),
  ]).finally(() => settled.abort());
}
