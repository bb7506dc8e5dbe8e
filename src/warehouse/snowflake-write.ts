import { stagingSchema } from './duckdb-tables.ts';
import { describeSelect } from './snowflake-describe.ts';
import { snowflakeDialect } from './snowflake-dialect.ts';
import type { Desk } from './snowflake-query.ts';
import { findNames, hasSchema } from './snowflake-tables.ts';
import { refuseBinds, refuseItself, refuseOther } from './refuse-write.ts';
import { nameSql, tableSql, toStatement } from './sql.ts';
import type { Statement, WriteTarget } from './warehouse.ts';

/** Makes the target from a SELECT, as Warehouse.write says: CREATE OR REPLACE is one step for those who read. */
export async function writeTarget(
  desk: Desk,
  target: WriteTarget,
  select: Statement,
): Promise<bigint | null> {
  if (target.kind === 'VIEW') {
    refuseBinds(select);
    refuseItself(target, await describeSelect(desk, select.sql));
  }
  const name = toStatement(tableSql(target), snowflakeDialect).sql;
  const [[found], isMade] = await Promise.all([findNames(desk, [target]), hasSchema(desk, target)]);
  refuseOther(name, target, found?.kind);
  // Asked for only where it is missing, since it takes a grant of its own.
  if (!isMade) {
    const schema = toStatement(nameSql(target.database, target.schema), snowflakeDialect).sql;
    await desk.run({ sql: `CREATE SCHEMA IF NOT EXISTS ${schema}` });
  }
  // Whoever may read what was there may read what takes its place.
  const made = `CREATE OR REPLACE ${target.kind} ${name} COPY GRANTS AS`;
  await desk.run({ ...select, sql: `${made} ${select.sql}` });
  if (target.kind === 'VIEW') return null;
  // The statement itself does not say; of a whole table Snowflake knows it without reading any.
  const { rows } = await desk.run({ sql: `SELECT COUNT(*) FROM ${name}` });
  return rows[0]![0] as bigint;
}

/** Makes a table of Sluice's own, as Warehouse.writeOwn says. */
export async function writeOwn(desk: Desk, name: string, select: Statement): Promise<bigint> {
  const { database } = desk.home;
  return (await writeTarget(desk, { database, schema: stagingSchema, name, kind: 'TABLE' }, select)) ?? 0n;
}

export async function dropOwn(desk: Desk, name: string): Promise<void> {
  const table = toStatement(nameSql(desk.home.database, stagingSchema, name), snowflakeDialect).sql;
  // Without its schema there is no table either, and Snowflake would fail all the same.
  if (await hasSchema(desk, { database: desk.home.database, schema: stagingSchema, name })) {
    await desk.run({ sql: `DROP TABLE IF EXISTS ${table}` });
  }
}

export async function ownTables(desk: Desk): Promise<string[]> {
  const { rows } = await desk.run({
    sql: `SELECT TABLE_NAME FROM ${snowflakeDialect.quoteName(desk.home.database)}.INFORMATION_SCHEMA.TABLES
      WHERE TABLE_SCHEMA = ?`,
    binds: [stagingSchema],
  });
  return rows.flat() as string[];
}
