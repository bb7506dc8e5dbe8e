import type { Json, PublishMarker, WriteOrigin } from '#connectors/contract.ts';
import { stagingSchema } from '#warehouse/duckdb-tables.ts';
import { nameSql, rawSql, sql, type Sql, tableSql, toStatement } from '#warehouse/sql.ts';
import type { Statement, TableName } from '#warehouse/warehouse.ts';
import type { CloudLoader } from './cloud-loader.ts';
import { hashOf, type PublishNote } from './cloud-note.ts';

/*
 * One row a job's stream in the table _sluice.marker: what was published last. A publish that changes the target writes it
 * in the same transaction. One that replaces the target cannot, since no engine does both at once: it first writes what
 * will be so into the columns next_…, and the note that the new table comes with says that it is so. Whoever reads the row
 * then takes next_… for published, and whoever publishes after it writes that down first, so that notes may go.
 */

export interface StreamKey {
  origin: WriteOrigin;
  stream: string;
}

/** What the row says, and how often it was written. */
export interface Marked {
  published: PublishMarker | null;
  seq: bigint;
}

export function publishNoteOf({ origin, stream }: StreamKey): PublishNote {
  return { job: origin.jobId, stream: hashOf(stream, 24), task: origin.taskId };
}

const columns: readonly [name: string, kind: 'text' | 'int64'][] = [
  ['job_id', 'text'],
  ['stream', 'text'],
  ['task_id', 'text'],
  ['seq', 'int64'],
  ['state', 'text'],
  ['rows_written', 'int64'],
  ['published_at', 'text'],
  ['next_task', 'text'],
  ['next_state', 'text'],
  ['next_rows', 'int64'],
];

const markerOf = ({ database }: CloudLoader): TableName => ({
  database,
  schema: stagingSchema,
  name: 'marker',
});

const markerSql = (loader: CloudLoader): Sql => tableSql(markerOf(loader));
const ask = (loader: CloudLoader, piece: Sql, signal: AbortSignal) =>
  loader.run(toStatement(piece, loader.dialect), signal);
const [jobId, streamName, taskId, seq, state, rowsWritten, publishedAt, nextTask, nextState, nextRows] =
  columns.map(([name]) => nameSql(name)) as [Sql, Sql, Sql, Sql, Sql, Sql, Sql, Sql, Sql, Sql];
const isOf = ({ origin, stream }: StreamKey) => sql`${jobId} = ${origin.jobId} AND ${streamName} = ${stream}`;
const jsonOf = (value: Json | null) => (value === null ? null : JSON.stringify(value));
const asText = (loader: CloudLoader, bind: string | null) => loader.dialect.cast(sql`${bind}`, 'text');

/** Makes the schema and the table of the markers where they are missing. */
export async function prepareMarkers(loader: CloudLoader, signal: AbortSignal): Promise<void> {
  if (await loader.describe(markerOf(loader), signal)) return;
  await loader.makeSchema(stagingSchema, signal);
  const defined = columns.map(
    ([name, kind]) => `${loader.dialect.quoteName(name)} ${loader.travel({ kind }).type}`,
  );
  const piece = sql`CREATE TABLE IF NOT EXISTS ${markerSql(loader)} (${rawSql(defined.join(', '))})`;
  await ask(loader, piece, signal);
}

/** The last publish of the stream by any task; `note` is that of the target, if a publish made it. */
export async function readMarked(
  loader: CloudLoader,
  key: StreamKey,
  note: PublishNote | null,
  signal: AbortSignal,
): Promise<Marked> {
  const piece = sql`SELECT ${taskId}, ${seq}, ${state}, ${rowsWritten}, ${nextTask}, ${nextState}, ${nextRows}
    FROM ${markerSql(loader)} WHERE ${isOf(key)} ORDER BY ${seq} DESC`;
  const [row] = (await ask(loader, piece, signal)) as [Row?];
  if (!row) return { published: null, seq: -1n };
  const [task, count, held, rows, next, heldNext, rowsNext] = row;
  const mine = publishNoteOf(key);
  const isNext = next !== null && note?.task === next && note.job === mine.job && note.stream === mine.stream;
  const published = isNext ? markerFrom(next, heldNext, rowsNext) : markerFrom(task, held, rows);
  return { published, seq: BigInt(count) };
}

