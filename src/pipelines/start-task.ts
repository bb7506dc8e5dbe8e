import { isUniqueViolation } from '#accounts/check-name.ts';
import { once } from '#accounts/idempotency.ts';
import type { Viewer } from '#accounts/viewer.ts';
import { visible } from '#accounts/visible.ts';
import { inputError, type Problem } from '#base/errors.ts';
import { newId } from '#base/id.ts';
import type { Destination, Job, Source, Task } from '#generated/prisma/client.ts';
import type { TaskTrigger } from '#generated/prisma/enums.ts';
import type { Tx } from '#store/open-store.ts';
import type { PipelineDeps } from './deps.ts';
import { storedSelections } from './stream-state.ts';
import { liveStatuses } from './task-state.ts';
import { enqueueTask, queueOf } from './work-item.ts';
import { notifyTask } from './write-task.ts';

export type JobWithEnds = Job & { source: Source; destination: Destination };

/** The job has a task that has not ended, and runs one at a time. */
class AlreadyRunning extends Error {
  readonly task: Task;

  constructor(task: Task) {
    super(`The job runs the task ${task.id} already.`);
    this.name = 'AlreadyRunning';
    this.task = task;
  }
}

/**
 * Starts a task of the job: it and its work item exist together or not at all. While the job has a live task, that one
 * is returned with the problem ALREADY_RUNNING. Fails with NOT_FOUND, or IDEMPOTENCY_KEY_REUSED.
 */
export async function startTask(
  deps: PipelineDeps,
  viewer: Viewer,
  input: { jobId: string; idempotencyKey?: string | null | undefined },
): Promise<{ task: Task; problems: Problem[] }> {
  const { db } = deps.store;
  const job = await db.job.findFirst({
    where: { id: input.jobId, ...visible(viewer) },
    include: { source: true, destination: true },
  });
  if (!job) throw inputError('NOT_FOUND', ['id'], 'There is no such job.');
  const queue = await queueOf(deps, job.destination);
  const ask = { projectId: viewer.projectId, operation: 'syncJob', key: input.idempotencyKey, input };
  try {
    const { id } = await db.$transaction((tx) =>
      once(tx, ask, () => insertTask(deps, tx, { job, queue, trigger: 'MANUAL' })),
    );
    return { task: await db.task.findUniqueOrThrow({ where: { id } }), problems: [] };
  } catch (error) {
    const live =
      error instanceof AlreadyRunning
        ? error.task
        : isUniqueViolation(error)
          ? await liveTask(db, job.id)
          : null;
    if (!live) throw error;
    const problem: Problem = {
      code: 'ALREADY_RUNNING',
      path: ['id'],
      message: `The job "${job.name}" runs one task at a time, and one is ${live.status}.`,
      fix: 'Follow that task, or cancel it first.',
    };
    return { task: live, problems: [problem] };
  }
}

/** Inserts task, streams, first log line and work item, and notifies. Fails with AlreadyRunning. */
export async function insertTask(
  deps: PipelineDeps,
  tx: Tx,
  start: { job: JobWithEnds; queue: string; trigger: TaskTrigger },
): Promise<Task> {
  const { job, queue, trigger } = start;
  const live = await liveTask(tx, job.id);
  if (live) throw new AlreadyRunning(live);
  const id = newId();
  const at = deps.now();
  const { projectId } = job;
  const selections = storedSelections(job.streams);
  const task = await tx.task.create({
    data: {
      id,
      projectId,
      jobId: job.id,
      kind: 'SYNC',
      status: 'QUEUED',
      trigger,
      createdAt: at,
      lastSeq: 1,
    },
  });
  await tx.taskStream.createMany({
    data: selections.map(({ namespace, name }, position) => {
      return { taskId: id, position, projectId, namespace, name, status: 'QUEUED' as const };
    }),
  });
  const streams = selections.length === 1 ? '1 stream' : `${selections.length} streams`;
  const why = trigger === 'SCHEDULE' ? 'by its schedule' : 'by hand';
  await tx.taskLog.create({
    data: {
      taskId: id,
      seq: 1,
      projectId,
      at,
      level: 'INFO',
      message: `Queued ${why}: job "${job.name}", ${streams} from source "${job.source.name}" to destination "${job.destination.name}".`,
    },
  });
  await enqueueTask(deps, tx, { taskId: id, queue });
  await notifyTask(tx, task);
  return task;
}

/** The job's task that has not ended; null when it has none. */
export async function liveTask(db: Pick<Tx, 'task'>, jobId: string): Promise<Task | null> {
  return db.task.findFirst({ where: { jobId, status: { in: [...liveStatuses] } } });
}
