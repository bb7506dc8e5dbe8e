import type { IncomingMessage, ServerResponse } from 'node:http';
import { AppError, type ErrorCode } from '#base/errors.ts';
import { newId } from '#base/id.ts';
import type { Log } from '#base/log.ts';
import { presentError } from './present-error.ts';

/** One HTTP request and the answer to it. */
export interface Exchange {
  request: IncomingMessage;
  response: ServerResponse;
  url: URL;
  requestId: string;
  /** Whether the client reached us over TLS, as the proxy before us says. */
  secure: boolean;
  /** The host and port that the client asked for. */
  host: string;
  log: Log;
}

/** A request that is refused as a whole, with its HTTP status. */
export class Refused extends Error {
  readonly status: number;
  readonly error: AppError;
  readonly headers: Record<string, string>;

  constructor(status: number, error: AppError, headers: Record<string, string> = {}) {
    super(error.message, { cause: error });
    this.name = 'Refused';
    this.status = status;
    this.error = error;
    this.headers = headers;
  }
}

export function refused(
  status: number,
  code: ErrorCode,
  message: string,
  fix: string,
  headers = {},
): Refused {
  return new Refused(status, new AppError(code, message, { fix }), headers);
}

/** Reads who asks for what, and sets the headers that every answer carries. */
export function beginExchange(request: IncomingMessage, response: ServerResponse, log: Log): Exchange {
  const requestId = requestIdOf(request);
  response.setHeader('x-request-id', requestId);
  response.setHeader('x-content-type-options', 'nosniff');
  response.setHeader('x-frame-options', 'DENY');
  response.setHeader('referrer-policy', 'no-referrer');
  response.setHeader('cross-origin-resource-policy', 'same-origin');
  response.setHeader('content-security-policy', "default-src 'none'; frame-ancestors 'none'");
  response.setHeader('cache-control', 'no-store');
  return {
    request,
    response,
    url: urlOf(request),
    requestId,
    secure: isSecure(request),
    host: hostOf(request),
    log,
  };
}

/** The host and port that the client asked for, which a proxy on this machine may know better. */
export function hostOf(request: IncomingMessage): string {
  const forwarded = isProxied(request) ? first(request.headers['x-forwarded-host']) : undefined;
  return forwarded ?? request.headers.host ?? 'localhost';
}

/** Whether the client speaks TLS with a proxy on this machine. */
export function isSecure(request: IncomingMessage): boolean {
  return isProxied(request) && first(request.headers['x-forwarded-proto']) === 'https';
}

/** Forwarded headers are believed from this machine only: from anywhere else a client could have written them. */
function isProxied(request: IncomingMessage): boolean {
  const address = request.socket.remoteAddress ?? '';
  return address === '::1' || address.startsWith('127.') || address.startsWith('::ffff:127.');
}

/** The network address that asks, as the proxy before us says it where there is one. */
export function addressOf(request: IncomingMessage): string | null {
  const forwarded = isProxied(request) ? String(request.headers['x-forwarded-for'] ?? '') : '';
  // The proxy adds whom it saw at the end: what stands before that, the client may have written.
  return forwarded.split(',').at(-1)?.trim() || (request.socket.remoteAddress ?? null);
}

function first(header: string | string[] | undefined): string | undefined {
  return (
    String(header ?? '')
      .split(',')[0]
      ?.trim() || undefined
  );
}

/** The client's own request id where it is harmless in a log and a header, else a new one. */
function requestIdOf(request: IncomingMessage): string {
  const given = request.headers['x-request-id'];
  return typeof given === 'string' && /^[\w.-]{8,64}$/.test(given) ? given : newId();
}

/** What is no URL leads nowhere. */
function urlOf(request: IncomingMessage): URL {
  return URL.parse(request.url ?? '/', 'http://localhost') ?? new URL('http://localhost/not-a-url');
}

export function sendJson(exchange: Exchange, status: number, body: unknown): void {
  sendText(exchange, status, JSON.stringify(body), 'application/json; charset=utf-8');
}

export function sendText(exchange: Exchange, status: number, text: string, type: string): void {
  const { response } = exchange;
  if (response.headersSent || response.destroyed) return;
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(text) });
  response.end(exchange.request.method === 'HEAD' ? undefined : text);
}

/** Answers with what was thrown, as GraphQL errors. */
export function sendError(exchange: Exchange, error: unknown): void {
  if (exchange.response.headersSent) {
    exchange.response.destroy();
    return;
  }
  if (error instanceof Refused) {
    for (const [name, value] of Object.entries(error.headers)) exchange.response.setHeader(name, value);
    sendJson(exchange, error.status, { errors: [presentError(error.error, exchange)] });
    return;
  }
  sendJson(exchange, 500, { errors: [presentError(error, exchange)] });
}
