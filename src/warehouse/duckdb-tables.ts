import {
  quoteName,
  type Answer,
  type DescribedSchema,
  type DescribedTable,
  type Statement,
  type TableName,
} from './warehouse.ts';

type Run = (statement: Statement) => Promise<Pick<Answer, 'rows'>>;

/** Where connectors keep staging tables and markers; never shown. */
export const stagingSchema = '_sluice';

/** A table whose name begins so is being written and not yet published; never shown. */
export const stagingPrefix = '_sluice_';

/** How many tables one statement counts. DuckDB counts 10 million rows in some milliseconds, from its metadata. */
const countedAtOnce = 100;

/** Every table and view that is not DuckDB's own or a connector's working place, or those of `only` among them. */
export async function describeTables(run: Run, only?: readonly TableName[]): Promise<DescribedTable[]> {
  const { rows } = await run({
    sql: `SELECT c.database_name, c.schema_name, c.table_name, t.table_name IS NOT NULL, c.column_name, c.data_type,
                 c.is_nullable, c.column_index
          FROM duckdb_columns() c LEFT JOIN duckdb_tables() t ON t.table_oid = c.table_oid
            AND t.schema_oid = c.schema_oid AND t.database_oid = c.database_oid
          WHERE NOT c.internal AND c.schema_name <> ? AND NOT starts_with(c.table_name, ?)
            AND c.database_name NOT IN ('system', 'temp')
          ORDER BY 1, 2, 3, 8`,
    binds: [stagingSchema, stagingPrefix],
  });
  const wanted = only && new Set(only.map(keyOf));
  const tables = new Map<string, DescribedTable>();
  for (const [database, schema, name, isTable, column, dataType, nullable, ordinal] of rows as Row[]) {
    const key = keyOf({ database, schema, name });
    if (wanted && !wanted.has(key)) continue;
    const table = tables.get(key) ?? {
      database,
      schema,
      name,
      kind: isTable ? ('TABLE' as const) : ('VIEW' as const),
      columns: [],
      rowCount: null,
    };
    tables.set(key, table);
    table.columns.push({ name: column, dataType, nullable, ordinal });
  }
  await countRows(
    run,
    [...tables.values()].filter((table) => table.kind === 'TABLE'),
  );
  return [...tables.values()];
}

/** Every schema of a database that is neither DuckDB's own nor a connector's working place, with what lies in it. */
export async function describeSchemas(run: Run): Promise<DescribedSchema[]> {
  const { rows } = await run({
    sql: `SELECT s.database_name, s.schema_name, count(t.name)
          FROM duckdb_schemas() s LEFT JOIN (
            SELECT database_name, schema_name, table_name AS name FROM duckdb_tables()
            UNION ALL SELECT database_name, schema_name, view_name FROM duckdb_views() WHERE NOT internal
          ) t ON t.database_name = s.database_name AND t.schema_name = s.schema_name AND NOT starts_with(t.name, ?)
          WHERE s.database_name NOT IN ('system', 'temp') AND s.schema_name <> ?
          GROUP BY ALL ORDER BY ALL`,
    binds: [stagingPrefix, stagingSchema],
  });
  return (rows as [string, string, bigint][]).map(([database, schema, tables]) => ({
    database,
    schema,
    tables: Number(tables),
  }));
}

type Row = [string, string, string, boolean, string, string, boolean, number];

/** Equal for names that mean the same table: DuckDB folds the case of ASCII letters. */
export function keyOf({ database, schema, name }: TableName): string {
  return [database, schema, name]
    .map((part) => part.replace(/[A-Z]+/g, (some) => some.toLowerCase()))
    .join('\0');
}

async function countRows(run: Run, tables: DescribedTable[]): Promise<void> {
  for (let from = 0; from < tables.length; from += countedAtOnce) {
    const some = tables.slice(from, from + countedAtOnce);
    // A table dropped meanwhile fails the statement for all of them; its own count then stays unknown.
    await count(run, some).catch(() => Promise.allSettled(some.map((table) => count(run, [table]))));
  }
}

async function count(run: Run, tables: DescribedTable[]): Promise<void> {
  const counts = tables.map(
    (table, at) =>
      `SELECT ${at}, count(*) FROM ${[table.database, table.schema, table.name].map(quoteName).join('.')}`,
  );
  const { rows } = await run({ sql: counts.join(' UNION ALL ') });
  for (const [at, rowCount] of rows as [number, bigint][]) tables[at]!.rowCount = rowCount;
}
