import type { Dialect } from './dialect.ts';
import { describeSelect, type RunInside } from './postgres-describe.ts';
import { postgresDialect } from './postgres-dialect.ts';
import type { Writing } from './postgres-swap.ts';
import { describeSchemas, describeTables } from './postgres-tables.ts';
import { writeOwn, writeTarget } from './postgres-write.ts';
import { Unreachable } from './unreachable.ts';
import type {
  Answer,
  DescribedSchema,
  DescribedSelect,
  DescribedTable,
  Statement,
  TableName,
  WriteTarget,
} from './warehouse.ts';

export type RunRead = (statement: Statement) => Promise<Pick<Answer, 'rows'>>;

/** What servers that speak PostgreSQL's protocol do each their own way. */
export interface PostgresKind {
  readonly engine: 'POSTGRES' | 'REDSHIFT';
  readonly dialect: Dialect;
  /** Sent to each new connection: values arrive in one spelling whatever the server, database or role has configured. */
  readonly settings: string;
  /** Sent behind them; not every server knows it. */
  readonly newerSettings: string;
  /** What a statement may leave behind: its transaction, and what is left although that is rolled back. */
  readonly clean: readonly string[];
  readonly begin: { readonly read: string; readonly write: string };
  /** Sent behind `begin`: the server ends the statement after that time, and can say who asked. */
  limits(timeoutMs: number, name: string): string[];
  /** The oid of the type that texts are bound as. */
  readonly textOid: number;
  /** How many rows of a stream are made at once, and whether by a cursor that is declared or by the statement's own. */
  readonly streams: { readonly rowsAtOnce: number; readonly isDeclared: boolean };
  /** Fails with Unreachable for a server of another kind, and for a schema that is not there. */
  check(run: RunRead, options: { database: string; schema?: string }): Promise<void>;
  describe(run: RunInside, select: string, schema: string | undefined): Promise<DescribedSelect>;
  tables(run: RunRead, only?: readonly TableName[]): Promise<DescribedTable[]>;
  schemas(run: RunRead): Promise<DescribedSchema[]>;
  write(
    writing: Writing,
    target: WriteTarget,
    select: Statement,
    schema: string | undefined,
  ): Promise<bigint | null>;
  writeOwn(writing: Writing, name: string, select: Statement): Promise<bigint>;
}

/** any_value and pg_input_is_valid are new in 16. */
const versionMin = 160_000;

export const postgresKind: PostgresKind = {
  engine: 'POSTGRES',
  dialect: postgresDialect,
  settings: `
  SET client_encoding = 'UTF8'; SET datestyle = 'ISO, MDY'; SET intervalstyle = 'postgres'; SET timezone = 'UTC';
  SET standard_conforming_strings = on; SET extra_float_digits = 1; SET bytea_output = 'hex'; SET xmloption = 'content'; SET lc_monetary = 'C';
  SET statement_timeout = 0; SET lock_timeout = '30s'; SET idle_in_transaction_session_timeout = 0`,
  // Else a server that computes for long before its first row goes on for nobody. Not on every system.
  newerSettings: `SET client_connection_check_interval = '2s'`,
  clean: ['ROLLBACK', 'DEALLOCATE ALL', 'SELECT pg_catalog.pg_advisory_unlock_all()'],
  begin: {
    read: 'BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY',
    write: 'BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE',
  },
  limits: (timeoutMs, name) => [
    `SET LOCAL statement_timeout = ${timeoutMs}`,
    `SET LOCAL application_name = ${postgresDialect.quoteText(name)}`,
  ],
  textOid: 25,
  streams: { rowsAtOnce: 2_000, isDeclared: false },
  async check(run, { database, schema }) {
    const { rows } = await run({
      sql: `SELECT current_setting('server_version_num')::int8, current_setting('server_version'), to_regnamespace($1) IS NOT NULL`,
      binds: [schema === undefined ? 'pg_catalog' : postgresDialect.quoteName(schema)],
    });
    const [[number, version, hasSchema]] = rows as [[bigint, string, boolean]];
    if (number < versionMin) {
      throw new Unreachable({
        kind: 'CONFIG',
        path: ['host'],
        said: `The server is PostgreSQL ${version}; a datastore needs 16 or newer.`,
        fix: 'Use a newer server, or sync its tables into another datastore.',
      });
    }
    if (!hasSchema) throw noSchema(database, schema);
  },
  describe: (run, select) => describeSelect(run, select),
  tables: describeTables,
  schemas: describeSchemas,
  write: (writing, target, select) => writeTarget(writing, target, select),
  writeOwn,
};

/** The error for a config that names a schema which is not there. */
export function noSchema(database: string, schema: string | undefined): Unreachable {
  return new Unreachable({
    kind: 'CONFIG',
    path: ['schema'],
    said: `The database "${database}" has no schema "${schema}".`,
    fix: 'Check schema, or make it; left out, the search path of the role counts.',
  });
}
