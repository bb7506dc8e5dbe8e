import type { TaskStatus } from '#generated/prisma/enums.ts';
import type { Tx } from '#store/open-store.ts';
import type { TaskFailure } from './classify-error.ts';

/** Why a canceled task has not succeeded. */
export const canceled: TaskFailure = {
  kind: 'CANCELED',
  message: 'The task was canceled.',
  fix: null,
  retryable: false,
};

/** What happens to a task happens to those of its streams that have not ended. */
export async function setOpenStreams(tx: Tx, taskId: string, status: TaskStatus): Promise<void> {
  await tx.taskStream.updateMany({
    where: { taskId, status: { in: ['QUEUED', 'RUNNING'] } },
    data: { status },
  });
}
