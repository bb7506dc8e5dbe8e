import { Client } from 'pg';
import type { Viewer } from '#accounts/viewer.ts';
import { createDatastore } from '#catalog/create-datastore.ts';
import { openPostgres, type PostgresWarehouse } from '#warehouse/postgres.ts';
import type { PostgresOptions } from '#warehouse/postgres-protocol.ts';
import { createEmptyDatabase } from './database.ts';
import type { TestGraphql } from './graphql.ts';

/** A PostgreSQL warehouse in a database of its own. */
export interface TestPostgresWarehouse extends AsyncDisposable {
  warehouse: PostgresWarehouse;
  /** How it is reached; also the config of a datastore. */
  server: PostgresOptions;
  /** Runs statements as who owns the database. */
  load(statements: readonly string[]): Promise<void>;
  /** Makes it the default datastore of the viewer's project, named "pg". */
  makeDefault(gql: TestGraphql, viewer: Viewer): Promise<void>;
}

export async function openPostgresWarehouse(): Promise<TestPostgresWarehouse> {
  await using opening = new AsyncDisposableStack();
  const database = opening.use(await createEmptyDatabase());
  const server = serverOf(database.url);
  const warehouse = opening.use(await openPostgres(server));
  const open = opening.move();
  return {
    warehouse,
    server,
    load: (statements) => load(database.url, statements),
    async makeDefault({ app }, viewer) {
      const config = { ...server };
      await createDatastore(app.catalog, viewer, { name: 'pg', engine: 'POSTGRES', config, isDefault: true });
    },
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  };
}

/** The config that a URL says. */
export function serverOf(databaseUrl: string): PostgresOptions {
  const url = new URL(databaseUrl);
  return {
    host: url.hostname,
    port: Number(url.port),
    database: url.pathname.slice(1),
    username: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
  };
}

async function load(connectionString: string, statements: readonly string[]): Promise<void> {
  const client = new Client({ connectionString });
  await client.connect();
  try {
    for (const sql of statements) await client.query(sql);
  } finally {
    await client.end();
  }
}
