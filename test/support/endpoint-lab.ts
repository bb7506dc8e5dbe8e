import { request } from 'node:http';
import { createApiKey } from '#accounts/api-keys.ts';
import type { Viewer } from '#accounts/viewer.ts';
import { createDatastore } from '#catalog/create-datastore.ts';
import { serve } from '#server/serve.ts';
import { openTestGraphql, type TestGraphql } from './graphql.ts';
import { openPostgresWarehouse, type TestPostgresWarehouse } from './postgres-warehouse.ts';

/** The datastores of the lab: the embedded warehouse, and an operational store. */
export const labStores = ['warehouse', 'hot'] as const;
export type LabStore = (typeof labStores)[number];

export interface LabAnswer {
  status: number;
  headers: NodeJS.Dict<string | string[]>;
  /** As it came, compressed or not. */
  bytes: Buffer;
  text: string;
}

/** A gateway over real HTTP with the same table `raw.users` in DuckDB and in PostgreSQL. */
export interface EndpointLab extends AsyncDisposable {
  gql: TestGraphql;
  viewer: Viewer;
  postgres: TestPostgresWarehouse;
  url: string;
  token: string;
  /** Sends the path as it is written, whatever fetch would make of it. */
  call(path: string, headers?: Record<string, string>, method?: string): Promise<LabAnswer>;
}

/** A name that stands in some row, and which the engines would take for more than text if they were let. */
export const ownName = `user 7' OR '1'='1' --`;

/** 20 rows, no two alike in anything, and one that no honest parameter finds. */
const users = `SELECT n AS id, CASE n WHEN 7 THEN '${ownName.replaceAll("'", "''")}' ELSE 'user ' || n END AS name,
  n + 0.5 AS score, CASE n WHEN 1 THEN TRUE WHEN 2 THEN FALSE END AS active, CAST('2026-01-' || (n + 9) AS DATE) AS day,
  CAST('2026-01-' || (n + 9) || ' 12:00:00+00' AS TIMESTAMPTZ) AS moment,
  CAST('00000000-0000-4000-8000-0000000000' || (n + 9) AS UUID) AS uid`;
const secret = `SELECT 424242, 'the secret', 424242.5, NULL, DATE '1999-09-09', TIMESTAMPTZ '1999-09-09 09:09:09+00',
  CAST('99999999-9999-4999-8999-999999999999' AS UUID)`;

export async function openEndpointLab(): Promise<EndpointLab> {
  await using opening = new AsyncDisposableStack();
  const gql = opening.use(await openTestGraphql());
  const viewer = await gql.signUp('ada');
  const { warehouse } = await gql.app.catalog.datastores.open(viewer.projectId);
  await warehouse.run({ sql: 'CREATE SCHEMA raw' });
  await warehouse.run({
    sql: `CREATE TABLE raw.users AS ${users} FROM range(1::BIGINT, 21::BIGINT) t(n) UNION ALL ${secret}`,
  });
  const postgres = opening.use(await openPostgresWarehouse());
  await postgres.load([
    'CREATE SCHEMA raw',
    `CREATE TABLE raw.users AS ${users} FROM generate_series(1::bigint, 20) t(n) UNION ALL ${secret}`,
  ]);
  await createDatastore(gql.app.catalog, viewer, {
    name: 'hot',
    engine: 'POSTGRES',
    role: 'OPERATIONAL',
    config: { ...postgres.server },
  });
  await gql.ask(viewer, 'mutation { refreshCatalog(input: {}) { tables } }');
  const gateway = opening.use(await serve(gql.app, { host: '127.0.0.1', port: 0 }));
  const { secret: token } = await createApiKey(gql.app.accounts, viewer, {
    name: 'lab',
    scopes: ['DATA_READ'],
  });
  const opened = opening.move();
  return {
    gql,
    viewer,
    postgres,
    url: gateway.url,
    token,
    call: (path, headers = {}, method = 'GET') =>
      send(`${gateway.url}/api/`, path, method, { authorization: `Bearer ${token}`, ...headers }),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

function send(
  base: string,
  path: string,
  method: string,
  headers: Record<string, string>,
): Promise<LabAnswer> {
  const { hostname, port, pathname } = new URL(base);
  const { promise, resolve, reject } = Promise.withResolvers<LabAnswer>();
  const sent = request({ hostname, port, method, path: pathname + path, headers }, (response) => {
    const pieces: Buffer[] = [];
    response.on('data', (piece: Buffer) => pieces.push(piece));
    response.on('error', reject);
    response.on('end', () => {
      const bytes = Buffer.concat(pieces);
      const { statusCode = 0 } = response;
      resolve({ status: statusCode, headers: response.headers, bytes, text: bytes.toString('utf8') });
    });
  });
  sent.on('error', reject);
  sent.end();
  return promise;
}
