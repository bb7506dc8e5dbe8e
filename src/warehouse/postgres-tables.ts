import { stagingPrefix, stagingSchema } from './duckdb-tables.ts';
import type {
  Answer,
  DescribedColumn,
  DescribedSchema,
  DescribedTable,
  Statement,
  TableName,
} from './warehouse.ts';

type Run = (statement: Statement) => Promise<Pick<Answer, 'rows'>>;

/** As SQL: not a schema n of the server itself, or of connectors. */
export const ownSchemas = `n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', '${stagingSchema}')`;

/** As SQL: a relation c that is listed. Partitions are left to the tables they belong to. */
export const isShown = `c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition AND NOT starts_with(c.relname, '${stagingPrefix}')`;

const typeSql = `CASE WHEN t.typtype = 'd' THEN format_type(t.typbasetype, nullif(t.typtypmod, -1))
  ELSE format_type(a.atttypid, a.atttypmod) END`;

/** Every table and view that the user may read and that is not the server's own or a connector's, or those of `only` among them. */
export async function describeTables(run: Run, only?: readonly TableName[]): Promise<DescribedTable[]> {
  const named =
    only === undefined ? '' : ' AND (n.nspname, c.relname) IN (SELECT * FROM unnest($1::text[], $2::text[]))';
  const { rows } = await run({
    sql: `SELECT current_database(), n.nspname::text, c.relname::text, c.relkind = 'v',
        CASE WHEN c.relkind = 'p' THEN (
            SELECT CASE WHEN min(part.reltuples) >= 0 THEN sum(part.reltuples) END
            FROM pg_partition_tree(c.oid) tree JOIN pg_class part ON part.oid = tree.relid WHERE tree.isleaf)
          WHEN c.relkind <> 'v' AND c.reltuples >= 0 THEN c.reltuples END::int8,
        (SELECT json_agg(json_build_object('name', a.attname, 'dataType', ${typeSql}, 'nullable', NOT a.attnotnull)
            ORDER BY a.attnum)
          FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
          WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE ${isShown} AND ${ownSchemas} AND has_schema_privilege(n.oid, 'USAGE')
        AND (has_table_privilege(c.oid, 'SELECT') OR has_any_column_privilege(c.oid, 'SELECT'))${named}
      ORDER BY 2, 3`,
    binds: only === undefined ? [] : [only.map(({ schema }) => schema), only.map(({ name }) => name)],
  });
  return (rows as Row[])
    .map(([database, schema, name, isView, rowCount, columns]): DescribedTable => ({
      database,
      schema,
      name,
      kind: isView ? 'VIEW' : 'TABLE',
      rowCount,
      columns: (JSON.parse(columns ?? '[]') as Omit<DescribedColumn, 'ordinal'>[]).map((column, at) => ({
        ...column,
        ordinal: at + 1,
      })),
    }))
    .filter(({ database }) => only === undefined || only.some((table) => table.database === database));
}

type Row = [string, string, string, boolean, bigint | null, string | null];

/** Every schema that the user may use and that is not the server's own or a connector's, with what lies in it. */
export async function describeSchemas(run: Run): Promise<DescribedSchema[]> {
  const { rows } = await run({
    sql: `SELECT current_database(), n.nspname::text, count(c.oid)
      FROM pg_namespace n LEFT JOIN pg_class c ON c.relnamespace = n.oid AND ${isShown}
      WHERE ${ownSchemas} AND has_schema_privilege(n.oid, 'USAGE')
      GROUP BY 2 ORDER BY 2`,
  });
  return (rows as [string, string, bigint][]).map(([database, schema, tables]) => ({
    database,
    schema,
    tables: Number(tables),
  }));
}
