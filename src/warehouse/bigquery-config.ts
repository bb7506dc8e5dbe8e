import { AppError, InputError, type Problem } from '#base/errors.ts';
import { BigQueryError, NotLetIn } from './bigquery-errors.ts';
import { type BigQueryWarehouse, openBigQuery } from './bigquery.ts';
import type { EngineReach } from './engine-reach.ts';
import { Unreachable } from './unreachable.ts';

/** How a BigQuery is reached, as a client says it. */
export interface BigQueryConfig {
  projectId: string;
  /** The JSON text of a service account's key. */
  credentials: string;
  dataset?: string;
  location?: string;
  maximumBytesBilled?: number;
  host?: string;
}

const text = (title: string, description: string, more: object = {}) => ({
  type: 'string',
  minLength: 1,
  maxLength: 300,
  title,
  description,
  ...more,
});

/** What a client says of a BigQuery, as JSON Schema. */
const spec = {
  type: 'object' as const,
  additionalProperties: false,
  required: ['projectId', 'credentials'],
  properties: {
    projectId: text(
      'Project',
      'The id of the Google Cloud project that holds the tables and pays for statements.',
      {
        pattern: '^[a-z][a-z0-9.:-]+$',
      },
    ),
    credentials: text('Credentials', 'The JSON text of a key of a service account. Make one of its own.', {
      secret: true,
      maxLength: 20_000,
    }),
    dataset: text('Dataset', 'Where names without a dataset are looked for.', { pattern: '^\\w+$' }),
    location: text(
      'Location',
      'Where the datasets lie, such as EU or us-east1. Left out, BigQuery finds it by the tables named.',
      {
        pattern: '^[A-Za-z0-9-]+$',
      },
    ),
    maximumBytesBilled: {
      type: 'integer',
      title: 'Bytes billed at most',
      description: 'A statement that would be billed for more bytes than this is refused, and costs nothing.',
      minimum: 10_485_760,
      maximum: Number.MAX_SAFE_INTEGER,
    },
    host: text('Host', 'An emulator to be asked in place of BigQuery.', { pattern: '^[A-Za-z0-9._:-]+$' }),
  },
};

interface Key {
  type?: unknown;
  client_email?: unknown;
  private_key?: unknown;
  universe_domain?: unknown;
}

/**
 * Of a key only who it is of and the key itself are used: other kinds of credentials name addresses to ask and programs to
 * run, and whoever makes a datastore has no say in these.
 */
function keyOf(credentials: string): { clientEmail: string; privateKey: string } | string {
  let key: Key | null;
  try {
    key = JSON.parse(credentials) as Key | null;
  } catch {
    return 'The credentials are no JSON.';
  }
  if (typeof key !== 'object' || key === null) return 'The credentials are no JSON object.';
  const { type, client_email: clientEmail, private_key: privateKey, universe_domain: universe } = key;
  if (type !== 'service_account') return `The credentials are of type ${JSON.stringify(type ?? null)}.`;
  if (typeof clientEmail !== 'string' || typeof privateKey !== 'string') {
    return 'The credentials have no client_email or no private_key.';
  }
  if (universe !== undefined && universe !== 'googleapis.com') {
    return `The credentials are of the universe ${JSON.stringify(universe)}, and not of googleapis.com.`;
  }
  return { clientEmail, privateKey };
}

/** Everything about a config that the schema does not say. */
function checkConfig({ credentials, host }: BigQueryConfig, reach: EngineReach): Problem[] {
  const problems: Problem[] = [];
  const key = keyOf(credentials);
  if (typeof key === 'string') {
    problems.push({
      code: 'INVALID',
      path: ['config', 'credentials'],
      message: `${key} The JSON key of a service account is needed.`,
      fix: 'Make a key of type JSON for the service account, and give the whole text of its file.',
    });
  }
  if (host !== undefined && !reach.emulatorHosts.includes(host)) {
    problems.push({
      code: 'INVALID',
      path: ['config', 'host'],
      message: `"${host}" is no emulator that this server may ask.`,
      fix: 'Leave host out: BigQuery is at bigquery.googleapis.com.',
    });
  }
  return problems;
}

/** BigQuery as an engine that datastores can be made of. */
export const bigQueryEngine = {
  title: 'BigQuery',
  spec,
  check: checkConfig,
  /** Signs in and asks something. Fails with what `check` finds, and with Unreachable where there is no answer. */
  async open(config: BigQueryConfig, reach: EngineReach): Promise<BigQueryWarehouse> {
    const problems = checkConfig(config, reach);
    if (problems.length > 0) throw new InputError(problems);
    const { credentials, host, ...rest } = config;
    const { emulatorHosts: _hosts, ...pace } = reach;
    const warehouse = openBigQuery({
      ...rest,
      ...pace,
      ...(keyOf(credentials) as { clientEmail: string; privateKey: string }),
      url: host === undefined ? 'https://bigquery.googleapis.com' : `http://${host}`,
      isEmulator: host !== undefined,
    });
    try {
      await warehouse.ping();
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
  const isSaid = cause instanceof BigQueryError || cause instanceof NotLetIn;
  const kind = isSaid && error.code !== 'WAREHOUSE_TIMEOUT' && !isTransient(cause) ? 'CONFIG' : 'TRANSIENT';
  return new Unreachable({ kind, path: settingOf(cause), said: message, fix }, error);
}

function isTransient(cause: Error): boolean {
  return (
    cause instanceof BigQueryError &&
    (cause.status >= 500 || /limit|quota|backend|internal/i.test(cause.reason))
  );
}

/** The setting to blame. */
function settingOf(cause: unknown): string[] {
  if (cause instanceof NotLetIn) return ['credentials'];
  if (!(cause instanceof BigQueryError)) return [];
  if (cause.status === 401) return ['credentials'];
  if (/^not found: dataset|^access denied: dataset/i.test(cause.message)) return ['dataset'];
  if (/project/i.test(cause.message) && cause.status >= 400) return ['projectId'];
  return /location/i.test(cause.message) ? ['location'] : [];
}
