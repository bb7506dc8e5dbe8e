import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openScratch } from '../integration/server/open-scratch.ts';
import { type Gateway, signUp, startGateway, temporaryFolder } from '../support/gateway.ts';

const password = 'correct horse battery';
let home: Awaited<ReturnType<typeof temporaryFolder>>;
let gateway: Gateway;
let browser: Browser;

beforeAll(async () => {
  browser = await chromium.launch({
    executablePath: chromiumPath(),
    // Tests may run as root, which chromium's sandbox refuses; the page is our own.
    args: ['--no-sandbox'],
  });
  home = await temporaryFolder();
  gateway = await startGateway({ home: home.path });
  await signUp(gateway);
});
afterAll(async () => {
  await browser?.close();
  await gateway?.[Symbol.asyncDispose]();
  await home?.[Symbol.asyncDispose]();
});

/** A chromium of this machine. Fails with what to do when there is none: a test installs nothing. */
function chromiumPath(): string {
  const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome'];
  const folders = [
    ...(process.env['PATH'] ?? '').split(delimiter),
    '/usr/bin',
    '/usr/local/bin',
    '/snap/bin',
    '/opt/google/chrome',
  ];
  const given = process.env['CHROMIUM_PATH'];
  const places = given
    ? [given]
    : [
        ...folders.flatMap((folder) => names.map((name) => join(folder, name))),
        '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
        '/Applications/Chromium.app/Contents/MacOS/Chromium',
      ];
  const found = places.find((place) => {
    try {
      accessSync(place, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
  if (found) return found;
  throw new Error(
    given
      ? `CHROMIUM_PATH is "${given}", which is no program that can be run.`
      : 'The test of GraphiQL needs chromium: install it (apt-get install chromium), or set CHROMIUM_PATH to one.',
  );
}

interface Opened {
  page: Page;
  /** Every address that the page asked for. */
  asked: string[];
  /** What the browser complained about. */
  complaints: string[];
}

async function openPage(path: string, url = gateway.url): Promise<Opened> {
  const context = await browser.newContext();
  const page = await context.newPage();
  const asked: string[] = [];
  const complaints: string[] = [];
  page.on('request', (request) => asked.push(request.url()));
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text());
  });
  await page.goto(url + path);
  return { page, asked, complaints };
}

/** Runs what is in the editor of GraphiQL, and resolves when the answer contains the text. */
async function run(page: Page, expected: string): Promise<string> {
  await page.locator('.graphiql-execute-button').click();
  const answer = page.locator('.result-window');
  // Monaco sets its spaces as no-break spaces.
  const read = async () => (await answer.innerText()).replaceAll('\u00a0', ' ');
  await expect.poll(read, { timeout: 15_000 }).toContain(expected);
  return await read();
}

const withQuery = (query: string) => `/graphql?query=${encodeURIComponent(query)}`;

describe('GraphiQL in a browser', () => {
  test('comes whole from the gateway: no request leaves the host, and its policy is never broken', async () => {
    const { page, asked, complaints } = await openPage('/graphql');
    await page.locator('.graphiql-execute-button').waitFor();
    const answer = await run(page, '"viewer"');
    expect(answer).toContain('"viewer": null');
    const hosts = new Set(asked.map((url) => new URL(url.replace(/^blob:/, '')).origin));
    expect([...hosts]).toEqual([gateway.url]);
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  test('shows the schema, which it has asked for by introspection', async () => {
    const { page } = await openPage('/graphql');
    await page.locator('.graphiql-execute-button').waitFor();
    await page.getByLabel('Show Documentation Explorer').click();
    await expect
      .poll(() => page.locator('.graphiql-plugin').innerText(), { timeout: 15_000 })
      .toContain('TaskLogBatch');
    await page.context().close();
  });

  test('signs in by logIn: the cookie is kept from scripts, and the next operation is signed in', async () => {
    const { page } = await openPage(
      withQuery(
        `mutation { logIn(input: { username: "ada", password: "${password}" }) { userErrors { message } } }`,
      ),
    );
    await page.locator('.graphiql-execute-button').waitFor();
    await run(page, '"userErrors": []');
    expect(await page.evaluate('document.cookie')).toBe('');
    const [cookie] = await page.context().cookies();
    expect(cookie).toMatchObject({ name: 'sluice_session', httpOnly: true, sameSite: 'Lax', path: '/' });
    await page.goto(gateway.url + withQuery('{ viewer { member { username } } }'));
    await page.locator('.graphiql-execute-button').waitFor();
    await run(page, '"username": "ada"');
    await page.context().close();
  });
});

test('the button of a sign-in link signs the browser in and goes on to GraphiQL', async () => {
  await using scratch = await openScratch();
  scratch.links.set('once', 'secret-of-ada');
  const { page, complaints } = await openPage('/sign-in?token=once', scratch.url);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.locator('.graphiql-execute-button').waitFor();
  expect(new URL(page.url()).pathname).toBe('/graphql');
  await page.goto(scratch.url + withQuery('{ whoami }'));
  await page.locator('.graphiql-execute-button').waitFor();
  await run(page, '"whoami": "ada"');
  await page.goto(scratch.url + withQuery('subscription { count(to: 3) }'));
  await page.locator('.graphiql-execute-button').waitFor();
  await run(page, '"count": 3');
  expect(complaints).toEqual([]);
  await page.context().close();
});
