import type { TaskStatus } from '#generated/prisma/enums.ts';
import type { Tx } from '#store/open-store.ts';

/** The task's status, which stays so until `tx` ends. */
export async function lockStatus(tx: Tx, taskId: string): Promise<TaskStatus> {
  const rows = await tx.$queryRaw<{ status: TaskStatus }[]>`
    SELECT status::text AS status FROM task WHERE id = ${taskId}::uuid FOR UPDATE`;
  if (!rows[0]) throw new Error(`There is no task ${taskId}.`);
  return rows[0].status;
}
