import { pipeline } from 'node:stream/promises';
import { AppError } from '#base/errors.ts';
import { createMeter } from '#catalog/meter.ts';
import { admit, type Admitted } from './admit.ts';
import { setSessionCookie } from './credentials.ts';
import { type Exchange, type Refused, refused } from './exchange.ts';
import type { GraphqlServer } from './graphql-server.ts';
import { meterName, type OperationContext } from './operation-context.ts';
import { readJson } from './read-body.ts';

/** Made once: each would else cost a stack trace, with every request that ends. */
const gone = new DOMException('The client has left.', 'AbortError');

/** Answers one operation over HTTP: a query or mutation as JSON, anything as a stream of server-sent events. */
export async function answerGraphql(exchange: Exchange, server: GraphqlServer): Promise<void> {
  const startedAt = performance.now();
  const { request, response, url } = exchange;
  const { app, yoga, limits } = server;
  const leave = new AbortController();
  response.once('close', () => leave.abort(gone));

  const { accept = '*/*' } = request.headers;
  if (!acceptable.test(accept)) throw notAcceptable();
  const { credentials, viewer } = await admit(exchange, server);
  const context: OperationContext = {
    app,
    viewer,
    schema: await server.schemaOf(viewer),
    requestId: exchange.requestId,
    signal: leave.signal,
    startedAt,
    meter: createMeter(),
    showsMeter: request.headers[meterName] === '1',
    setSessionCookie: (token) => setSessionCookie(exchange, token),
    leave,
    admitFollower: () => admitFollower(exchange, server, { credentials, viewer, leave }),
  };
  const asked = new yoga.fetchAPI.Request(url.href, {
    method: request.method ?? 'GET',
    headers: { accept, 'content-type': 'application/json' },
    ...(request.method === 'POST' && { body: await readJson(exchange, limits.bodyBytesMax) }),
  });
  await send(exchange, await yoga.handleRequest(asked, context));
}

/** Asked before the execution: yoga finds out after it that the answer cannot be sent. */
const acceptable = /(\*|application)\/(\*|json|graphql-response\+json)|text\/(\*|event-stream)/i;

function notAcceptable(): Refused {
  return refused(
    406,
    'BAD_USER_INPUT',
    'The answer cannot be sent as anything that "Accept" names.',
    'Accept application/json, or text/event-stream, which alone holds the answers of a subscription.',
  );
}

/** Counts an event stream as long as it is open, and ends it with the right to it. */
function admitFollower(
  exchange: Exchange,
  { followers, limits, guard }: GraphqlServer,
  { credentials, viewer, leave }: Admitted & { leave: AbortController },
): void {
  if (leave.signal.aborted) return;
  if (followers.size >= limits.followersMax) {
    throw new AppError('RATE_LIMITED', `${limits.followersMax} clients follow something already.`, {
      fix: 'Try again later.',
    });
  }
  followers.add(exchange);
  const unwatch =
    viewer && credentials
      ? guard.watch({
          token: credentials.token,
          viewer,
          end: (reason) => leave.abort(endOfSession(reason)),
        })
      : undefined;
  exchange.response.once('close', () => {
    followers.delete(exchange);
    unwatch?.();
  });
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

/** The next event is pulled only when those before have left, so that a client that does not read is not served ahead. */
async function send({ request, response }: Exchange, answer: Response): Promise<void> {
  if (answer.status === 406) throw notAcceptable();
  for (const [name, value] of answer.headers) response.setHeader(name, value);
  if (answer.headers.get('content-type') === 'text/event-stream' && answer.body) {
    response.setHeader('content-type', 'text/event-stream; charset=utf-8');
    response.setHeader('cache-control', 'no-cache, no-transform');
    response.setHeader('x-accel-buffering', 'no');
    // Not a coding that HTTP knows: what it is to prevent is said by no-transform.
    response.removeHeader('content-encoding');
    response.writeHead(answer.status);
    await pipeline(answer.body, response);
    return;
  }
  const text = await answer.text();
  response.writeHead(answer.status).end(request.method === 'HEAD' ? undefined : text);
}
