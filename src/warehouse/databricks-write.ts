import { describeSelect } from './databricks-describe.ts';
import { databricksDialect } from './databricks-dialect.ts';
import type { Desk } from './databricks-query.ts';
import { withLiterals } from './databricks-literals.ts';
import { findNames, hasSchema } from './databricks-tables.ts';
import { stagingSchema } from './duckdb-tables.ts';
import { refuseBinds, refuseItself, refuseOther } from './refuse-write.ts';
import { nameSql, tableSql, toStatement } from './sql.ts';
import type { Statement, TableName, WriteTarget } from './warehouse.ts';

/** Without it a column's name holds no space, comma or parenthesis. */
const anyColumnName = "TBLPROPERTIES ('delta.columnMapping.mode' = 'name')";

/** Makes the target from a SELECT, as Warehouse.write says: what takes the place of a table or view is one commit. */
export async function writeTarget(
  desk: Desk,
  target: WriteTarget,
  select: Statement,
): Promise<bigint | null> {
  if (target.kind === 'VIEW') {
    refuseBinds(select);
    refuseItself(target, await describeSelect(desk, select.sql), keyOf);
  }
  const name = toStatement(tableSql(target), databricksDialect).sql;
  const [[found], isMade] = await Promise.all([findNames(desk, [target]), hasSchema(desk, target)]);
  refuseOther(name, target, found?.kind);
  // Asked for only where it is missing, since it takes a grant of its own.
  if (!isMade) {
    const schema = toStatement(nameSql(target.database, target.schema), databricksDialect).sql;
    await desk.run({ sql: `CREATE SCHEMA IF NOT EXISTS ${schema}` });
  }
  if (target.kind === 'VIEW') {
    // Whoever may read the view may read it after: to create it in its place would take the grants with it.
    const made = found ? `ALTER VIEW ${name}` : `CREATE VIEW ${name}`;
    await desk.run({ sql: `${made} AS ${select.sql}` });
    return null;
  }
  await desk.run({ sql: `CREATE OR REPLACE TABLE ${name} ${anyColumnName} AS ${withLiterals(select).sql}` });
  // Of a whole table Delta knows it without reading any.
  const { rows } = await desk.run({ sql: `SELECT count(*) FROM ${name}` });
  return rows[0]![0] as bigint;
}

/** Makes a table of Sluice's own, as Warehouse.writeOwn says. */
export async function writeOwn(desk: Desk, name: string, select: Statement): Promise<bigint> {
  const { database } = desk.home;
  return (await writeTarget(desk, { database, schema: stagingSchema, name, kind: 'TABLE' }, select)) ?? 0n;
}

export async function dropOwn(desk: Desk, name: string): Promise<void> {
  const { database } = desk.home;
  const table = toStatement(nameSql(database, stagingSchema, name), databricksDialect).sql;
  // Without its schema there is no table either, and Databricks would fail all the same.
  if (await hasSchema(desk, { database, schema: stagingSchema, name })) {
    await desk.run({ sql: `DROP TABLE IF EXISTS ${table}` });
  }
}

export async function ownTables(desk: Desk): Promise<string[]> {
  const { rows } = await desk.run({
    sql: `SELECT table_name FROM ${databricksDialect.quoteName(desk.home.database)}.information_schema.tables
      WHERE table_schema = :p1`,
    binds: [stagingSchema],
  });
  return rows.flat() as string[];
}

function keyOf({ database, schema, name }: TableName): string {
  return JSON.stringify([database, schema, name]).toLowerCase();
}
