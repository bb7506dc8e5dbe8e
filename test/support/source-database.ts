import { Client } from 'pg';
import { postgresSource } from '#connectors/postgres/source.ts';
import type { PostgresConfig } from '#connectors/postgres/spec.ts';
import { createEmptyDatabase } from './database.ts';
import { openMover, type Mover } from './move-stream.ts';

/** A PostgreSQL database of a test's own, as a source sees it and as its owner does. */
export interface SourceDatabase extends AsyncDisposable {
  mover: Mover;
  config: PostgresConfig;
  client: Client;
  sql(text: string): Promise<Record<string, unknown>[]>;
  /** Discovers, and gives the stream of that name. */
  stream(
    name: string,
  ): ReturnType<typeof postgresSource.discover> extends Promise<(infer Stream)[]> ? Promise<Stream> : never;
}

export async function openSourceDatabase(): Promise<SourceDatabase> {
  await using opening = new AsyncDisposableStack();
  const database = opening.use(await createEmptyDatabase());
  const mover = opening.use(await openMover());
  const client = new Client({ connectionString: database.url });
  client.on('error', () => undefined);
  await client.connect();
  opening.defer(() => client.end());
  const url = new URL(database.url);
  const config: PostgresConfig = {
    host: url.hostname,
    port: Number(url.port),
    database: url.pathname.slice(1),
    username: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
  };
  const open = opening.move();
  return {
    mover,
    config,
    client,
    sql: async (text) => (await client.query(text)).rows,
    async stream(name) {
      const found = (await postgresSource.discover(config, mover.context())).find(
        (each) => each.name === name,
      );
      if (!found) throw new Error(`no stream ${name}`);
      return found;
    },
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  };
}
