import type { Exchange } from './exchange.ts';
import { makePage, type Page, sendPage } from './page.ts';

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

let page: Promise<Page> | undefined;

/** Whether a browser wants the page in place of an answer; a link with a query opens the page with it. */
export function wantsGraphiql({ request }: Exchange): boolean {
  return request.method === 'GET' && (request.headers.accept ?? '').toLowerCase().includes('text/html');
}

/** Sends GraphiQL. */
export async function sendGraphiql(exchange: Exchange): Promise<void> {
  // 9 MB that most processes never send: made when first asked for, then kept.
  page ??= makeGraphiql();
  sendPage(exchange, await page);
}

async function makeGraphiql(): Promise<Page> {
  const { renderGraphiQL } = await import('@graphql-yoga/render-graphiql');
  const html = renderGraphiQL({
    title: 'Sluice',
    defaultQuery: firstQuery,
    credentials: 'same-origin',
    subscriptionsProtocol: 'SSE',
    endpoint: '/graphql',
  });
  return makePage(html);
}
