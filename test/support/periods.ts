import type { Grain } from '#warehouse/dialect.ts';

/** Around changes of summer time, leap days and turns of the year. */
export const moments = [
  '2026-03-29T00:59:59.999Z',
  '2026-03-29T01:00:00.000Z',
  '2026-10-25T00:30:00.000Z',
  '2026-10-25T01:30:00.000Z',
  '2026-03-08T06:59:00.000Z',
  '2026-03-08T07:00:00.000Z',
  '2026-11-01T05:30:00.000Z',
  '2026-11-01T06:30:00.000Z',
  '2024-02-29T23:30:00.000Z',
  '2024-12-31T18:29:59.000Z',
  '2024-12-31T18:30:00.000Z',
  '2027-01-03T12:00:00.000Z',
  '1969-12-31T23:59:59.999Z',
].map((text) => Date.parse(text));

/** What a zone's clock shows, as if it were UTC: slowly, and with nothing of Sluice in it. */
export function clockOf(timeZone: string, ms: number): number {
  const format = new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'medium' });
  return Date.parse(`${format.format(ms).replace(' ', 'T')}Z`) + (((ms % 1000) + 1000) % 1000);
}

/** The number of the period that begins when the clock shows that. */
export function numberOf(grain: Grain, startMs: number, aheadMs: number): number {
  const date = new Date(startMs);
  const sinceMs = startMs - Date.parse('0001-01-01T00:00:00Z');
  switch (grain) {
    case 'YEAR':
      return date.getUTCFullYear();
    case 'QUARTER':
      return date.getUTCFullYear() * 4 + date.getUTCMonth() / 3;
    case 'MONTH':
      return date.getUTCFullYear() * 12 + date.getUTCMonth();
    case 'WEEK':
      return sinceMs / (7 * 86_400_000);
    case 'DAY':
      return sinceMs / 86_400_000;
    case 'HOUR':
    case 'MINUTE':
    default:
      return (sinceMs - aheadMs) / 1000;
  }
}

export function startOf(grain: Grain, ms: number): number {
  const date = new Date(ms);
  const [year, month, day] = [date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate()];
  switch (grain) {
    case 'YEAR':
      return Date.UTC(year, 0, 1);
    case 'QUARTER':
      return Date.UTC(year, month - (month % 3), 1);
    case 'MONTH':
      return Date.UTC(year, month, 1);
    case 'WEEK':
      return Date.UTC(year, month, day - ((date.getUTCDay() + 6) % 7));
    case 'DAY':
      return Date.UTC(year, month, day);
    case 'HOUR':
      return Date.UTC(year, month, day, date.getUTCHours());
    case 'MINUTE':
    default:
      return Date.UTC(year, month, day, date.getUTCHours(), date.getUTCMinutes());
  }
}

/** Without its zone: what a TIMESTAMP holds. */
export function isoOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, -1);
}
