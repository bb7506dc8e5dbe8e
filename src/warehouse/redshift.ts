import { noSchema, type PostgresKind } from './postgres-kind.ts';
import { type PostgresOptions, PostgresProtocolWarehouse } from './postgres.ts';
import { redshiftDialect } from './redshift-dialect.ts';
import { describeRedshiftSelect } from './redshift-describe.ts';
import { describeRedshiftSchemas, describeRedshiftTables } from './redshift-tables.ts';
import { writeRedshiftOwn, writeRedshiftTarget } from './redshift-write.ts';
import { Unreachable } from './unreachable.ts';

const redshiftKind: PostgresKind = {
  engine: 'REDSHIFT',
  dialect: redshiftDialect,
  // Quoted names then mean themselves, capitals too.
  settings: `SET client_encoding = 'UTF8'; SET datestyle = 'ISO, MDY'; SET timezone = 'UTC'; SET extra_float_digits = 2;
  SET enable_case_sensitive_identifier TO TRUE; SET statement_timeout TO 0`,
  newerSettings: null,
  clean: ['ROLLBACK', 'DEALLOCATE ALL', 'RESET query_group'],
  begin: { read: 'BEGIN READ ONLY', write: 'BEGIN READ WRITE' },
  limits: (timeoutMs, name) => [
    `SET LOCAL statement_timeout TO ${timeoutMs}`,
    `SET query_group TO ${redshiftDialect.quoteText(name)}`,
  ],
  textOid: 1043,
  // A cluster of one node fetches no more.
  streams: { rowsAtOnce: 1_000, isDeclared: true },
  async check(run, { database, schema }) {
    const { rows } = await run({
      sql: 'SELECT version(), (SELECT count(*) FROM pg_namespace WHERE nspname = $1)',
      binds: [schema ?? 'pg_catalog'],
    });
    const [[version, schemas]] = rows as [[string, bigint]];
    if (!/redshift/i.test(version)) {
      throw new Unreachable({
        kind: 'CONFIG',
        path: ['host'],
        said: `The server is no Redshift: ${version}.`,
        fix: 'Check host and port, or make the datastore with the engine POSTGRES.',
      });
    }
    if (Number(schemas) === 0) throw noSchema(database, schema);
  },
  describe: describeRedshiftSelect,
  tables: describeRedshiftTables,
  schemas: describeRedshiftSchemas,
  write: writeRedshiftTarget,
  writeOwn: writeRedshiftOwn,
};

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
