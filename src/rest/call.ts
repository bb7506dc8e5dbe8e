import { hash } from 'node:crypto';
import { demand } from '#accounts/permissions.ts';
import type { Viewer } from '#accounts/viewer.ts';
import type { App } from '#app.ts';
import { AppError, InputError, inputError } from '#base/errors.ts';
import { createMeter } from '#catalog/meter.ts';
import { reservedParams } from '#endpoints/check-declaration.ts';
import { RateLimited, type RateState } from '#endpoints/rate-state.ts';
import { paramsOfUrl } from '#endpoints/read-params.ts';
import type { EndpointAnswer, EndpointPage, RowsPiece } from '#endpoints/run.ts';
import { readCall, serveCall, serveStream } from '#endpoints/serve-call.ts';
import type { Endpoint } from '#endpoints/served.ts';
import {
  acceptedFormat,
  contentTypes,
  csvHead,
  csvOfRow,
  type Format,
  jsonNames,
  jsonOfRow,
} from './formats.ts';
import { presentProblem } from './problems.ts';

/** A request below /api, whose sender is known. */
export interface RestRequest {
  method: string;
  /** Below /api: "v1/users/active". */
  path: string;
  search: URLSearchParams;
  headers: { readonly [name: string]: string | string[] | undefined };
  viewer: Viewer | null;
  /** The network address that the request came from. */
  address: string | null;
  requestId: string;
  /** Aborts when the client has left. */
  signal: AbortSignal;
}

export interface RestAnswer {
  status: number;
  headers: Record<string, string>;
  /** Pieces come as they are taken; HEAD and 304 take none. */
  body: string | AsyncIterable<string> | null;
  /** Of a body that is given again: the same object each time, with which what is made of the body may be kept. */
  kept?: object;
  /** Told after a body of pieces: { "sluice-truncated": "true" } when rows were left out. */
  trailers?: () => Record<string, string>;
}

export const methods = 'GET, HEAD, OPTIONS';

/** Answers a request of a data endpoint; failures are answers too. */
export async function answerCall(app: App, request: RestRequest): Promise<RestAnswer> {
  let endpoint: Endpoint | undefined;
  try {
    endpoint = await findEndpoint(app, request);
    const answer = answerMethod(app, request) ?? (await answerRows(app, request, endpoint));
    return withHeaders(answer, standing(app, request, endpoint));
  } catch (error) {
    const answer = withHeaders(failure(app, request, error), endpoint && standing(app, request, endpoint));
    if (!(error instanceof RateLimited)) return answer;
    return withHeaders(answer, { 'retry-after': String(error.retrySeconds) });
  }
}

/** The answer to a request that does not read; undefined to one that does. */
export function answerMethod(
  app: App,
  request: Pick<RestRequest, 'method' | 'requestId'>,
): RestAnswer | undefined {
  const { method } = request;
  if (method === 'GET' || method === 'HEAD') return undefined;
  if (method === 'OPTIONS') return { status: 204, headers: { allow: methods }, body: null };
  const error = new AppError('BAD_USER_INPUT', `${method} is not answered here.`, {
    fix: `Use one of ${methods}.`,
  });
  return withHeaders(failure(app, request, error, 405), { allow: methods });
}

/** That of the viewer's project, or one that is open to all. Whoever may not know of it cannot tell it from none. */
async function findEndpoint({ endpoints }: App, { path, viewer }: RestRequest): Promise<Endpoint> {
  const own = viewer ? (await endpoints.registry.of(viewer.projectId)).byPath.get(path) : undefined;
  const found = own ?? (await endpoints.registry.openToAll(path));
  if (found) return found;
  demand(viewer, 'SIGNED_IN');
  throw new AppError('NOT_FOUND', `There is no endpoint /api/${path.slice(0, 200)}.`, {
    fix: 'List those there are with GET /api/openapi.json.',
  });
}

async function answerRows(app: App, request: RestRequest, endpoint: Endpoint): Promise<RestAnswer> {
  const { values, page, format } = readCall(app.endpoints, endpoint, () => readRequest(request, endpoint));
  const { viewer, address, signal, requestId } = request;
  const asker = { projectId: endpoint.projectId, requestId, signal, meter: createMeter() };
  const served = { caller: { viewer, address }, asker };
  const isWhole = Object.values(page).every((value) => value === undefined);
  if (format !== 'json' && isWhole) {
    return streamed(endpoint, format, serveStream(app.endpoints, served, endpoint, values), signal);
  }
  const answer = await serveCall(app.endpoints, served, endpoint, { values, page });
  return whole(request, endpoint, format, answer);
}

function readRequest(request: RestRequest, endpoint: Endpoint) {
  for (const scope of endpoint.scopes ?? []) demand(request.viewer, scope);
  const { values, problems } = paramsOfUrl(endpoint.params, request.search, reservedOf(endpoint));
  const page = readPage(request.search);
  const format = readFormat(request);
  if (problems.length > 0) throw new InputError(problems);
  return { values, page, format };
}

