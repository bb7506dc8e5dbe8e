import { AppError } from '#base/errors.ts';
import type { Statement, DescribedSelect, ResultColumn, TableName } from './warehouse.ts';

/** Runs one statement in the transaction that is open, and gives its rows. */
export type RunInside = (statement: Statement) => Promise<unknown[][]>;

const view = '_sluice_described';

/** Those of pg_catalog that change nothing and read nothing, although their value is another each time. */
export const harmless = [
  'random',
  'random_normal',
  'clock_timestamp',
  'timeofday',
  'gen_random_uuid',
  'uuidv4',
  'uuidv7',
];

/** Those of pg_catalog that read settings or other SQL, although they do not say that they change. */
export const reading = `^(current_setting|(table|schema|database|query|cursor)_to_xml.*|has_.*_privilege|pg_get_.*|txid_.*|to_reg.*|pg_(ls|read|stat|show|config|hba|ident|file).*)$`;

/**
 * The columns of a SELECT and all that it reads, as Warehouse.describe says. PostgreSQL makes a view of it, which is none but
 * for a SELECT, and which runs nothing; what the server has understood is then read from the view, which goes with the transaction.
 */
export async function describeSelect(run: RunInside, select: string): Promise<DescribedSelect> {
  await run({ sql: `CREATE TEMP VIEW ${view} AS\n${select}\n` });
  await refuseClauses(run);
  await refuseFunctions(run);
  const columns = await run({
    sql: `SELECT attname::text, format_type(atttypid, atttypmod) FROM pg_attribute
      WHERE attrelid = 'pg_temp.${view}'::regclass AND attnum > 0 ORDER BY attnum`,
  });
  return { columns: (columns as [string, string][]).map(columnOf), reads: await readsOf(run) };
}

/** What a view may have, and a SELECT that only reads has not. */
async function refuseClauses(run: RunInside): Promise<void> {
  const [[hasCheck, hasLocks]] = (await run({
    sql: `SELECT c.reloptions IS NOT NULL, r.ev_action::text ~ ':rowMarks \\('
      FROM pg_class c JOIN pg_rewrite r ON r.ev_class = c.oid WHERE c.oid = 'pg_temp.${view}'::regclass`,
  })) as [[boolean, boolean]];
  if (!hasCheck && !hasLocks) return;
  throw new AppError(
    'BAD_USER_INPUT',
    hasLocks
      ? 'The SELECT may not lock rows: it only reads.'
      : 'The SELECT ends with what only CREATE VIEW can have.',
    { fix: hasLocks ? 'Leave FOR UPDATE or FOR SHARE out.' : 'Leave WITH CHECK OPTION out.' },
  );
}

function columnOf([name, dataType]: [string, string]): ResultColumn {
  return { name, dataType };
}

/** Of the server's own tables no dependency is kept: only the parsed statement names them all. Names in it have no plain spaces. */
async function readsOf(run: RunInside): Promise<TableName[]> {
  const rows = (await run({
    sql: `WITH RECURSIVE reads (oid) AS (
        SELECT 'pg_temp.${view}'::regclass::oid
        UNION
        SELECT found[1]::oid FROM reads
          JOIN pg_class c ON c.oid = reads.oid AND c.relkind = 'v'
          JOIN pg_rewrite r ON r.ev_class = c.oid,
          regexp_matches(r.ev_action::text, ':relid ([1-9][0-9]*)', 'g') AS found
      )
      SELECT current_database()::text, n.nspname::text, c.relname::text, c.relkind::text,
        n.nspname ~ '^pg_' OR n.nspname = 'information_schema'
      FROM reads JOIN pg_class c USING (oid) JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.oid <> 'pg_temp.${view}'::regclass ORDER BY 2, 3`,
  })) as [string, string, string, string, boolean][];
  const foreign = rows.find(([, , , , isOwn]) => isOwn);
  if (foreign) {
    throw refusedRead(foreign[1], foreign[2]);
  }
  return rows.map(([database, schema, name]) => ({ database, schema, name }));
}

/** What a function of somebody reads is seen by nobody, unless it says that it reads nothing: IMMUTABLE. */
async function refuseFunctions(run: RunInside): Promise<void> {
  const rows = (await run({
    sql: `SELECT DISTINCT p.proname::text, n.nspname = 'pg_catalog'
      FROM pg_rewrite r,
        regexp_matches(r.ev_action::text, ':(?:funcid|opfuncid|aggfnoid|winfnoid) ([1-9][0-9]*)', 'g') AS found
        JOIN pg_proc p ON p.oid = found[1]::oid JOIN pg_namespace n ON n.oid = p.pronamespace
      WHERE r.ev_class = 'pg_temp.${view}'::regclass
        AND (CASE WHEN n.nspname = 'pg_catalog'
          THEN (p.provolatile = 'v' AND p.proname <> ALL ($1)) OR p.proname ~ $2
          ELSE p.provolatile <> 'i' END)
      ORDER BY 1`,
    binds: [harmless, reading],
  })) as [string, boolean][];
  const refused = rows[0];
  if (!refused) return;
  throw refusedFunction(...refused);
}

/** The error for a SELECT that reads what no catalog holds. */
export function refusedRead(schema: string, name: string): AppError {
  return new AppError(
    'BAD_USER_INPUT',
    `The SELECT reads "${schema}.${name}", which is no table or view but the engine's own.`,
    { fix: 'Read the tables and columns of the datastore by the query tables.' },
  );
}

/** The error for a SELECT with a function that may read or change more than is seen. */
export function refusedFunction(name: string, isOwn: boolean): AppError {
  return new AppError(
    'BAD_USER_INPUT',
    isOwn
      ? `The SELECT may not call ${name}(): it reads or changes more than tables and views.`
      : `The SELECT may not call ${name}(): what it reads or changes is not known.`,
    {
      fix: isOwn
        ? 'Compute from the columns of tables and views alone.'
        : 'Declare it IMMUTABLE when it reads no table, or write what it does into the SELECT.',
    },
  );
}
