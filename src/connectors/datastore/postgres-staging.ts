import { ConnectorError, type Json, type PublishMarker, type StagedPart } from '#connectors/contract.ts';
import { stagingSchema } from '#warehouse/duckdb-tables.ts';
import { codeOf } from '#warehouse/postgres-errors.ts';
import type { PostgresSession } from '#warehouse/postgres-session.ts';
import { makeSchema, type Writing } from '#warehouse/postgres-swap.ts';
import { tableSql } from './publish.ts';
import type { StagingKey } from './staging.ts';

/*
 * What the destination remembers, as `staging.ts` says it of DuckDB, in a schema of the database it writes to. Keys say what
 * DuckDB's optimistic transactions say there: a part is staged once, a stream has one marker, whoever writes at once.
 */

const marker = `${stagingSchema}.marker`;
const staging = `${stagingSchema}.staging`;
const part = `${stagingSchema}.part`;

const tables = [
  `CREATE TABLE IF NOT EXISTS ${marker} (
    job_id text NOT NULL, stream text NOT NULL, task_id text NOT NULL, state text, rows_written int8 NOT NULL,
    published_at timestamptz NOT NULL, PRIMARY KEY (job_id, stream))`,
  `CREATE TABLE IF NOT EXISTS ${staging} (
    job_id text NOT NULL, stream text NOT NULL, task_id text NOT NULL, schema_name text NOT NULL, table_name text NOT NULL,
    shape text NOT NULL, begun_at timestamptz NOT NULL, PRIMARY KEY (table_name))`,
  `CREATE TABLE IF NOT EXISTS ${part} (
    table_name text NOT NULL, part_id text NOT NULL, row_count int8 NOT NULL, byte_count int8 NOT NULL,
    PRIMARY KEY (table_name, part_id))`,
];

/** Makes the schema of the markers where it is missing. */
export async function prepareStaging(session: PostgresSession): Promise<void> {
  const known = () =>
    session.rows(
      `SELECT count(*) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
       WHERE n.nspname = $1 AND c.relname IN ('marker', 'staging', 'part') AND c.relkind = 'r'`,
      [stagingSchema],
    );
  if ((await known())[0]![0] === 3n) return;
  await session.transaction(async () => {
    // Two at once would both find them missing.
    await lock(session, stagingSchema);
    await makeSchema(writingOf(session), stagingSchema);
    for (const sql of tables) await session.run(sql);
  });
}

/** As what is shared with transformations takes it. */
export function writingOf(session: PostgresSession): Writing {
  return {
    rows: ({ sql, binds }) => session.rows(sql, binds),
    run: ({ sql, binds }) => session.run(sql, binds),
  };
}

/** Held to the end of the transaction; whoever wants the same waits, up to the lock timeout. */
async function lock(session: PostgresSession, what: string): Promise<void> {
  await session.rows('SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended($1, 0))', [
    `sluice ${what}`,
  ]);
}

/** Keeps every other publish of the job's stream, and of any other to the table, waiting for the end of the transaction. */
export async function lockPublish(
  session: PostgresSession,
  { origin, stream }: StagingKey,
  table: { schema: string; name: string },
): Promise<void> {
  await lock(session, `${origin.jobId} ${stream}`);
  await lock(session, tableSql(table));
}

/** The last publish of the job's stream by any task; null when there was none. */
export async function readMarker(
  session: PostgresSession,
  { origin, stream }: StagingKey,
): Promise<PublishMarker | null> {
  const [row] = await session.rows(
    `SELECT task_id, state, rows_written FROM ${marker} WHERE job_id = $1 AND stream = $2`,
    [origin.jobId, stream],
  );
  if (!row) return null;
  const [taskId, state, rowsWritten] = row as [string, string | null, bigint];
  return { taskId, state: state === null ? null : (JSON.parse(state) as Json), rowsWritten };
}

/** Replaces the marker, inside the transaction that publishes. */
export async function writeMarker(
  session: PostgresSession,
  { origin, stream }: StagingKey,
  state: Json | null,
  rowsWritten: bigint,
): Promise<void> {
  await session.run(
    `INSERT INTO ${marker} VALUES ($1, $2, $3, $4, $5, now())
     ON CONFLICT (job_id, stream) DO UPDATE SET task_id = excluded.task_id, state = excluded.state,
       rows_written = excluded.rows_written, published_at = excluded.published_at`,
    [origin.jobId, stream, origin.taskId, state === null ? null : JSON.stringify(state), rowsWritten],
  );
}