/** Every name in a URL that is no parameter of the query. */
export function reservedOf({ pages }: Endpoint): string[] {
  return reservedParams.filter((name) => pages !== null || name === 'format');
}

function readPage(search: URLSearchParams): EndpointPage {
  const size = (name: 'first' | 'last') => {
    const text = search.get(name);
    if (text === null) return undefined;
    if (/^\d{1,6}$/.test(text)) return Number(text);
    throw inputError(
      'INVALID',
      [name],
      `${name} must be a whole number, not ${JSON.stringify(text.slice(0, 80))}.`,
    );
  };
  for (const name of ['first', 'after', 'last', 'before', 'format'] as const) {
    if (search.getAll(name).length > 1)
      throw inputError('INVALID', [name], `${name} is given more than once.`);
  }
  return {
    first: size('first'),
    after: search.get('after') ?? undefined,
    last: size('last'),
    before: search.get('before') ?? undefined,
  };
}

function readFormat({ search, headers }: RestRequest): Format {
  const asked = search.get('format');
  if (asked !== null) {
    if (asked === 'json' || asked === 'ndjson' || asked === 'csv') return asked;
    throw inputError(
      'INVALID',
      ['format'],
      `format must be one of json, ndjson, csv, not ${JSON.stringify(asked.slice(0, 80))}.`,
    );
  }
  const accept = headers['accept'];
  const format = acceptedFormat(Array.isArray(accept) ? accept.join(',') : accept);
  if (format) return format;
  throw new NotAcceptable();
}

/** No format there is that the client takes. */
class NotAcceptable extends AppError {
  constructor() {
    super('BAD_USER_INPUT', 'The answer cannot be sent as anything that "Accept" names.', {
      fix: 'Accept application/json, application/x-ndjson or text/csv.',
    });
    this.name = 'NotAcceptable';
  }
}

/** By the rows of a kept answer: what is asked again is not written again. */
const bodies = new WeakMap<readonly unknown[][], Map<string, { body: string; etag: string }>>();

function whole(request: RestRequest, endpoint: Endpoint, format: Format, answer: EndpointAnswer): RestAnswer {
  const kept = bodies.get(answer.rows) ?? new Map<string, { body: string; etag: string }>();
  bodies.set(answer.rows, kept);
  const key = `${endpoint.id} ${endpoint.updatedAt.getTime()} ${format}`;
  let written = kept.get(key);
  if (!written) {
    const body = bodyOf(endpoint, format, answer);
    written = { body, etag: `"${hash('sha256', body, 'base64url').slice(0, 22)}"` };
    kept.set(key, written);
  }
  const headers = {
    etag: written.etag,
    ...cacheHeaders(endpoint, answer),
  };
  if (isKnown(request.headers['if-none-match'], written.etag))
    return { status: 304, headers, body: written.body };
  return {
    status: 200,
    headers: { ...headers, 'content-type': contentTypes[format] },
    body: written.body,
    ...((answer.cache === 'HIT' || answer.cache === 'STALE') && { kept: written }),
  };
}

function bodyOf(
  { columns, pages }: Endpoint,
  format: Format,
  { rows, after, before, truncated }: EndpointAnswer,
): string {
  if (format === 'csv') return csvHead(columns) + rows.map(csvOfRow).join('');
  const names = jsonNames(columns);
  const lines = rows.map((row) => jsonOfRow(names, row));
  if (format === 'ndjson') return lines.map((line) => `${line}\n`).join('');
  const paging = pages ? { after, before } : { after, before, truncated };
  return `{"data":[${lines.join(',')}],"paging":${JSON.stringify(paging)},"errors":[]}`;
}

/** Fails before anything is sent when the first rows cannot be had; later the body breaks off. */
async function streamed(
  endpoint: Endpoint,
  format: Exclude<Format, 'json'>,
  pieces: AsyncGenerator<RowsPiece, void>,
  signal: AbortSignal,
): Promise<RestAnswer> {
  const first = await pieces.next();
  // A body that nobody takes to its end, as that of HEAD, would else hold its connection to the datastore for good.
  const leave = () => void pieces.return().catch(() => undefined);
  if (signal.aborted) leave();
  else signal.addEventListener('abort', leave, { once: true });
  const names = jsonNames(endpoint.columns);
  const write = (rows: readonly unknown[][]) =>
    rows.map((row) => (format === 'csv' ? csvOfRow(row) : `${jsonOfRow(names, row)}\n`)).join('');
  let truncated = false;
  async function* body(): AsyncGenerator<string> {
    if (format === 'csv') yield csvHead(endpoint.columns);
    for (let piece = first; !piece.done; piece = await pieces.next()) {
      ({ truncated } = piece.value);
      if (piece.value.rows.length > 0) yield write(piece.value.rows);
    }
  }
  return {
    status: 200,
    headers: {
      'content-type': contentTypes[format],
      'cache-control': endpoint.scopes === null ? 'no-cache' : 'private, no-cache',
      trailer: 'Sluice-Truncated',
    },
    body: body(),
    trailers: () => ({ 'sluice-truncated': String(truncated) }),
  };
}

