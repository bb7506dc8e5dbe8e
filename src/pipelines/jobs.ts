import { checkName, nameTaken, uniquely } from '#accounts/check-name.ts';
import { checkRevision } from '#accounts/check-revision.ts';
import { once } from '#accounts/idempotency.ts';
import type { Viewer } from '#accounts/viewer.ts';
import { visible } from '#accounts/visible.ts';
import { InputError, inputError, type Problem } from '#base/errors.ts';
import { newId } from '#base/id.ts';
import { checkTiming, nextRun, type ScheduleInput, type Timing } from '#base/schedule.ts';
import type { StreamSelection } from '#connectors/contract.ts';
import type { Job, Prisma } from '#generated/prisma/client.ts';
import type { Tx } from '#store/open-store.ts';
import { cancelInTx } from './cancel-task.ts';
import { checkFollowing } from './check-following.ts';
import type { JobStreamInput } from './check-streams.ts';
import type { PipelineDeps } from './deps.ts';
import { lockEnd } from './ends.ts';
import { selectStreams } from './select-streams.ts';
import { storedSelections } from './stream-state.ts';
import { liveStatuses } from './task-state.ts';

export interface CreateJobInput {
  name: string;
  sourceId: string;
  destinationId: string;
  streams: readonly JobStreamInput[];
  schedule?: ScheduleInput | null | undefined;
  /** False without it. */
  runAfterInputs?: boolean | null | undefined;
  /** True without it. */
  active?: boolean | null | undefined;
  idempotencyKey?: string | null | undefined;
}

export interface UpdateJobInput {
  id: string;
  name?: string | null | undefined;
  sourceId?: string | null | undefined;
  destinationId?: string | null | undefined;
  streams?: readonly JobStreamInput[] | null | undefined;
  /** Null takes the schedule away. */
  schedule?: ScheduleInput | null | undefined;
  runAfterInputs?: boolean | null | undefined;
  active?: boolean | null | undefined;
  expectedRevision?: number | null | undefined;
}

/** Makes a job. Fails with every problem of name, ends, streams and schedule at once. */
export async function createJob(deps: PipelineDeps, viewer: Viewer, input: CreateJobInput): Promise<Job> {
  const { db } = deps.store;
  const { name, problems } = checkName(input.name, 'job');
  const timing = checkTiming(input.schedule, problems);
  const selected = await selectStreams(deps, viewer, input);
  problems.push(...selected.problems);
  const runAfterInputs = input.runAfterInputs ?? false;
  if (runAfterInputs)
    problems.push(...(await checkFollowing(deps, viewer, { ...input, ways: selected.ways })));
  if (problems.length > 0) throw new InputError(problems);

  const insert = async (tx: Tx): Promise<{ id: string }> => {
    const job = { id: newId(), name };
    await lockEnds(tx, viewer, input);
    await nameTaken(tx, 'job', viewer, job);
    const now = deps.now();
    const active = input.active ?? true;
    return tx.job.create({
      data: {
        ...job,
        ...timing,
        projectId: viewer.projectId,
        sourceId: input.sourceId,
        destinationId: input.destinationId,
        active,
        runAfterInputs,
        nextRunAt: nextRun({ ...timing, active }, now),
        streams: asJson(selected.selections),
        createdAt: now,
        updatedAt: now,
        createdById: viewer.memberId,
        updatedById: viewer.memberId,
      },
    });
  };
  const ask = { projectId: viewer.projectId, operation: 'createJob', key: input.idempotencyKey, input };
  const { id } = await uniquely('job', name, () => db.$transaction((tx) => once(tx, ask, () => insert(tx))));
  return db.job.findUniqueOrThrow({ where: { id } });
}

/**
 * Changes what is named, under the next revision; a task that runs goes on as it began. A stream that is read otherwise or
 * written elsewhere now begins anew. Fails with NOT_FOUND, CONFLICT, or every problem at once.
 */
