import { lookup, type LookupAddress } from 'node:dns';
import { request as requestHttp, type ClientRequest, type IncomingMessage } from 'node:http';
import { request as requestHttps } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import { isPublicAddress } from './public-address.ts';

/** Why a request was not sent, or had no answer. Its message is for whoever set the URL, and says nothing of it but the host. */
export class OutgoingError extends Error {
  /** Whether the URL itself will not do, whatever the other end does. */
  readonly refused: boolean;

  constructor(message: string, options: { refused: boolean }) {
    super(message);
    this.name = 'OutgoingError';
    this.refused = options.refused;
  }
}

/** A URL that may be requested, and the addresses it was found to lead to. */
export interface Target {
  url: URL;
  addresses: readonly LookupAddress[];
}

const timeoutMs = 10_000;
/** So much of an answer is taken, so that its connection ends in order; what it says is not looked at. */
const answerBytesMax = 64 * 1024;
const urlLengthMax = 2_000;

/**
 * Resolves the URL's host and checks each address that it leads to. Fails with OutgoingError for what is not plain http or
 * https, for a user in the URL, for a host that is not found, and for an address that is not public, unless `allowed` names
 * the host, or host:port.
 */
export async function findTarget(
  text: string,
  allowed: readonly string[],
  signal?: AbortSignal,
): Promise<Target> {
  const url = readUrl(text);
  const addresses = await resolve(url, within(signal));
  const isAllowed = allowed.includes(nameOf(url)) || allowed.includes(`${nameOf(url)}:${portOf(url)}`);
  if (!isAllowed && addresses.some(({ address }) => !isPublicAddress(address))) {
    throw refusal(`The host ${nameOf(url)} leads to an address that is not public.`);
  }
  return { url, addresses };
}

/**
 * Posts to the very addresses that were checked, under the host's name, and gives the status of the answer. Follows no
 * redirect. Fails with OutgoingError when there is no answer within ten seconds, or before the signal aborts.
 */
export async function post(
  target: Target,
  message: { headers: Record<string, string>; body: string },
  signal?: AbortSignal,
): Promise<{ status: number }> {
  const { url, addresses } = target;
  const body = Buffer.from(message.body);
  const request = url.protocol === 'https:' ? requestHttps : requestHttp;
  const sent = request(url, {
    method: 'POST',
    // A connection of its own: a kept one would lead to where an earlier request was led.
    agent: false,
    lookup: lookupOf(addresses),
    headers: { ...message.headers, 'content-length': body.byteLength },
    signal: within(signal),
  });
  return answerOf(sent, body);
}

/** The host, or host:port, as `allowed` names it; null when the text is neither. */
export function readHost(text: string): string | null {
  const shape = /^(\[[0-9a-f:.]+\]|[\w.-]+)(:\d{1,5})?$/i.exec(text.trim());
  if (!shape || !URL.canParse(`http://${shape[1]}${shape[2] ?? ''}`)) return null;
  const host = nameOf(new URL(`http://${shape[1]}`));
  return host === '' ? null : `${host}${shape[2] ?? ''}`;
}

function readUrl(text: string): URL {
  if (text.length > urlLengthMax) throw refusal(`It has more than ${urlLengthMax} characters.`);
  if (!URL.canParse(text)) throw refusal('It is not a URL.');
  const url = new URL(text);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw refusal(`It starts with "${url.protocol}", and only http: and https: are allowed.`);
  }
  if (url.username !== '' || url.password !== '') throw refusal('It holds a user name or a password.');
  return url;
}

/** As URL spells it, without the dot that ends a full name. */
function nameOf(url: URL): string {
  return url.hostname.toLowerCase().replace(/\.$/, '');
}

function portOf(url: URL): string {
  return url.port || (url.protocol === 'https:' ? '443' : '80');
}

/** Aborts after ten seconds at the latest. */
function within(signal: AbortSignal | undefined): AbortSignal {
  const late = AbortSignal.timeout(timeoutMs);
  return signal ? AbortSignal.any([signal, late]) : late;
}

async function resolve(url: URL, signal: AbortSignal): Promise<LookupAddress[]> {
  const host = nameOf(url).replace(/^\[(.*)\]$/, '$1');
  const family = isIP(host);
  if (family !== 0) return [{ address: host, family }];
  const { promise, resolve: found, reject } = Promise.withResolvers<LookupAddress[]>();
  const notFound = (why: string) =>
    reject(new OutgoingError(`The host ${nameOf(url)} was not found (${why}).`, { refused: false }));
  signal.addEventListener('abort', () => notFound('no answer within ten seconds'), { once: true });
  lookup(host, { all: true }, (error, addresses) => {
    if (error || addresses.length === 0) notFound(error?.code ?? 'no address');
    else found(addresses);
  });
  return promise;
}

/** Answers with what was found before, so that a name which leads elsewhere by now makes no difference. */
function lookupOf(addresses: readonly LookupAddress[]): LookupFunction {
  return (_host, options, callback) => {
    const [first] = addresses as [LookupAddress];
    if (options.all) callback(null, [...addresses]);
    else callback(null, first.address, first.family);
  };
}

function answerOf(sent: ClientRequest, body: Buffer): Promise<{ status: number }> {
  const { promise, resolve: answered, reject } = Promise.withResolvers<{ status: number }>();
  const fail = (why: string) => reject(new OutgoingError(why, { refused: false }));
  sent.on('error', (error) => fail(whyNoAnswer(error)));
  // As after a 101, which is no answer to a request that asked for no other protocol. Too late after any other.
  sent.on('close', () => fail('The connection was closed without an answer.'));
  sent.on('response', (response) => {
    drain(response);
    answered({ status: response.statusCode ?? 0 });
  });
  sent.end(body);
  return promise;
}

function drain(response: IncomingMessage): void {
  let bytes = 0;
  response.on('data', (chunk: Buffer) => {
    bytes += chunk.byteLength;
    if (bytes > answerBytesMax) response.destroy();
  });
  // The status was taken; what becomes of the rest is nobody's concern.
  response.on('error', () => {});
}

/** Says no more than the kind of failure: the words of some name the address. */
function whyNoAnswer(error: Error & { code?: string }): string {
  if (error.name === 'AbortError' || error.name === 'TimeoutError')
    return 'There was no answer within ten seconds.';
  return `There was no answer (${error.code ?? error.name}).`;
}

function refusal(message: string): OutgoingError {
  return new OutgoingError(message, { refused: true });
}
