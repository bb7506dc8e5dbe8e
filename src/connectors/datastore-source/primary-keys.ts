import type { TableName, Warehouse } from '#warehouse/warehouse.ts';

const statements: Partial<Record<Warehouse['engine'], string>> = {
  DUCKDB: `SELECT schema_name, table_name, unnest(constraint_column_names) AS name FROM duckdb_constraints()
    WHERE constraint_type = 'PRIMARY KEY' AND database_name = current_database()`,
  POSTGRES: `SELECT n.nspname::text, c.relname::text, a.attname::text FROM pg_index i
    JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    CROSS JOIN unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, place)
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
    WHERE i.indisprimary AND n.nspname !~ '^pg_' ORDER BY c.oid, k.place`,
};

/** The primary keys of tables, of engines that enforce them. Others may declare one, and keep rows all the same that break it. */
export async function primaryKeys(
  warehouse: Warehouse,
  signal: AbortSignal,
): Promise<(table: TableName) => string[]> {
  const statement = statements[warehouse.engine];
  if (statement === undefined) return () => [];
  const { rows } = await warehouse.run(
    { sql: statement },
    { signal, rowsMax: 1_000_000, bytesMax: Infinity },
  );
  const keys = Map.groupBy(rows as [string, string, string][], ([schema, name]) =>
    JSON.stringify([schema, name]),
  );
  return ({ schema, name }) => (keys.get(JSON.stringify([schema, name])) ?? []).map(([, , column]) => column);
}