/** A staging table, by its hidden name beside the target. */
export interface StagingPlace {
  schema: string;
  name: string;
  /** Equal for tables that take the same rows. */
  shape: string;
  /** When it was made: another attempt may have made it anew under its name. */
  begunAt: string;
}

/** The task's own staging of the stream, as an earlier attempt left it; null also when its table is gone. */
export async function findStaging(
  session: PostgresSession,
  { origin, stream }: StagingKey,
): Promise<StagingPlace | null> {
  const [row] = await session.rows(
    `SELECT schema_name, table_name, shape, begun_at::text FROM ${staging} WHERE job_id = $1 AND stream = $2 AND task_id = $3
       AND to_regclass(format('%I.%I', schema_name, table_name)) IS NOT NULL`,
    [origin.jobId, stream, origin.taskId],
  );
  if (!row) return null;
  const [schema, name, shape, begunAt] = row as [string, string, string, string];
  return { schema, name, shape, begunAt };
}

/** Notes whose the table is. Gives it as the note says. */
export async function registerStaging(
  session: PostgresSession,
  { origin, stream }: StagingKey,
  { schema, name, shape }: Omit<StagingPlace, 'begunAt'>,
): Promise<StagingPlace> {
  const [[begunAt]] = (await session.rows(
    `INSERT INTO ${staging} VALUES ($1, $2, $3, $4, $5, $6, clock_timestamp()) RETURNING begun_at::text`,
    [origin.jobId, stream, origin.taskId, schema, name, shape],
  )) as [[string]];
  return { schema, name, shape, begunAt };
}

/** Keeps the staging from being removed until the transaction ends. Fails with TRANSIENT when another attempt has removed it, or made it anew. */
export async function holdStaging(session: PostgresSession, { name, begunAt }: StagingPlace): Promise<void> {
  const rows = await session.rows(
    `SELECT FROM ${staging} WHERE table_name = $1 AND begun_at = $2::timestamptz FOR KEY SHARE`,
    [name, begunAt],
  );
  if (rows.length === 1) return;
  throw new ConnectorError('TRANSIENT', 'What was staged was removed by another attempt of the task.');
}

export async function readParts(session: PostgresSession, { name }: StagingPlace): Promise<StagedPart[]> {
  const rows = await session.rows(
    `SELECT part_id, row_count, byte_count FROM ${part} WHERE table_name = $1`,
    [name],
  );
  return (rows as [string, bigint, bigint][]).map(([partId, count, bytes]) => ({
    partId,
    rows: count,
    bytes,
  }));
}

/** Marks a part as staged, inside the transaction that stages its rows. Fails with TRANSIENT when another attempt has staged it. */
export async function writePart(
  session: PostgresSession,
  { name }: StagingPlace,
  staged: StagedPart,
): Promise<void> {
  const written = await session.run(
    `INSERT INTO ${part} VALUES ($1, $2, $3, $4) ON CONFLICT (table_name, part_id) DO NOTHING`,
    [name, staged.partId, staged.rows, staged.bytes],
  );
  if (written === 1n) return;
  throw new ConnectorError(
    'TRANSIENT',
    `Another attempt of the task has staged the part "${staged.partId}" already.`,
  );
}

/** Forgets the staging, and drops its table unless that has become the target. */
export async function forgetStaging(
  session: PostgresSession,
  table: Pick<StagingPlace, 'schema' | 'name'>,
  keepTable: 'drop' | 'keep',
): Promise<void> {
  // First, since it waits for those who stage a part there, whose rows and marks then go too.
  await session.run(`DELETE FROM ${staging} WHERE table_name = $1`, [table.name]);
  await session.run(`DELETE FROM ${part} WHERE table_name = $1`, [table.name]);
  if (keepTable === 'drop') await session.run(`DROP TABLE IF EXISTS ${tableSql(table)}`);
}

/** Removes what tasks that are over have left: a job has one live task, and no task lives for a week. */
export async function removeDeadStaging(
  session: PostgresSession,
  { origin, stream }: StagingKey,
): Promise<void> {
  const rows = await session.rows(
    `SELECT schema_name, table_name FROM ${staging}
     WHERE (job_id = $1 AND stream = $2 AND task_id <> $3) OR begun_at < now() - INTERVAL '7 days'`,
    [origin.jobId, stream, origin.taskId],
  );
  for (const [schema, name] of rows as [string, string][]) {
    await session
      .transaction(() => forgetStaging(session, { schema, name }, 'drop'))
      .catch((error: unknown) => {
        // Another role's, which that will remove itself.
        if (codeOf(error) !== '42501') throw error;
      });
  }
}
