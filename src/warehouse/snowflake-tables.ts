import { stagingPrefix, stagingSchema } from './duckdb-tables.ts';
import { snowflakeDialect } from './snowflake-dialect.ts';
import type { Desk } from './snowflake-query.ts';
import { type RowType, typeName } from './snowflake-values.ts';
import type { Found } from './reads-behind.ts';
import { nameSql, rawSql, type Sql, sql, toStatement } from './sql.ts';
import type { DescribedSchema, DescribedTable, TableName } from './warehouse.ts';

/** A view of the database's information schema. */
function catalogOf(database: string, view: string): Sql {
  return sql`${nameSql(database)}.INFORMATION_SCHEMA.${rawSql(view)}`;
}

/** Tables that are being written are not. */
const isShown = sql`NOT STARTSWITH(t.TABLE_NAME, '${rawSql(stagingPrefix)}')`;

type ColumnRow = [
  schema: string,
  name: string,
  type: string,
  rowCount: bigint | null,
  column: string,
  dataType: string,
  precision: bigint | null,
  scale: bigint | null,
  length: bigint | null,
  nullable: string,
  ordinal: bigint,
];

/** Every table and view of the database that the role can see, or those of `only` among them. */
export async function describeTables(desk: Desk, only?: readonly TableName[]): Promise<DescribedTable[]> {
  const { database } = desk.home;
  const wanted = only?.filter((table) => table.database === database);
  if (wanted?.length === 0) return [];
  const join =
    wanted === undefined
      ? rawSql('')
      : sql` JOIN ${namesSql(wanted)} AS w
    ON w."schema" = t.TABLE_SCHEMA AND w."name" = t.TABLE_NAME`;
  const piece = sql`SELECT t.TABLE_SCHEMA, t.TABLE_NAME, t.TABLE_TYPE, t.ROW_COUNT, c.COLUMN_NAME, c.DATA_TYPE,
      c.NUMERIC_PRECISION, c.NUMERIC_SCALE, c.CHARACTER_MAXIMUM_LENGTH, c.IS_NULLABLE, c.ORDINAL_POSITION
    FROM ${catalogOf(database, 'TABLES')} AS t
    JOIN ${catalogOf(database, 'COLUMNS')} AS c ON c.TABLE_SCHEMA = t.TABLE_SCHEMA AND c.TABLE_NAME = t.TABLE_NAME${join}
    WHERE t.TABLE_SCHEMA NOT IN ('INFORMATION_SCHEMA', '${rawSql(stagingSchema)}') AND ${isShown}
    ORDER BY 1, 2, 11`;
  const { rows } = await desk.run(toStatement(piece, snowflakeDialect));
  const tables = new Map<string, DescribedTable>();
  for (const row of rows as ColumnRow[]) {
    const [schema, name, type, rowCount, column, , , , , nullable, ordinal] = row;
    const key = JSON.stringify([schema, name]);
    const kind = kindOf(type);
    const counted = kind === 'TABLE' ? rowCount : null;
    const table = tables.get(key) ?? { database, schema, name, kind, columns: [], rowCount: counted };
    tables.set(key, table);
    table.columns.push({
      name: column,
      dataType: typeName(rowTypeOf(row)),
      nullable: nullable === 'YES',
      ordinal: Number(ordinal),
    });
  }
  return [...tables.values()];
}

/** Every schema of the database that the role can see, with how much lies in it. */
export async function describeSchemas(desk: Desk): Promise<DescribedSchema[]> {
  const { database } = desk.home;
  const piece = sql`SELECT s.SCHEMA_NAME, COUNT(t.TABLE_NAME)
    FROM ${catalogOf(database, 'SCHEMATA')} AS s
    LEFT JOIN ${catalogOf(database, 'TABLES')} AS t ON t.TABLE_SCHEMA = s.SCHEMA_NAME AND ${isShown}
    WHERE s.SCHEMA_NAME NOT IN ('INFORMATION_SCHEMA', '${rawSql(stagingSchema)}')
    GROUP BY s.SCHEMA_NAME
    ORDER BY 1`;
  const { rows } = await desk.run(toStatement(piece, snowflakeDialect));
  return (rows as [string, bigint][]).map(([schema, tables]) => ({
    database,
    schema,
    tables: Number(tables),
  }));
}

/** Those of the names under which something lies. */
export async function findNames(desk: Desk, names: readonly TableName[]): Promise<Found[]> {
  const all = await Promise.all(
    [...new Set(names.map(({ database }) => database))].map(async (database) => {
      const wanted = names.filter((name) => name.database === database);
      const piece = sql`SELECT t.TABLE_SCHEMA, t.TABLE_NAME, t.TABLE_TYPE, v.VIEW_DEFINITION
        FROM ${catalogOf(database, 'TABLES')} AS t
        JOIN ${namesSql(wanted)} AS w ON w."schema" = t.TABLE_SCHEMA AND w."name" = t.TABLE_NAME
        LEFT JOIN ${catalogOf(database, 'VIEWS')} AS v
          ON v.TABLE_SCHEMA = t.TABLE_SCHEMA AND v.TABLE_NAME = t.TABLE_NAME
        WHERE t.TABLE_SCHEMA <> 'INFORMATION_SCHEMA'`;
      const { rows } = await desk.run(toStatement(piece, snowflakeDialect));
      return (rows as [string, string, string, string | null][]).map(([schema, name, type, view]): Found => ({
        table: { database, schema, name },
        kind: kindOf(type),
        view,
      }));
    }),
  );
  return all.flat();
}

/** Whether the schema is there. */
export async function hasSchema(desk: Desk, { database, schema }: TableName): Promise<boolean> {
  const piece = sql`SELECT 1 FROM ${catalogOf(database, 'SCHEMATA')} AS s WHERE s.SCHEMA_NAME = ${schema}`;
  return (await desk.run(toStatement(piece, snowflakeDialect))).rows.length > 0;
}

/** A relation of the names, each once. */
function namesSql(names: readonly TableName[]): Sql {
  const once = [...new Map(names.map((name) => [JSON.stringify([name.schema, name.name]), name])).values()];
  return snowflakeDialect.listsRows([
    { name: 'schema', type: 'text', list: once.map(({ schema }) => schema) },
    { name: 'name', type: 'text', list: once.map(({ name }) => name) },
  ]);
}

/** BASE TABLE, VIEW, MATERIALIZED VIEW, EXTERNAL TABLE and others. */
function kindOf(type: string): DescribedTable['kind'] {
  return type.endsWith('VIEW') ? 'VIEW' : 'TABLE';
}

/** The information schema says NUMBER and TEXT where answers say fixed and text. */
function rowTypeOf([, , , , name, dataType, precision, scale, length]: ColumnRow): RowType {
  const number = (value: bigint | null) => (value === null ? null : Number(value));
  const type = dataType === 'NUMBER' ? 'fixed' : dataType === 'TEXT' ? 'text' : dataType;
  return { name, type, precision: number(precision), scale: number(scale), length: number(length) };
}
