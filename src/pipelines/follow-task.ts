import { AppError } from '#base/errors.ts';
import type { TaskStatus } from '#generated/prisma/enums.ts';
import type { PipelineDeps } from './deps.ts';
import type { TaskNews } from './task-feed.ts';
import { isEnded, liveStatuses } from './task-state.ts';

/** A notification may be lost without the connection: the task is looked at this often in any case. */
const pollMs = 10_000;
/** Tasks that ended so recently may have done so while nobody listened. */
const recentMs = 60_000;

type FollowDeps = Pick<PipelineDeps, 'store' | 'feed'>;

/**
 * Ticks now and then at every change of the task's status or counters; several changes may be one tick. Ends after the
 * tick of the task's end, or when the signal aborts. Fails with NOT_FOUND for a task of another project.
 */
export async function* followTask(
  deps: FollowDeps,
  ask: { projectId: string; taskId: string; signal: AbortSignal },
): AsyncGenerator<{ taskId: string }, void, void> {
  const { taskId, projectId, signal } = ask;
  const doorbell = new Doorbell(signal);
  let status: TaskStatus | undefined;
  // Listening comes before looking, so that no change falls between the two.
  using _bell = deps.feed.on(taskId, (news) => {
    if (news === 'missed') {
      status = undefined;
      doorbell.ring(taskId);
    } else if (isTick(news)) {
      status = news.status;
      doorbell.ring(taskId);
    }
  });
  doorbell.ring(taskId);
  while (!signal.aborted) {
    const rung = doorbell.take().length > 0;
    // The news says the status, so that a thousand followers need not ask for it; silence for long is asked about.
    if (status === undefined || !rung) status = await statusOf(deps, projectId, taskId);
    const ended = isEnded(status);
    if (rung || ended) yield { taskId };
    if (ended) return;
    await doorbell.wait(pollMs);
  }
}

async function statusOf(deps: FollowDeps, projectId: string, taskId: string): Promise<TaskStatus> {
  const task = await deps.store.db.task.findFirst({
    where: { id: taskId, projectId },
    select: { status: true },
  });
  if (!task) throw new AppError('NOT_FOUND', 'There is no such task.');
  return task.status;
}

/**
 * Ticks for every change of any task of the job, or of the whole project. Does not end but by the signal. Fails with
 * NOT_FOUND for a job of another project.
 */
export async function* followTasks(
  deps: FollowDeps,
  ask: { projectId: string; jobId: string | null; signal: AbortSignal },
): AsyncGenerator<{ taskId: string }, void, void> {
  const { projectId, jobId, signal } = ask;
  const doorbell = new Doorbell(signal);
  using _bell = deps.feed.on(jobId ?? projectId, (news) => {
    if (news === 'missed') doorbell.miss();
    else if (news.projectId === projectId && isTick(news)) doorbell.ring(news.taskId);
  });
  if (jobId !== null) {
    const job = await deps.store.db.job.findFirst({
      where: { id: jobId, projectId, deletedAt: null },
      select: { id: true },
    });
    if (!job) throw new AppError('NOT_FOUND', 'There is no such job.');
  }
  while (!signal.aborted) {
    if (doorbell.takeMissed()) {
      for (const id of await changedLately(deps, projectId, jobId)) doorbell.ring(id);
    }
    for (const taskId of doorbell.take()) {
      if (signal.aborted) return;
      yield { taskId };
    }
    await doorbell.wait();
  }
}

function isTick(news: TaskNews): boolean {
  return news.changed || isEnded(news.status);
}

async function changedLately(deps: FollowDeps, projectId: string, jobId: string | null): Promise<string[]> {
  const tasks = await deps.store.db.task.findMany({
    where: {
      projectId,
      ...(jobId === null ? {} : { jobId }),
      OR: [{ status: { in: [...liveStatuses] } }, { finishedAt: { gte: new Date(Date.now() - recentMs) } }],
    },
    select: { id: true },
    orderBy: { createdAt: 'asc' },
  });
  return tasks.map((task) => task.id);
}

/** Remembers which tasks rang since somebody looked: each once, however often, so that it never grows without bound. */
class Doorbell {
  private readonly rung = new Set<string>();
  private readonly signal: AbortSignal;
  private missed = false;
  private wake = Promise.withResolvers<void>();

  constructor(signal: AbortSignal) {
    this.signal = signal;
    signal.addEventListener('abort', () => this.wake.resolve(), { once: true });
  }

  ring(taskId: string): void {
    this.rung.add(taskId);
    this.wake.resolve();
  }

  miss(): void {
    this.missed = true;
    this.wake.resolve();
  }

  takeMissed(): boolean {
    const { missed } = this;
    this.missed = false;
    return missed;
  }

  take(): string[] {
    const all = [...this.rung];
    this.rung.clear();
    return all;
  }

  /** Resolves at the next ring, at once when it has rung, when the signal aborts, or after so long. */
  async wait(ms?: number): Promise<void> {
    if (this.rung.size > 0 || this.missed || this.signal.aborted) return;
    this.wake = Promise.withResolvers();
    const timer = ms === undefined ? undefined : setTimeout(() => this.wake.resolve(), ms);
    await this.wake.promise;
    clearTimeout(timer);
  }
}
