import type { Viewer } from '#accounts/viewer.ts';
import { createDatastore } from '#catalog/create-datastore.ts';
import { startBigQueryServer } from './bigquery-server/start-server.ts';
import { type LabTable, makeTables } from './lab-tables.ts';
import { startDatabricksServer } from './databricks-server/start-server.ts';
import { openTestGraphql, type TestGraphql } from './graphql.ts';
import { openPostgresWarehouse } from './postgres-warehouse.ts';
import { startRedshiftServer } from './redshift-server/start-server.ts';
import { startSnowflakeServer } from './snowflake-server/start-server.ts';

/** A server with an empty database of its own, and the config of a datastore there. */
interface LabServer extends AsyncDisposable {
  config: object;
  database: string;
  /** Where a cloud's engine is reached without TLS. */
  host?: string;
}

/** The engines that questions are asked on; each is one line here. */
const servers = {
  /** Embedded: every project has one. */
  DUCKDB: null,
  POSTGRES: openPostgresServer,
  REDSHIFT: openRedshiftServer,
  SNOWFLAKE: openSnowflakeServer,
  BIGQUERY: openBigQueryServer,
  DATABRICKS: openDatabricksServer,
} as const satisfies Record<string, (() => Promise<LabServer>) | null>;

export type LabEngine = keyof typeof servers;
export const labEngines = Object.keys(servers) as LabEngine[];

/** A project whose default datastore is on that engine. */
export interface EngineLab extends AsyncDisposable {
  gql: TestGraphql;
  /** Who owns the project. */
  viewer: Viewer;
  /** The name of the datastore, and of its database. */
  datastore: string;
  database: string;
  /** Makes tables of the schema "raw", which the catalog then knows. */
  load(tables: readonly LabTable[]): Promise<void>;
}

export async function openEngineLab(engine: LabEngine): Promise<EngineLab> {
  await using opening = new AsyncDisposableStack();
  const open: (() => Promise<LabServer>) | null = servers[engine];
  const server = open && opening.use(await open());
  const gql = opening.use(await openTestGraphql({ emulatorHosts: server?.host ? [server.host] : [] }));
  const viewer = await gql.signUp('lab');
  const name = server ? 'lab' : 'warehouse';
  const { database } = server ?? { database: name };
  if (server) {
    await createDatastore(gql.app.catalog, viewer, { name, engine, config: server.config, isDefault: true });
  }
  const opened = opening.move();
  return {
    gql,
    viewer,
    datastore: name,
    database,
    load: (tables) => makeTables(gql, viewer, { database, schema: 'raw' }, tables),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

async function openPostgresServer(): Promise<LabServer> {
  const postgres = await openPostgresWarehouse();
  return {
    config: { ...postgres.server },
    database: postgres.server.database,
    [Symbol.asyncDispose]: () => postgres[Symbol.asyncDispose](),
  };
}

async function openRedshiftServer(): Promise<LabServer> {
  const redshift = await startRedshiftServer();
  return {
    config: { ...redshift.server },
    database: redshift.server.database,
    [Symbol.asyncDispose]: () => redshift[Symbol.asyncDispose](),
  };
}

async function openDatabricksServer(): Promise<LabServer> {
  const server = await startDatabricksServer({ database: 'lab' });
  const { url: _url, ...login } = server.login;
  const { host } = server;
  return {
    config: { ...login, host, token: server.account.token },
    database: login.catalog,
    host,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

async function openSnowflakeServer(): Promise<LabServer> {
  const server = await startSnowflakeServer({ database: 'LAB' });
  const { url, ...login } = server.login;
  const { host } = new URL(url);
  return {
    config: { ...login, host, password: server.password },
    database: login.database,
    host,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

async function openBigQueryServer(): Promise<LabServer> {
  const server = await startBigQueryServer('sluice-lab');
  return {
    config: server.config,
    database: server.config.projectId,
    host: server.host,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}
