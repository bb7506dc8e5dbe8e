import { expect, test } from 'vitest';
import { isEnded, liveStatuses, nextStatus, taskEvents } from '#pipelines/task-state.ts';
import { TaskStatus } from '#generated/prisma/enums.ts';

// SPEC.md has this table for its readers.
const table = `
event      QUEUED    RUNNING    CANCELING  SUCCEEDED  FAILED  CANCELED
claim      RUNNING   -          -          -          -       -
cancel     CANCELED  CANCELING  CANCELING  -          -       -
succeed    -         SUCCEEDED  SUCCEEDED  -          -       -
fail       -         FAILED     CANCELED   -          -       -
retry      -         QUEUED     CANCELED   -          -       -
handBack   -         QUEUED     CANCELED   -          -       -
lose       -         QUEUED     CANCELED   -          -       -
loseLast   -         FAILED     CANCELED   -          -       -
stop       -         -          CANCELED   -          -       -
`;

test('every event in every status leads where the table says', () => {
  const [head = [], ...rows] = table
    .trim()
    .split('\n')
    .map((line) => line.split(/\s+/));
  const statuses = head.slice(1) as TaskStatus[];
  expect(statuses).toEqual(Object.values(TaskStatus));
  expect(rows.map(([event]) => event)).toEqual(taskEvents);
  const actual = taskEvents.map((event) => [
    event,
    ...statuses.map((status) => nextStatus(status, event) ?? '-'),
  ]);
  expect(actual).toEqual(rows);
});

test('nothing happens to a task that has ended, and a live one can be ended from every status', () => {
  for (const status of Object.values(TaskStatus)) {
    const next = taskEvents.map((event) => nextStatus(status, event)).filter((each) => each !== null);
    expect(next.length === 0).toBe(isEnded(status));
    expect(liveStatuses.includes(status)).toBe(!isEnded(status));
  }
});
