import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually, freePort, temporaryFolder } from '../support/gateway.ts';

const main = join(import.meta.dirname, '..', '..', 'src', 'cli', 'main.ts');
const events = 20_000;

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
  return startDemoWith({}, ...args);
}

function startDemoWith(env: Record<string, string>, ...args: string[]): Demo {
  const child = spawn(process.execPath, [main, 'demo', '--events', String(events), ...args], {
    env: {
      PATH: process.env['PATH'],
      UV_THREADPOOL_SIZE: '16',
      SLUICE_HOME: join(folder.path, 'home'),
      SLUICE_FILES_ROOT: join(folder.path, 'files'),
      SLUICE_PORT: String(port),
      ...env,
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
    [...output.matchAll(/^(?:warehouse|postgres)\.\S+\.(?:raw|marts)\.(\w+): ([\d,]+) rows$/gm)].map(
      (match) => [match[1], match[2]],
    ),
  );
}

const tables = {
  users: '5,000',
  organizations: '200',
  orders: '20,000',
  events: '20,000',
  products: '36',
  exchange_rates: '900',
  web_visits: '60,000',
};

/** The lines from one that begins so to the next empty one. */
function partOf(output: string, start: string): string[] {
  const lines = output.split('\n');
  const from = lines.findIndex((line) => line.startsWith(start));
  if (from < 0) throw new Error(`Nothing begins with "${start}" in:\n${output}`);
  return lines.slice(from, lines.indexOf('', from));
}

/** The cells of the body of a table. */
function cellsIn(part: readonly string[]): string[][] {
  const body = part.slice(part.findIndex((line) => line.includes('──')) + 1);
  const rows = body.map((line) => line.trim().split(/ {2,}/));
  return rows.filter((cells) => cells.length > 1);
}

/** How each engine writes the number of a week, and where it finds events. */
const written = {
  duckdb: [/SELECT \(epoch_us\(.*\) \/\/ 604800000000 AS "period"/, /FROM "warehouse"\."raw"\."events"/],
  postgres: [
    /AS date\) - DATE '0001-01-01'\) \/ 7 AS "period"/,
    /FROM "sluice_demo_warehouse"\."raw"\."events"/,
  ],
};

function expectAnswers(output: string, engine: keyof typeof written = 'duckdb'): void {
  const plans = ['enterprise', 'free', 'team'];
  const byWeek = partOf(output, 'Active users a week');
  expect(byWeek[1]?.match(/\w+ +before/g)).toEqual(
    plans.map((plan) => expect.stringMatching(new RegExp(`^${plan} `))),
  );
  const weeks = cellsIn(byWeek);
  expect(weeks).toHaveLength(6);
  for (const [, ...numbers] of weeks) {
    expect(numbers).toHaveLength(3 * plans.length);
    // Of each plan, in each week and in that of a year before, somebody was active.
    for (const [at, number] of numbers.entries()) expect(number).toMatch(at % 3 < 2 ? /^[1-9]/ : /%$/);
  }
  expect(byWeek.join('\n')).toMatch(/written at \d{4}-\S+Z by the job "shop"; cache MISS in \d+ ms/);
  expect(byWeek.join('\n')).toMatch(/asked once more: cache HIT in \d+ ms/);
  const sql = partOf(output, 'The statement behind it').join('\n');
  for (const text of written[engine]) expect(sql).toMatch(text);
  expect(sql).toMatch(/GROUP BY[\s\S]*-- binds: "\d{4}-/);

  const byMonth = partOf(output, '10 metrics of all kinds by month');
  const metrics = cellsIn(byMonth);
  expect(metrics.map(([name]) => name)).toEqual([
    'active_users',
    'events',
    'signups',
    'orders',
    'revenue',
    'order_value',
    'events_per_user',
    'revenue_this_year',
    'active_28_days',
    'reports_shared',
  ]);
  for (const [, ...months] of metrics) {
    expect(months).toHaveLength(5);
    for (const number of months) expect(number).toMatch(/^\d/);
  }
  expect(byMonth.at(-1)).toMatch(/6 statements, cache MISS/);
  expect(cellsIn(partOf(output, 'Organizations with counts'))).toHaveLength(3);
  expect(partOf(output, 'Making marts.revenue_by_month').join('\n')).toMatch(/succeeded · [1-9][\d,]* rows/);
  expect(partOf(output, 'Watching it')[1]).toMatch(/^ {2}(OK|TRIGGERED): active_users changed by .* %/);
}

test('the demo goes the whole way on a fresh machine: rows of every table, answers of every kind of metric', async () => {
  const demo = startDemo('--once');
  expect([await demo.ended, demo.output()]).toEqual([0, expect.stringContaining('Syncing "shop database"')]);
  const output = demo.output();
  expect(tablesIn(output)).toEqual(tables);
  expect(output).toContain('user1@example.com');
  expect(output).toMatch(/succeeded · 45,200 rows/);
  expectAnswers(output);
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
  expect(tablesIn(demo.output())).toEqual({ ...tables, revenue_by_month: expect.any(String) });
  expectAnswers(demo.output());

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
  expect(examples).toHaveLength(5);
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

test('with a PostgreSQL warehouse it goes the same way, a second time too', async () => {
  const env = { SLUICE_DEMO_WAREHOUSE: 'postgres', SLUICE_HOME: join(folder.path, 'postgres') };
  const demo = startDemoWith(env, '--once');
  expect([await demo.ended, demo.output()]).toEqual([0, expect.stringContaining('datastore "postgres"')]);
  expect(tablesIn(demo.output())).toEqual(tables);
  expect(demo.output()).toMatch(/^postgres\.sluice_demo_warehouse\.raw\.events: 20,000 rows$/m);
  expectAnswers(demo.output(), 'postgres');
  const again = startDemoWith(env, '--once');
  expect([await again.ended, tablesIn(again.output())]).toEqual([
    0,
    { ...tables, revenue_by_month: expect.any(String) },
  ]);
  expectAnswers(again.output(), 'postgres');
});

test('Ctrl-C while it fills the sample ends it, and the next time it starts over', async () => {
  const demo = startDemo('--events', '5000000', '--once');
  await eventually('the filling', async () => demo.output().includes('20,000 orders') || undefined);
  demo.child.kill('SIGINT');
  expect(await demo.ended).toBe(130);
  const again = startDemo('--once');
  expect(await again.ended).toBe(0);
  expect(tablesIn(again.output())).toMatchObject({ events: '20,000' });
});

test('a number of events that is none is refused', async () => {
  const demo = startDemo('--events', 'many');
  expect(await demo.ended).toBe(2);
  expect(demo.output()).toContain('--events is "many"');
});
