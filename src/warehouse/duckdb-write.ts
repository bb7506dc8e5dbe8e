import { AppError } from '#base/errors.ts';
import type { DuckDbSession } from './duckdb-session.ts';
import { describeSelect } from './duckdb-describe.ts';
import { keyOf, stagingPrefix, stagingSchema } from './duckdb-tables.ts';
import { refuseBinds, refuseItself, refuseOther } from './refuse-write.ts';
import { nameSql, tableSql, toStatement } from './sql.ts';
import { quoteName, type Statement, type WriteTarget } from './warehouse.ts';

const shown = { quoteName, placeholder: () => '?' };

/** Makes the target from a SELECT in one transaction, as Warehouse.write says. */
export async function writeTarget(
  session: DuckDbSession,
  target: WriteTarget,
  select: Statement,
): Promise<bigint | null> {
  refuseHidden(target);
  if (target.kind === 'VIEW') await refuseForView(session, target, select);
  return make(session, target, select);
}

/** Makes a table of Sluice's own, as Warehouse.writeOwn says, and runs another statement at the same moment. */
export async function writeOwn(
  session: DuckDbSession,
  name: string,
  select: Statement,
  also?: string,
): Promise<bigint> {
  const [[database]] = (await session.rows('SELECT current_database()')) as [[string]];
  const rows = await make(session, { database, schema: stagingSchema, name, kind: 'TABLE' }, select, also);
  return rows ?? 0n;
}

async function make(
  session: DuckDbSession,
  target: WriteTarget,
  select: Statement,
  also?: string,
): Promise<bigint | null> {
  const name = toStatement(tableSql(target), shown).sql;
  const schema = toStatement(nameSql(target.database, target.schema), shown).sql;
  return session.transaction(async () => {
    await refuseOtherKind(session, target, name);
    await session.run(`CREATE SCHEMA IF NOT EXISTS ${schema}`);
    const written = await session.answer(
      { ...select, sql: `CREATE OR REPLACE ${target.kind} ${name} AS ${select.sql}` },
      1,
    );
    if (also !== undefined) await session.run(also);
    return target.kind === 'TABLE' ? (written.rows[0]![0] as bigint) : null;
  });
}

function refuseHidden({ database, schema, name }: WriteTarget): void {
  const isHidden =
    ['system', 'temp'].includes(database.toLowerCase()) ||
    schema.toLowerCase() === stagingSchema ||
    name.toLowerCase().startsWith(stagingPrefix);
  if (!isHidden) return;
  throw new AppError(
    'BAD_USER_INPUT',
    `${database}.${schema}.${name} is kept for the warehouse itself and its connectors.`,
    { fix: `Take another schema than "${stagingSchema}", and a name that does not begin with it.` },
  );
}

/** A view is bound when it is read: it can hold no values, and one that reads itself would fail only then. */
async function refuseForView(session: DuckDbSession, target: WriteTarget, select: Statement): Promise<void> {
  refuseBinds(select);
  refuseItself(target, await describeSelect(session, select.sql), keyOf);
}

async function refuseOtherKind(session: DuckDbSession, target: WriteTarget, name: string): Promise<void> {
  const kinds = (await session.rows(
    `SELECT kind FROM (
       SELECT 'TABLE' AS kind, database_name, schema_name, table_name AS name FROM duckdb_tables()
       UNION ALL SELECT 'VIEW', database_name, schema_name, view_name FROM duckdb_views()
     ) WHERE lower(database_name) = lower(?) AND lower(schema_name) = lower(?) AND lower(name) = lower(?)`,
    [target.database, target.schema, target.name],
  )) as [WriteTarget['kind']][];
  refuseOther(name, target, kinds[0]?.[0]);
}
