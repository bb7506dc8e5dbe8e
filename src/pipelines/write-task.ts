import { Prisma } from '#generated/prisma/client.ts';
import type { LogLevel, TaskStatus } from '#generated/prisma/enums.ts';
import type { FoundChanges, Json } from '#connectors/contract.ts';
import type { Tx } from '#store/open-store.ts';
import type { TaskFailure } from './classify-error.ts';
import { taskChannel } from './task-feed.ts';

export interface LogLine {
  at: Date;
  level: LogLevel;
  /** The stream it is about; null for the task. */
  stream: string | null;
  message: string;
}

/** Columns of a task that change; those left out stay. */
export interface TaskChange {
  status?: TaskStatus;
  attempt?: number;
  startedAt?: Date;
  finishedAt?: Date;
  rowsRead?: bigint;
  rowsWritten?: bigint;
  bytesRead?: bigint;
  /** Null clears it. */
  error?: TaskFailure | null;
  lease?: string | null;
  /** That whoever writes this lives, by the clock of the database. */
  beat?: true;
  cancelRequestedAt?: Date;
}

export interface StreamChange {
  position: number;
  status: TaskStatus;
  rowsRead: bigint;
  rowsWritten: bigint;
  bytesRead: bigint;
  estimatedRows: bigint | null;
  /** What a difference found. */
  changes: FoundChanges | null;
  /** Left out, the stored one stays; null clears it. */
  checkpoint?: Json;
}

export interface TaskWrite {
  taskId: string;
  /** Refused unless the task is held under this lease. */
  lease?: string;
  /** Refused unless the task has one of these statuses. */
  from?: readonly TaskStatus[];
  /** Refused unless nobody has said for so long that the task is alive. */
  silentMs?: number;
  set?: TaskChange;
  streams?: readonly StreamChange[];
  lines?: readonly LogLine[];
}

export interface WrittenTask {
  id: string;
  projectId: string;
  jobId: string | null;
  status: TaskStatus;
  attempt: number;
  lastSeq: number;
}

/**
 * The one statement that changes a task: its row, its streams and its log together, and the notification. Lines get the
 * next numbers of the task's log under the lock of its row, so that numbers rise in the order of commits and have no
 * gap. Null, with nothing changed, when lease or status refuse it.
 */
export async function writeTask(db: Pick<Tx, '$queryRaw'>, write: TaskWrite): Promise<WrittenTask | null> {
  const { taskId, lease, from, silentMs, set = {}, streams = [], lines = [] } = write;
  const guards = [Prisma.sql`id = ${taskId}::uuid`];
  if (lease !== undefined) guards.push(Prisma.sql`lease = ${lease}::uuid`);
  if (from !== undefined) guards.push(Prisma.sql`status::text = ANY(${[...from]}::text[])`);
  if (silentMs !== undefined) guards.push(silentFor(silentMs));
  const changed = streams.length > 0 || set.status !== undefined;
  const rows = await db.$queryRaw<WrittenTask[]>`
    WITH held AS (
      UPDATE task SET ${Prisma.join(assignments(set, lines.length))}
      WHERE ${Prisma.join(guards, ' AND ')}
      RETURNING id, project_id, job_id, status, attempt, last_seq
    ), stream AS (
      UPDATE task_stream s SET
        status = n.status::"TaskStatus", rows_read = n.rows_read, rows_written = n.rows_written,
        bytes_read = n.bytes_read, estimated_rows = n.estimated_rows,
        rows_added = n.rows_added, rows_changed = n.rows_changed, rows_removed = n.rows_removed,
        checkpoint = CASE WHEN n.replaces THEN n.checkpoint ELSE s.checkpoint END
      FROM held, jsonb_to_recordset(${JSON.stringify(streams.map(streamRecord))}::jsonb) AS n(
        position int, status text, rows_read bigint, rows_written bigint, bytes_read bigint,
        estimated_rows bigint, rows_added bigint, rows_changed bigint, rows_removed bigint, replaces boolean, checkpoint jsonb)
      WHERE s.task_id = held.id AND s.position = n.position
    ), line AS (
      INSERT INTO task_log (task_id, seq, project_id, at, level, stream, message)
      SELECT held.id, held.last_seq - ${lines.length}::int + n.number, held.project_id, n.at, n.level::"LogLevel",
        n.stream, n.message
      FROM held, jsonb_to_recordset(${JSON.stringify(lines.map(lineRecord))}::jsonb) AS n(
        number int, at timestamptz, level text, stream text, message text)
    ), bell AS (
      SELECT pg_notify(${taskChannel}, concat_ws(' ', id, coalesce(job_id::text, '-'), project_id, status, last_seq,
        ${changed ? '1' : '0'}::text))
      FROM held WHERE ${changed || lines.length > 0}
    )
    SELECT id, project_id AS "projectId", job_id AS "jobId", status::text AS status, attempt, last_seq AS "lastSeq",
      (SELECT count(*) FROM bell)::int AS bells
    FROM held`;
  return rows[0] ?? null;
}

