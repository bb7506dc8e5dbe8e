import type { DuckDBConnection } from '@duckdb/node-api';
import { Refusal } from './refusals.ts';
import type { Effect } from './translate.ts';

/** What Unity Catalog keeps of tables and views besides what DuckDB does: their properties, and the texts of views. */
export class Catalog {
  /** The database of DuckDB stands for the one catalog that there is. */
  static async open(connection: DuckDBConnection): Promise<Catalog> {
    await connection.run(`CREATE TABLE dbx.main.view_texts (key VARCHAR PRIMARY KEY, text VARCHAR);
      CREATE TABLE dbx.main.shown_comments (shown_table VARCHAR PRIMARY KEY, shown VARCHAR);
      ${catalogViews}`);
    return new Catalog();
  }

  /** Fails for what Unity Catalog takes for no name, and for a catalog that is not there. */
  check(effect: Effect, home: string): void {
    if (effect.kind === 'catalog' && effect.name.toLowerCase() !== home) {
      const message = `Catalog '${effect.name}' was not found. Please verify the catalog name and then retry.`;
      throw new Refusal('NO_SUCH_CATALOG_EXCEPTION', '42704', message);
    }
    if (!('name' in effect) || typeof effect.name === 'string') return;
    const wrong = effect.name.find((part) => /[./ \p{Cc}]/u.test(part));
    if (wrong === undefined) return;
    throw new Refusal('INVALID_PARAMETER_VALUE', '22023', `"${wrong}" is not a valid name.`);
  }

  /** Fails for names of columns that Parquet has no room for, where columns are not mapped. */
  checkColumns(effect: Effect & { kind: 'table' }, names: readonly string[]): void {
    const twice = names.find(
      (name, at) => names.findIndex((of) => of.toLowerCase() === name.toLowerCase()) !== at,
    );
    if (twice !== undefined) {
      throw new Refusal('COLUMN_ALREADY_EXISTS', '42711', `The column ${twice} already exists.`);
    }
    if (effect.properties['delta.columnMapping.mode'] === 'name') return;
    const wrong = names.find((name) => /[ ,;{}()\n\t=]/.test(name));
    if (wrong === undefined) return;
    const message = `Found invalid character(s) among ' ,;{}()\\n\\t=' in the column names: "${wrong}".`;
    throw new Refusal('DELTA_INVALID_CHARACTERS_IN_COLUMN_NAMES', '42K05', message);
  }

  /** Remembers the text of a view; what the catalog alone had of a table is gone with the old one. */
  async keep(connection: DuckDBConnection, effect: Effect, home: string): Promise<void> {
    if (effect.kind === 'table') {
      const table = effect.name.at(-1)!.toLowerCase();
      await connection.run('DELETE FROM dbx.main.shown_comments WHERE shown_table = ?', [table]);
    }
    if (effect.kind !== 'view') return;
    const [name, schema = 'default', database = home] = effect.name.toReversed();
    const key = `${database}.${schema}.${name}`.toLowerCase();
    await connection.run('INSERT OR REPLACE INTO dbx.main.view_texts VALUES (?, ?)', [key, effect.text]);
  }

  /** Gives a table its comment, and the time it was made at. */
  async comment(connection: DuckDBConnection, effect: Effect): Promise<void> {
    if (effect.kind !== 'table') return;
    const name = effect.name.map((part) => `"${part.replaceAll('"', '""')}"`).join('.');
    const comment = JSON.stringify({ comment: effect.comment, created: new Date().toISOString() });
    await connection.run(`COMMENT ON TABLE ${name} IS '${comment.replaceAll("'", "''")}'`);
  }

  /** A comment that the catalog alone has, and the table's own log has not. */
  async show(connection: DuckDBConnection, table: string, text: string): Promise<void> {
    await connection.run('INSERT OR REPLACE INTO dbx.main.shown_comments VALUES (?, ?)', [table, text]);
  }

  /** What DESCRIBE DETAIL gives, as far as it is asked for. */
  detailOf({ name }: { name: string[] }, home: string): string {
    const [table = '', schema = 'default', database = home] = name
      .toReversed()
      .map((part) => part.toLowerCase().replaceAll("'", "''"));
    return `SELECT 'delta' AS format, '${database}.${schema}.${table}' AS name, own_comment AS description FROM dbx.main.logged_tables
      WHERE table_catalog = '${database}' AND table_schema = '${schema}' AND table_name = '${table}'`;
  }
}

const dataType = `lower(CASE WHEN data_type IN ('INTEGER') THEN 'INT' WHEN data_type = 'HUGEINT' THEN 'BIGINT'
  WHEN data_type = 'VARCHAR' THEN 'STRING' WHEN data_type = 'TIMESTAMP' THEN 'TIMESTAMP_NTZ'
  WHEN data_type = 'TIMESTAMP WITH TIME ZONE' THEN 'TIMESTAMP' WHEN data_type = 'BLOB' THEN 'BINARY'
  WHEN data_type = 'JSON' THEN 'VARIANT' ELSE regexp_replace(regexp_replace(replace(replace(data_type, 'VARCHAR', 'STRING'), 'INTEGER', 'INT'), '^(.*)\\[\\]$', 'ARRAY<\\1>'), '^ARRAY<(.*)\\[\\]>$', 'ARRAY<ARRAY<\\1>>') END)`;

/** Comments that tables were made with, beside the time; people write others over them. */
const isMade = `starts_with(comment, '{"comment":')`;

/** The information schema, as far as it is asked for. Names are in small letters there. */
const catalogViews = `
  CREATE VIEW dbx.main.schemata AS
    SELECT database_name AS table_catalog, lower(schema_name) AS schema_name FROM duckdb_schemas()
    WHERE schema_name NOT IN ('main', 'pg_catalog');
  CREATE VIEW dbx.main.logged_tables AS
    SELECT database_name AS table_catalog, lower(schema_name) AS table_schema, lower(table_name) AS table_name,
      'MANAGED' AS table_type, CASE WHEN ${isMade} THEN json_extract_string(comment, '$.comment') ELSE comment END AS own_comment,
      CASE WHEN ${isMade} THEN CAST(json_extract_string(comment, '$.created') AS TIMESTAMPTZ) END AS created FROM duckdb_tables()
    UNION ALL SELECT database_name, lower(schema_name), lower(view_name), 'VIEW', NULL, NULL FROM duckdb_views() WHERE NOT internal;
  CREATE VIEW dbx.main.tables AS
    SELECT * EXCLUDE (own_comment, shown_table, shown), coalesce(shown, own_comment) AS comment
    FROM dbx.main.logged_tables LEFT JOIN dbx.main.shown_comments ON shown_table = table_name;
  CREATE VIEW dbx.main.columns AS
    SELECT database_name AS table_catalog, lower(schema_name) AS table_schema, lower(table_name) AS table_name, column_name,
      column_index - 1 AS ordinal_position, CASE WHEN is_nullable THEN 'YES' ELSE 'NO' END AS is_nullable,
      ${dataType} AS full_data_type
    FROM duckdb_columns();
  CREATE VIEW dbx.main.views AS
    SELECT database_name AS table_catalog, lower(schema_name) AS table_schema, lower(view_name) AS table_name, text AS view_definition
    FROM duckdb_views() LEFT JOIN dbx.main.view_texts ON key = lower(database_name || '.' || schema_name || '.' || view_name)
    WHERE NOT internal;
  CREATE VIEW dbx.main.routines AS
    SELECT database_name AS table_catalog, lower(schema_name) AS routine_schema, lower(function_name) AS routine_name
    FROM duckdb_functions() WHERE NOT internal AND database_name <> 'dbx';`;
