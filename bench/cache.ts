import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parseArgs } from 'node:util';
import { type BenchGateway, openBenchGateway } from './support/gateway.ts';
import { load, type Load, type Loaded } from './support/load.ts';
import { fewestStatements } from './support/statements.ts';
import { machine, printTable, quantile } from './support/table.ts';

const question = `{ metric(name: "events") { series(
  grain: DAY, from: "2026-01-01T00:00:00Z", to: "2026-04-01T00:00:00Z"
) { points { at value } } } }`;

interface Stats {
  statements: number;
  milliseconds: number;
  cache: Record<string, number>;
}

/** Kept answers a second over HTTP, against a bare node:http server of the same process that returns the same bytes. */
export async function benchCache(options: {
  events: number;
  seconds: number;
  rounds: number;
}): Promise<void> {
  await using gateway = await openBenchGateway();
  await fill(gateway, options.events);
  const first = await answer(gateway);
  const second = await answer(gateway);
  if (first.warehouse.statements === 0 || second.warehouse.statements !== 0) {
    throw new Error(`Not kept: ${JSON.stringify([first.warehouse, second.warehouse])}`);
  }
  const onStore = await fewestStatements(() => answer(gateway));
  await using bare = await serveBytes(second.bytes);
  const how = { ...requestOf(gateway), connections: 32, seconds: options.seconds };
  const targets: Record<'gateway' | 'bare', Load> = {
    gateway: { ...how, url: `${gateway.url}/graphql` },
    bare: { ...how, url: bare.url },
  };
  const all: Record<'gateway' | 'bare', Loaded[]> = { gateway: [], bare: [] };
  // Alternating, so that both are measured in the same moments of the machine.
  for (let round = 0; round < options.rounds + 1; round += 1) {
    for (const name of ['bare', 'gateway'] as const) {
      const loaded = await load(targets[name]);
      if (round > 0) all[name].push(loaded);
    }
  }
  const best = (name: 'gateway' | 'bare') =>
    all[name].toSorted((one, other) => other.answersPerSecond - one.answersPerSecond)[0]!;
  const [ours, theirs] = [best('gateway'), best('bare')];
  const shown = ({ answersPerSecond, ms }: Loaded) =>
    `${Math.round(answersPerSecond).toLocaleString('en')} a second, median ${quantile(ms, 0.5).toFixed(1)} ms, 99 % ${quantile(ms, 0.99).toFixed(1)} ms`;
  printTable(
    `cache: a series of 90 days over ${options.events.toLocaleString('en')} events, ${how.connections} connections`,
    ['figure', 'value'],
    [
      [
        'asked of the warehouse',
        `${first.warehouse.milliseconds} ms in ${first.warehouse.statements} statement`,
      ],
      ['asked of the store for a kept answer, signing in included', `${onStore / 2} statements`],
      ['bytes of the answer', second.bytes.length.toLocaleString('en')],
      ['kept answers', shown(ours)],
      ['bare node:http, same bytes', shown(theirs)],
      ['ratio', (ours.answersPerSecond / theirs.answersPerSecond).toFixed(3)],
      ['machine', machine()],
    ],
  );
}

function requestOf({ token }: BenchGateway): { headers: Record<string, string>; body: string } {
  return {
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: JSON.stringify({ query: question }),
  };
}

async function answer(gateway: BenchGateway): Promise<{ bytes: Buffer; warehouse: Stats }> {
  const { headers, body } = requestOf(gateway);
  const url = `${gateway.url}/graphql`;
  const stats = { ...headers, 'sluice-warehouse-stats': '1' };
  const told = (await (await fetch(url, { method: 'POST', headers: stats, body })).json()) as {
    extensions: { warehouse: Stats };
    errors?: unknown;
  };
  if (told.errors) throw new Error(JSON.stringify(told.errors));
  const plain = await fetch(url, { method: 'POST', headers, body });
  return { bytes: Buffer.from(await plain.arrayBuffer()), warehouse: told.extensions.warehouse };
}

async function serveBytes(bytes: Buffer): Promise<{ url: string } & AsyncDisposable> {
  const server = createServer((request, response) => {
    request.resume().on('end', () => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': bytes.length });
      response.end(bytes);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Events of ten names over a year, mapped, with a metric that counts them. */
async function fill(gateway: BenchGateway, events: number): Promise<void> {
  const { app, viewer } = gateway;
  const { warehouse } = await app.catalog.datastores.open(viewer.projectId);
  await warehouse.run({ sql: 'CREATE SCHEMA raw' });
  await warehouse.run(
    {
      sql: `CREATE TABLE raw.events AS SELECT n AS id, n % 5000 AS user_id, 'event ' || n % 10 AS name,
        TIMESTAMPTZ '2026-01-01 00:00:00Z' + to_seconds(n * 31536000 // ${events}) AS at FROM range(${events}) AS r (n)`,
    },
    { deadlineMs: 600_000 },
  );
  await change(gateway, 'refreshCatalog(input: {}) { userErrors { message } }');
  await change(
    gateway,
    'mapEntity(input: { kind: EVENT, table: "raw.events", key: "id", name: "name", at: "at", userKey: "user_id" }) { userErrors { message } }',
  );
  await change(
    gateway,
    'createMetric(input: { name: "events", definition: { simple: { entity: EVENT, measure: { aggregation: COUNT } } } }) { userErrors { message } }',
  );
}

async function change(gateway: BenchGateway, mutation: string): Promise<void> {
  const { headers } = requestOf(gateway);
  const body = JSON.stringify({ query: `mutation { change: ${mutation} }` });
  const response = await fetch(`${gateway.url}/graphql`, { method: 'POST', headers, body });
  const told = (await response.json()) as {
    data?: { change: { userErrors: unknown[] } };
    errors?: unknown;
  };
  if (told.errors || told.data?.change.userErrors.length !== 0) throw new Error(JSON.stringify(told));
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      events: { type: 'string', default: '1000000' },
      seconds: { type: 'string', default: '5' },
      rounds: { type: 'string', default: '3' },
    },
  });
  await benchCache({
    events: Number(values.events),
    seconds: Number(values.seconds),
    rounds: Number(values.rounds),
  });
}
