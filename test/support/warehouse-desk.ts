import { tableSql, toStatement } from '#warehouse/sql.ts';
import type { Bind, RunOptions, TableName, Warehouse, WriteTarget } from '#warehouse/warehouse.ts';

/** Makes targets in a schema, and reads them. */
export function desk(labOf: () => { warehouse: Warehouse; database: string }, schema: string) {
  const target = (name: string, kind: WriteTarget['kind'] = 'TABLE'): WriteTarget => ({
    database: labOf().database,
    schema,
    name,
    kind,
  });
  const nameOf = (table: TableName) => toStatement(tableSql(table), labOf().warehouse.dialect).sql;
  return {
    target,
    nameOf,
    make: (table: WriteTarget, text: string, binds: readonly Bind[] = [], options?: RunOptions) =>
      labOf().warehouse.write(table, { sql: text, binds }, options),
    rows: async (table: TableName) =>
      (await labOf().warehouse.run({ sql: `SELECT * FROM ${nameOf(table)} ORDER BY 1` })).rows,
  };
}
