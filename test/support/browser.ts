import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';

/** A browser without a window. Fails with what to do when the machine has none. */
export function launchBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: chromiumPath(),
    // Tests may run as root, which chromium's sandbox refuses; the pages are our own.
    args: ['--no-sandbox'],
  });
}

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
      : 'Tests of pages need chromium: install it (apt-get install chromium), or set CHROMIUM_PATH to one.',
  );
}

export interface Opened {
  page: Page;
  /** Every address that the page asked for. */
  asked: string[];
  /** What the browser complained about. */
  complaints: string[];
}

/** A page of a browser that knows nothing yet, or so many cookies. */
export async function openIn(
  browser: Browser,
  url: string,
  cookies: { name: string; value: string }[] = [],
): Promise<Opened> {
  const context = await browser.newContext();
  await context.addCookies(cookies.map((cookie) => ({ ...cookie, url: new URL(url).origin })));
  const page = await context.newPage();
  const asked: string[] = [];
  const complaints: string[] = [];
  page.on('request', (request) => asked.push(request.url()));
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text());
  });
  await page.goto(url);
  return { page, asked, complaints };
}
