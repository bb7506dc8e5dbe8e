import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Viewer } from '#accounts/viewer.ts';
import { answerCall, failure, type RestAnswer } from '#rest/call.ts';
import { answerDescription } from '#rest/describe.ts';
import { admit } from './admit.ts';
import { compressionFor } from './compress.ts';
import { addressOf, type Exchange, Refused } from './exchange.ts';
import type { GraphqlServer } from './graphql-server.ts';

/** Made once: each would else cost a stack trace, with every request that ends. */
const gone = new DOMException('The client has left.', 'AbortError');

/** Below this an answer is sent as it is: compressing would cost more than it saves. */
const compressedFrom = 1_024;

/** Answers what is asked below /api. */
export async function answerApi(exchange: Exchange, server: GraphqlServer): Promise<void> {
  const { response } = exchange;
  const leave = new AbortController();
  response.once('close', () => leave.abort(gone));
  const answer = await answerOf(exchange, server, leave.signal);
  const { body } = answer;
  const isWhole = body === null || typeof body === 'string';
  await send(exchange, isWhole ? answer : { ...answer, body: tellingBreak(exchange, body, leave.signal) });
}

/** Rows that cannot be given to their end: the log says why, since of what was sent by then nothing can be taken back. */
async function* tellingBreak(
  { request, requestId, log }: Exchange,
  body: AsyncIterable<string>,
  left: AbortSignal,
): AsyncGenerator<string> {
  try {
    yield* body;
  } catch (error) {
    if (!left.aborted) log.warn('An answer broke off before its end.', { requestId, error });
    // It has no chunks, of which the last would be missing: a connection that was merely closed would end a whole body.
    if (request.httpVersion === '1.0') request.socket.resetAndDestroy();
    throw error;
  }
}

async function answerOf(exchange: Exchange, server: GraphqlServer, signal: AbortSignal): Promise<RestAnswer> {
  const { request, url, requestId } = exchange;
  let viewer: Viewer | null;
  try {
    ({ viewer } = await admit(exchange, server));
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    const answer = failure(server.app, exchange, error.error, error.status);
    return { ...answer, headers: { ...answer.headers, ...error.headers } };
  }
  const asked = {
    method: request.method ?? 'GET',
    path: url.pathname.slice('/api/'.length),
    search: url.searchParams,
    headers: request.headers,
    viewer,
    address: addressOf(request),
    requestId,
    signal,
  };
  return (await answerDescription(server.app, asked)) ?? answerCall(server.app, asked);
}

async function send(
  { request, response }: Exchange,
  { status, headers, body, kept, trailers }: RestAnswer,
): Promise<void> {
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  // They follow the last of several pieces, which HTTP/1.0 and HEAD have not.
  if (request.httpVersion === '1.0' || request.method === 'HEAD') response.removeHeader('trailer');
  response.setHeader('vary', 'Accept, Accept-Encoding, Authorization, Cookie');
  if (body === null) {
    response.writeHead(status).end();
    return;
  }
  const isShort = typeof body === 'string' && body.length < compressedFrom;
  const compression = isShort ? null : compressionFor(request.headers['accept-encoding'] ?? '');
  let bytes: string | Buffer | null = typeof body === 'string' && !compression ? body : null;
  if (compression) {
    response.setHeader('content-encoding', compression.name);
    if (kept && typeof body === 'string' && status !== 304) bytes = await compression.ofKept(kept, body);
    // A compressed answer is the same one, in other bytes.
    const etag = response.getHeader('etag');
    if (typeof etag === 'string' && !etag.startsWith('W/')) response.setHeader('etag', `W/${etag}`);
  }
  if (bytes !== null && status !== 304) response.setHeader('content-length', Buffer.byteLength(bytes));
  if (request.method === 'HEAD' || status === 304) {
    if (status === 304) response.removeHeader('content-encoding');
    response.writeHead(status).end();
    return;
  }
  response.writeHead(status);
  if (bytes !== null) {
    response.end(bytes);
    return;
  }
  const source = Readable.from(typeof body === 'string' ? [body] : body);
  await pipeline([source, ...(compression ? [compression.stream()] : []), response], { end: false });
  if (trailers) response.addTrailers(trailers());
  response.end();
}
