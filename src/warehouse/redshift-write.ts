import { randomBytes } from 'node:crypto';
import { stagingPrefix, stagingSchema } from './duckdb-tables.ts';
import { codeOf } from './postgres-errors.ts';
import { dependentObjects, nameOf, sameColumns, stoodOn, type Writing } from './postgres-swap.ts';
import { bare, concurrent, refuseNames, refuseOtherKind } from './postgres-write.ts';
import { describeRedshiftSelect } from './redshift-describe.ts';
import { refuseBinds, refuseItself } from './refuse-write.ts';
import { quoteName, type Statement, type WriteTarget } from './warehouse.ts';

/**
 * Makes the target from a SELECT in the transaction that is open, as Warehouse.write says. A table that has the same columns
 * keeps its grants and what stands on it, and gets the new rows: those who read meanwhile see the old ones.
 */
export async function writeRedshiftTarget(
  writing: Writing,
  target: WriteTarget,
  select: Statement,
  schema: string | undefined,
): Promise<bigint | null> {
  try {
    await refuseNames(writing, target);
    if (target.kind === 'VIEW') {
      refuseBinds(select);
      refuseItself(target, await describeRedshiftSelect(writing.rows, select.sql, schema));
    }
    await makeSchema(writing, target.schema);
    const isThere = await refuseOtherKind(writing, target);
    return target.kind === 'VIEW'
      ? await writeView(writing, target, select.sql, isThere)
      : await writeTable(writing, target, select, isThere);
  } catch (error) {
    throw concurrent(error) ?? error;
  }
}

/** Makes a table of Sluice's own, as Warehouse.writeOwn says. */
export async function writeRedshiftOwn(writing: Writing, name: string, select: Statement): Promise<bigint> {
  const target = { database: '', schema: stagingSchema, name, kind: 'TABLE' } as const;
  try {
    await makeSchema(writing, stagingSchema);
    return await writeTable(writing, target, select, await refuseOtherKind(writing, target));
  } catch (error) {
    throw concurrent(error) ?? error;
  }
}

/** Makes a schema where it is missing. That takes a right on the database, which IF NOT EXISTS asks for even where it is not. */
async function makeSchema({ rows, run }: Writing, schema: string): Promise<void> {
  const found = await rows({ sql: 'SELECT 1 FROM pg_namespace WHERE nspname = $1', binds: [schema] });
  if (found.length === 0) await run({ sql: `CREATE SCHEMA IF NOT EXISTS ${quoteName(schema)}` });
}

async function writeTable(
  writing: Writing,
  target: WriteTarget,
  select: Statement,
  isThere: boolean,
): Promise<bigint> {
  const { run, rows } = writing;
  const staged = { ...target, name: `${stagingPrefix}${randomBytes(8).toString('hex')}` };
  const [name, staging] = [nameOf(target), nameOf(staged)];
  // Within parentheses nothing but a query can stand, and none that changes anything.
  await run({ ...select, sql: `CREATE TABLE ${staging} AS SELECT * FROM (\n${bare(select.sql)}\n) AS made` });
  const [[count]] = (await rows({ sql: `SELECT count(*) FROM ${staging}` })) as [[bigint]];
  if (isThere && (await sameColumns(writing, target, staged))) {
    // TRUNCATE would end the transaction.
    await run({ sql: `DELETE FROM ${name}` });
    await run({ sql: `INSERT INTO ${name} SELECT * FROM ${staging}` });
    await run({ sql: `DROP TABLE ${staging}` });
    return count;
  }
  if (isThere) await drop(writing, target);
  await run({ sql: `ALTER TABLE ${staging} RENAME TO ${quoteName(target.name)}` });
  return count;
}

async function writeView(
  writing: Writing,
  target: WriteTarget,
  select: string,
  isThere: boolean,
): Promise<null> {
  if (isThere) await drop(writing, target);
  await writing.run({ sql: `CREATE VIEW ${nameOf(target)} AS\n${bare(select)}` });
  return null;
}

async function drop({ run }: Writing, target: WriteTarget): Promise<void> {
  const name = nameOf(target);
  try {
    await run({ sql: `DROP ${target.kind} ${name}` });
  } catch (error) {
    if (codeOf(error) !== dependentObjects) throw error;
    throw stoodOn(name, error);
  }
}
