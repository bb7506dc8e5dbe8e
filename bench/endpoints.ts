import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parseArgs } from 'node:util';
import { DuckDBInstance } from '@duckdb/node-api';
import { Client, Pool } from 'pg';
import { createDatastore } from '#catalog/create-datastore.ts';
import { refreshCatalog } from '#catalog/refresh.ts';
import { saveEndpoint } from '#endpoints/save.ts';
import { type BenchGateway, openBenchGateway } from './support/gateway.ts';
import { type Load, load, type Loaded } from './support/load.ts';
import { benchManyEndpoints } from './support/many-endpoints.ts';
import { machine, printTable, quantile } from './support/table.ts';

/** A list of 20 rows by an indexed key, as teams write them. `:asked` is in no row: it tells questions apart. */
const queryOf = (asked: string, plan: string, active: string, from: string) =>
  `SELECT id, name, plan, active, created_at FROM raw.users
   WHERE plan = ${plan} AND active = ${active} AND id > ${from} AND id <> -${asked} ORDER BY id LIMIT 20`;

interface Lab {
  title: string;
  datastore: string;
  /** Makes the table there, and gives a server that a team would write for the same answer. */
  handler(): Promise<Served>;
}

interface Served extends AsyncDisposable {
  url: string;
}

interface Options {
  users: number;
  connections: number;
  seconds: number;
  rounds: number;
}

const ways = ['hand-written', 'REST', 'REST, kept', 'GraphQL', 'GraphQL, kept'] as const;
type Way = (typeof ways)[number];

/** An endpoint over REST and GraphQL, asked anew and kept, beside a server of node:http with the same query, in turns. */
export async function benchEndpoints(options: Options): Promise<void> {
  await using gateway = await openBenchGateway({ SLUICE_ENDPOINTS: '/nonexistent' });
  const rows: (string | number)[][] = [];
  for (const lab of [await postgresLab(gateway, options), duckDbLab(gateway, options)]) {
    await using bare = await lab.handler();
    await publish(gateway, lab.datastore);
    const loads = loadsOf(gateway, bare.url, lab.datastore, options);
    await checkSame(loads);
    const best = await measure(loads, options);
    const base = best['hand-written'].answersPerSecond;
    rows.push(
      ...ways.map((way) => {
        const { answersPerSecond, ms, cpuMs } = best[way];
        return [
          lab.title,
          way,
          Math.round(answersPerSecond).toLocaleString('en'),
          quantile(ms, 0.5).toFixed(2),
          quantile(ms, 0.99).toFixed(2),
          (answersPerSecond / base).toFixed(2),
          cpuMs.toFixed(3),
        ];
      }),
    );
  }
  printTable(
    `endpoints: 20 of ${options.users.toLocaleString('en')} rows, ${options.connections} connections; ${machine()}`,
    [
      'engine',
      'served by',
      'answers a second',
      'median ms',
      '99 % ms',
      'to hand-written',
      'CPU ms of the process',
    ],
    rows,
  );
}

function loadsOf(
  { url, token }: BenchGateway,
  bare: string,
  datastore: string,
  { connections, seconds }: Options,
): Record<Way, Load> {
  const how = { connections, seconds };
  const headers = { authorization: `Bearer ${token}` };
  const search = (asked: string) => `?plan=team&from=1000&asked=${asked}`;
  const rest = (asked: string) => ({ ...how, headers, url: `${url}/api/v1/${datastore}${search(asked)}` });
  const graphql = (asked: string) => ({
    ...how,
    headers: { ...headers, 'content-type': 'application/json' },
    url: `${url}/graphql`,
    body: JSON.stringify({
      query: `query ($asked: BigInt!) { data { ${datastore}(plan: team, from: 1000, asked: $asked) { nodes { id name plan active createdAt } } } }`,
      variables: { asked },
    }),
  });
  return {
    'hand-written': { ...how, headers: {}, url: `${bare}/${search('{n}')}` },
    REST: rest('{n}'),
    'REST, kept': rest('1'),
    GraphQL: graphql('{n}'),
    'GraphQL, kept': graphql('1'),
  };
}

