import { databricksDialect } from './databricks-dialect.ts';
import { stagingPrefix, stagingSchema } from './duckdb-tables.ts';
import type { Desk } from './databricks-query.ts';
import type { Found } from './reads-behind.ts';
import { nameSql, rawSql, type Sql, sql, toStatement } from './sql.ts';
import type { DescribedSchema, DescribedTable, TableName } from './warehouse.ts';

/** A view of the catalog's information schema. */
function catalogOf(database: string, view: string): Sql {
  return sql`${nameSql(database)}.information_schema.${rawSql(view)}`;
}

type ColumnRow = [
  schema: string,
  name: string,
  type: string,
  column: string,
  dataType: string,
  nullable: string,
  ordinal: number,
];

/** Every table and view of the catalog that the user can see, or those of `only` among them. It knows no numbers of rows. */
export async function describeTables(desk: Desk, only?: readonly TableName[]): Promise<DescribedTable[]> {
  const { database } = desk.home;
  const wanted = only?.filter((table) => table.database.toLowerCase() === database);
  if (wanted?.length === 0) return [];
  const join =
    wanted === undefined
      ? rawSql('')
      : sql` JOIN ${namesSql(wanted)} AS w ON w.${nameSql('schema')} = t.table_schema AND w.${nameSql('name')} = t.table_name`;
  const piece = sql`SELECT t.table_schema, t.table_name, t.table_type, c.column_name, c.full_data_type, c.is_nullable, c.ordinal_position
    FROM ${catalogOf(database, 'tables')} AS t
    JOIN ${catalogOf(database, 'columns')} AS c ON c.table_schema = t.table_schema AND c.table_name = t.table_name${join}
    WHERE t.table_schema NOT IN ('information_schema', '${rawSql(stagingSchema)}')
      AND NOT startswith(t.table_name, '${rawSql(stagingPrefix)}')
    ORDER BY 1, 2, 7`;
  const { rows } = await desk.run(toStatement(piece, databricksDialect));
  const tables = new Map<string, DescribedTable>();
  for (const [schema, name, type, column, dataType, nullable] of rows as ColumnRow[]) {
    const key = JSON.stringify([schema, name]);
    const table = tables.get(key) ?? {
      database,
      schema,
      name,
      kind: kindOf(type),
      columns: [],
      rowCount: null,
    };
    tables.set(key, table);
    // Its own numbers begin with 0.
    const ordinal = table.columns.length + 1;
    table.columns.push({
      name: column,
      dataType: typeNameOf(dataType),
      nullable: nullable === 'YES',
      ordinal,
    });
  }
  return [...tables.values()];
}

/** Every schema of the catalog that the user can see, with how much lies in it. */
export async function describeSchemas(desk: Desk): Promise<DescribedSchema[]> {
  const { database } = desk.home;
  const piece = sql`SELECT s.schema_name, count(t.table_name)
    FROM ${catalogOf(database, 'schemata')} AS s
    LEFT JOIN ${catalogOf(database, 'tables')} AS t
      ON t.table_schema = s.schema_name AND NOT startswith(t.table_name, '${rawSql(stagingPrefix)}')
    WHERE s.schema_name NOT IN ('information_schema', '${rawSql(stagingSchema)}')
    GROUP BY s.schema_name
    ORDER BY 1`;
  const { rows } = await desk.run(toStatement(piece, databricksDialect));
  return (rows as [string, bigint][]).map(([schema, tables]) => ({
    database,
    schema,
    tables: Number(tables),
  }));
}

/** Those of the names under which something lies. */
export async function findNames(desk: Desk, names: readonly TableName[]): Promise<Found[]> {
  const all = await Promise.all(
    [...new Set(names.map(({ database }) => database.toLowerCase()))].map(async (database) => {
      const wanted = names.filter((name) => name.database.toLowerCase() === database);
      const piece = sql`SELECT t.table_schema, t.table_name, t.table_type, v.view_definition
        FROM ${catalogOf(database, 'tables')} AS t
        JOIN ${namesSql(wanted)} AS w ON w.${nameSql('schema')} = t.table_schema AND w.${nameSql('name')} = t.table_name
        LEFT JOIN ${catalogOf(database, 'views')} AS v
          ON v.table_schema = t.table_schema AND v.table_name = t.table_name
        WHERE t.table_schema <> 'information_schema'`;
      const { rows } = await desk.run(toStatement(piece, databricksDialect));
      return (rows as [string, string, string, string | null][]).map(([schema, name, type, view]): Found => ({
        table: { database, schema, name },
        kind: kindOf(type),
        view,
      }));
    }),
  );
  return all.flat();
}

/** Those of the functions that somebody made in the schema where names without one are looked for. */
export async function findRoutines(desk: Desk, names: readonly string[]): Promise<string[]> {
  if (names.length === 0) return [];
  const { database, schema } = desk.home;
  const piece = sql`SELECT r.routine_name FROM ${catalogOf(database, 'routines')} AS r
    JOIN ${databricksDialect.listRows(names, 'text')} AS w ON w.${nameSql('item')} = lower(r.routine_name)
    WHERE r.routine_schema = ${schema}`;
  const { rows } = await desk.run(toStatement(piece, databricksDialect));
  return rows.map(([name]) => String(name));
}

/** Whether the schema is there. */
export async function hasSchema(desk: Desk, { database, schema }: TableName): Promise<boolean> {
  const piece = sql`SELECT 1 FROM ${catalogOf(database, 'schemata')} AS s WHERE s.schema_name = ${schema.toLowerCase()}`;
  return (await desk.run(toStatement(piece, databricksDialect))).rows.length > 0;
}

/** As answers write it; the names of the fields of a STRUCT stay as they are. */
export function typeNameOf(dataType: string): string {
  return dataType.includes('<')
    ? dataType.replace(/^\w+/, (name) => name.toUpperCase())
    : dataType.toUpperCase();
}

/** A relation of the names, each once. Databricks keeps them in small letters, and takes them in any. */
function namesSql(names: readonly TableName[]): Sql {
  const small = names.map(({ schema, name }) => [schema.toLowerCase(), name.toLowerCase()] as const);
  const once = [...new Map(small.map((pair) => [JSON.stringify(pair), pair])).values()];
  return databricksDialect.listsRows([
    { name: 'schema', type: 'text', list: once.map(([schema]) => schema) },
    { name: 'name', type: 'text', list: once.map(([, name]) => name) },
  ]);
}

/** MANAGED, EXTERNAL, VIEW, MATERIALIZED_VIEW, STREAMING_TABLE and others. */
function kindOf(type: string): DescribedTable['kind'] {
  return type.endsWith('VIEW') ? 'VIEW' : 'TABLE';
}
