import { AppError } from '#base/errors.ts';
import {
  ConnectorError,
  type CheckResult,
  type ConfigSchema,
  type ConnectorContext,
  type DestinationConnector,
  type DestinationSession,
} from '#connectors/contract.ts';
import { DuckDbWarehouse } from '#warehouse/duckdb.ts';
import { stagingPrefix, stagingSchema } from '#warehouse/duckdb-tables.ts';
import { prepareStaging } from './staging.ts';
import { openTableWriter } from './table-writer.ts';

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
    refuseSchema(schemaOf(config));
    const { name, duckDb } = await openDatastore(config, context);
    const tables = await duckDb.tables(undefined, { signal: context.signal, deadlineMs: 20_000 });
    const inSchema = tables.filter((table) => table.schema.toLowerCase() === schemaOf(config).toLowerCase());
    const message = `DuckDB datastore "${name}", ${inSchema.length} tables in schema "${schemaOf(config)}".`;
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
  const schema = schemaOf(config);
  refuseSchema(schema);
  const { name, duckDb } = await openDatastore(config, context);
  await prepareStaging(duckDb);
  return {
    async stream(origin, selection) {
      refuseTable(selection.destinationTable);
      return openTableWriter({ datastore: name, duckDb, schema, origin, selection });
    },
    // The datastore belongs to the project and stays open.
    async [Symbol.asyncDispose]() {},
  };
}

const schemaOf = (config: DatastoreConfig) => config.schema ?? schemaDefault;

async function openDatastore(
  config: DatastoreConfig,
  context: ConnectorContext,
): Promise<{ name: string; duckDb: DuckDbWarehouse }> {
  const { name, warehouse } = await context.datastore(config.datastore);
  if (warehouse instanceof DuckDbWarehouse) return { name, duckDb: warehouse };
  throw new ConnectorError(
    'CONFIG',
    `The datastore "${name}" (${warehouse.engine}) cannot be written to yet.`,
    {
      fix: 'Choose an embedded DuckDB datastore.',
      path: ['datastore'],
    },
  );
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
