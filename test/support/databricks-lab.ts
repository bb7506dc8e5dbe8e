import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ConnectorContext } from '#connectors/contract.ts';
import { type DatabricksWarehouse, openDatabricks } from '#warehouse/databricks.ts';
import { type DatabricksServer, startDatabricksServer } from './databricks-server/start-server.ts';
import { type Mover, openMover } from './move-stream.ts';

/** A mover whose datastore is a Databricks with nothing in it. */
export interface DatabricksLab extends AsyncDisposable {
  mover: Mover;
  server: DatabricksServer;
  databricks: DatabricksWarehouse;
  context(signal?: AbortSignal): ConnectorContext;
  /** The rows of a table of the schema "raw", ordered by all columns; null when there is none. */
  read(table: string): Promise<unknown[][] | null>;
  /** What is staged and not published: hidden tables, and files in the volume. */
  staged(): Promise<string[]>;
  /** Drops all that was written. */
  empty(): Promise<void>;
}

export async function openDatabricksLab(): Promise<DatabricksLab> {
  const server = await startDatabricksServer({ database: 'writes' });
  const mover = await openMover();
  const databricks = openDatabricks({ ...server.login, token: server.account.token, firstWaitMs: 10 });
  const rows = async (sql: string, binds: string[] = []) =>
    (await databricks.run({ sql, binds }, { rowsMax: 1_000_000 })).rows;
  return {
    mover,
    server,
    databricks,
    context: (signal) => ({
      ...mover.context(signal),
      datastore: async (name) => ({ name: name ?? 'databricks', warehouse: databricks }),
    }),
    async read(table) {
      const columns = await rows(
        `SELECT column_name FROM writes.information_schema.columns
         WHERE table_schema = 'raw' AND table_name = :p1 ORDER BY ordinal_position`,
        [table.toLowerCase()],
      );
      if (columns.length === 0) return null;
      const order = columns.map((_, at) => `${at + 1} NULLS LAST`).join(', ');
      return rows(`SELECT * FROM writes.raw.${databricks.dialect.quoteName(table)} ORDER BY ${order}`);
    },
    async staged() {
      const tables = await rows(
        `SELECT table_name FROM writes.information_schema.tables WHERE startswith(table_name, '_sluice_')`,
      );
      return [...(tables.flat() as string[]), ...(await server.order({ tell: true })).staged];
    },
    async empty() {
      for (const schema of ['raw', '_sluice']) await rows(`DROP SCHEMA IF EXISTS writes.${schema} CASCADE`);
      await rm(join(server.volumes, server.login.volume!), { recursive: true, force: true });
    },
    async [Symbol.asyncDispose]() {
      await databricks[Symbol.asyncDispose]();
      await mover[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}
