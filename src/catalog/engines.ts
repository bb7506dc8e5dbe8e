import type { ConfigSchema, Json } from '#connectors/contract.ts';
import { serverProperties } from '#connectors/postgres/spec.ts';
import type { DatastoreEngine, DatastoreRole } from '#generated/prisma/enums.ts';
import type { Problem } from '#base/errors.ts';
import { type BigQueryConfig, bigQueryEngine } from '#warehouse/bigquery-config.ts';
import type { EngineReach } from '#warehouse/engine-reach.ts';
import { type DatabricksConfig, databricksEngine } from '#warehouse/databricks-config.ts';
import { openPostgres } from '#warehouse/postgres.ts';
import type { PostgresOptions } from '#warehouse/postgres-protocol.ts';
import { openRedshift } from '#warehouse/redshift.ts';
import { type SnowflakeConfig, snowflakeEngine } from '#warehouse/snowflake-config.ts';
import type { Warehouse } from '#warehouse/warehouse.ts';

/** An engine that datastores can be made on. */
interface EngineInfo {
  /** What a client says of one; secret fields carry `"secret": true`. */
  spec: ConfigSchema;
  roles: readonly DatastoreRole[];
}

/** An engine elsewhere, which any process can reach. */
export interface RemoteEngine extends EngineInfo {
  title: string;
  /** Everything about a config, its secrets filled in, that the schema does not say. */
  check?(config: { [field: string]: Json }, reach: EngineReach): Problem[];
  /**
   * Opens it with a config of the spec, its secrets and defaults filled in, and asks it something. Fails with Unreachable,
   * each wrong setting with a message of its own.
   */
  open(config: { [field: string]: Json }, reach: EngineReach): Promise<Warehouse>;
}

const secondsMax = 31_536_000;

/** Every engine has it. */
const cacheSpec: Json = {
  type: 'object',
  title: 'Cache',
  description: 'How long answers are kept, where tables change without Sluice.',
  additionalProperties: false,
  properties: {
    maxAgeSeconds: {
      type: 'integer',
      minimum: 1,
      maximum: secondsMax,
      description:
        'An answer older than this is not given. Left out, it is kept until its tables are written.',
    },
    staleSeconds: {
      type: 'integer',
      minimum: 0,
      maximum: secondsMax,
      description: 'For so long an answer that is out of date is still given while it is renewed.',
    },
  },
};

const duckDb: EngineInfo = {
  spec: { type: 'object', additionalProperties: false, properties: { cache: cacheSpec } },
  roles: ['WAREHOUSE'],
};

function withCache(spec: ConfigSchema & { properties: { [field: string]: Json } }): ConfigSchema {
  return { ...spec, properties: { ...spec.properties, cache: cacheSpec } };
}

/** As of PostgreSQL, at Redshift's own port, and encrypted unless somebody says otherwise. */
function redshiftProperties(): { [name: string]: Json } {
  const { port, ssl, ...properties } = serverProperties({
    database: 'The database that holds the tables.',
    username: 'A user that may read the tables, and write where transformations do.',
  }) as { [name: string]: { [field: string]: Json } };
  const { mode, ...tls } = ssl!['properties'] as { [name: string]: { [field: string]: Json } };
  return {
    ...properties,
    port: { ...port!, description: 'The port that the cluster or workgroup listens on.', default: 5439 },
    ssl: { ...ssl!, properties: { mode: { ...mode!, default: 'require' }, ...tls } },
  };
}

/** The engines that are not embedded, by their names. */
export const remoteEngines: Partial<Record<DatastoreEngine, RemoteEngine>> = {
  POSTGRES: {
    title: 'PostgreSQL',
    roles: ['WAREHOUSE', 'OPERATIONAL'],
    spec: {
      type: 'object',
      required: ['host', 'database', 'username'],
      additionalProperties: false,
      properties: {
        ...serverProperties({
          database: 'The database that holds the tables.',
          username: 'A role that may read the tables, and write where transformations do.',
        }),
        schema: {
          type: 'string',
          title: 'Schema',
          description: 'Where names without a schema are looked up. Left out, the search path of the role.',
          minLength: 1,
          maxLength: 63,
        },
        cache: cacheSpec,
      },
    },
    open: ({ cache: _cache, ...config }) => openPostgres(config as unknown as PostgresOptions),
  },
  REDSHIFT: {
    title: 'Amazon Redshift',
    roles: ['WAREHOUSE'],
    spec: {
      type: 'object',
      required: ['host', 'database', 'username'],
      additionalProperties: false,
      properties: {
        ...redshiftProperties(),
        schema: {
          type: 'string',
          title: 'Schema',
          description: 'Where names without a schema are looked up. Left out, the search path of the user.',
          minLength: 1,
          maxLength: 127,
        },
        cache: cacheSpec,
      },
    },
    open: ({ cache: _cache, ...config }) => openRedshift(config as unknown as PostgresOptions),
  },
  BIGQUERY: {
    title: bigQueryEngine.title,
    roles: ['WAREHOUSE'],
    spec: withCache(bigQueryEngine.spec),
    check: ({ cache: _cache, ...config }, reach) =>
      bigQueryEngine.check(config as unknown as BigQueryConfig, reach),
    open: ({ cache: _cache, ...config }, reach) =>
      bigQueryEngine.open(config as unknown as BigQueryConfig, reach),
  },
  DATABRICKS: {
    title: databricksEngine.title,
    roles: ['WAREHOUSE'],
    spec: withCache(databricksEngine.spec),
    check: ({ cache: _cache, ...config }, reach) =>
      databricksEngine.check(config as unknown as DatabricksConfig, reach),
    open: ({ cache: _cache, ...config }, reach) =>
      databricksEngine.open(config as unknown as DatabricksConfig, reach),
  },
  SNOWFLAKE: {
    title: snowflakeEngine.title,
    roles: ['WAREHOUSE'],
    spec: withCache(snowflakeEngine.spec),
    check: ({ cache: _cache, ...config }, reach) =>
      snowflakeEngine.check(config as unknown as SnowflakeConfig, reach),
    open: ({ cache: _cache, ...config }, reach) =>
      snowflakeEngine.open(config as unknown as SnowflakeConfig, reach),
  },
};

/** The names of the engines that a datastore can be made on. */
export const engineNames = ['DUCKDB', ...Object.keys(remoteEngines)] as readonly DatastoreEngine[];

/** What can be said of datastores on that engine; undefined for one that none can be made on. */
export function engineInfo(engine: DatastoreEngine): EngineInfo | undefined {
  return engine === 'DUCKDB' ? duckDb : remoteEngines[engine];
}

/** What the engine says of a config besides its schema; undefined where there is nothing. */
export function configCheck(
  { datastores: { reach } }: { datastores: { reach: EngineReach } },
  engine: DatastoreEngine,
): ((config: { [field: string]: Json }) => Problem[]) | undefined {
  const remote = remoteEngines[engine];
  return remote?.check && ((config) => remote.check!(config, reach));
}
