import type { ConnectorContext } from '#connectors/contract.ts';
import { bigQueryEngine } from '#warehouse/bigquery-config.ts';
import type { BigQueryWarehouse } from '#warehouse/bigquery.ts';
import { type BigQueryServer, startBigQueryServer } from './bigquery-server/start-server.ts';
import { type Mover, openMover } from './move-stream.ts';

/** A mover whose datastore is a BigQuery with nothing in it. */
export interface BigQueryLab extends AsyncDisposable {
  mover: Mover;
  server: BigQueryServer;
  bigQuery: BigQueryWarehouse;
  context(signal?: AbortSignal): ConnectorContext;
  /** The rows of a table of the dataset "raw", ordered by all columns; null when there is none. */
  read(table: string): Promise<unknown[][] | null>;
  /** What is staged and not published: hidden tables. */
  staged(): Promise<string[]>;
}

export async function openBigQueryLab(): Promise<BigQueryLab> {
  const server = await startBigQueryServer('sluice-writes');
  const mover = await openMover();
  const bigQuery = await bigQueryEngine.open(server.config, { emulatorHosts: [server.host] });
  const database = server.config.projectId;
  const rows = async (sql: string) => (await bigQuery.run({ sql }, { rowsMax: 1_000_000 })).rows;
  return {
    mover,
    server,
    bigQuery,
    context: (signal) => ({
      ...mover.context(signal),
      datastore: async (name) => ({ name: name ?? 'bigquery', warehouse: bigQuery }),
    }),
    async read(table) {
      const [found] = await bigQuery.tables([{ database, schema: 'raw', name: table }]);
      if (!found) return null;
      const { quoteName, valueType } = bigQuery.dialect;
      // JSON has no order.
      const order = found.columns.flatMap(({ dataType }, at) =>
        valueType(dataType) === 'json' ? [] : [at + 1],
      );
      const all = await rows(
        `SELECT * FROM ${quoteName(database)}.raw.${quoteName(table)} ORDER BY ${order.join(', ')}`,
      );
      // Every integer has 64 bits here.
      return all.map((row) => row.map((value) => (typeof value === 'bigint' ? Number(value) : value)));
    },
    async staged() {
      const found = await rows(
        "SELECT table_name FROM `sluice-writes`.raw.INFORMATION_SCHEMA.TABLES WHERE STARTS_WITH(table_name, '_sluice_')",
      );
      return found.flat() as string[];
    },
    async [Symbol.asyncDispose]() {
      await bigQuery[Symbol.asyncDispose]();
      await mover[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}
