import { AppError } from '#base/errors.ts';
import { setSessionCookie } from './credentials.ts';
import { type Exchange, refused, sendText } from './exchange.ts';
import { readBody } from './read-body.ts';
import { foreignRequest } from './same-origin.ts';
import type { Access } from './sign-in-guard.ts';

const pagePolicy =
  "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
const formBytesMax = 10_000;

/**
 * Signs a member in by a one-time link. GET shows a button and uses nothing up, since mail scanners and chats open
 * links to preview them; the button's POST uses the link, sets the session's cookie and goes on to GraphiQL.
 */
export async function answerSignIn(exchange: Exchange, access: Access): Promise<void> {
  const { request, response } = exchange;
  if (request.method === 'GET' || request.method === 'HEAD') {
    const token = exchange.url.searchParams.get('token') ?? '';
    if (token === '') return sendPage(exchange, 400, noToken);
    return sendPage(exchange, 200, formWith(token));
  }
  if (request.method !== 'POST') {
    throw refused(
      405,
      'BAD_USER_INPUT',
      `/sign-in does not take ${request.method}.`,
      'Open the link in a browser.',
      {
        allow: 'GET, POST',
      },
    );
  }
  // Else a foreign page could sign its visitor in as somebody else.
  const foreign = foreignRequest(exchange);
  if (foreign) throw foreign;
  const form = new URLSearchParams((await readBody(request, formBytesMax)).toString('utf8'));
  try {
    setSessionCookie(exchange, await access.signIn(form.get('token') ?? ''));
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'UNAUTHENTICATED') throw error;
    return sendPage(
      exchange,
      401,
      `<h1>This link does not sign in</h1><p>${escape(error.message)}</p>${askForNew}`,
    );
  }
  response.writeHead(303, { location: '/graphql' }).end();
}

const askForNew =
  '<p>Run <code>npx sluice demo</code> again for a new link, or <a href="/graphql">open GraphiQL</a> and sign in with the mutation <code>logIn</code>.</p>';
const noToken = `<h1>This link is not whole</h1><p>It has no token. Copy all of the link.</p>${askForNew}`;

function formWith(token: string): string {
  return `<h1>Sign in to Sluice</h1><p>The link works once. It signs you in on this browser.</p>
<form method="post" action="/sign-in"><input type="hidden" name="token" value="${escape(token)}"><button autofocus>Sign in</button></form>`;
}

function sendPage(exchange: Exchange, status: number, content: string): void {
  exchange.response.setHeader('content-security-policy', pagePolicy);
  // Without any referrer the form's Origin would be "null", and look like a foreign page's.
  exchange.response.setHeader('referrer-policy', 'same-origin');
  sendText(
    exchange,
    status,
    `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Sluice</title><meta name="viewport" content="width=device-width">
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:32rem;margin:15vh auto;padding:0 1rem}button{font:inherit;padding:.5rem 1.5rem}</style>
</head><body>${content}</body></html>`,
    'text/html; charset=utf-8',
  );
}

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