type Row = [
  task: string | null,
  seq: bigint | number,
  state: string | null,
  rows: bigint | number | null,
  nextTask: string | null,
  nextState: string | null,
  nextRows: bigint | number | null,
];

function markerFrom(
  task: string | null,
  held: string | null,
  rows: bigint | number | null,
): PublishMarker | null {
  if (task === null) return null;
  return {
    taskId: task,
    state: held === null ? null : (JSON.parse(held) as Json),
    rowsWritten: BigInt(rows ?? 0),
  };
}

/** Makes the stream's row where it is missing; it says that nothing is published. */
export async function makeMarker(
  loader: CloudLoader,
  { origin, stream }: StreamKey,
  signal: AbortSignal,
): Promise<void> {
  const piece = sql`MERGE INTO ${markerSql(loader)} AS m
    USING (SELECT ${asText(loader, origin.jobId)} AS k_job, ${asText(loader, stream)} AS k_stream) AS k
    ON m.${jobId} = k.k_job AND m.${streamName} = k.k_stream
    WHEN NOT MATCHED THEN INSERT (${jobId}, ${streamName}, ${seq}) VALUES (k.k_job, k.k_stream, 0)`;
  await ask(loader, piece, signal);
}

/** Writes down for good what a note says of the last publish of its stream, whosever it is. May be repeated. */
export async function settle(
  loader: CloudLoader,
  note: PublishNote | null,
  signal: AbortSignal,
): Promise<void> {
  if (note === null) return;
  const found = sql`SELECT ${streamName}, ${seq} FROM ${markerSql(loader)}
    WHERE ${jobId} = ${note.job} AND ${nextTask} = ${note.task}`;
  const rows = (await ask(loader, found, signal)) as [string, bigint | number][];
  const [stream] = rows.find(([name]) => hashOf(name, 24) === note.stream) ?? [];
  if (stream === undefined) return;
  const piece = sql`UPDATE ${markerSql(loader)} SET ${taskId} = ${nextTask}, ${seq} = ${seq} + 1,
    ${state} = ${nextState}, ${rowsWritten} = ${nextRows}, ${publishedAt} = ${new Date().toISOString()},
    ${nextTask} = NULL, ${nextState} = NULL, ${nextRows} = NULL
    WHERE ${jobId} = ${note.job} AND ${streamName} = ${stream} AND ${nextTask} = ${note.task}`;
  await ask(loader, piece, signal);
}

/** Says what is published once the target has the note of this task. */
export async function announce(
  loader: CloudLoader,
  key: StreamKey,
  next: { state: Json | null; rowsWritten: bigint },
  signal: AbortSignal,
): Promise<void> {
  const piece = sql`UPDATE ${markerSql(loader)} SET ${nextTask} = ${key.origin.taskId},
    ${nextState} = ${asText(loader, jsonOf(next.state))}, ${nextRows} = ${next.rowsWritten} WHERE ${isOf(key)}`;
  await ask(loader, piece, signal);
}

/** Marks the publish, if nobody has written the row since it was read. */
export function guardOf(
  loader: CloudLoader,
  key: StreamKey,
  next: { state: Json | null; rowsWritten: bigint; after: bigint },
): Statement {
  const piece = sql`UPDATE ${markerSql(loader)} SET ${taskId} = ${key.origin.taskId}, ${seq} = ${seq} + 1,
    ${state} = ${asText(loader, jsonOf(next.state))}, ${rowsWritten} = ${next.rowsWritten},
    ${publishedAt} = ${new Date().toISOString()}, ${nextTask} = NULL, ${nextState} = NULL, ${nextRows} = NULL
    WHERE ${isOf(key)} AND ${seq} = ${next.after}`;
  return toStatement(piece, loader.dialect);
}
