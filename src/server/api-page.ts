import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { methods } from '#rest/call.ts';
import { type Exchange, refused } from './exchange.ts';
import { makePage, type Page, sendPage } from './page.ts';

let page: Promise<Page> | undefined;

/** Sends the page on which the data endpoints are read and tried. */
export async function sendApiPage(exchange: Exchange): Promise<void> {
  const { method } = exchange.request;
  if (method === 'OPTIONS') {
    exchange.response.writeHead(204, { allow: methods }).end();
    return;
  }
  if (method !== 'GET' && method !== 'HEAD') {
    throw refused(405, 'BAD_USER_INPUT', `${method} is not answered here.`, `Use one of ${methods}.`, {
      allow: methods,
    });
  }
  // 2 MB that most processes never send: made when first asked for, then kept.
  page ??= makeApiPage();
  sendPage(exchange, await page);
}

async function makeApiPage(): Promise<Page> {
  const { resolve } = createRequire(import.meta.url);
  const read = (name: string) => readFile(resolve(`swagger-ui-dist/${name}`), 'utf8');
  const [script, style] = await Promise.all([read('swagger-ui-bundle.js'), read('swagger-ui.css')]);
  return makePage(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sluice data APIs</title>
<style>${style}
body { margin: 0; background: #fafafa; }
#sign-in { max-width: 34rem; margin: 12vh auto; padding: 0 1rem; font: 1rem/1.5 sans-serif; color: #3b4151; }
#sign-in input, #sign-in button { box-sizing: border-box; padding: 0.5rem; font: inherit; }
#sign-in input { width: 100%; margin: 0.25rem 0 0.75rem; }
#sign-in [role="alert"] { color: #b3261e; }
</style>
</head>
<body>
<form id="sign-in" hidden>
<h1>Nobody is signed in</h1>
<p>Open the one-time link that the server printed, or sign in with the mutation logIn in <a href="/graphql">GraphiQL</a>,
then load this page again.</p>
<label>Or give an API key, or a session token. This page alone keeps it, until it is left.
<input type="password" name="token" autocomplete="off" required></label>
<button>Show the APIs</button>
<p role="alert"></p>
</form>
<div id="ui"></div>
<script>${script.replaceAll('</script', '<\\/script')}
${start}</script>
</body>
</html>
`);
}

/** What anybody may see is the same for all: who asks is found out in the browser. */
const start = `
const place = '/api/openapi.json';
const form = document.getElementById('sign-in');
let token = '';
const headers = () => (token ? { Authorization: 'Bearer ' + token } : {});
async function open() {
  const answer = await fetch(place, { headers: headers() });
  form.hidden = answer.status !== 401;
  if (answer.status === 401) {
    form.querySelector('[role="alert"]').textContent = token ? 'This token is unknown, expired or revoked.' : '';
    return;
  }
  SwaggerUIBundle({
    url: place,
    dom_id: '#ui',
    deepLinking: true,
    displayRequestDuration: true,
    tryItOutEnabled: true,
    validatorUrl: null,
    // What is given under "Authorize" goes before it.
    requestInterceptor: (request) => ({ ...request, headers: { ...headers(), ...request.headers } }),
  });
}
form.addEventListener('submit', (event) => {
  event.preventDefault();
  token = form.elements.token.value.trim();
  void open();
});
void open();
`;
