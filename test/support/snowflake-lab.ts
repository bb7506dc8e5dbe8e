import type { ConnectorContext } from '#connectors/contract.ts';
import { openSnowflake, type SnowflakeWarehouse } from '#warehouse/snowflake.ts';
import { type Mover, openMover } from './move-stream.ts';
import { type SnowflakeServer, startSnowflakeServer } from './snowflake-server/start-server.ts';

/** A mover whose datastore is a Snowflake with nothing in it. */
export interface SnowflakeLab extends AsyncDisposable {
  mover: Mover;
  server: SnowflakeServer;
  snowflake: SnowflakeWarehouse;
  context(signal?: AbortSignal): ConnectorContext;
  /** The rows of a table of the schema "raw", ordered by all columns; null when there is none. */
  read(table: string): Promise<unknown[][] | null>;
  /** What is staged and not published: hidden tables, and files in the stage. */
  staged(): Promise<string[]>;
  /** Drops all that was written. */
  empty(): Promise<void>;
}

export async function openSnowflakeLab(): Promise<SnowflakeLab> {
  const server = await startSnowflakeServer({ database: 'WRITES' });
  const mover = await openMover();
  const snowflake = openSnowflake({ ...server.login, password: server.password, firstWaitMs: 20 });
  const rows = async (sql: string, binds: string[] = []) =>
    (await snowflake.run({ sql, binds }, { rowsMax: 1_000_000 })).rows;
  return {
    mover,
    server,
    snowflake,
    context: (signal) => ({
      ...mover.context(signal),
      datastore: async (name) => ({ name: name ?? 'snowflake', warehouse: snowflake }),
    }),
    async read(table) {
      const columns = (await rows(
        `SELECT COLUMN_NAME, NUMERIC_PRECISION FROM "WRITES".INFORMATION_SCHEMA.COLUMNS
         WHERE TABLE_SCHEMA = 'raw' AND TABLE_NAME = ? ORDER BY ORDINAL_POSITION`,
        [table],
      )) as [string, bigint | null][];
      if (columns.length === 0) return null;
      const order = columns.map((_, at) => at + 1).join(', ');
      const name = snowflake.dialect.quoteName(table);
      const found = await rows(`SELECT * FROM "WRITES"."raw".${name} ORDER BY ${order}`);
      // What was a 32-bit integer is a bigint here, and a number in other engines.
      const isShort = columns.map(([, precision]) => precision !== null && precision <= 10n);
      return found.map((row) =>
        row.map((value, at) => (typeof value === 'bigint' && isShort[at] ? Number(value) : value)),
      );
    },
    async staged() {
      const tables = await rows(
        `SELECT TABLE_NAME FROM "WRITES".INFORMATION_SCHEMA.TABLES WHERE STARTSWITH(TABLE_NAME, '_sluice_')`,
      );
      return [...(tables.flat() as string[]), ...(await server.order({ tell: true })).staged];
    },
    async empty() {
      for (const schema of ['raw', '_sluice'])
        await rows(`DROP SCHEMA IF EXISTS "WRITES"."${schema}" CASCADE`);
    },
    async [Symbol.asyncDispose]() {
      await snowflake[Symbol.asyncDispose]();
      await mover[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}
