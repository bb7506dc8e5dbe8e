import { stagingPrefix, stagingSchema } from './duckdb-tables.ts';
import { snowflakeDialect } from './snowflake-dialect.ts';
import { isTooMuch } from './snowflake-errors.ts';
import type { Desk } from './snowflake-query.ts';
import { type RowType, typeName } from './snowflake-values.ts';
import type { Found } from './reads-behind.ts';
import { joinSql, nameSql, rawSql, type Sql, sql, toStatement } from './sql.ts';
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

/**
 * Every table and view of the database that the role can see, or those of `only` among them: at once, or, where these are more
 * than Snowflake lists at once, schema by schema.
 */
export async function describeTables(desk: Desk, only?: readonly TableName[]): Promise<DescribedTable[]> {
  const { database } = desk.home;
  const wanted = only?.filter((table) => table.database === database);
  if (wanted?.length === 0) return [];
  const join =
    wanted === undefined
      ? rawSql('')
      : sql` JOIN ${namesSql(wanted)} AS w
    ON w."schema" = t.TABLE_SCHEMA AND w."name" = t.TABLE_NAME AND ${isAmong(wanted)}`;
  try {
    return tablesOf(database, await columnsOf(desk, join));
  } catch (error) {
    if (!isTooMuch(error)) throw error;
  }
  const rows: ColumnRow[] = [];
  for (const schema of await schemaNames(desk)) {
    for (const row of await columnsOf(desk, join, schema)) rows.push(row);
  }
  return tablesOf(database, rows);
}

async function columnsOf(desk: Desk, join: Sql, schema?: string): Promise<ColumnRow[]> {
  const { database } = desk.home;
  const where =
    schema === undefined ? rawSql('') : sql` AND t.TABLE_SCHEMA = ${schema} AND c.TABLE_SCHEMA = ${schema}`;
  const piece = sql`SELECT t.TABLE_SCHEMA, t.TABLE_NAME, t.TABLE_TYPE, t.ROW_COUNT, c.COLUMN_NAME, c.DATA_TYPE,
      c.NUMERIC_PRECISION, c.NUMERIC_SCALE, c.CHARACTER_MAXIMUM_LENGTH, c.IS_NULLABLE, c.ORDINAL_POSITION
    FROM ${catalogOf(database, 'TABLES')} AS t
    JOIN ${catalogOf(database, 'COLUMNS')} AS c ON c.TABLE_SCHEMA = t.TABLE_SCHEMA AND c.TABLE_NAME = t.TABLE_NAME${join}
    WHERE t.TABLE_SCHEMA NOT IN ('INFORMATION_SCHEMA', '${rawSql(stagingSchema)}') AND ${isShown}${where}
    ORDER BY 1, 2, 11`;
  return (await desk.run(toStatement(piece, snowflakeDialect))).rows as ColumnRow[];
}

function tablesOf(database: string, rows: readonly ColumnRow[]): DescribedTable[] {
  const tables = new Map<string, DescribedTable>();
  for (const row of rows) {
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
  const schemas = await schemaNames(desk);
  const counts = await tableCounts(desk).catch(async (error: unknown) => {
    if (!isTooMuch(error)) throw error;
    const each: [string, bigint][] = [];
    for (const schema of schemas) each.push(...(await tableCounts(desk, schema)));
    return each;
  });
  const tables = new Map(counts);
  return schemas.map((schema) => ({ database, schema, tables: Number(tables.get(schema) ?? 0) }));
}

async function schemaNames(desk: Desk): Promise<string[]> {
  const piece = sql`SELECT s.SCHEMA_NAME FROM ${catalogOf(desk.home.database, 'SCHEMATA')} AS s
    WHERE s.SCHEMA_NAME NOT IN ('INFORMATION_SCHEMA', '${rawSql(stagingSchema)}')
    ORDER BY 1`;
  return (await desk.run(toStatement(piece, snowflakeDialect))).rows.flat() as string[];
}

async function tableCounts(desk: Desk, schema?: string): Promise<[string, bigint][]> {
  const where = schema === undefined ? rawSql('') : sql` AND t.TABLE_SCHEMA = ${schema}`;
  const piece = sql`SELECT t.TABLE_SCHEMA, COUNT(*) FROM ${catalogOf(desk.home.database, 'TABLES')} AS t
    WHERE ${isShown}${where} GROUP BY t.TABLE_SCHEMA`;
  return (await desk.run(toStatement(piece, snowflakeDialect))).rows as [string, bigint][];
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
        WHERE t.TABLE_SCHEMA <> 'INFORMATION_SCHEMA' AND ${isAmong(wanted)}`;
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

/** What a join says as well, in the form in which Snowflake looks for no others. */
function isAmong(names: readonly TableName[]): Sql {
  const list = (of: readonly string[]) => joinSql([...new Set(of)].map((each) => sql`${each}`));
  const [schemas, tables] = [names.map(({ schema }) => schema), names.map(({ name }) => name)];
  return sql`t.TABLE_SCHEMA IN (${list(schemas)}) AND t.TABLE_NAME IN (${list(tables)})`;
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
