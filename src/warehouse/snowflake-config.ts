import { AppError, InputError, type Problem } from '#base/errors.ts';
import type { EngineReach } from './engine-reach.ts';
import { noAccount, SnowflakeError } from './snowflake-errors.ts';
import { openSnowflake, type SnowflakeOptions, type SnowflakeWarehouse } from './snowflake.ts';
import { Unreachable } from './unreachable.ts';

/** Codes of Snowflake that no waiting mends, but for one, and the setting to blame. */
const settings: Record<string, string> = {
  '390100': 'password',
  '390101': 'username',
  '390102': 'username',
  '390144': 'privateKey',
  '390186': 'role',
  '390189': 'role',
  '390303': 'token',
  '390318': 'token',
  '390432': 'password',
  '394400': 'password',
  [noAccount]: 'account',
};

/** How a Snowflake is reached, as a client says it. */
export interface SnowflakeConfig extends Omit<SnowflakeOptions, 'url'> {
  host?: string;
}

const text = (title: string, description: string, more: object = {}) => ({
  type: 'string',
  minLength: 1,
  title,
  description,
  ...more,
});

/** What a client says of a Snowflake, as JSON Schema. */
const spec = {
  type: 'object' as const,
  additionalProperties: false,
  required: ['account', 'username', 'warehouse', 'database'],
  properties: {
    account: text('Account', 'The account identifier: organization-account, or locator.region.', {
      pattern: '^[A-Za-z0-9_.-]+$',
      maxLength: 200,
    }),
    username: text('User', 'Who signs in. Make a user of its own, with the role below alone.'),
    password: text('Password', 'Its password, or a programmatic access token.', { secret: true }),
    privateKey: text('Private key', 'The PEM text of its RSA key, in place of a password.', { secret: true }),
    passphrase: text('Passphrase', 'What the private key is encrypted with, if it is.', { secret: true }),
    token: text('OAuth token', 'An OAuth access token, in place of a password.', { secret: true }),
    warehouse: text('Warehouse', 'The virtual warehouse that computes.'),
    database: text('Database', 'As Snowflake shows it: in capitals, unless it was made in quotes.'),
    schema: text('Schema', 'Where names without a schema are looked for. PUBLIC when left out.'),
    role: text('Role', 'Whose grants count. The default role of the user when left out.'),
    host: text('Host', 'Where the account is reached, when not at account.snowflakecomputing.com.', {
      pattern: '^[A-Za-z0-9._:-]+$',
      maxLength: 300,
    }),
  },
};

/** Snowflake's own domains, private links among them: a config can lead to no other host. */
const ownDomain = /^([a-z0-9_-]+\.)+snowflakecomputing\.(com|cn)$/i;

/** Everything about a config that the schema does not say. */
function checkConfig(config: SnowflakeConfig, reach: EngineReach): Problem[] {
  const problems: Problem[] = [];
  const given = (['password', 'privateKey', 'token'] as const).filter((name) => config[name] !== undefined);
  if (given.length !== 1) {
    const found = given.length === 0 ? 'there is none' : `there are ${given.join(' and ')}`;
    problems.push({
      code: given.length === 0 ? 'REQUIRED' : 'INVALID',
      path: ['config', given[1] ?? 'password'],
      message: `One of password, privateKey and token is needed; ${found}.`,
      fix: 'Give exactly one of them.',
    });
  }
  if (config.passphrase !== undefined && config.privateKey === undefined) {
    problems.push({
      code: 'INVALID',
      path: ['config', 'passphrase'],
      message: 'A passphrase is given, and no private key.',
      fix: 'Give the privateKey that it opens, or leave it out.',
    });
  }
  const host = hostOf(config);
  if (!ownDomain.test(host) && !reach.emulatorHosts.includes(host)) {
    problems.push({
      code: 'INVALID',
      path: ['config', config.host === undefined ? 'account' : 'host'],
      message: `"${host}" is no host of Snowflake: those end with .snowflakecomputing.com or .snowflakecomputing.cn.`,
      fix: 'Leave host out, or take it from the address of your account.',
    });
  }
  return problems;
}

function hostOf({ account, host }: SnowflakeConfig): string {
  return host ?? `${account.replaceAll('_', '-').toLowerCase()}.snowflakecomputing.com`;
}

/** Snowflake as an engine that datastores can be made of. */
export const snowflakeEngine = {
  title: 'Snowflake',
  spec,
  check: checkConfig,
  /** Signs in and asks something. Fails with what `check` finds, and with Unreachable where there is no answer. */
  async open(config: SnowflakeConfig, reach: EngineReach): Promise<SnowflakeWarehouse> {
    const problems = checkConfig(config, reach);
    if (problems.length > 0) throw new InputError(problems);
    const { host: _host, ...rest } = config;
    const { emulatorHosts: _hosts, ...pace } = reach;
    const host = hostOf(config);
    const url = `${ownDomain.test(host) ? 'https' : 'http'}://${host}`;
    const warehouse = openSnowflake({ ...rest, ...pace, url });
    try {
      await warehouse.run({ sql: 'SELECT 1' });
      return warehouse;
    } catch (error) {
      await warehouse[Symbol.asyncDispose]();
      throw unreachable(error);
    }
  },
};

function unreachable(error: unknown): unknown {
  if (!(error instanceof AppError)) return error;
  const { cause, message, fix = 'Try again in a moment.' } = error;
  const setting = cause instanceof SnowflakeError ? settings[cause.code] : undefined;
  const kind = cause instanceof SnowflakeError ? 'CONFIG' : 'TRANSIENT';
  return new Unreachable({ kind, path: setting === undefined ? [] : [setting], said: message, fix }, error);
}
