import type { Grain } from '#warehouse/dialect.ts';
import type { TimeZone } from './time-zone.ts';

/**
 * A period of a grain in a zone. It is known by what the clock shows at its start, written as if that were UTC; of hours
 * and minutes, which a change of summer time may repeat, by the moment at which they would begin if the clock never
 * changed. The engine finds the number of the same period for each row by adding the zone's offset and cutting.
 */
export interface Period {
  key: number;
  startMs: number;
  endMs: number;
}

const lengthsMs: Record<Grain, number> = {
  MINUTE: 60_000,
  HOUR: 3_600_000,
  DAY: 86_400_000,
  WEEK: 7 * 86_400_000,
  MONTH: 28 * 86_400_000,
  QUARTER: 90 * 86_400_000,
  YEAR: 365 * 86_400_000,
};

const months: Partial<Record<Grain, number>> = { MONTH: 1, QUARTER: 3, YEAR: 12 };

/** No period of the grain is shorter, a change of the clock aside. */
export function shortestMs(grain: Grain): number {
  return lengthsMs[grain];
}

/** Hours and minutes: cut as moments, where longer grains are cut on the zone's calendar. */
export function isShort(grain: Grain): boolean {
  return grain === 'MINUTE' || grain === 'HOUR';
}

/** The start of the grain on a calendar; weeks begin on Monday. */
export function cutLocal(localMs: number, grain: Grain): number {
  const date = new Date(localMs);
  if (grain === 'WEEK') return cutLocal(localMs, 'DAY') - ((date.getUTCDay() + 6) % 7) * lengthsMs.DAY;
  const inMonths = months[grain];
  if (inMonths === undefined) return Math.floor(localMs / lengthsMs[grain]) * lengthsMs[grain];
  const month = Math.floor(date.getUTCMonth() / inMonths) * inMonths;
  return dateMs(date.getUTCFullYear(), month, 1);
}

/** So many grains later on a calendar, with the time of the day; a day that a month does not have is its last. */
export function addLocal(localMs: number, count: number, grain: Grain): number {
  const inMonths = months[grain];
  if (inMonths === undefined) return localMs + count * lengthsMs[grain];
  const date = new Date(localMs);
  const month = date.getUTCMonth() + count * inMonths;
  const daysOfMonth = new Date(dateMs(date.getUTCFullYear(), month + 1, 0)).getUTCDate();
  const day = Math.min(date.getUTCDate(), daysOfMonth);
  return dateMs(date.getUTCFullYear(), month, day) + (localMs - cutLocal(localMs, 'DAY'));
}

/** So many grains after a moment: hours and minutes as they pass, longer grains by the zone's calendar. */
export function addGrains(zone: TimeZone, ms: number, count: number, grain: Grain): number {
  if (isShort(grain)) return ms + count * lengthsMs[grain];
  return zone.firstAt(addLocal(zone.localAt(ms), count, grain));
}

/** From 0001-01-01, which was a Monday, to 1970-01-01. */
const eraMs = 62_135_596_800_000;

/** The number by which engines know the period of that key: Dialect.periodNumber says from where they count. */
export function numberOfKey(grain: Grain, key: number): number {
  if (isShort(grain)) return (key + eraMs) / 1000;
  const inMonths = months[grain];
  if (inMonths === undefined) return (key + eraMs) / lengthsMs[grain];
  const date = new Date(key);
  return (date.getUTCFullYear() * 12 + date.getUTCMonth()) / inMonths;
}

/** The key of the period that engines know by that number. */
export function keyOfNumber(grain: Grain, number: number): number {
  if (isShort(grain)) return number * 1000 - eraMs;
  const inMonths = months[grain];
  if (inMonths === undefined) return number * lengthsMs[grain] - eraMs;
  return dateMs(0, number * inMonths, 1);
}

/** The key of the period that holds the moment. */
export function keyAt(zone: TimeZone, grain: Grain, ms: number): number {
  const offset = zone.offsetAt(ms);
  const key = cutLocal(ms + offset, grain);
  return isShort(grain) ? key - offset : key;
}

/** The period that holds the moment. */
export function periodAt(zone: TimeZone, grain: Grain, ms: number): Period {
  const key = keyAt(zone, grain, ms);
  if (!isShort(grain)) {
    return { key, startMs: zone.firstAt(key), endMs: zone.firstAt(addLocal(key, 1, grain)) };
  }
  // Where the clock changes within an hour, what comes after is a period of its own, unless it is the same hour still.
  const span = zone.spanAround(ms);
  const end = key + lengthsMs[grain];
  return {
    key,
    startMs: keyAt(zone, grain, key) === key ? key : span.fromMs,
    endMs: span.untilMs < end && keyAt(zone, grain, span.untilMs) !== key ? span.untilMs : end,
  };
}

/** The periods that hold moments of [fromMs, toMs), in order; what lies beyond `countMax` of them is left out. */
export function periodsOf(
  zone: TimeZone,
  grain: Grain,
  range: { fromMs: number; toMs: number },
  countMax: number,
): Period[] {
  const periods: Period[] = [];
  for (let ms = range.fromMs; ms < range.toMs && periods.length < countMax;) {
    const period = periodAt(zone, grain, ms);
    periods.push(period);
    ms = period.endMs;
  }
  return periods;
}

/** The period just before. */
export function periodBefore(zone: TimeZone, grain: Grain, period: Period): Period {
  return periodAt(zone, grain, period.startMs - 1);
}

/** The same period of the year before: of weeks, the one 52 weeks earlier; of February 29, the day before March. */
export function periodYearBefore(zone: TimeZone, grain: Grain, period: Period): Period {
  if (isShort(grain)) {
    const local = addLocal(zone.localAt(period.startMs), -1, 'YEAR');
    return periodAt(zone, grain, zone.firstAt(local));
  }
  const local = grain === 'WEEK' ? addLocal(period.key, -52, 'WEEK') : addLocal(period.key, -1, 'YEAR');
  return periodAt(zone, grain, zone.firstAt(cutLocal(local, grain)));
}

function dateMs(year: number, month: number, day: number): number {
  const date = new Date(0);
  date.setUTCFullYear(year, month, day);
  return date.getTime();
}
