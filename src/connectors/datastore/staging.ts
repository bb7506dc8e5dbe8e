import {
  ConnectorError,
  type Json,
  type PublishMarker,
  type StagedPart,
  type StreamColumn,
  type WriteOrigin,
} from '#connectors/contract.ts';
import type { DuckDbWarehouse } from '#warehouse/duckdb.ts';
import type { DuckDbSession } from '#warehouse/duckdb-session.ts';
import { stagingSchema } from '#warehouse/duckdb-tables.ts';
import { quoteName } from '#warehouse/warehouse.ts';

/*
 * What the destination remembers, in a schema of its own inside the database it writes to, so that rows and marker
 * commit together: `marker` the last publish of each job's stream, `staging` which task stages into which table,
 * `part` the parts that are staged there. The staging table itself lies beside its target under a hidden name, since
 * DuckDB renames within a schema only: publishing a whole new table is then a rename, whatever its size.
 */

const marker = `${stagingSchema}.marker`;
const staging = `${stagingSchema}.staging`;
const part = `${stagingSchema}.part`;

/** Makes the schema of the markers where it is missing. */
export async function prepareStaging(duckDb: DuckDbWarehouse): Promise<void> {
  await using session = await duckDb.session();
  const [[known]] = (await session.rows('SELECT count(*) FROM duckdb_tables() WHERE schema_name = ?', [
    stagingSchema,
  ])) as [[bigint]];
  if (known === 3n) return;
  await session.run(`
    CREATE SCHEMA IF NOT EXISTS ${stagingSchema};
    CREATE TABLE IF NOT EXISTS ${marker} (
      job_id VARCHAR NOT NULL, stream VARCHAR NOT NULL, task_id VARCHAR NOT NULL, state VARCHAR, rows_written BIGINT NOT NULL,
      published_at TIMESTAMPTZ NOT NULL);
    CREATE TABLE IF NOT EXISTS ${staging} (
      job_id VARCHAR NOT NULL, stream VARCHAR NOT NULL, task_id VARCHAR NOT NULL, schema_name VARCHAR NOT NULL,
      table_name VARCHAR NOT NULL, columns VARCHAR NOT NULL, begun_at TIMESTAMPTZ NOT NULL);
    CREATE TABLE IF NOT EXISTS ${part} (
      table_name VARCHAR NOT NULL, part_id VARCHAR NOT NULL, row_count BIGINT NOT NULL, byte_count BIGINT NOT NULL);`);
}

/** Whose staging: a task's, for one stream. */
export interface StagingKey {
  origin: WriteOrigin;
  stream: string;
}

/** The last publish of the job's stream by any task; null when there was none. */
export async function readMarker(
  session: DuckDbSession,
  { origin, stream }: StagingKey,
): Promise<PublishMarker | null> {
  const [row] = await session.rows(
    `SELECT task_id, state, rows_written FROM ${marker} WHERE job_id = ? AND stream = ?`,
    [origin.jobId, stream],
  );
  if (!row) return null;
  const [taskId, state, rowsWritten] = row as [string, string | null, bigint];
  return { taskId, state: state === null ? null : (JSON.parse(state) as Json), rowsWritten };
}

/** Replaces the marker, inside the transaction that publishes. */
export async function writeMarker(
  session: DuckDbSession,
  { origin, stream }: StagingKey,
  state: Json | null,
  rowsWritten: bigint,
): Promise<void> {
  await session.run(`DELETE FROM ${marker} WHERE job_id = ? AND stream = ?`, [origin.jobId, stream]);
  await session.run(`INSERT INTO ${marker} VALUES (?, ?, ?, ?, ?, now())`, [
    origin.jobId,
    stream,
    origin.taskId,
    state === null ? null : JSON.stringify(state),
    rowsWritten,
  ]);
}

/** A staging table, by its hidden name beside the target. */
export interface StagingTable {
  schema: string;
  name: string;
  /** Those that the plan it was made for staged. */
  columns: StreamColumn[];
  /** When it was made: another attempt may have made it anew under its name. */
  begunAt: string;
}

