import type { Log } from '#base/log.ts';
import type { TaskStatus } from '#generated/prisma/enums.ts';
import type { Store } from '#store/open-store.ts';

/** That something about a task has changed; what, the tables say. */
export interface TaskNews {
  taskId: string;
  jobId: string;
  projectId: string;
  status: TaskStatus;
  /** The last line written, so that a reader knows whether its log grew. */
  lastSeq: number;
  /** Whether more changed than the log: status, counters, streams. */
  changed: boolean;
}

/** 'missed' when notifications may have been lost: whoever hears it reads the tables again. */
export type TaskBell = (news: TaskNews | 'missed') => void;

/** One process's ear for all tasks: one LISTEN for any number of followers. */
export interface TaskFeed extends AsyncDisposable {
  /** Rings for every change of that task, of that job's tasks, or of that project's. */
  on(id: string, bell: TaskBell): Disposable;
}

/** The channel that the writers of tasks notify, with the words of `newsOf` as payload. */
export const taskChannel = 'sluice_task';

/** Listens until disposed. Fails when the database does not answer. */
export async function openTaskFeed(store: Store, log: Log): Promise<TaskFeed> {
  const bells = new Map<string, Set<TaskBell>>();
  const ring = (bell: TaskBell, news: TaskNews | 'missed'): void => {
    try {
      bell(news);
    } catch (error) {
      log.error('A follower of a task failed.', { error });
    }
  };
  const onPayload = (payload: string): void => {
    const news = newsOf(payload);
    if (!news) return;
    for (const id of [news.taskId, news.jobId, news.projectId]) {
      for (const bell of bells.get(id) ?? []) ring(bell, news);
    }
  };
  const onReconnect = (): void => {
    for (const each of bells.values()) for (const bell of each) ring(bell, 'missed');
  };
  const listening = await store.listen(taskChannel, onPayload, onReconnect);

  return {
    on(id, bell) {
      const all = bells.get(id) ?? new Set();
      bells.set(id, all.add(bell));
      return {
        [Symbol.dispose]() {
          all.delete(bell);
          if (all.size === 0 && bells.get(id) === all) bells.delete(id);
        },
      };
    },
    async [Symbol.asyncDispose]() {
      bells.clear();
      await listening[Symbol.asyncDispose]();
    },
  };
}

/** Reads "task job project status lastSeq changed"; undefined for what another version may send. */
export function newsOf(payload: string): TaskNews | undefined {
  const [taskId, jobId, projectId, status, lastSeq, changed] = payload.split(' ');
  if (!taskId || !jobId || !projectId || !status || !lastSeq) return undefined;
  return {
    taskId,
    jobId,
    projectId,
    status: status as TaskStatus,
    lastSeq: Number(lastSeq),
    changed: changed === '1',
  };
}
