import { stagingPrefix, stagingSchema } from './duckdb-tables.ts';
import type { RunRead } from './postgres-kind.ts';
import type { Bind, DescribedColumn, DescribedSchema, DescribedTable, TableName } from './warehouse.ts';

/** Schemas of the server itself, and of connectors. */
const ownSchemas = ['information_schema', stagingSchema];
const isOwn = (schema: string) => schema.startsWith('pg_') || ownSchemas.includes(schema);

type Row = [
  database: string,
  schema: string,
  table: string,
  tableType: string,
  column: string,
  dataType: string,
  length: number | bigint | null,
  precision: number | bigint | null,
  scale: number | bigint | null,
  isNullable: string,
  ordinal: number | bigint,
];

/** Every table and view that the user may read, external ones too, or those of `only` among them. */
export async function describeRedshiftTables(
  run: RunRead,
  only?: readonly TableName[],
): Promise<DescribedTable[]> {
  if (only?.length === 0) return [];
  const binds: Bind[] = [];
  const named = (only ?? []).map(({ schema, name }) => {
    binds.push(schema, name);
    return `(t.table_schema = $${binds.length - 1} AND t.table_name = $${binds.length})`;
  });
  const where = named.length === 0 ? '' : ` WHERE ${named.join(' OR ')}`;
  const { rows } = await run({
    sql: `SELECT t.table_catalog, t.table_schema, t.table_name, t.table_type, c.column_name, c.data_type,
        c.character_maximum_length, c.numeric_precision, c.numeric_scale, c.is_nullable, c.ordinal_position
      FROM svv_tables t JOIN svv_columns c
        ON c.table_catalog = t.table_catalog AND c.table_schema = t.table_schema AND c.table_name = t.table_name${where}
      ORDER BY t.table_schema, t.table_name, c.ordinal_position`,
    binds,
  });
  const counts = await rowCounts(run);
  const tables = new Map<string, DescribedTable>();
  for (const [database, schema, name, tableType, ...column] of rows as Row[]) {
    if (isOwn(schema) || name.startsWith(stagingPrefix)) continue;
    const key = JSON.stringify([schema, name]);
    const kind = tableType === 'VIEW' ? 'VIEW' : 'TABLE';
    const rowCount = kind === 'VIEW' ? null : (counts.get(key) ?? null);
    const table = tables.get(key) ?? { database, schema, name, kind, columns: [], rowCount };
    tables.set(key, table);
    table.columns.push(columnOf(column));
  }
  return [...tables.values()];
}

type ColumnRow = Row extends [unknown, unknown, unknown, unknown, ...infer Rest] ? Rest : never;

function columnOf([
  name,
  dataType,
  length,
  precision,
  scale,
  isNullable,
  ordinal,
]: ColumnRow): DescribedColumn {
  const isText = dataType.startsWith('character') && length !== null;
  const isNumeric = dataType === 'numeric' && precision !== null;
  const size = isText ? `(${length})` : isNumeric ? `(${precision},${scale ?? 0})` : '';
  return {
    name,
    dataType: `${dataType}${size}`,
    nullable: isNullable.toUpperCase() !== 'NO',
    ordinal: Number(ordinal),
  };
}

/** As the server knows them. Empty tables are not among them, and none where the user may not look. */
async function rowCounts(run: RunRead): Promise<Map<string, bigint>> {
  try {
    const { rows } = await run({
      sql: 'SELECT "schema", "table", CAST(tbl_rows AS BIGINT) FROM svv_table_info',
    });
    return new Map(
      (rows as [string, string, bigint][]).map(([schema, name, count]) => [
        JSON.stringify([schema, name]),
        count,
      ]),
    );
  } catch {
    return new Map();
  }
}

/** Every schema of the database, empty ones too. */
export async function describeRedshiftSchemas(run: RunRead): Promise<DescribedSchema[]> {
  const { rows } = await run({
    sql: `SELECT current_database(), n.nspname, count(t.table_name)
      FROM pg_namespace n LEFT JOIN svv_tables t ON t.table_schema = n.nspname GROUP BY n.nspname ORDER BY n.nspname`,
  });
  return (rows as [string, string, bigint][])
    .filter(([, schema]) => !isOwn(schema))
    .map(([database, schema, tables]) => ({ database, schema, tables: Number(tables) }));
}
