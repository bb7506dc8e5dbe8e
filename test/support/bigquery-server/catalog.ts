/** A type of a column of DuckDB as the information schema of BigQuery names it. */
export const columnTypeSql = `CASE WHEN data_type LIKE '%INT' OR data_type = 'INTEGER' THEN 'INT64'
  WHEN data_type = 'VARCHAR' THEN 'STRING' WHEN data_type = 'DOUBLE' OR data_type = 'FLOAT' THEN 'FLOAT64'
  WHEN data_type = 'BOOLEAN' THEN 'BOOL' WHEN data_type = 'BLOB' THEN 'BYTES' WHEN data_type = 'TIMESTAMP' THEN 'DATETIME'
  WHEN data_type = 'TIMESTAMP WITH TIME ZONE' THEN 'TIMESTAMP'
  WHEN data_type = 'DECIMAL(38,9)' THEN 'NUMERIC' WHEN data_type = 'DECIMAL(38,10)' THEN 'BIGNUMERIC'
  WHEN data_type LIKE 'DECIMAL(%' THEN
    CASE WHEN numeric_scale <= 9 AND numeric_precision - numeric_scale <= 29 THEN 'NUMERIC(' ELSE 'BIGNUMERIC(' END
    || numeric_precision || CASE WHEN numeric_scale > 0 THEN ', ' || numeric_scale ELSE '' END || ')'
  WHEN data_type = 'VARCHAR[]' THEN 'ARRAY<STRING>' WHEN data_type = 'BIGINT[]' THEN 'ARRAY<INT64>'
  WHEN data_type = 'DOUBLE[]' THEN 'ARRAY<FLOAT64>' WHEN data_type = 'BOOLEAN[]' THEN 'ARRAY<BOOL>'
  ELSE data_type END`;

/** What a project says of itself, as far as it is asked for. */
export function catalogViews(project: string): string {
  const own = `database_name = '${project}'`;
  return `
    CREATE VIEW bq.main.TABLES AS
      SELECT database_name AS table_catalog, schema_name AS table_schema, table_name, 'BASE TABLE' AS table_type FROM duckdb_tables() WHERE ${own}
      UNION ALL SELECT database_name, schema_name, view_name, 'VIEW' FROM duckdb_views() WHERE ${own} AND NOT internal;
    CREATE VIEW bq.main.COLUMNS AS
      SELECT database_name AS table_catalog, schema_name AS table_schema, table_name, column_name, ${columnTypeSql} AS data_type,
        CASE WHEN is_nullable THEN 'YES' ELSE 'NO' END AS is_nullable, CAST(column_index AS BIGINT) AS ordinal_position
      FROM duckdb_columns() WHERE ${own};
    CREATE VIEW bq.main.META AS
      SELECT schema_name AS table_schema, table_name AS table_id, estimated_size AS row_count FROM duckdb_tables() WHERE ${own};`;
}
