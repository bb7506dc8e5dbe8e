import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import type { Exchange } from './exchange.ts';
import { makePage, type Page, sendPage } from './page.ts';

let page: Promise<Page> | undefined;

/** Sends the page on which the data endpoints are read and tried. */
export async function sendApiPage(exchange: Exchange): Promise<void> {
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
</style>
</head>
<body>
<div id="ui"></div>
<script>${script.replaceAll('</script', '<\\/script')}
SwaggerUIBundle({
  url: '/api/openapi.json',
  dom_id: '#ui',
  deepLinking: true,
  displayRequestDuration: true,
  tryItOutEnabled: true,
  validatorUrl: null,
});
</script>
</body>
</html>
`);
}
