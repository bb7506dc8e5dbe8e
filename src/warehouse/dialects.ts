import { bigQueryDialect } from './bigquery-dialect.ts';
import { databricksDialect } from './databricks-dialect.ts';
import type { Dialect } from './dialect.ts';
import { duckDbDialect } from './duckdb-dialect.ts';
import { postgresDialect } from './postgres-dialect.ts';
import { redshiftDialect } from './redshift-dialect.ts';
import { snowflakeDialect } from './snowflake-dialect.ts';
import type { Warehouse } from './warehouse.ts';

const dialects: Partial<Record<Warehouse['engine'], Dialect>> = {
  BIGQUERY: bigQueryDialect,
  DATABRICKS: databricksDialect,
  DUCKDB: duckDbDialect,
  POSTGRES: postgresDialect,
  REDSHIFT: redshiftDialect,
  SNOWFLAKE: snowflakeDialect,
};

/** How an engine spells SQL, known without opening a datastore of it. Fails for an engine that none can be made of. */
export function dialectOf(engine: Warehouse['engine']): Dialect {
  const dialect = dialects[engine];
  if (dialect) return dialect;
  throw new Error(`There is no dialect for ${engine}.`);
}