/**
 * An answer may be kept for as long as the declaration says that it may be old; without that it may be asked for each time,
 * since a sync can change it at any moment, and costs nothing but that where it has not.
 */
function cacheHeaders(
  { keep, scopes }: Endpoint,
  { freshness, cache }: EndpointAnswer,
): Record<string, string> {
  const whose = scopes === null ? 'public' : 'private';
  const seconds = Math.floor((keep?.maxAgeMs ?? 0) / 1_000);
  const stale = Math.floor((keep?.staleMs ?? 0) / 1_000);
  const age =
    seconds > 0 ? `max-age=${seconds}${stale > 0 ? `, stale-while-revalidate=${stale}` : ''}` : 'no-cache';
  return {
    'cache-control': `${whose}, ${age}`,
    'sluice-cache': cache,
    ...(freshness.syncedAt && { 'last-modified': freshness.syncedAt.toUTCString() }),
  };
}

function isKnown(header: string | string[] | undefined, etag: string): boolean {
  const tags = String(header ?? '')
    .split(',')
    .map((tag) => tag.trim().replace(/^W\//, ''));
  return tags.includes(etag) || tags.includes('*');
}

/** Who may read its answers, for how long it is served, and how much of it the caller may still use. */
function standing(
  { endpoints }: App,
  { viewer, address }: RestRequest,
  endpoint: Endpoint,
): Record<string, string> {
  const rate = rateHeaders(endpoints.rates.stateOf(endpoint, { viewer, address }));
  return { ...lasting(endpoint), ...crossOrigin(endpoint), ...rate };
}

/** RFC 9745 and RFC 8594. */
function lasting({ state, deprecatedAt, sunsetAt }: Endpoint): Record<string, string> {
  if (state !== 'DEPRECATED') return {};
  return {
    ...(deprecatedAt && { deprecation: `@${Math.floor(deprecatedAt.getTime() / 1_000)}` }),
    ...(sunsetAt && { sunset: sunsetAt.toUTCString() }),
  };
}

/** Both as draft-ietf-httpapi-ratelimit-headers-10 lists them, and calls as its drafts before the eighth did. */
function rateHeaders(state: RateState | null): Record<string, string> {
  if (state === null) return {};
  const { requests, cost, windowSeconds, resetSeconds } = state;
  const quotas = [
    ...(requests ? [{ name: 'requests', unit: '', ...requests }] : []),
    ...(cost ? [{ name: 'cost', unit: ';qu="milliseconds"', ...cost }] : []),
  ];
  const list = (item: (quota: (typeof quotas)[number]) => string) => quotas.map(item).join(', ');
  return {
    ...(requests && {
      'ratelimit-limit': String(requests.limit),
      'ratelimit-remaining': String(requests.remaining),
      'ratelimit-reset': String(resetSeconds),
    }),
    'ratelimit-policy': list(({ name, limit, unit }) => `"${name}";q=${limit}${unit};w=${windowSeconds}`),
    ratelimit: list(({ name, remaining }) => `"${name}";r=${remaining};t=${resetSeconds}`),
  };
}

/** Pages of any origin may read what anybody may, failures too. To send Authorization they are not let: it is no "*". */
function crossOrigin({ scopes }: Endpoint): Record<string, string> {
  if (scopes !== null) return {};
  return {
    'access-control-allow-origin': '*',
    'access-control-allow-methods': methods,
    'access-control-allow-headers': '*',
    'access-control-expose-headers': '*',
    'cross-origin-resource-policy': 'cross-origin',
  };
}

/** What is answered in place of rows, in the same envelope. */
export function failure(
  app: App,
  { requestId }: Pick<RestRequest, 'requestId'>,
  error: unknown,
  as?: number,
): RestAnswer {
  const { status, errors, unforeseen } = presentProblem(error, requestId);
  if (unforeseen !== undefined)
    app.log.error('A call of an endpoint failed unexpectedly', { requestId, error: unforeseen });
  const body = JSON.stringify({ data: [], paging: { after: null, before: null }, errors });
  const headers: Record<string, string> = { 'content-type': contentTypes.json };
  if (status === 401) headers['www-authenticate'] = 'Bearer realm="sluice"';
  if (status === 503) headers['retry-after'] = '5';
  return { status: as ?? (error instanceof NotAcceptable ? 406 : status), headers, body };
}

function withHeaders(answer: RestAnswer, headers: Record<string, string> = {}): RestAnswer {
  return { ...answer, headers: { ...answer.headers, ...headers } };
}
