import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openScratch } from '../integration/server/open-scratch.ts';
import { launchBrowser, openIn, type Opened } from '../support/browser.ts';
import { type Gateway, signUp, startGateway, temporaryFolder } from '../support/gateway.ts';

const password = 'correct horse battery';
let home: Awaited<ReturnType<typeof temporaryFolder>>;
let gateway: Gateway;
let browser: Browser;

beforeAll(async () => {
  browser = await launchBrowser();
  home = await temporaryFolder();
  gateway = await startGateway({ home: home.path });
  await signUp(gateway);
});
afterAll(async () => {
  await browser?.close();
  await gateway?.[Symbol.asyncDispose]();
  await home?.[Symbol.asyncDispose]();
});

async function openPage(path: string, url = gateway.url): Promise<Opened> {
  return openIn(browser, url + path);
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
