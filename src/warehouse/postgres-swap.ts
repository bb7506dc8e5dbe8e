import { setTimeout as delay } from 'node:timers/promises';
import { AppError, messageOf } from '#base/errors.ts';
import type { RunInside } from './postgres-describe.ts';
import { codeOf } from './postgres-errors.ts';
import { nameSql, toStatement } from './sql.ts';
import { quoteName, type Statement, type TableName } from './warehouse.ts';

const shown = { quoteName, placeholder: (n: number) => `$${n}` };

/** What a write does in its transaction, beside statements that give rows. */
export interface Writing {
  rows: RunInside;
  /** Runs a statement, and gives how many rows it wrote. */
  run: (statement: Statement) => Promise<bigint>;
}

type Name = Pick<TableName, 'schema' | 'name'>;

export const dependentObjects = '2BP01';

/** "raw"."orders" */
export function nameOf({ schema, name }: Name): string {
  return toStatement(nameSql(schema, name), shown).sql;
}

/** Makes a schema where it is missing. That takes a right on the database, which IF NOT EXISTS asks for even where it is not. */
export async function makeSchema({ rows, run }: Writing, schema: string): Promise<void> {
  const [[exists]] = (await rows({
    sql: 'SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)',
    binds: [schema],
  })) as [[boolean]];
  if (!exists) await run({ sql: `CREATE SCHEMA IF NOT EXISTS ${quoteName(schema)}` });
}

/**
 * Puts a table in the place of the target, in the transaction that is open; those who read are kept waiting for a moment. Grants,
 * comments and indexes of the old table go over to the new. What cannot go over (views on it, policies, triggers, foreign keys,
 * inheritance, publications) keeps the old table, and its rows are replaced. Fails with CONFLICT when it then would have to get other columns.
 */
export async function swapIn(writing: Writing, target: Name, staged: Name): Promise<void> {
  if (!(await exists(writing, target))) return rename(writing, target, staged);
  if (await mustStay(writing, target)) return refill(writing, target, staged);
  await takeGrants(writing, target, staged);
  const renames = await takeIndexes(writing, target, staged);
  await writing.run({ sql: 'SAVEPOINT swap' });
  try {
    await runAlone(writing, `DROP TABLE IF EXISTS ${nameOf(target)}`);
  } catch (error) {
    if (codeOf(error) !== dependentObjects) throw error;
    await writing.run({ sql: 'ROLLBACK TO SAVEPOINT swap' });
    return refill(writing, target, staged, error);
  }
  await rename(writing, target, staged);
  for (const sql of renames) await writing.run({ sql });
}

const waitsMax = 30;
const betweenMs = 100;

/**
 * Runs a statement that nobody may read its table beside, in the transaction that is open. Whoever comes later queues behind it: so it
 * waits a second at a time, and lets them through in between. Fails with lock_not_available after half a minute.
 */
export async function runAlone({ run }: Pick<Writing, 'run'>, sql: string): Promise<void> {
  for (let wait = 1; ; wait += 1) {
    await run({ sql: 'SAVEPOINT alone' });
    await run({ sql: `SET LOCAL lock_timeout = '1s'` });
    try {
      await run({ sql });
      await run({ sql: `SET LOCAL lock_timeout = '30s'` });
      return;
    } catch (error) {
      if (codeOf(error) !== '55P03' || wait === waitsMax) throw error;
      await run({ sql: 'ROLLBACK TO SAVEPOINT alone' });
      await delay(betweenMs);
    }
  }
}

const targetSql = `(SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = $1 AND c.relname = $2)`;

async function exists({ rows }: Writing, { schema, name }: Name): Promise<boolean> {
  const found = await rows({ sql: `SELECT ${targetSql} IS NOT NULL`, binds: [schema, name] });
  return found[0]![0] as boolean;
}

async function rename({ run }: Writing, target: Name, staged: Name): Promise<void> {
  await run({ sql: `ALTER TABLE ${nameOf(staged)} RENAME TO ${quoteName(target.name)}` });
}

/** What no other table can take over: policies, without which it would show what was hidden, and what else is tied to it. */
async function mustStay({ rows }: Writing, { schema, name }: Name): Promise<boolean> {
  const [[stays]] = (await rows({
    sql: `SELECT c.relrowsecurity
        OR EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal)
        OR EXISTS (SELECT FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype = 'f')
        OR EXISTS (SELECT FROM pg_inherits h WHERE c.oid IN (h.inhrelid, h.inhparent))
        OR EXISTS (SELECT FROM pg_publication_rel p WHERE p.prrelid = c.oid)
      FROM pg_class c WHERE c.oid = ${targetSql}`,
    binds: [schema, name],
  })) as [[boolean]];
  return stays;
}

