import type { TaskStatus } from '#generated/prisma/enums.ts';
import { isEnded } from './task-state.ts';

/** How far a task has come, from 0 to 1, by the rows its streams expect; null where a size is not known. */
export function taskProgress(
  task: { status: TaskStatus },
  streams: readonly { status: TaskStatus; rowsRead: bigint; estimatedRows: bigint | null }[],
): number | null {
  if (task.status === 'SUCCEEDED') return 1;
  let expected = 0n;
  let read = 0n;
  for (const stream of streams) {
    if (isEnded(stream.status)) {
      expected += stream.rowsRead;
      read += stream.rowsRead;
    } else if (stream.estimatedRows === null) {
      return null;
    } else {
      // Estimates may be too low: a stream is never further than its end.
      expected += stream.estimatedRows > stream.rowsRead ? stream.estimatedRows : stream.rowsRead;
      read += stream.rowsRead;
    }
  }
  return expected === 0n ? null : Number((read * 10_000n) / expected) / 10_000;
}
