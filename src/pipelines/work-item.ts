import { AppError } from '#base/errors.ts';
import { ConnectorError } from '#connectors/contract.ts';
import type { Tx } from '#store/open-store.ts';
import type { PipelineDeps } from './deps.ts';
import { configOfRow } from './end-config.ts';
import type { TaskOwner } from './task-owner.ts';

/** The queue of tasks that any process can run. */
export const commonQueue = 'tasks';

/** The queue of tasks that only the process which serves that home can run, since it alone opens their datastore. */
export function queueOfHome(homeId: string): string {
  return `${commonQueue}.${homeId}`;
}

/** The queue for tasks of this owner, by where they write to. What cannot be told, the run of the task reports on. */
export async function queueOf(deps: PipelineDeps, owner: TaskOwner): Promise<string> {
  try {
    const { projectId, name } = writtenBy(deps, owner);
    const homeId = name === null ? null : await deps.datastores.homeOf(projectId, name);
    return homeId === null ? commonQueue : queueOfHome(homeId);
  } catch (error) {
    if (error instanceof ConnectorError || error instanceof AppError) return commonQueue;
    throw error;
  }
}

/** The datastore that is written to: null for none, undefined for the default one. */
function writtenBy(
  deps: PipelineDeps,
  { job, transformation }: TaskOwner,
): { projectId: string; name: string | null | undefined } {
  if (transformation) return { projectId: transformation.projectId, name: transformation.datastore.name };
  const { connector, config } = configOfRow(deps, 'destination', job.destination);
  const datastore = connector.datastoreOf(config);
  return { projectId: job.projectId, name: datastore && datastore.name };
}

/**
 * Wishes for a worker for the task when `tx` commits. However often it is wished for, one item waits; an item too many
 * finds the task claimed, and does nothing.
 */
export async function enqueueTask(
  deps: PipelineDeps,
  tx: Tx,
  item: { taskId: string; queue: string; notBefore?: Date },
): Promise<void> {
  await deps.queue.enqueue(
    tx,
    item.queue,
    { taskId: item.taskId },
    { key: item.taskId, notBefore: item.notBefore },
  );
}

/** The task that an item asks a worker for; undefined for an item of another make. */
export function taskOfItem(data: object): string | undefined {
  return 'taskId' in data && typeof data.taskId === 'string' ? data.taskId : undefined;
}