/** Who may do what, and what is said of it: first nobody but the owner, whatever default privileges there are. */
async function takeGrants({ rows, run }: Writing, target: Name, staged: Name): Promise<void> {
  const grantee = `CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END`;
  const option = `CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END`;
  const statements = (await rows({
    sql: `WITH old AS (SELECT c.* FROM pg_class c WHERE c.oid = ${targetSql})
      SELECT 1, format('REVOKE ALL ON %s FROM %s', $3::text, ${grantee})
        FROM pg_class c, aclexplode(c.relacl) WHERE c.oid = to_regclass($3) AND grantee <> c.relowner
      UNION ALL SELECT 2, format('GRANT %s ON %s TO %s%s', privilege_type, $3::text, ${grantee}, ${option})
        FROM old, aclexplode(old.relacl) WHERE grantee <> old.relowner
      UNION ALL SELECT 2, format('GRANT %s (%I) ON %s TO %s%s', privilege_type, a.attname, $3::text, ${grantee}, ${option})
        FROM old JOIN pg_attribute a ON a.attrelid = old.oid, aclexplode(a.attacl)
        WHERE NOT a.attisdropped AND EXISTS (SELECT FROM pg_attribute own
          WHERE own.attrelid = to_regclass($3) AND own.attname = a.attname AND NOT own.attisdropped)
      UNION ALL SELECT 2, format('COMMENT ON TABLE %s IS %L', $3::text, obj_description(old.oid, 'pg_class'))
        FROM old WHERE obj_description(old.oid, 'pg_class') IS NOT NULL
      ORDER BY 1`,
    binds: [target.schema, target.name, nameOf(staged)],
  })) as [unknown, string][];
  for (const [, sql] of statements) await run({ sql });
}

/**
 * Makes the old table's indexes and keys on the new, under names of their own, and gives the statements that rename them once the
 * old are gone. One that the new rows or columns do not allow is left out.
 */
async function takeIndexes({ rows, run }: Writing, target: Name, staged: Name): Promise<string[]> {
  const renames: string[] = [];
  const indexes = (await rows({
    sql: `SELECT i.relname::text, x.indisunique, con.contype::text, pg_get_indexdef(i.oid),
        format('CREATE %sINDEX %I ON %s%I.%I ', CASE WHEN x.indisunique THEN 'UNIQUE ' ELSE '' END, i.relname, '', $1::text, $2::text)
      FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
        LEFT JOIN pg_constraint con ON con.conindid = i.oid AND con.contype IN ('p', 'u', 'x')
      WHERE x.indrelid = ${targetSql} AND x.indisvalid ORDER BY i.relname`,
    binds: [target.schema, target.name],
  })) as [string, boolean, string | null, string, string][];
  for (const [at, [name, isUnique, constraint, definition, beginning]] of indexes.entries()) {
    if (constraint === 'x' || !definition.startsWith(beginning)) continue;
    const own = `${staged.name}_${at}`;
    const index = `${isUnique ? 'UNIQUE ' : ''}INDEX ${quoteName(own)} ON ${nameOf(staged)}`;
    await run({ sql: 'SAVEPOINT index' });
    try {
      await run({ sql: `CREATE ${index} ${definition.slice(beginning.length)}` });
    } catch (error) {
      if (isInterrupted(error)) throw error;
      await run({ sql: 'ROLLBACK TO SAVEPOINT index' });
      continue;
    }
    const table = nameOf({ ...staged, name: target.name });
    const kind = constraint === 'p' ? 'PRIMARY KEY' : 'UNIQUE';
    renames.push(
      constraint === null
        ? `ALTER INDEX ${nameOf({ ...staged, name: own })} RENAME TO ${quoteName(name)}`
        : `ALTER TABLE ${table} ADD CONSTRAINT ${quoteName(name)} ${kind} USING INDEX ${quoteName(own)}`,
    );
  }
  return renames;
}

/** Neither the rows nor the columns are to blame. */
function isInterrupted(error: unknown): boolean {
  return !/^(22|23|42|54|0A)/.test(codeOf(error));
}

/** The table that views stand on stays, and takes the new rows. Those who read wait until they are all there. */
async function refill(writing: Writing, target: Name, staged: Name, cause?: unknown): Promise<void> {
  const { run } = writing;
  const name = nameOf(target);
  if (!(await sameColumns(writing, target, staged))) throw stoodOn(name, cause);
  await runAlone({ run }, `TRUNCATE ONLY ${name}`);
  await run({ sql: `INSERT INTO ${name} SELECT * FROM ${nameOf(staged)}` });
  await run({ sql: `DROP TABLE ${nameOf(staged)}` });
  await run({ sql: `ANALYZE ${name}` });
}

/** Whether two tables have columns of the same names and types in the same order. */
export async function sameColumns({ rows }: Writing, one: Name, other: Name): Promise<boolean> {
  const columns = async ({ schema, name }: Name) =>
    JSON.stringify(
      await rows({
        sql: `SELECT a.attname::varchar(128), format_type(a.atttypid, a.atttypmod) FROM pg_attribute a
          JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
          WHERE n.nspname = $1 AND c.relname = $2 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`,
        binds: [schema, name],
      }),
    );
  return (await columns(one)) === (await columns(other));
}

/** PostgreSQL names what stands on it in the detail, one a line. */
export function stoodOn(name: string, cause: unknown): AppError {
  const { detail } = (cause ?? {}) as { detail?: string };
  const what =
    detail ??
    (cause === undefined
      ? 'it has policies, triggers, foreign keys, heirs or a publication'
      : messageOf(cause));
  const message = `${name} cannot get other columns while something stands on it: ${what.replaceAll('\n', ', ')}.`;
  return new AppError('CONFLICT', message, {
    fix: 'Drop what stands on it first, and make that anew afterwards.',
    cause,
  });
}
