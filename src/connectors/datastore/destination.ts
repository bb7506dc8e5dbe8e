import { AppError } from '#base/errors.ts';
import {
  ConnectorError,
  type CheckResult,
  type ConfigSchema,
  type ConnectorContext,
  type DestinationConnector,
  type DestinationSession,
} from '#connectors/contract.ts';
import { DatabricksWarehouse } from '#warehouse/databricks.ts';
import { DuckDbWarehouse } from '#warehouse/duckdb.ts';
import { stagingPrefix, stagingSchema } from '#warehouse/duckdb-tables.ts';
import { PostgresWarehouse } from '#warehouse/postgres.ts';
import { BigQueryWarehouse } from '#warehouse/bigquery.ts';
import { SnowflakeWarehouse } from '#warehouse/snowflake.ts';
import type { Warehouse } from '#warehouse/warehouse.ts';
import { cloudTables } from './cloud-tables.ts';
import { databricksLoader } from './databricks-loader.ts';
import { duckDbTables } from './duckdb-tables.ts';
import type { EngineTables, Place } from './engine-tables.ts';
import { postgresTables } from './postgres-tables.ts';
import { bigQueryLoader } from './bigquery-loader.ts';
import { snowflakeLoader } from './snowflake-loader.ts';

/** The config of `spec`. */
export interface DatastoreConfig {
  datastore?: string;
  schema?: string;
}

const schemaDefault = 'raw';

const spec: ConfigSchema = {
  type: 'object',
  additionalProperties: false,
  properties: {
    datastore: {
      type: 'string',
      title: 'Datastore',
      description: "The name of one of the project's datastores. Left out, the default warehouse.",
      minLength: 1,
    },
    schema: {
      type: 'string',
      title: 'Schema',
      description: 'The schema that the tables are written to. It is made when it is missing.',
      minLength: 1,
      maxLength: 128,
      default: schemaDefault,
    },
  },
};

/** Writes tables of a project's datastore. */
export const datastoreDestination: DestinationConnector<DatastoreConfig> = {
  type: 'datastore',
  version: '1.0.0',
  title: 'Datastore',
  documentationUrl: null,
  spec,
  writeModes: ['OVERWRITE', 'APPEND', 'UPSERT'],
  check,
  open: openDestination,
  datastoreOf: (config) => ({
    schema: schemaOf(config),
    ...(config.datastore !== undefined && { name: config.datastore }),
  }),
};

async function check(config: DatastoreConfig, context: ConnectorContext): Promise<CheckResult> {
  try {
    const schema = schemaOf(config);
    refuseSchema(schema);
    const { place, warehouse, tables } = await openDatastore(config, context);
    await tables.check(place, context.signal);
    const found = await warehouse.tables(undefined, { signal: context.signal, deadlineMs: 20_000 });
    const inSchema = found.filter((table) => table.schema.toLowerCase() === schema.toLowerCase());
    const message = `${tables.title} datastore "${place.datastore}", ${inSchema.length} tables in schema "${schema}".`;
    return { ok: true, message, problems: [] };
  } catch (error) {
    if (!(error instanceof ConnectorError || error instanceof AppError)) throw error;
    const path = error instanceof ConnectorError ? error.path : [];
    const { message, fix } = error;
    return {
      ok: false,
      message,
      problems: [{ code: 'CONNECTION_FAILED', message, fix, path: ['config', ...path] }],
    };
  }
}

async function openDestination(
  config: DatastoreConfig,
  context: ConnectorContext,
): Promise<DestinationSession> {
  refuseSchema(schemaOf(config));
  const { place, tables } = await openDatastore(config, context);
  const session = await tables.open(place, context);
  return {
    async stream(origin, selection) {
      refuseTable(selection.destinationTable);
      return session.stream(origin, selection);
    },
    [Symbol.asyncDispose]: () => session[Symbol.asyncDispose](),
  };
}

const schemaOf = (config: DatastoreConfig) => config.schema ?? schemaDefault;

async function openDatastore(
  config: DatastoreConfig,
  context: ConnectorContext,
): Promise<{ place: Place; warehouse: Warehouse; tables: EngineTables }> {
  const { name, warehouse } = await context.datastore(config.datastore);
  const tables = engineTables(warehouse);
  if (tables) return { place: { datastore: name, schema: schemaOf(config) }, warehouse, tables };
  throw new ConnectorError(
    'CONFIG',
    `The datastore "${name}" (${warehouse.engine}) cannot be written to yet.`,
    {
      fix: 'Choose a datastore on another engine; docs/warehouses.md says which are written.',
      path: ['datastore'],
    },
  );
}

/** How the tables of that engine are written; undefined where nothing can. */
function engineTables(warehouse: Warehouse): EngineTables | undefined {
  if (warehouse instanceof DuckDbWarehouse) return duckDbTables(warehouse);
  if (warehouse instanceof PostgresWarehouse) return postgresTables(warehouse);
  if (warehouse instanceof BigQueryWarehouse) return cloudTables(bigQueryLoader(warehouse));
  if (warehouse instanceof SnowflakeWarehouse) return cloudTables(snowflakeLoader(warehouse));
  if (warehouse instanceof DatabricksWarehouse) return cloudTables(databricksLoader(warehouse));
  return undefined;
}

const reservedSchemas = new Set([stagingSchema, 'information_schema', 'pg_catalog', 'temp', 'system']);

/** Fails with CONFIG for a schema that connectors and the engine keep for themselves. */
export function refuseSchema(schema: string): void {
  if (!reservedSchemas.has(schema.toLowerCase())) return;
  throw new ConnectorError('CONFIG', `The schema "${schema}" is the warehouse's own.`, {
    fix: 'Choose another schema, such as "raw".',
    path: ['schema'],
  });
}

/** Fails with CONFIG for a name that staging tables have. */
export function refuseTable(table: string): void {
  if (table !== '' && !table.toLowerCase().startsWith(stagingPrefix)) return;
  throw new ConnectorError(
    'CONFIG',
    `"${table}" cannot be the name of a table: "${stagingPrefix}…" is kept for staging.`,
    {
      fix: 'Give the stream another destinationTable.',
    },
  );
}
