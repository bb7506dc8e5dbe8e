import type { Grain } from '#warehouse/dialect.ts';

/** An event with what it belongs to, as the slow computation sees it. */
export interface SlowEvent {
  at: number;
  name: string;
  user: string | null;
  amount: number | null;
  channel: string | null;
  plan: string | null;
}

export interface LocalTime {
  year: number;
  month: number;
  day: number;
  hour: number;
  minute: number;
  aheadMs: number;
}

const slotMs = 15 * 60_000;
const formats = new Map<string, Intl.DateTimeFormat>();
const slots = new Map<string, Map<number, number>>();

/** How far the zone is ahead of UTC. No zone of the tests changes its clock but at a quarter of an hour. */
function aheadMs(zone: string, ms: number): number {
  const slot = Math.floor(ms / slotMs) * slotMs;
  let ofZone = slots.get(zone);
  if (!ofZone) slots.set(zone, (ofZone = new Map()));
  const known = ofZone.get(slot);
  if (known !== undefined) return known;
  const format =
    formats.get(zone) ??
    new Intl.DateTimeFormat('en-US', {
      timeZone: zone,
      dateStyle: 'short',
      timeStyle: 'medium',
      hourCycle: 'h23',
    });
  formats.set(zone, format);
  const [month, day, year, hour, minute] = (format.format(slot).match(/\d+/g) ?? []).map(Number);
  const ahead = Date.UTC(2000 + year!, month! - 1, day, hour, minute) - slot;
  ofZone.set(slot, ahead);
  return ahead;
}

export function localTime(zone: string, ms: number): LocalTime {
  const ahead = aheadMs(zone, ms);
  const shown = new Date(ms + ahead);
  return {
    year: shown.getUTCFullYear(),
    month: shown.getUTCMonth() + 1,
    day: shown.getUTCDate(),
    hour: shown.getUTCHours(),
    minute: shown.getUTCMinutes(),
    aheadMs: ahead,
  };
}

const pad = (value: number) => String(value).padStart(2, '0');
const dateOf = (ms: number) => new Date(ms).toISOString().slice(0, 10);

/** What people call the period that holds the moment: two moments are of one period when this is the same. */
export function labelAt(zone: string, grain: Grain, ms: number): string {
  const { year, month, day, hour, minute, aheadMs: ahead } = localTime(zone, ms);
  const date = Date.UTC(year, month - 1, day);
  switch (grain) {
    case 'MINUTE':
      return `${dateOf(date)} ${pad(hour)}:${pad(minute)} ${ahead}`;
    case 'HOUR':
      return `${dateOf(date)} ${pad(hour)} ${ahead}`;
    case 'DAY':
      return dateOf(date);
    case 'WEEK':
      return `week of ${dateOf(date - ((new Date(date).getUTCDay() + 6) % 7) * 86_400_000)}`;
    case 'MONTH':
      return `${year}-${pad(month)}`;
    case 'QUARTER':
      return `${year} Q${Math.ceil(month / 3)}`;
    case 'YEAR':
    default:
      return String(year);
  }
}

/** The label of the same period of the year before. */
export function labelYearBefore(label: string): string {
  if (label.startsWith('week of ')) {
    return `week of ${dateOf(Date.parse(label.slice('week of '.length)) - 364 * 86_400_000)}`;
  }
  const before = `${Number(label.slice(0, 4)) - 1}${label.slice(4)}`;
  return before.endsWith('-02-29') ? before.replace('02-29', '02-28') : before;
}

export interface SlowPeriod {
  label: string;
  /** The first moment of it, which may be before the range. */
  at: number;
  /** The first moment after it. */
  end: number;
}

/** The periods of [from, to), found by going through the range in small steps. */
export function slowPeriods(zone: string, grain: Grain, from: number, to: number): SlowPeriod[] {
  const step = grain === 'MINUTE' ? 60_000 : grain === 'HOUR' ? slotMs : 2 * slotMs;
  const aligned = Math.floor(from / step) * step;
  const periods: SlowPeriod[] = [];
  const close = (last: SlowPeriod | undefined, ms: number) => {
    if (last) last.end = ms;
  };
  const dayMs = 86_400_000;
  let lastDay = Number.NaN;
  for (let ms = aligned; ms < to; ms += step) {
    // All of a day of the zone has one label, but where hours are told apart.
    const day = Math.floor((ms + aheadMs(zone, ms)) / dayMs);
    if (day === lastDay && grain !== 'HOUR' && grain !== 'MINUTE') continue;
    lastDay = day;
    const label = labelAt(zone, grain, ms);
    if (label === periods.at(-1)?.label) continue;
    close(periods.at(-1), ms);
    periods.push({ label, at: ms, end: Infinity });
  }
  for (let ms = aligned; labelAt(zone, grain, ms) === periods[0]!.label; ms -= step) periods[0]!.at = ms;
  const last = periods.at(-1)!;
  let end = Math.floor(to / step) * step;
  while (labelAt(zone, grain, end) === last.label) end += step;
  close(last, end);
  return periods;
}

/** What the clock shows, to be compared as text; shifted by so many grains of the calendar. */
export function wallAt(zone: string, ms: number, shift?: { count: number; grain: Grain }): string {
  const { year, month, day, hour, minute } = localTime(zone, ms);
  if (!shift) return new Date(Date.UTC(year, month - 1, day, hour, minute)).toISOString();
  const { count, grain } = shift;
  const days = { DAY: 1, WEEK: 7 }[grain as string];
  if (days !== undefined)
    return new Date(Date.UTC(year, month - 1, day + days * count, hour, minute)).toISOString();
  const months = { MONTH: 1, QUARTER: 3, YEAR: 12 }[grain as string]! * count;
  const lastDay = new Date(Date.UTC(year, month + months, 0)).getUTCDate();
  return new Date(Date.UTC(year, month - 1 + months, Math.min(day, lastDay), hour, minute)).toISOString();
}

export function quantile(values: number[], share: number): number | null {
  if (values.length === 0) return null;
  const sorted = [...values].sort((one, other) => one - other);
  const place = (sorted.length - 1) * share;
  const low = Math.floor(place);
  const high = Math.min(low + 1, sorted.length - 1);
  return sorted[low]! + (sorted[high]! - sorted[low]!) * (place - low);
}
