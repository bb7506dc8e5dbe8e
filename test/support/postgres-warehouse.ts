import { openPostgres, type PostgresOptions, type PostgresWarehouse } from '#warehouse/postgres.ts';
import { createEmptyDatabase } from './database.ts';

/** A PostgreSQL warehouse in a database of its own. */
export interface TestPostgresWarehouse extends AsyncDisposable {
  warehouse: PostgresWarehouse;
  /** How it is reached; also the config of a datastore. */
  server: PostgresOptions;
}

export async function openPostgresWarehouse(): Promise<TestPostgresWarehouse> {
  await using opening = new AsyncDisposableStack();
  const database = opening.use(await createEmptyDatabase());
  const server = serverOf(database.url);
  const warehouse = opening.use(await openPostgres(server));
  const open = opening.move();
  return { warehouse, server, [Symbol.asyncDispose]: () => open.disposeAsync() };
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
