import type { IncomingMessage } from 'node:http';
import { type Exchange, refused, type Refused } from './exchange.ts';

/** The text of a JSON body. Fails with Refused for any other content, and for a body larger than allowed. */
export async function readJson({ request }: Exchange, bytesMax: number): Promise<string> {
  refuseOtherContent(request);
  return (await readBody(request, bytesMax)).toString('utf8');
}

/** A form of a foreign page can send every other content type without asking first, so that none is executed. */
function refuseOtherContent(request: IncomingMessage): void {
  const { 'content-type': type = 'none', 'content-encoding': encoding = 'identity' } = request.headers;
  const isUtf8 = !/charset=(?!"?utf-?8)/i.test(type);
  if (/^application\/json\s*(;|$)/i.test(type) && isUtf8 && encoding === 'identity') return;
  throw refused(
    415,
    'BAD_USER_INPUT',
    `A body of type "${type.slice(0, 100)}" (encoding ${encoding.slice(0, 100)}) is not executed.`,
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
