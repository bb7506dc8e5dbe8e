import { CronExpressionParser } from 'cron-parser';
import type { Problem } from './errors.ts';

export interface ScheduleInput {
  cron: string;
  /** An IANA name; UTC without one. */
  timeZone?: string | null | undefined;
}

export interface Schedule {
  cron: string;
  timeZone: string;
}

const shorthands = ['@hourly', '@daily', '@weekly', '@monthly', '@yearly'];
const example = 'Five fields: minute, hour, day of month, month, day of week, such as "30 2 * * 1-5".';

/** The schedule with its time zone, and what is wrong with it. */
export function checkSchedule(input: ScheduleInput): { schedule: Schedule; problems: Problem[] } {
  const schedule = {
    cron: input.cron.trim().replaceAll(/\s+/g, ' '),
    timeZone: input.timeZone?.trim() || 'UTC',
  };
  const problems: Problem[] = [];
  if (!isTimeZone(schedule.timeZone)) {
    problems.push({
      code: 'INVALID',
      path: ['schedule', 'timeZone'],
      message: `"${schedule.timeZone}" is not a known time zone.`,
      fix: 'Use an IANA name such as "Europe/Berlin", or UTC.',
    });
  }
  const wrong = whatIsWrong(schedule.cron);
  if (wrong !== undefined) {
    problems.push({
      code: 'INVALID',
      path: ['schedule', 'cron'],
      message: `The cron expression "${schedule.cron}" cannot be used: ${wrong}.`,
      fix: example,
    });
  }
  return { schedule, problems };
}

/**
 * The first time of the schedule after that moment. A time that a change to summer time leaves out is moved behind the
 * gap; one that a change back repeats comes once, the first time, for schedules with a fixed hour.
 */
export function nextRunAfter(schedule: Schedule, moment: Date): Date {
  return CronExpressionParser.parse(schedule.cron, { tz: schedule.timeZone, currentDate: moment })
    .next()
    .toDate();
}

/** What a schedule is kept as, and whether it counts. */
export interface Timing {
  active: boolean;
  cron: string | null;
  timeZone: string | null;
}

/** The schedule as it is kept, nothing for none; what is wrong with it is added to the problems. */
export function checkTiming(
  schedule: ScheduleInput | null | undefined,
  problems: Problem[],
): { cron: string | null; timeZone: string | null } {
  if (schedule == null) return { cron: null, timeZone: null };
  const checked = checkSchedule(schedule);
  problems.push(...checked.problems);
  return checked.schedule;
}

/** When it is due next; null without a schedule, and while it is not active. */
export function nextRun({ active, cron, timeZone }: Timing, now: Date): Date | null {
  return active && cron !== null && timeZone !== null ? nextRunAfter({ cron, timeZone }, now) : null;
}

function whatIsWrong(cron: string): string | undefined {
  if (cron.startsWith('@')) {
    return shorthands.includes(cron)
      ? undefined
      : `of the shorthands only ${shorthands.join(', ')} are known`;
  }
  const fields = cron === '' ? 0 : cron.split(' ').length;
  if (fields !== 5) return `it has ${fields} fields, five are needed`;
  // "H" would be another time at each reading, since it stands for a random one.
  if (/H/.test(cron)) return '"H" is not a time';
  try {
    nextRunAfter({ cron, timeZone: 'UTC' }, new Date());
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message.replace(/\.$/, '') : String(error);
  }
}

function isTimeZone(name: string): boolean {
  // Intl knows offsets such as "+01:00" too, which are no time zones.
  if (!/^[A-Za-z]/.test(name)) return false;
  try {
    Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}
