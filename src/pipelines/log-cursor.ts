import { AppError } from '#base/errors.ts';

/** Where a task's log goes on exactly after this line. Opaque to clients. */
export function logCursor(line: { taskId: string; seq: number }): string {
  return Buffer.from(`log:${line.seq}:${tagOf(line.taskId)}`, 'latin1').toString('base64url');
}

/** The seq that the cursor stands after. Fails with BAD_USER_INPUT for anything but a cursor of this task's log. */
export function parseLogCursor(taskId: string, cursor: string): number {
  const [, seq, tag] =
    /^log:(\d{1,10}):([0-9a-f]+)$/.exec(Buffer.from(cursor, 'base64url').toString('latin1')) ?? [];
  if (seq === undefined || tag !== tagOf(taskId)) throw badLogCursor(cursor);
  return Number(seq);
}

/** The failure of a cursor that no line of the log has. */
export function badLogCursor(cursor: string): AppError {
  const shown = cursor.length > 60 ? `${cursor.slice(0, 60)}…` : cursor;
  return new AppError('BAD_USER_INPUT', `"${shown}" is not a cursor of this task's log.`, {
    fix: 'Use the cursor of one of its lines or batches, or leave it out to begin with the first line.',
  });
}

/** The random end of a UUIDv7 tells tasks apart, and keeps cursors short: each line has one. */
function tagOf(taskId: string): string {
  return taskId.slice(-6);
}