export async function updateJob(deps: PipelineDeps, viewer: Viewer, input: UpdateJobInput): Promise<Job> {
  const before = await findJob(deps.store.db, viewer, input.id);
  checkRevision(before, input.expectedRevision, 'job');
  const { problems, changes } = checkChanges(input, before);
  const ends = {
    sourceId: input.sourceId ?? before.sourceId,
    destinationId: input.destinationId ?? before.destinationId,
  };
  const movesEnds = ends.sourceId !== before.sourceId || ends.destinationId !== before.destinationId;
  const follows = changes.runAfterInputs && !before.runAfterInputs;
  const streams = input.streams ?? (movesEnds || follows ? storedSelections(before.streams) : undefined);
  const selected = streams && (await selectStreams(deps, viewer, { ...ends, streams }));
  if (selected) {
    problems.push(...selected.problems);
    changes.streams = asJson(selected.selections);
  }
  if (changes.runAfterInputs && selected) {
    problems.push(...(await checkFollowing(deps, viewer, { ...ends, ways: selected.ways })));
  }
  if (problems.length > 0) throw new InputError(problems);

  const write = async (tx: Tx): Promise<Job> => {
    await lockEnds(tx, viewer, ends);
    if (changes.name !== undefined) await nameTaken(tx, 'job', viewer, { id: before.id, name: changes.name });
    const now = deps.now();
    const timing = { ...before, ...changes };
    const isRetimed = (['active', 'cron', 'timeZone'] as const).some((each) => timing[each] !== before[each]);
    const { count } = await tx.job.updateMany({
      where: { id: before.id, ...visible(viewer), revision: before.revision },
      data: {
        ...changes,
        ...ends,
        // Else it is the schedule's own, which may be starting a task right now.
        ...(isRetimed ? { nextRunAt: nextRun(timing, now) } : {}),
        revision: before.revision + 1,
        updatedAt: now,
        updatedById: viewer.memberId,
      },
    });
    const job = await findJob(tx, viewer, before.id);
    if (count === 0) checkRevision(job, before.revision, 'job');
    return job;
  };
  return uniquely('job', changes.name, () => deps.store.db.$transaction(write));
}

/** Turns the schedule on or off; tasks that run go on. Fails with NOT_FOUND. */
export async function setJobActive(
  deps: PipelineDeps,
  viewer: Viewer,
  input: { id: string; active: boolean },
): Promise<Job> {
  return updateJob(deps, viewer, input);
}

/** Deletes a job softly and cancels the task it may have running. Its tasks and what it wrote stay. Fails with NOT_FOUND. */
export async function deleteJob(
  deps: PipelineDeps,
  viewer: Viewer,
  input: { id: string },
): Promise<{ id: string }> {
  return deps.store.db.$transaction(async (tx) => {
    const now = deps.now();
    const { count } = await tx.job.updateMany({
      where: { id: input.id, ...visible(viewer) },
      data: { deletedAt: now, nextRunAt: null, updatedAt: now, updatedById: viewer.memberId },
    });
    if (count === 0) throw jobNotFound();
    const live = await tx.task.findFirst({
      where: { jobId: input.id, projectId: viewer.projectId, status: { in: [...liveStatuses] } },
    });
    if (live) await cancelInTx(deps, tx, live.id, 'The job was deleted: this task is canceled.');
    return { id: input.id };
  });
}

/** The job. Fails with NOT_FOUND for an unknown, foreign or deleted one. */
export async function findJob(db: Pick<Tx, 'job'>, viewer: Viewer, id: string): Promise<Job> {
  const job = await db.job.findFirst({ where: { id, ...visible(viewer) } });
  if (!job) throw jobNotFound();
  return job;
}

function jobNotFound(): InputError {
  return inputError('NOT_FOUND', ['id'], 'There is no such job.');
}

type JobChanges = Partial<Timing> & {
  name?: string;
  streams?: Prisma.InputJsonArray;
  runAfterInputs: boolean;
};

function checkChanges(input: UpdateJobInput, before: Job): { problems: Problem[]; changes: JobChanges } {
  const problems: Problem[] = [];
  const changes: JobChanges = {
    active: input.active ?? before.active,
    runAfterInputs: input.runAfterInputs ?? before.runAfterInputs,
  };
  if (input.name != null) {
    const checked = checkName(input.name, 'job');
    problems.push(...checked.problems);
    changes.name = checked.name;
  }
  if (input.schedule !== undefined) Object.assign(changes, checkTiming(input.schedule, problems));
  return { problems, changes };
}

/** In this order always, so that two jobs made at once do not wait for each other. A deleted end is NOT_FOUND. */
async function lockEnds(
  tx: Tx,
  viewer: Viewer,
  ends: { sourceId: string; destinationId: string },
): Promise<void> {
  await lockEnd(tx, viewer, 'source', ends.sourceId, ['sourceId']);
  await lockEnd(tx, viewer, 'destination', ends.destinationId, ['destinationId']);
}

function asJson(selections: StreamSelection[]): Prisma.InputJsonArray {
  return selections as unknown as Prisma.InputJsonArray;
}
