import type { IncomingMessage } from 'node:http';
import { type Exchange, refused, type Refused } from './exchange.ts';
import type { OperationRequest } from './operations.ts';

/** Reads what to execute. Fails with Refused for anything but one operation, as a GET query or as a JSON POST. */
export async function readOperation(exchange: Exchange, bodyBytesMax: number): Promise<OperationRequest> {
  const { request } = exchange;
  if (request.method === 'GET') return operationOf(paramsOfUrl(exchange.url));
  if (request.method !== 'POST') {
    throw refused(
      405,
      'BAD_USER_INPUT',
      `/graphql does not take ${request.method}.`,
      'Send POST, or GET for a query.',
      {
        allow: 'GET, POST',
      },
    );
  }
  refuseOtherContent(request);
  const body = await readBody(request, bodyBytesMax);
  return operationOf(parseJson(body.toString('utf8'), 'The body'));
}

/** A form of a foreign page can send every other content type without asking first, so that none is executed. */
function refuseOtherContent(request: IncomingMessage): void {
  const [type = '', ...parameters] = (request.headers['content-type'] ?? '')
    .toLowerCase()
    .replace(/\s/g, '')
    .split(';');
  const charset = parameters.find((parameter) => parameter.startsWith('charset='))?.slice(8) ?? 'utf-8';
  const encoding = request.headers['content-encoding'] ?? 'identity';
  if (type === 'application/json' && /^"?utf-?8"?$/.test(charset) && encoding === 'identity') return;
  throw refused(
    415,
    'BAD_USER_INPUT',
    `A body of type "${type || 'none'}" (charset ${charset}, encoding ${encoding}) is not executed.`,
    'Send "Content-Type: application/json" in UTF-8, not compressed.',
    { 'accept-post': 'application/json' },
  );
}

/**
 * The whole body. Fails with 413 as soon as it is larger than allowed. The rest is dropped as it comes, until the time
 * for a request is over: a client whose connection is closed while it sends would never read why.
 */
export function readBody(request: IncomingMessage, bytesMax: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const refuse = () => {
      request.off('data', take).resume();
      reject(tooLarge(bytesMax));
    };
    const take = (chunk: Buffer) => {
      size += chunk.length;
      if (size > bytesMax) refuse();
      else chunks.push(chunk);
    };
    if (Number(request.headers['content-length'] ?? 0) > bytesMax) return refuse();
    request.on('data', take);
    request.once('end', () => resolve(Buffer.concat(chunks)));
    request.once('error', reject);
    request.once('close', () => reject(new Error('The client left before its request was whole.')));
  });
}

function tooLarge(bytesMax: number): Refused {
  return refused(
    413,
    'BAD_USER_INPUT',
    `The body is larger than ${bytesMax} bytes.`,
    'Send less at once; large values belong into files or a source.',
  );
}

function paramsOfUrl(url: URL): Record<string, unknown> {
  const params: Record<string, unknown> = {};
  for (const name of ['query', 'operationName']) {
    const text = url.searchParams.get(name);
    if (text) params[name] = text;
  }
  for (const name of ['variables', 'extensions']) {
    const text = url.searchParams.get(name);
    if (text) params[name] = parseJson(text, `The parameter "${name}"`);
  }
  return params;
}

function parseJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw bad(`${what} is not JSON.`, 'Send { "query": "…", "variables": { … } }.');
  }
}

function operationOf(params: unknown): OperationRequest {
  if (Array.isArray(params)) {
    throw bad('Several operations in one request are not executed.', 'Send one request for each operation.');
  }
  if (!isObject(params))
    throw bad('The body is not a JSON object.', 'Send { "query": "…", "variables": { … } }.');
  const { query } = params;
  // Null and absent mean the same.
  const operationName = params['operationName'] ?? undefined;
  const variables = params['variables'] ?? undefined;
  const extensions = params['extensions'] ?? undefined;
  if (typeof query !== 'string' || query === '') {
    throw bad('There is no query: it must be a string.', 'Send { "query": "…", "variables": { … } }.');
  }
  if (operationName !== undefined && typeof operationName !== 'string') {
    throw bad(
      'operationName is not a string.',
      'Send the name of one operation of the query, or leave it out.',
    );
  }
  if (variables !== undefined && !isObject(variables)) {
    throw bad('variables is not an object.', 'Send { "name": value } with a value for each variable.');
  }
  if (extensions !== undefined && !isObject(extensions)) {
    throw bad('extensions is not an object.', 'Leave it out: nothing here reads it.');
  }
  return { query, operationName, variables };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function bad(message: string, fix: string): Refused {
  return refused(400, 'BAD_USER_INPUT', message, fix);
}
