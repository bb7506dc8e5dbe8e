import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { Exchange } from './exchange.ts';

const firstQuery = `# Sluice: ask about your data and what moves it.
# Not signed in yet? Open the one-time link that the server printed, or use the mutation logIn.

{
  viewer {
    account { name }
    project { name }
    scopes
  }
}
`;

interface Page {
  text: Buffer;
  gzipped: Buffer;
  etag: string;
  policy: string;
}

let page: Promise<Page> | undefined;

/** Whether a browser wants the page in place of an answer; a link with a query opens the page with it. */
export function wantsGraphiql({ request }: Exchange): boolean {
  return request.method === 'GET' && (request.headers.accept ?? '').toLowerCase().includes('text/html');
}

/** Sends GraphiQL as one page: nothing of it is fetched from anywhere, and its policy forbids to try. */
export async function sendGraphiql({ request, response }: Exchange): Promise<void> {
  // 9 MB that most processes never send: made when first asked for, then kept.
  page ??= makePage();
  const { text, gzipped, etag, policy } = await page;
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
  response.end(zipped ? gzipped : text);
}

async function makePage(): Promise<Page> {
  const { renderGraphiQL } = await import('@graphql-yoga/render-graphiql');
  const html = renderGraphiQL({
    title: 'Sluice',
    defaultQuery: firstQuery,
    credentials: 'same-origin',
    subscriptionsProtocol: 'SSE',
    endpoint: '/graphql',
  });
  const text = Buffer.from(html);
  return {
    text,
    gzipped: await promisify(gzip)(text),
    etag: `"${createHash('sha256').update(text).digest('base64url').slice(0, 22)}"`,
    policy: policyFor(html),
  };
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
