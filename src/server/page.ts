import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { Exchange } from './exchange.ts';

/** A page of one file, ready to be sent. */
export interface Page {
  text: Buffer;
  gzipped: Buffer;
  etag: string;
  policy: string;
}

/** Of the page only the script in it runs, known by its hash, and nothing is fetched but from this gateway. */
export async function makePage(html: string): Promise<Page> {
  const text = Buffer.from(html);
  return {
    text,
    gzipped: await promisify(gzip)(text),
    etag: `"${createHash('sha256').update(text).digest('base64url').slice(0, 22)}"`,
    policy: policyFor(html),
  };
}

/** Sends a page: nothing of it is fetched from anywhere, and its policy forbids to try. */
export function sendPage({ request, response }: Exchange, { text, gzipped, etag, policy }: Page): void {
  response.setHeader('content-security-policy', policy);
  response.setHeader('cache-control', 'no-cache');
  response.setHeader('vary', 'accept, accept-encoding');
  response.setHeader('etag', etag);
  response.setHeader('content-type', 'text/html; charset=utf-8');
  if (request.headers['if-none-match'] === etag) {
    response.writeHead(304).end();
    return;
  }
  const zipped = /\bgzip\b/.test(request.headers['accept-encoding'] ?? '');
  if (zipped) response.setHeader('content-encoding', 'gzip');
  response.end(request.method === 'HEAD' ? undefined : zipped ? gzipped : text);
}

/** Only the page's own script runs, known by its hash; its editor makes workers and styles of its own. */
function policyFor(html: string): string {
  const script = /<script>([\s\S]*)<\/script>/.exec(html)?.[1] ?? '';
  const hash = createHash('sha256').update(script).digest('base64');
  return [
    "default-src 'none'",
    `script-src 'sha256-${hash}'`,
    'worker-src blob:',
    "style-src 'unsafe-inline'",
    'font-src data:',
    'img-src data:',
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
}
