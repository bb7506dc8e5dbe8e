import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually, freePort, temporaryFolder } from '../support/gateway.ts';

const main = join(import.meta.dirname, '..', '..', 'src', 'cli', 'main.ts');
const events = 3_000;

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let port: number;
beforeAll(async () => {
  folder = await temporaryFolder();
  port = await freePort();
});
afterAll(() => folder[Symbol.asyncDispose]());

interface Demo {
  child: ChildProcess;
  output(): string;
  ended: Promise<number | null>;
}

function startDemo(...args: string[]): Demo {
  const child = spawn(process.execPath, [main, 'demo', '--events', String(events), ...args], {
    env: {
      PATH: process.env['PATH'],
      UV_THREADPOOL_SIZE: '16',
      SLUICE_HOME: join(folder.path, 'home'),
      SLUICE_FILES_ROOT: join(folder.path, 'files'),
      SLUICE_PORT: String(port),
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  child.stdout.on('data', (chunk) => (output += String(chunk)));
  child.stderr.on('data', (chunk) => (output += String(chunk)));
  return { child, output: () => output, ended: once(child, 'close').then(() => child.exitCode) };
}

function tablesIn(output: string): Record<string, string> {
  return Object.fromEntries(
    [...output.matchAll(/^warehouse\.\S+\.raw\.(\w+): ([\d,]+) rows$/gm)].map((match) => [
      match[1],
      match[2],
    ]),
  );
}

const tables = {
  users: '5,000',
  organizations: '200',
  orders: '20,000',
  events: '3,000',
  products: '36',
  exchange_rates: '900',
  web_visits: '60,000',
};

test('the demo goes the whole way on a fresh machine, and shows rows of every table', async () => {
  const demo = startDemo('--once');
  expect([await demo.ended, demo.output()]).toEqual([0, expect.stringContaining('Syncing "shop database"')]);
  const output = demo.output();
  expect(tablesIn(output)).toEqual(tables);
  expect(output).toContain('user1@example.com');
  expect(output).toMatch(/succeeded · 28,200 rows/);
  expect((await stat(join(folder.path, 'home', 'token'))).mode & 0o777).toBe(0o600);
});

test('a second time it uses what is there, syncs again, and keeps serving behind a link that works once', async () => {
  const demo = startDemo();
  const link = await eventually('the link', async () => {
    if (demo.child.exitCode !== null)
      throw new Error(`It ended with ${demo.child.exitCode}:\n${demo.output()}`);
    return /^ +(http\S+\/sign-in\?token=\S+)$/m.exec(demo.output())?.[1];
  });
  expect(demo.output()).toContain('the sample database is there from last time');
  expect(tablesIn(demo.output())).toEqual(tables);

  // The link shows a page whose button sends the token: this presses it.
  const pressButton = () => {
    const { origin, searchParams } = new URL(link);
    return fetch(`${origin}/sign-in`, { method: 'POST', body: searchParams, redirect: 'manual' });
  };
  expect((await fetch(link)).status).toBe(200);
  const cookie = (await pressButton()).headers.get('set-cookie')?.split(';')[0] ?? '';
  const ask = async (query: string) => {
    const answer = await fetch(`http://127.0.0.1:${port}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', cookie },
      body: JSON.stringify({ query }),
    });
    return (await answer.json()) as { data: unknown; errors?: unknown };
  };
  expect(await ask('{ viewer { member { username } } jobs { nodes { name nextRunAt } } }')).toMatchObject({
    data: {
      viewer: { member: { username: 'demo' } },
      jobs: { nodes: expect.arrayContaining([{ name: 'shop', nextRunAt: expect.any(String) }]) },
    },
  });
  const examples = [...demo.output().matchAll(/^ {2}(\{ .*\})$/gm)].map((match) => match[1]!);
  expect(examples).toHaveLength(3);
  for (const example of examples) expect(await ask(example)).not.toHaveProperty('errors');
  expect((await pressButton()).headers.get('set-cookie')).toBeNull();

  const [, env = '', args = ''] = /^ {2}(SLUICE_HOME=.*) npm run sluice -- (.*)$/m.exec(demo.output()) ?? [];
  const again = spawn(process.execPath, [main, ...args.split(' ')], {
    env: Object.fromEntries(env.split(' ').map((setting) => setting.split('='))),
    stdio: 'ignore',
  });
  expect(await once(again, 'close')).toEqual([0, null]);

  const stoppedAt = Date.now();
  demo.child.kill('SIGTERM');
  expect(await demo.ended).toBe(0);
  expect(Date.now() - stoppedAt).toBeLessThan(10_000);
});

test('Ctrl-C while it fills the sample ends it, and the next time it starts over', async () => {
  const demo = startDemo('--events', '5000000', '--once');
  await eventually('the filling', async () => demo.output().includes('20,000 orders') || undefined);
  demo.child.kill('SIGINT');
  expect(await demo.ended).toBe(130);
  const again = startDemo('--once');
  expect(await again.ended).toBe(0);
  expect(tablesIn(again.output())).toMatchObject({ events: '3,000' });
});

test('a number of events that is none is refused', async () => {
  const demo = startDemo('--events', 'many');
  expect(await demo.ended).toBe(2);
  expect(demo.output()).toContain('--events is "many"');
});
