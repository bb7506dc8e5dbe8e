import { codeOf } from './postgres-errors.ts';
import { noSchema, type PostgresKind, type RunRead } from './postgres-kind.ts';
import { type PostgresOptions, PostgresProtocolWarehouse } from './postgres-protocol.ts';
import { redshiftDialect } from './redshift-dialect.ts';
import { describeRedshiftSelect } from './redshift-describe.ts';
import { describeRedshiftSchemas, describeRedshiftTables } from './redshift-tables.ts';
import { writeRedshiftOwn, writeRedshiftTarget } from './redshift-write.ts';
import { Unreachable } from './unreachable.ts';
import type { Statement } from './warehouse.ts';

const redshiftKind: PostgresKind = {
  engine: 'REDSHIFT',
  dialect: redshiftDialect,
  settings: `SET client_encoding = 'UTF8'; SET datestyle = 'ISO, MDY'; SET timezone = 'UTC'; SET extra_float_digits = 2;
  SET statement_timeout TO 0`,
  // Quoted names then mean themselves, capitals too. A server that does not know it is told apart by its version.
  newerSettings: 'SET enable_case_sensitive_identifier TO TRUE',
  // A prepared statement can be done away with by its name alone there.
  clean: ['ROLLBACK', 'RESET query_group'],
  begin: { read: 'BEGIN READ ONLY', write: 'BEGIN READ WRITE' },
  limits: (timeoutMs, name) => [
    `SET LOCAL statement_timeout TO ${timeoutMs}`,
    `SET query_group TO ${redshiftDialect.quoteText(name)}`,
  ],
  textOid: 1043,
  // A cluster of one node fetches no more.
  streams: { rowsAtOnce: 1_000, isDeclared: true },
  async check(run, { database, schema }) {
    const { rows } = await answerOf(run, {
      sql: 'SELECT version(), (SELECT count(*) FROM pg_namespace WHERE nspname = $1)',
      binds: [schema ?? 'pg_catalog'],
    });
    const [[version, schemas]] = rows as [[string, bigint]];
    if (!/redshift/i.test(version)) throw noRedshift(version);
    if (Number(schemas) === 0) throw noSchema(database, schema);
  },
  describe: describeRedshiftSelect,
  tables: describeRedshiftTables,
  schemas: describeRedshiftSchemas,
  write: writeRedshiftTarget,
  writeOwn: writeRedshiftOwn,
};

/** The answer of a server that knows the settings of a statement, as no other than Redshift does. */
async function answerOf(run: RunRead, statement: Statement): ReturnType<RunRead> {
  try {
    return await run(statement);
  } catch (error) {
    const { cause } = error as { cause?: unknown };
    if (codeOf(cause ?? error) !== unknownSetting) throw error;
    throw noRedshift('it has no query_group', error);
  }
}

const unknownSetting = '42704';

function noRedshift(why: string, cause?: unknown): Unreachable {
  const fix = 'Check host and port, or make the datastore with the engine POSTGRES.';
  return new Unreachable(
    { kind: 'CONFIG', path: ['host'], said: `The server is no Redshift: ${why}.`, fix },
    cause,
  );
}

/** A database of an Amazon Redshift: what a PostgreSQL server does, but for what its kind says. */
export class RedshiftWarehouse extends PostgresProtocolWarehouse {
  constructor(options: PostgresOptions) {
    super({ ...options, port: options.port ?? 5439, ssl: { mode: 'require', ...options.ssl } }, redshiftKind);
  }
}

/** Connects once. Fails with Unreachable, each wrong field with a message of its own. */
export async function openRedshift(options: PostgresOptions): Promise<RedshiftWarehouse> {
  const warehouse = new RedshiftWarehouse(options);
  try {
    await warehouse.check();
    return warehouse;
  } catch (error) {
    await warehouse[Symbol.asyncDispose]();
    throw error;
  }
}
