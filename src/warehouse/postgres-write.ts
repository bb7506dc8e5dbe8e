import { randomBytes } from 'node:crypto';
import { AppError, messageOf } from '#base/errors.ts';
import { stagingPrefix, stagingSchema } from './duckdb-tables.ts';
import { describeSelect } from './postgres-describe.ts';
import { codeOf } from './postgres-errors.ts';
import { dependentObjects, makeSchema, nameOf, stoodOn, swapIn, type Writing } from './postgres-swap.ts';
import { refuseBinds, refuseItself } from './refuse-write.ts';
import type { Statement, WriteTarget } from './warehouse.ts';

const nameBytesMax = 63;

/**
 * Makes the target from a SELECT in the transaction that is open, as Warehouse.write says. A table is made beside the old one
 * and put in its place last, so that those who read are kept waiting for a moment alone.
 */
export async function writeTarget(
  writing: Writing,
  target: WriteTarget,
  select: Statement,
): Promise<bigint | null> {
  try {
    await refuseNames(writing, target);
    if (target.kind === 'VIEW') await refuseForView(writing, target, select);
    await makeSchema(writing, target.schema);
    return target.kind === 'VIEW'
      ? await writeView(writing, target, select.sql)
      : await writeTable(writing, target, select);
  } catch (error) {
    throw concurrent(error) ?? error;
  }
}

/** Makes a table of Sluice's own, as Warehouse.writeOwn says. */
export async function writeOwn(writing: Writing, name: string, select: Statement): Promise<bigint> {
  try {
    await makeSchema(writing, stagingSchema);
    return await writeTable(writing, { database: '', schema: stagingSchema, name, kind: 'TABLE' }, select);
  } catch (error) {
    throw concurrent(error) ?? error;
  }
}

async function writeTable(writing: Writing, target: WriteTarget, select: Statement): Promise<bigint> {
  const staged = { ...target, name: `${stagingPrefix}${randomBytes(8).toString('hex')}` };
  const staging = nameOf(staged);
  // Within parentheses nothing but a query can stand, and none that changes anything.
  const from = `SELECT * FROM (\n${bare(select.sql)}\n) AS made`;
  const rows = await writing.run({ ...select, sql: `CREATE TABLE ${staging} AS ${from}` });
  await writing.run({ sql: `ANALYZE ${staging}` });
  await refuseOtherKind(writing, target);
  await swapIn(writing, target, staged);
  return rows;
}

async function writeView(writing: Writing, target: WriteTarget, select: string): Promise<null> {
  await refuseOtherKind(writing, target);
  const name = nameOf(target);
  await writing.run({ sql: 'SAVEPOINT swap' });
  try {
    // Views may stand on it, which bear no other columns than it has.
    await writing.run({ sql: `CREATE OR REPLACE VIEW ${name} AS\n${bare(select)}` });
  } catch (error) {
    if (codeOf(error) !== '42P16') throw error;
    await writing.run({ sql: 'ROLLBACK TO SAVEPOINT swap' });
    await dropView(writing, name);
    await writing.run({ sql: `CREATE VIEW ${name} AS\n${bare(select)}` });
  }
  return null;
}

async function dropView({ run }: Writing, name: string): Promise<void> {
  try {
    await run({ sql: `DROP VIEW ${name}` });
  } catch (error) {
    if (codeOf(error) !== dependentObjects) throw error;
    throw stoodOn(name, error);
  }
}

/** Without the semicolon that may end it. */
export function bare(select: string): string {
  return select.replace(/[\s;]+$/, '');
}

export async function refuseNames({ rows }: Writing, { database, schema, name }: WriteTarget): Promise<void> {
  const isHidden =
    /^pg_/i.test(schema) ||
    ['information_schema', stagingSchema].includes(schema.toLowerCase()) ||
    name.toLowerCase().startsWith(stagingPrefix);
  if (isHidden) {
    throw new AppError(
      'BAD_USER_INPUT',
      `${database}.${schema}.${name} is kept for the warehouse itself and its connectors.`,
      { fix: `Take another schema than "${stagingSchema}", and a name that does not begin with it.` },
    );
  }
  const long = [schema, name].find((each) => Buffer.byteLength(each) > nameBytesMax);
  if (long !== undefined) {
    const message = `The name "${long}" has more than ${nameBytesMax} bytes, and PostgreSQL would cut it.`;
    throw new AppError('BAD_USER_INPUT', message, { fix: 'Take a shorter name.' });
  }
  const [[current]] = (await rows({ sql: 'SELECT current_database()' })) as [[string]];
  if (current === database) return;
  const message = `The datastore is connected to the database "${current}", and cannot write to "${database}".`;
  throw new AppError('BAD_USER_INPUT', message, { fix: `Name "${current}".` });
}

/** A view can hold no values, and one that reads itself could not be made anew. */
async function refuseForView({ rows, run }: Writing, target: WriteTarget, select: Statement): Promise<void> {
  refuseBinds(select);
  await run({ sql: 'SAVEPOINT described' });
  const described = await describeSelect(rows, select.sql);
  await run({ sql: 'ROLLBACK TO SAVEPOINT described' });
  refuseItself(target, described);
}

/** Whether the target is there. Fails with CONFLICT where it is of the other kind. */
export async function refuseOtherKind({ rows }: Writing, target: WriteTarget): Promise<boolean> {
  const [found] = (await rows({
    sql: `SELECT c.relkind::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = $1 AND c.relname = $2`,
    binds: [target.schema, target.name],
  })) as [string][];
  if (!found) return false;
  const [kind] = found;
  if (kind === (target.kind === 'TABLE' ? 'r' : 'v')) return true;
  throw new AppError(
    'CONFLICT',
    `${nameOf(target)} is ${kinds[kind] ?? 'something else'} already, and cannot become a ${target.kind.toLowerCase()}.`,
    { fix: 'Take another name, or drop what is there.' },
  );
}

const kinds: Record<string, string> = {
  r: 'a table',
  v: 'a view',
  m: 'a materialized view',
  p: 'a partitioned table',
  f: 'a foreign table',
  i: 'an index',
  S: 'a sequence',
  c: 'a type',
};

/** Two who make the same schema, table or view at once: the catalog's own keys tell the later one. */
export function concurrent(error: unknown): AppError | undefined {
  const { table } = error as { table?: string };
  const code = codeOf(error);
  const isOfCatalog = code === '23505' && (table?.startsWith('pg_') ?? false);
  const isMade = code === '42P07' || code === '42P06' || messageOf(error).startsWith('tuple concurrently');
  if (!isOfCatalog && !isMade) return undefined;
  return new AppError('CONFLICT', 'What is to be written was written by somebody else at the same time.', {
    fix: 'Try again.',
    cause: error,
  });
}
