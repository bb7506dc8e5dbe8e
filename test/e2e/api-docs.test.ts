import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { launchBrowser, type Opened, openIn } from '../support/browser.ts';
import { eventually, type Gateway, signUp, startGateway, temporaryFolder } from '../support/gateway.ts';

const yaml = `metadata: { name: members, version: 1, description: Who is there., owner: crew }
route: /members
query: |
  SELECT id, name FROM (VALUES (1, 'Ada', 'team'), (2, 'Grace', 'free')) AS members (id, name, plan) WHERE plan = :plan
params:
  - { name: plan, type: string, enum: [free, team], required: true }
`;

let home: Awaited<ReturnType<typeof temporaryFolder>>;
let gateway: Gateway;
let browser: Browser;

beforeAll(async () => {
  browser = await launchBrowser();
  home = await temporaryFolder();
  const folder = join(home.path, 'endpoints');
  await mkdir(folder);
  gateway = await startGateway({ home: home.path, env: { SLUICE_ENDPOINTS: folder } });
  await signUp(gateway);
  await writeFile(join(folder, 'members.yaml'), yaml);
  await eventually('the file to be served', async () => {
    const headers = { authorization: `Bearer ${gateway.token}` };
    const answer = await fetch(`${gateway.url}/api/v1/members?plan=team`, { headers });
    return answer.ok || undefined;
  });
});
afterAll(async () => {
  await browser?.close();
  await gateway?.[Symbol.asyncDispose]();
  await home?.[Symbol.asyncDispose]();
});

const isFromGateway = (asked: string[]) => asked.every((url) => new URL(url).origin === gateway.url);

/** Tries the one endpoint there is, and gives what is shown of its answer. */
async function tryIt({ page }: Opened): Promise<string> {
  await page.locator('.opblock-summary', { hasText: '/v1/members' }).click();
  await page.locator('tr[data-param-name="plan"] select').selectOption('team');
  await page.locator('button.execute').click();
  const answer = page.locator('.live-responses-table .response-col_description');
  await answer.last().waitFor();
  return answer.last().innerText();
}

test('the page of data endpoints comes whole from the gateway, lists them, and tries one with the cookie of the session', async () => {
  const opened = await openIn(browser, `${gateway.url}/api/docs`, [
    { name: 'sluice_session', value: gateway.token! },
  ]);
  const shown = await tryIt(opened);
  expect(shown).toContain('"name": "Ada"');
  expect(shown).not.toContain('Grace');
  expect([isFromGateway(opened.asked), opened.complaints]).toEqual([true, []]);
  await opened.page.context().close();
});

test('whoever is not signed in is told how, and a token that is given opens the page', async () => {
  const opened = await openIn(browser, `${gateway.url}/api/docs`);
  const { page } = opened;
  await page.getByText('Nobody is signed in').waitFor();
  await page.locator('input[name=token]').fill('wrong');
  await page.getByRole('button').click();
  await page.getByText('This token is unknown').waitFor();
  await page.locator('input[name=token]').fill(gateway.token!);
  await page.getByRole('button').click();
  expect(await tryIt(opened)).toContain('"name": "Ada"');
  expect(isFromGateway(opened.asked)).toBe(true);
  // The browser itself tells of the two refusals, and of nothing that its policy forbids.
  expect(opened.complaints).toEqual([expect.stringContaining('401'), expect.stringContaining('401')]);
  await page.context().close();
});