/** That a task has had no sign of life for so long: the condition in SQL. */
export function silentFor(ms: number): Prisma.Sql {
  return Prisma.sql`coalesce(heartbeat_at, created_at) < now() - make_interval(secs => ${ms / 1000}::float8)`;
}

/** Tells the followers of a task that was just inserted. */
export async function notifyTask(db: Pick<Tx, '$executeRaw'>, task: WrittenTask): Promise<void> {
  const payload = [task.id, task.jobId ?? '-', task.projectId, task.status, task.lastSeq, '1'].join(' ');
  await db.$executeRaw`SELECT pg_notify(${taskChannel}, ${payload})`;
}

function assignments(set: TaskChange, lines: number): Prisma.Sql[] {
  const all = [Prisma.sql`last_seq = last_seq + ${lines}::int`];
  const add = (value: unknown, sql: () => Prisma.Sql): void => {
    if (value !== undefined) all.push(sql());
  };
  add(set.status, () => Prisma.sql`status = ${set.status}::"TaskStatus"`);
  add(set.attempt, () => Prisma.sql`attempt = ${set.attempt}::int`);
  add(set.startedAt, () => Prisma.sql`started_at = coalesce(started_at, ${set.startedAt}::timestamptz)`);
  add(set.finishedAt, () => Prisma.sql`finished_at = ${set.finishedAt}::timestamptz`);
  add(set.rowsRead, () => Prisma.sql`rows_read = ${set.rowsRead}::bigint`);
  add(set.rowsWritten, () => Prisma.sql`rows_written = ${set.rowsWritten}::bigint`);
  add(set.bytesRead, () => Prisma.sql`bytes_read = ${set.bytesRead}::bigint`);
  add(set.lease, () => Prisma.sql`lease = ${set.lease}::uuid`);
  add(set.beat, () => Prisma.sql`heartbeat_at = now()`);
  add(set.cancelRequestedAt, () => Prisma.sql`cancel_requested_at = ${set.cancelRequestedAt}::timestamptz`);
  const { error } = set;
  if (error !== undefined) {
    all.push(
      Prisma.sql`error_kind = ${error?.kind ?? null}::"TaskErrorKind"`,
      Prisma.sql`error_message = ${error?.message ?? null}::text`,
      Prisma.sql`error_fix = ${error?.fix ?? null}::text`,
      Prisma.sql`error_retryable = ${error?.retryable ?? null}::boolean`,
    );
  }
  return all;
}

function streamRecord(stream: StreamChange): Json {
  return {
    position: stream.position,
    status: stream.status,
    rows_read: stream.rowsRead.toString(),
    rows_written: stream.rowsWritten.toString(),
    bytes_read: stream.bytesRead.toString(),
    estimated_rows: stream.estimatedRows?.toString() ?? null,
    rows_added: stream.changes?.added.toString() ?? null,
    rows_changed: stream.changes?.changed.toString() ?? null,
    rows_removed: stream.changes?.removed.toString() ?? null,
    replaces: stream.checkpoint !== undefined,
    checkpoint: stream.checkpoint ?? null,
  };
}

function lineRecord(line: LogLine, index: number): Json {
  return {
    number: index + 1,
    at: line.at.toISOString(),
    level: line.level,
    stream: line.stream,
    // Postgres keeps no NUL in a text.
    message: line.message.replaceAll('\0', ''),
  };
}