/** The task's own staging of the stream, as an earlier attempt left it. */
export async function findStaging(
  session: DuckDbSession,
  { origin, stream }: StagingKey,
): Promise<StagingTable | null> {
  const [row] = await session.rows(
    `SELECT schema_name, table_name, columns, begun_at::VARCHAR FROM ${staging} WHERE job_id = ? AND stream = ? AND task_id = ?`,
    [origin.jobId, stream, origin.taskId],
  );
  if (!row) return null;
  const [schema, name, columns, begunAt] = row as [string, string, string, string];
  return { schema, name, columns: JSON.parse(columns) as StreamColumn[], begunAt };
}

/** Notes whose the table is. Gives it as the note says. */
export async function registerStaging(
  session: DuckDbSession,
  { origin, stream }: StagingKey,
  table: Omit<StagingTable, 'begunAt'>,
): Promise<StagingTable> {
  const [[begunAt]] = (await session.rows(
    `INSERT INTO ${staging} VALUES (?, ?, ?, ?, ?, ?, now()) RETURNING begun_at::VARCHAR`,
    [origin.jobId, stream, origin.taskId, table.schema, table.name, JSON.stringify(table.columns)],
  )) as [[string]];
  return { ...table, begunAt };
}

/** Fails with TRANSIENT when another attempt of the task has removed the staging, or made it anew. */
export async function checkStaging(
  session: DuckDbSession,
  { name, begunAt }: Pick<StagingTable, 'name' | 'begunAt'>,
): Promise<void> {
  const rows = await session.rows(
    `SELECT 1 FROM ${staging} WHERE table_name = ? AND begun_at = CAST(? AS TIMESTAMPTZ)`,
    [name, begunAt],
  );
  if (rows.length === 1) return;
  throw new ConnectorError('TRANSIENT', 'What was staged was removed by another attempt of the task.');
}

export async function readParts(session: DuckDbSession, table: StagingTable): Promise<StagedPart[]> {
  const rows = await session.rows(`SELECT part_id, row_count, byte_count FROM ${part} WHERE table_name = ?`, [
    table.name,
  ]);
  return (rows as [string, bigint, bigint][]).map(([partId, count, bytes]) => ({
    partId,
    rows: count,
    bytes,
  }));
}

/** Marks a part as staged, inside the transaction that stages its rows. Fails with TRANSIENT when another attempt has begun anew. */
export async function writePart(
  session: DuckDbSession,
  table: StagingTable,
  staged: StagedPart,
): Promise<void> {
  await checkStaging(session, table);
  await session.run(`INSERT INTO ${part} VALUES (?, ?, ?, ?)`, [
    table.name,
    staged.partId,
    staged.rows,
    staged.bytes,
  ]);
}

/** Forgets the staging; `dropped` tells whether its table is to go as well or has become the target. */
export async function forgetStaging(
  session: DuckDbSession,
  table: Pick<StagingTable, 'schema' | 'name'>,
  keepTable: 'drop' | 'keep',
): Promise<void> {
  await session.run(`DELETE FROM ${part} WHERE table_name = ?`, [table.name]);
  await session.run(`DELETE FROM ${staging} WHERE table_name = ?`, [table.name]);
  if (keepTable === 'drop')
    await session.run(`DROP TABLE IF EXISTS ${quoteName(table.schema)}.${quoteName(table.name)}`);
}

/** What tasks that are over have left: a job has one live task, and no task lives for a week. */
export async function removeDeadStaging(
  duckDb: DuckDbWarehouse,
  { origin, stream }: StagingKey,
): Promise<void> {
  await using session = await duckDb.session();
  const rows = await session.rows(
    `SELECT schema_name, table_name FROM ${staging}
     WHERE (job_id = ? AND stream = ? AND task_id <> ?) OR begun_at < now() - INTERVAL 7 DAY`,
    [origin.jobId, stream, origin.taskId],
  );
  for (const [schema, name] of rows as [string, string][]) {
    await session.transaction(() => forgetStaging(session, { schema, name }, 'drop'));
  }
}
