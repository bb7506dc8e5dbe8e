import type { Viewer } from '#accounts/viewer.ts';
import { inProject } from '#accounts/visible.ts';
import { inputError } from '#base/errors.ts';
import type { Task } from '#generated/prisma/client.ts';
import type { Tx } from '#store/open-store.ts';
import { canceled, setOpenStreams } from './canceled.ts';
import type { PipelineDeps } from './deps.ts';
import { lockStatus } from './lock-status.ts';
import { nextStatus } from './task-state.ts';
import { writeTask } from './write-task.ts';

/**
 * Cancels a task: one that waits has ended at once, one that runs is CANCELING until its worker has stopped it. Fails
 * with NOT_FOUND, or NOT_CANCELLABLE for one that has ended.
 */
export async function cancelTask(deps: PipelineDeps, viewer: Viewer, input: { id: string }): Promise<Task> {
  return deps.store.db.$transaction(async (tx) => {
    const task = await tx.task.findFirst({ where: { id: input.id, ...inProject(viewer) } });
    if (!task) throw inputError('NOT_FOUND', ['id'], 'There is no such task.');
    if (!(await cancelInTx(deps, tx, task.id, 'Cancel was asked for.'))) {
      const { status } = await tx.task.findUniqueOrThrow({ where: { id: task.id } });
      const message = `The task is ${status}: it has ended already.`;
      throw inputError('NOT_CANCELLABLE', ['id'], message, 'Only a task with canCancel can be canceled.');
    }
    return tx.task.findUniqueOrThrow({ where: { id: task.id } });
  });
}

/** Cancels in `tx`; false when the task has ended. */
export async function cancelInTx(deps: PipelineDeps, tx: Tx, taskId: string, why: string): Promise<boolean> {
  const from = await lockStatus(tx, taskId);
  const status = nextStatus(from, 'cancel');
  if (!status) return false;
  if (status === from) return true;
  const at = deps.now();
  const line = { at, level: 'INFO' as const, stream: null, message: why };
  if (status !== 'CANCELED') {
    await writeTask(tx, { taskId, from: [from], set: { status, cancelRequestedAt: at }, lines: [line] });
    return true;
  }
  await writeTask(tx, {
    taskId,
    from: [from],
    set: { status, finishedAt: at, cancelRequestedAt: at, error: canceled },
    lines: [line, { ...line, message: 'Canceled while it waited for a worker.' }],
  });
  await setOpenStreams(tx, taskId, 'CANCELED');
  return true;
}

/** Whether cancelTask would do anything. */
export function canCancel(task: Pick<Task, 'status'>): boolean {
  const next = nextStatus(task.status, 'cancel');
  return next !== null && next !== task.status;
}
