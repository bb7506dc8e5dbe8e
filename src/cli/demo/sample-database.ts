import { randomBytes } from 'node:crypto';
import { Client } from 'pg';
import { AppError, messageOf } from '#base/errors.ts';
import { sampleMark, sampleSteps, untilOfMark } from './sample-sql.ts';

const source = { database: 'sluice_demo_source', role: 'sluice_demo_reader' };
const warehouse = { database: 'sluice_demo_warehouse', role: 'sluice_demo_writer' };

/** How a database is reached, as the public API takes it of a datastore. */
export interface ServerConfig {
  host: string;
  port: number;
  database: string;
  username: string;
  password: string;
  ssl: { mode: string };
}

/** The config of a postgres source, as the public API takes it. */
export interface PostgresConfig extends ServerConfig {
  schemas: string[];
}

/** How to read the sample database, and the day that its rows end before. */
export interface SampleDatabase {
  config: PostgresConfig;
  until: string;
}

/**
 * Makes a sample database on the server of the metadata store, unless it is there, and gives the config to read it with:
 * a user of its own that may only read, with a new password. Its rows end before the day that it is made on. Fails with
 * AppError when the store's user may not make them.
 */
export async function prepareSampleDatabase(
  databaseUrl: string,
  options: { events: number; now: Date; tell(text: string): void; signal: AbortSignal },
): Promise<SampleDatabase> {
  const server = await makeDatabase(databaseUrl, source);
  const url = new URL(databaseUrl);
  url.pathname = `/${source.database}`;
  await using client = await connect(url.href);
  const until = await fill(client.pg, options);
  return { config: { ...server, schemas: ['public'] }, until };
}

/**
 * Makes a database for a warehouse beside the sample, unless it is there, and gives the config to reach it with: a user of its own,
 * with a new password, that may make schemas in it. Fails with AppError when the store's user may not make them.
 */
export async function prepareWarehouseDatabase(databaseUrl: string): Promise<ServerConfig> {
  const server = await makeDatabase(databaseUrl, warehouse);
  await using client = await connect(databaseUrl);
  await client.pg.query(
    `GRANT CONNECT, CREATE, TEMPORARY ON DATABASE ${warehouse.database} TO ${warehouse.role}`,
  );
  return server;
}

async function makeDatabase(
  databaseUrl: string,
  { database, role }: { database: string; role: string },
): Promise<ServerConfig> {
  const password = randomBytes(18).toString('hex');
  await using client = await connect(databaseUrl);
  try {
    const roles = await client.pg.query('SELECT FROM pg_roles WHERE rolname = $1', [role]);
    // Hex digits only, so that nothing in it needs quoting.
    const verb = roles.rowCount === 0 ? 'CREATE' : 'ALTER';
    await client.pg.query(`${verb} ROLE ${role} LOGIN PASSWORD '${password}'`);
    const databases = await client.pg.query('SELECT FROM pg_database WHERE datname = $1', [database]);
    if (databases.rowCount === 0) await client.pg.query(`CREATE DATABASE ${database}`);
  } catch (error) {
    throw new AppError('BAD_USER_INPUT', `The database "${database}" cannot be made: ${messageOf(error)}.`, {
      cause: error,
      fix: 'Leave DATABASE_URL out for the demo, or let its user create roles and databases.',
    });
  }
  const url = new URL(databaseUrl);
  const { hostname: host, port } = url;
  return {
    host,
    port: Number(port || 5432),
    database,
    username: role,
    password,
    ssl: { mode: sslModeOf(url) },
  };
}

/** All of it commits at once, with the mark that says so: a demo that was stopped half-way starts over. */
async function fill(
  client: Client,
  options: { events: number; now: Date; tell(text: string): void; signal: AbortSignal },
): Promise<string> {
  const { rows } = await client.query<{ mark: string | null }>(
    `SELECT obj_description('public'::regnamespace) AS mark`,
  );
  const last = untilOfMark(rows[0]?.mark ?? null, options.events);
  if (last !== null) {
    options.tell(`the sample database is there from last time; its rows end before ${last}`);
    return last;
  }
  const sample = { events: options.events, until: options.now.toISOString().slice(0, 10) };
  await client.query('BEGIN');
  for (const step of sampleSteps(sample)) {
    options.signal.throwIfAborted();
    await client.query(step.sql);
    options.tell(step.title);
  }
  await client.query(`COMMENT ON SCHEMA public IS '${sampleMark(sample)}'`);
  await client.query(`GRANT SELECT ON ALL TABLES IN SCHEMA public TO ${source.role}`);
  await client.query('COMMIT');
  return sample.until;
}

async function connect(url: string): Promise<{ pg: Client } & AsyncDisposable> {
  const client = new Client({ connectionString: url, application_name: 'sluice demo' });
  client.on('error', () => {});
  await client.connect();
  return { pg: client, [Symbol.asyncDispose]: () => client.end() };
}

/** The source asks for what the store's own URL asks for. */
function sslModeOf(url: URL): string {
  const mode = url.searchParams.get('sslmode');
  return mode === 'require' || mode === 'verify-full' ? mode : 'disable';
}
