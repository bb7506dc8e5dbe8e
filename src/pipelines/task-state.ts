import type { TaskStatus } from '#generated/prisma/enums.ts';

/** What can happen to a task. SPEC.md says of each who lets it happen. */
export const taskEvents = [
  'claim',
  'cancel',
  'succeed',
  'fail',
  'retry',
  'handBack',
  'lose',
  'loseLast',
  'stop',
] as const;
export type TaskEvent = (typeof taskEvents)[number];

/** The statuses of a task that has not ended: at most one task of a job has one of these. */
export const liveStatuses: readonly TaskStatus[] = ['QUEUED', 'RUNNING', 'CANCELING'];

const ended = {
  claim: null,
  cancel: null,
  succeed: null,
  fail: null,
  retry: null,
  handBack: null,
  lose: null,
  loseLast: null,
  stop: null,
} satisfies Record<TaskEvent, null>;

const table: Record<TaskStatus, Record<TaskEvent, TaskStatus | null>> = {
  QUEUED: { ...ended, claim: 'RUNNING', cancel: 'CANCELED' },
  RUNNING: {
    claim: null,
    cancel: 'CANCELING',
    succeed: 'SUCCEEDED',
    fail: 'FAILED',
    retry: 'QUEUED',
    handBack: 'QUEUED',
    lose: 'QUEUED',
    loseLast: 'FAILED',
    stop: null,
  },
  CANCELING: {
    claim: null,
    cancel: 'CANCELING',
    // All was published before the cancel arrived: what is done is not called undone.
    succeed: 'SUCCEEDED',
    fail: 'CANCELED',
    retry: 'CANCELED',
    handBack: 'CANCELED',
    lose: 'CANCELED',
    loseLast: 'CANCELED',
    stop: 'CANCELED',
  },
  SUCCEEDED: ended,
  FAILED: ended,
  CANCELED: ended,
};

/** Where the event leads from that status; null when it cannot happen there and changes nothing. */
export function nextStatus(status: TaskStatus, event: TaskEvent): TaskStatus | null {
  return table[status][event];
}

/** Whether nothing can happen to the task any more. */
export function isEnded(status: TaskStatus): boolean {
  return !liveStatuses.includes(status);
}
