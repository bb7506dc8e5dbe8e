import { promisify } from 'node:util';
import { brotliCompress, constants, createBrotliCompress, createGzip, gzip } from 'node:zlib';

/** A coding of HTTP. */
export interface Compression {
  name: 'br' | 'gzip';
  /** What goes through it is sent on as it comes. */
  stream(): NodeJS.ReadWriteStream;
  /** The bytes of a text that is sent again and again, made once for as long as `kept` is. */
  ofKept(kept: object, text: string): Promise<Buffer>;
}

// The middle of brotli's scale takes as long as gzip does, and gives less.
const params = { [constants.BROTLI_PARAM_QUALITY]: 4 };
const level = 4;

const toBrotli = promisify<Buffer, object, Buffer>(brotliCompress);
const toGzip = promisify<Buffer, object, Buffer>(gzip);

const brotli: Compression = {
  name: 'br',
  stream: () => createBrotliCompress({ params, flush: constants.BROTLI_OPERATION_FLUSH }),
  ofKept: keeping((text) => toBrotli(Buffer.from(text), { params })),
};
const gzipped: Compression = {
  name: 'gzip',
  stream: () => createGzip({ level }),
  ofKept: keeping((text) => toGzip(Buffer.from(text), { level })),
};

/** The best coding that a client takes by its header Accept-Encoding; null for none. */
export function compressionFor(accepted: string): Compression | null {
  const takes = (name: string) =>
    new RegExp(`(^|[,\\s])${name}\\s*(;\\s*q=(?!0(\\.0*)?\\s*(,|$))|,|$)`, 'i').test(accepted);
  return [brotli, gzipped].find(({ name }) => takes(name)) ?? null;
}

function keeping(compress: (text: string) => Promise<Buffer>): Compression['ofKept'] {
  const made = new WeakMap<object, Promise<Buffer>>();
  return (kept, text) => {
    const bytes = made.get(kept) ?? compress(text);
    made.set(kept, bytes);
    return bytes;
  };
}
