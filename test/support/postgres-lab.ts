import type { ConnectorContext } from '#connectors/contract.ts';
import type { PostgresSession } from '#warehouse/postgres-session.ts';
import { type Mover, openMover } from './move-stream.ts';
import { openPostgresWarehouse, type TestPostgresWarehouse } from './postgres-warehouse.ts';

/** A PostgreSQL datastore to write into, and eyes to look into it with; beside it an embedded warehouse named "duck". */
export interface PostgresLab extends Mover {
  pg: TestPostgresWarehouse;
  /** The rows of raw.<table> as readers see it, ordered by all columns; null when there is none. */
  readTable(table: string): Promise<unknown[][] | null>;
  /** Names of whatever lies staged and unpublished. */
  staged(): Promise<string[]>;
  /** What a writing session sees. */
  session(): Promise<PostgresSession>;
}

const never = new AbortController().signal;

export async function openPostgresLab(): Promise<PostgresLab> {
  await using opening = new AsyncDisposableStack();
  const mover = opening.use(await openMover());
  const pg = opening.use(await openPostgresWarehouse());
  const open = opening.move();
  const rows = async (sql: string) => (await pg.warehouse.run({ sql })).rows;
  return {
    ...mover,
    pg,
    context: (signal): ConnectorContext => ({
      ...mover.context(signal),
      datastore: async (name = 'warehouse') => ({
        name,
        warehouse: name === 'duck' ? mover.warehouse : pg.warehouse,
      }),
    }),
    rows,
    async readTable(table) {
      const [found] = await pg.warehouse.tables([
        { database: pg.server.database, schema: 'raw', name: table },
      ]);
      if (!found) return null;
      const columns = found.columns.map((_, at) => at + 1).join(', ');
      return rows(`SELECT * FROM raw."${table}" ORDER BY ${columns}`);
    },
    async staged() {
      const names = await rows(
        `SELECT relname::text FROM pg_class WHERE relkind = 'r' AND relname LIKE '\\_sluice\\_%'
         UNION ALL SELECT table_name FROM _sluice.staging UNION ALL SELECT table_name FROM _sluice.part`,
      );
      return names.flat() as string[];
    },
    session: () => pg.warehouse.session(never),
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  };
}
