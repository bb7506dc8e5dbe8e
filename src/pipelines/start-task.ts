import { isUniqueViolation } from '#accounts/check-name.ts';
import { once } from '#accounts/idempotency.ts';
import type { Viewer } from '#accounts/viewer.ts';
import { visible } from '#accounts/visible.ts';
import { inputError, type Problem } from '#base/errors.ts';
import { newId } from '#base/id.ts';
import type { Task } from '#generated/prisma/client.ts';
import type { TaskKind, TaskTrigger } from '#generated/prisma/enums.ts';
import type { Tx } from '#store/open-store.ts';
import type { PipelineDeps } from './deps.ts';
import { storedSelections } from './stream-state.ts';
import { ownerIds, ownerInclude, type TaskOwner } from './task-owner.ts';
import { liveStatuses } from './task-state.ts';
import { enqueueTask, queueOf } from './work-item.ts';
import { notifyTask } from './write-task.ts';

interface StartedTask {
  task: Task;
  problems: Problem[];
}

/** The owner has a task that has not ended, and runs one at a time. */
class AlreadyRunning extends Error {
  readonly task: Task;

  constructor(task: Task) {
    super(`The task ${task.id} runs already.`);
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
): Promise<StartedTask> {
  const where = { id: input.jobId, ...visible(viewer) };
  const job = await deps.store.db.job.findFirst({ where, ...ownerInclude.job });
  if (!job) throw inputError('NOT_FOUND', ['id'], 'There is no such job.');
  return startByHand(deps, viewer, { job }, { operation: 'syncJob', input });
}

/** Starts a task of the transformation, as startTask does of a job. */
export async function runTransformation(
  deps: PipelineDeps,
  viewer: Viewer,
  input: { id: string; idempotencyKey?: string | null | undefined },
): Promise<StartedTask> {
  const where = { id: input.id, ...visible(viewer) };
  const transformation = await deps.store.db.transformation.findFirst({
    where,
    ...ownerInclude.transformation,
  });
  if (!transformation) throw inputError('NOT_FOUND', ['id'], 'There is no such transformation.');
  return startByHand(deps, viewer, { transformation }, { operation: 'runTransformation', input });
}

async function startByHand(
  deps: PipelineDeps,
  viewer: Viewer,
  owner: TaskOwner,
  ask: { operation: string; input: { idempotencyKey?: string | null | undefined } },
): Promise<StartedTask> {
  const { db } = deps.store;
  const queue = await queueOf(deps, owner);
  const onlyOnce = { ...ask, projectId: viewer.projectId, key: ask.input.idempotencyKey };
  try {
    const { id } = await db.$transaction((tx) =>
      once(tx, onlyOnce, () => insertTask(deps, tx, { owner, queue, trigger: 'MANUAL' })),
    );
    return { task: await db.task.findUniqueOrThrow({ where: { id } }), problems: [] };
  } catch (error) {
    const live =
      error instanceof AlreadyRunning
        ? error.task
        : isUniqueViolation(error)
          ? await liveTask(db, owner)
          : null;
    if (!live) throw error;
    const problem: Problem = {
      code: 'ALREADY_RUNNING',
      path: ['id'],
      message: `The ${wordsOf(owner).owner} runs one task at a time, and one is ${live.status}.`,
      fix: 'Follow that task, or cancel it first.',
    };
    return { task: live, problems: [problem] };
  }
}

const why: Record<TaskTrigger, string> = {
  MANUAL: 'by hand',
  SCHEDULE: 'by its schedule',
  RETRY: 'once more',
  UPSTREAM: 'after what it reads was written',
};

/** Inserts task, streams, first log line and work item, and notifies. Fails with AlreadyRunning. */
export async function insertTask(
  deps: PipelineDeps,
  tx: Tx,
  start: { owner: TaskOwner; queue: string; trigger: TaskTrigger },
): Promise<Task> {
  const { owner, queue, trigger } = start;
  const live = await liveTask(tx, owner);
  if (live) throw new AlreadyRunning(live);
  const id = newId();
  const at = deps.now();
  const { projectId } = owner.job ?? owner.transformation;
  const words = wordsOf(owner);
  const task = await tx.task.create({
    data: {
      id,
      projectId,
      ...ownerIds(owner),
      kind: words.kind,
      status: 'QUEUED',
      trigger,
      createdAt: at,
      lastSeq: 1,
    },
  });
  await tx.taskStream.createMany({
    data: words.streams.map(({ namespace, name }, position) => {
      return { taskId: id, position, projectId, namespace, name, status: 'QUEUED' as const };
    }),
  });
  const message = `Queued ${why[trigger]}: ${words.owner}, ${words.what}.`;
  await tx.taskLog.create({ data: { taskId: id, seq: 1, projectId, at, level: 'INFO', message } });
  await enqueueTask(deps, tx, { taskId: id, queue });
  await notifyTask(tx, task);
  return task;
}

/** What a task of the owner does, its streams, and how its log calls both. */
function wordsOf({ job, transformation }: TaskOwner): {
  kind: TaskKind;
  streams: { namespace: string | null; name: string }[];
  owner: string;
  what: string;
} {
  if (transformation) {
    const { name, targetSchema, targetTable, datastore } = transformation;
    return {
      kind: 'TRANSFORM',
      streams: [{ namespace: targetSchema, name: targetTable }],
      owner: `transformation "${name}"`,
      what: `which makes ${targetSchema}.${targetTable} in datastore "${datastore.name}"`,
    };
  }
  const streams = storedSelections(job.streams);
  const counted = streams.length === 1 ? '1 stream' : `${streams.length} streams`;
  return {
    kind: 'SYNC',
    streams,
    owner: `job "${job.name}"`,
    what: `${counted} from source "${job.source.name}" to destination "${job.destination.name}"`,
  };
}

/** The owner's task that has not ended; null when it has none. */
export async function liveTask(db: Pick<Tx, 'task'>, owner: TaskOwner): Promise<Task | null> {
  return db.task.findFirst({ where: { ...ownerIds(owner), status: { in: [...liveStatuses] } } });
}
