import { AppError, InputError, type Problem } from '#base/errors.ts';
import { type DatabricksOptions, type DatabricksWarehouse, openDatabricks } from './databricks.ts';
import { DatabricksError, NotLetIn } from './databricks-errors.ts';
import type { EngineReach } from './engine-reach.ts';
import { Unreachable } from './unreachable.ts';

/** How a Databricks is reached, as a client says it. */
export interface DatabricksConfig extends Omit<DatabricksOptions, 'url'> {
  host: string;
}

const text = (title: string, description: string, more: object = {}) => ({
  type: 'string',
  minLength: 1,
  maxLength: 300,
  title,
  description,
  ...more,
});

/** What a client says of a Databricks, as JSON Schema. */
const spec = {
  type: 'object' as const,
  additionalProperties: false,
  required: ['host', 'warehouseId', 'catalog'],
  properties: {
    host: text('Host', 'The workspace, such as dbc-1a2b3c4d-5e6f.cloud.databricks.com.', {
      pattern: '^[A-Za-z0-9._:-]+$',
    }),
    warehouseId: text('SQL warehouse', 'Its id: the last part of its HTTP path, /sql/1.0/warehouses/….', {
      pattern: '^[A-Za-z0-9_-]+$',
    }),
    token: text('Token', 'A personal access token.', { secret: true, maxLength: 4000 }),
    clientId: text('Client id', 'The application id of a service principal, in place of a token.'),
    clientSecret: text('Client secret', 'An OAuth secret of the service principal.', {
      secret: true,
      maxLength: 4000,
    }),
    catalog: text('Catalog', 'The catalog of Unity Catalog that holds the tables.'),
    schema: text('Schema', 'Where names without a schema are looked for. "default" when left out.'),
    volume: text('Volume', 'The volume through which syncs load files: /Volumes/catalog/schema/volume.', {
      pattern: '^/Volumes(/[^/`]+){3,}$',
    }),
  },
};

/** Databricks' own domains: a config can lead to no other host. */
const ownDomain =
  /^([a-z0-9_-]+\.)+(cloud\.databricks\.(?:com|us|mil)|gcp\.databricks\.com|azuredatabricks\.net|databricks\.azure\.us|databricks\.azure\.cn)$/i;

/** Everything about a config that the schema does not say. */
function checkConfig(config: DatabricksConfig, reach: EngineReach): Problem[] {
  const problems: Problem[] = [];
  const { host, token, clientId, clientSecret } = config;
  const isPair = clientId !== undefined && clientSecret !== undefined;
  const isPart = clientId !== undefined || clientSecret !== undefined;
  if (token === undefined ? !isPair : isPart) {
    const half = clientId === undefined ? 'clientId' : 'clientSecret';
    problems.push({
      code: token === undefined ? 'REQUIRED' : 'INVALID',
      path: ['config', token === undefined && isPart ? half : 'token'],
      message: 'Either a token is needed, or a clientId with its clientSecret, and not both.',
      fix: 'Give exactly one of them.',
    });
  }
  if (!ownDomain.test(host) && !reach.emulatorHosts.includes(host)) {
    problems.push({
      code: 'INVALID',
      path: ['config', 'host'],
      message: `"${host}" is no host of Databricks: those end with .cloud.databricks.com (.us, .mil), .gcp.databricks.com or .azuredatabricks.net.`,
      fix: 'Take it from the address of your workspace, without https:// and without a path.',
    });
  }
  return problems;
}

/** Databricks as an engine that datastores can be made of. */
export const databricksEngine = {
  title: 'Databricks',
  spec,
  check: checkConfig,
  /** Signs in and looks at the catalog. Fails with what `check` finds, and with Unreachable where there is no answer. */
  async open(config: DatabricksConfig, reach: EngineReach): Promise<DatabricksWarehouse> {
    const problems = checkConfig(config, reach);
    if (problems.length > 0) throw new InputError(problems);
    const { host, ...rest } = config;
    const { emulatorHosts: _hosts, ...pace } = reach;
    const warehouse = openDatabricks({
      ...rest,
      ...pace,
      url: `${ownDomain.test(host) ? 'https' : 'http'}://${host}`,
    });
    try {
      await warehouse.run({ sql: `USE CATALOG ${warehouse.dialect.quoteName(config.catalog)}` });
      return warehouse;
    } catch (error) {
      await warehouse[Symbol.asyncDispose]();
      throw unreachable(error, config);
    }
  },
};

/** Names the setting to blame, where Databricks' answer says which. */
function unreachable(error: unknown, config: DatabricksConfig): unknown {
  if (!(error instanceof AppError)) return error;
  const { cause, message, fix = 'Try again in a moment.' } = error;
  const told = (kind: 'CONFIG' | 'TRANSIENT', path: string[]) =>
    new Unreachable({ kind, path, said: message, fix }, error);
  if (cause instanceof NotLetIn) {
    if (cause.status === 404) return told('CONFIG', ['warehouseId']);
    return told('CONFIG', [config.token === undefined ? 'clientSecret' : 'token']);
  }
  const { code } = error;
  if (cause instanceof DatabricksError && code === 'BAD_USER_INPUT') return told('CONFIG', ['catalog']);
  return told('TRANSIENT', []);
}
