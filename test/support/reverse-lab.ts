import { join } from 'node:path';
import { datastoreDestination } from '#connectors/datastore/destination.ts';
import { datastoreSource } from '#connectors/datastore-source/source.ts';
import type { DatastoreSourceConfig } from '#connectors/datastore-source/spec.ts';
import type { ConnectorContext, Json, StreamSelection, WriteOrigin } from '#connectors/contract.ts';
import { openDuckDb } from '#warehouse/duckdb.ts';
import { openSnowflake } from '#warehouse/snowflake.ts';
import { bigQueryEngine } from '#warehouse/bigquery-config.ts';
import { openDatabricks } from '#warehouse/databricks.ts';
import { openRedshift } from '#warehouse/redshift.ts';
import { type Sql, toStatement } from '#warehouse/sql.ts';
import type { Warehouse } from '#warehouse/warehouse.ts';
import { startBigQueryServer } from './bigquery-server/start-server.ts';
import { startDatabricksServer } from './databricks-server/start-server.ts';
import { startRedshiftServer } from './redshift-server/start-server.ts';
import { type Moved, type Mover, moveStream, openMover, originOf, selectionOf } from './move-stream.ts';
import { openPostgresWarehouse } from './postgres-warehouse.ts';
import { startSnowflakeServer } from './snowflake-server/start-server.ts';

/** A datastore to read from, named "source", and an embedded warehouse to write to. */
export interface ReverseLab extends AsyncDisposable {
  mover: Mover;
  warehouse: Warehouse;
  config: DatastoreSourceConfig;
  context(signal?: AbortSignal): ConnectorContext;
  /** Makes a table of the schema "src" anew, of a SELECT. */
  fill(table: string, select: string | Sql): Promise<void>;
  /** Moves a table of "src", or a SELECT of the config, into the schema "raw", as a task of its own. */
  move(name: string, more?: Partial<StreamSelection>, run?: Run): Promise<Moved>;
  /** The rows of a table of "raw". */
  rows(table: string): Promise<unknown[][]>;
}

interface Run {
  origin?: WriteOrigin;
  config?: DatastoreSourceConfig;
  state?: Json | null;
}

interface Source extends AsyncDisposable {
  warehouse: Warehouse;
  database: string;
}

export type ReverseEngine = 'DuckDB' | 'PostgreSQL' | 'Snowflake' | 'Redshift' | 'BigQuery' | 'Databricks';

/** A process of its own, which the labs of a file share. */
let snowflake: ReturnType<typeof startSnowflakeServer> | undefined;

/** To be called when a file is done with its labs. */
export async function stopReverseLabs(): Promise<void> {
  const server = await snowflake;
  snowflake = undefined;
  await server?.[Symbol.asyncDispose]();
}

const sources: Record<ReverseEngine, (mover: Mover) => Promise<Source>> = {
  async DuckDB({ home, pipesDir }) {
    const path = join(home, 'source.duckdb');
    const warehouse = await openDuckDb({ path, allowedDirectories: [pipesDir] });
    return {
      warehouse,
      database: 'source',
      [Symbol.asyncDispose]: () => warehouse[Symbol.asyncDispose](),
    };
  },
  async PostgreSQL() {
    const lab = await openPostgresWarehouse();
    return { ...lab, database: lab.server.database };
  },
  async Snowflake() {
    snowflake ??= startSnowflakeServer({ database: 'SUITE' });
    const server = await snowflake;
    const warehouse = openSnowflake({ ...server.login, password: server.password });
    return {
      warehouse,
      database: 'SUITE',
      [Symbol.asyncDispose]: () => warehouse[Symbol.asyncDispose](),
    };
  },
  async Redshift() {
    await using opening = new AsyncDisposableStack();
    const { server } = opening.use(await startRedshiftServer());
    const warehouse = opening.use(await openRedshift(server));
    const open = opening.move();
    return { warehouse, database: server.database, [Symbol.asyncDispose]: () => open.disposeAsync() };
  },
  async BigQuery() {
    await using opening = new AsyncDisposableStack();
    const server = opening.use(await startBigQueryServer());
    const reach = { emulatorHosts: [server.host] };
    const warehouse = opening.use(await bigQueryEngine.open(server.config, reach));
    const open = opening.move();
    return { warehouse, database: 'sluice-suite', [Symbol.asyncDispose]: () => open.disposeAsync() };
  },
  async Databricks() {
    await using opening = new AsyncDisposableStack();
    const server = opening.use(await startDatabricksServer({ database: 'suite' }));
    const warehouse = opening.use(openDatabricks({ ...server.login, token: server.account.token }));
    const open = opening.move();
    return { warehouse, database: 'suite', [Symbol.asyncDispose]: () => open.disposeAsync() };
  },
};

export async function openReverseLab(engine: ReverseEngine): Promise<ReverseLab> {
  await using opening = new AsyncDisposableStack();
  const mover = opening.use(await openMover());
  const { warehouse, database } = opening.use(await sources[engine](mover));
  const context = (signal?: AbortSignal): ConnectorContext => {
    const own = mover.context(signal);
    return {
      ...own,
      datastore: async (name) => (name === 'source' ? { name, warehouse } : own.datastore(name)),
    };
  };
  const origin = originOf();
  const open = opening.move();
  const config = { datastore: 'source' };
  return {
    mover,
    warehouse,
    config,
    context,
    async fill(name, select) {
      const statement = typeof select === 'string' ? { sql: select } : toStatement(select, warehouse.dialect);
      await warehouse.write({ database, schema: 'src', name, kind: 'TABLE' }, statement);
    },
    move(name, more = {}, run = {}) {
      return moveStream(
        { ...mover, context },
        {
          source: datastoreSource,
          sourceConfig: run.config ?? config,
          destination: datastoreDestination,
          destinationConfig: {},
          origin: run.origin ?? originOf(origin.jobId),
          selection: selectionOf(name, { namespace: 'src', ...more }),
          ...('state' in run && { state: run.state ?? null }),
        },
      );
    },
    rows: (table) => mover.rows(`SELECT * FROM raw."${table}" ORDER BY ALL`),
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  };
}
