import { builder } from './builder.ts';

export const Schedule = builder.objectRef<{ cron: string; timeZone: string }>('Schedule').implement({
  description: 'When something is started by itself. Needs CONTROL_READ.',
  fields: (t) => ({
    cron: t.exposeString('cron', {
      description: 'Five fields: minute, hour, day of month, month, day of week.',
    }),
    timeZone: t.exposeString('timeZone', { description: 'The IANA time zone that cron is meant in.' }),
  }),
});

/** The schedule of a row that keeps one; null when it has none. */
export function scheduleOf(row: { cron: string | null; timeZone: string | null }) {
  return row.cron === null ? null : { cron: row.cron, timeZone: row.timeZone ?? 'UTC' };
}

export const ScheduleInput = builder.inputType('ScheduleInput', {
  description: 'When tasks start by themselves.',
  fields: (t) => ({
    cron: t.string({
      required: true,
      description:
        'Five fields: minute, hour, day of month, month, day of week. "0 6 * * 1-5" is at six on weekdays.',
    }),
    timeZone: t.string({
      description: 'The IANA time zone that cron is meant in, such as "Europe/Berlin". Null for UTC.',
    }),
  }),
});