/** What is compared is the same 20 rows. */
async function checkSame(loads: Record<Way, Load>): Promise<void> {
  const ids: string[] = [];
  for (const way of ways) {
    const { url, headers, body } = loads[way];
    const method = body === undefined ? 'GET' : 'POST';
    const response = await fetch(url.replace('{n}', '7'), {
      method,
      headers,
      body: body?.replace('{n}', '7') ?? null,
    });
    const text = await response.text();
    ids.push([...text.matchAll(/"id":"?(\d+)/g)].map((match) => match[1]).join());
    if (response.status !== 200 || ids.at(-1)!.split(',').length !== 20 || ids.at(-1) !== ids[0])
      throw new Error(`${way} answers ${response.status}: ${text.slice(0, 500)}`);
  }
}

/** In turns, so that all are measured in the same moments of the machine; the first round warms up. */
async function measure(loads: Record<Way, Load>, { rounds }: Options): Promise<Record<Way, Loaded>> {
  const all = Object.fromEntries(ways.map((way) => [way, [] as Loaded[]])) as Record<Way, Loaded[]>;
  for (let round = 0; round <= rounds; round += 1) {
    for (const way of ways) {
      const loaded = await load(loads[way]);
      if (round > 0) all[way].push(loaded);
    }
  }
  const best = (way: Way) =>
    all[way].toSorted((one, other) => other.answersPerSecond - one.answersPerSecond)[0]!;
  return Object.fromEntries(ways.map((way) => [way, best(way)])) as Record<Way, Loaded>;
}

async function publish({ app, viewer }: BenchGateway, datastore: string): Promise<void> {
  await refreshCatalog(app.catalog, viewer);
  const author = { projectId: viewer.projectId, memberId: viewer.memberId, file: null };
  const declaration = {
    metadata: { name: datastore, version: 1 },
    route: `/${datastore}`,
    datastore,
    query: queryOf(':asked', ':plan', ':active', ':from'),
    params: [
      { name: 'plan', type: 'string', enum: ['free', 'team', 'enterprise'], required: true },
      { name: 'active', type: 'boolean', default: true },
      { name: 'from', type: 'integer', required: true },
      { name: 'asked', type: 'integer', required: true },
    ],
  };
  await saveEndpoint(app.endpoints, author, { declaration, publish: true });
}

async function postgresLab({ app, viewer }: BenchGateway, { users }: Options): Promise<Lab> {
  const url = new URL(app.store.databaseUrl);
  await using admin = await connect(url.href);
  await admin.pg.query('CREATE DATABASE bench');
  url.pathname = '/bench';
  const config = {
    host: url.hostname,
    port: Number(url.port),
    database: 'bench',
    username: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
  };
  await using client = await connect(url.href);
  await client.pg.query(`CREATE SCHEMA raw; CREATE TABLE raw.users AS
    SELECT n::bigint AS id, 'user ' || n AS name, (ARRAY['free', 'team', 'enterprise'])[n % 3 + 1] AS plan, n % 5 > 0 AS active,
      TIMESTAMPTZ '2026-01-01 00:00:00Z' + n * interval '1 minute' AS created_at FROM generate_series(1, ${users}) AS t (n);
    ALTER TABLE raw.users ADD PRIMARY KEY (id); ANALYZE raw.users`);
  await createDatastore(app.catalog, viewer, { name: 'pg', engine: 'POSTGRES', role: 'OPERATIONAL', config });
  return {
    title: 'PostgreSQL',
    datastore: 'pg',
    async handler() {
      const pool = new Pool({ connectionString: url.href, max: 10 });
      const text = queryOf('$4::bigint', '$1', '$2', '$3');
      const server = await serveRows(async (binds) => (await pool.query(text, binds)).rows);
      return {
        url: server.url,
        [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]().then(() => pool.end()),
      };
    },
  };
}

async function connect(url: string): Promise<{ pg: Client } & AsyncDisposable> {
  const pg = new Client({ connectionString: url });
  await pg.connect();
  return { pg, [Symbol.asyncDispose]: () => pg.end() };
}

function duckDbLab({ app, viewer }: BenchGateway, { users }: Options): Lab {
  const table = `CREATE TABLE raw.users AS
    SELECT n AS id, 'user ' || n AS name, ['free', 'team', 'enterprise'][n % 3 + 1] AS plan, n % 5 > 0 AS active,
      TIMESTAMPTZ '2026-01-01 00:00:00Z' + to_minutes(n) AS created_at FROM range(1::BIGINT, ${users + 1}::BIGINT) AS t (n)`;
  return {
    title: 'DuckDB',
    datastore: 'warehouse',
    async handler() {
      const { warehouse } = await app.catalog.datastores.open(viewer.projectId);
      for (const sql of ['CREATE SCHEMA raw', table]) await warehouse.run({ sql });
      const instance = await DuckDBInstance.create(':memory:');
      const connection = await instance.connect();
      for (const sql of ['CREATE SCHEMA raw', table]) await connection.run(sql);
      const text = queryOf('$4::BIGINT', '$1', '$2', '$3::BIGINT');
      return serveRows(async ([plan, active, from, asked]) => {
        const binds = [String(plan), active === true, Number(from), Number(asked)];
        return (await connection.runAndReadAll(text, binds)).getRowObjectsJson();
      });
    },
  };
}

/** What a team writes in an afternoon: no limits, no keys, no checks. */
async function serveRows(read: (binds: unknown[]) => Promise<unknown[]>): Promise<Served> {
  const server = createServer((request, response) => {
    const { searchParams } = new URL(request.url ?? '/', 'http://localhost');
    const asked = (name: string) => searchParams.get(name);
    read([asked('plan'), asked('active') !== 'false', asked('from'), asked('asked')]).then(
      (data) => {
        const body = JSON.stringify({ data });
        response.writeHead(200, {
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(body),
        });
        response.end(body);
      },
      (error: unknown) => response.writeHead(500).end(String(error)),
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      users: { type: 'string', default: '100000' },
      connections: { type: 'string', default: '32' },
      seconds: { type: 'string', default: '5' },
      rounds: { type: 'string', default: '3' },
      many: { type: 'string', default: '1000' },
    },
  });
  await benchEndpoints({
    users: Number(values.users),
    connections: Number(values.connections),
    seconds: Number(values.seconds),
    rounds: Number(values.rounds),
  });
  if (Number(values.many) > 0) await benchManyEndpoints({ endpoints: Number(values.many) });
}
