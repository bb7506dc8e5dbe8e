import { AppError } from '#base/errors.ts';
import type { PropertyFilter } from '#catalog/filter-sql.ts';
import type { Grain } from '#warehouse/dialect.ts';
import {
  addGrains,
  periodAt,
  periodBefore,
  type Period,
  periodsOf,
  periodYearBefore,
  shortestMs,
} from './periods.ts';
import type { CompareTo, Question } from './question.ts';
import { timeZone, type TimeZone } from './time-zone.ts';

/** The most points that one question may have: periods times groups. */
export const pointsMax = 10_000;
/** The most groups that are told apart. */
export const groupsMax = 1_000;
const metricsMax = 100;
const dimensionsMax = 5;
const periodsDefault = 30;
const minuteMs = 60_000;
const calendar = { fromMs: Date.UTC(1800, 0, 1), toMs: Date.UTC(2400, 0, 1) };

/** A period that is asked for, and the one that it is compared with. */
export interface AskedPeriod {
  period: Period;
  previous: Period | null;
}

/** A question with nothing left open. */
export interface ParsedQuestion {
  metrics: readonly string[];
  grain: Grain | null;
  zone: TimeZone;
  fromMs: number;
  toMs: number;
  /** In order. Without a grain one, of the whole range, with the key 1; what it is compared with has the key 0. */
  periods: readonly AskedPeriod[];
  by: readonly string[];
  filter: readonly PropertyFilter[];
  compareTo: CompareTo | null;
  limit: number | null;
}

/**
 * Fills what was left open, and cuts the range into periods: rows of [from, to) count, each in the period of the zone's
 * calendar that holds its time, so that the first and the last period are partial where the range is not cut on their
 * bounds. `to` is now, up to the end of this minute, so that equal questions stay equal for a while; `from` is so that the
 * answer has 30 periods. Fails with BAD_USER_INPUT.
 */
export function parseQuestion(question: Question, now: Date): ParsedQuestion {
  const { metrics, grain, by, filter, compareTo, limit } = question;
  const zone = timeZone(question.timeZone ?? 'UTC');
  checkCounts(question);
  const toMs = question.to?.getTime() ?? Math.ceil(now.getTime() / minuteMs) * minuteMs;
  const fromMs = question.from?.getTime() ?? fromBefore(zone, question, toMs);
  const range = { fromMs, toMs };
  checkRange(question, range);
  const periods = grain === null ? wholePeriod(zone, range, compareTo) : cut(zone, grain, range, compareTo);
  if (periods.length * ((limit ?? 0) + 1) > pointsMax) throw tooManyPoints(question, periods.length);
  return { metrics, grain, zone, fromMs, toMs, periods, by, filter, compareTo, limit };
}

function checkCounts({ metrics, by, limit }: Question): void {
  const wrong = (message: string, fix: string) => new AppError('BAD_USER_INPUT', message, { fix });
  if (metrics.length === 0) throw wrong('No metric is asked for.', 'Name at least one.');
  if (metrics.length > metricsMax) {
    throw wrong(
      `${metrics.length} metrics are asked for; at most ${metricsMax} are allowed at once.`,
      'Ask for the others in another field.',
    );
  }
  const named = firstTwice(metrics);
  if (named !== undefined) throw wrong(`The metric "${named}" is asked for twice.`, 'Name each metric once.');
  if (by.length > dimensionsMax) {
    throw wrong(
      `"by" names ${by.length} dimensions; at most ${dimensionsMax} are allowed.`,
      'Leave some out.',
    );
  }
  const twice = firstTwice(by);
  if (twice !== undefined) throw wrong(`"by" names "${twice}" twice.`, 'Name each dimension once.');
  if (limit === null) return;
  if (limit < 1 || limit > groupsMax) {
    throw wrong(`The limit is ${limit}; 1 to ${groupsMax} are allowed.`, 'Give a limit within these bounds.');
  }
  if (by.length === 0) {
    throw wrong('A limit keeps the largest groups, and "by" asks for none.', 'Name dimensions in "by".');
  }
}

function firstTwice(names: readonly string[]): string | undefined {
  return names.find((name, at) => names.indexOf(name) !== at);
}

function checkRange({ grain }: Question, { fromMs, toMs }: { fromMs: number; toMs: number }): void {
  if (!(fromMs < toMs)) {
    throw new AppError(
      'BAD_USER_INPUT',
      `The range is empty: it begins at ${iso(fromMs)} and ends at ${iso(toMs)}, which itself does not count.`,
      { fix: 'Give a "from" that is before "to".' },
    );
  }
  if (grain !== null && (fromMs < calendar.fromMs || toMs > calendar.toMs)) {
    throw new AppError(
      'BAD_USER_INPUT',
      `The range from ${iso(fromMs)} to ${iso(toMs)} cannot be cut into periods: the years 1800 to 2399 can.`,
      { fix: 'Give a range within these years.' },
    );
  }
}

function fromBefore(
  zone: TimeZone,
  { grain, periods = periodsDefault }: Pick<Question, 'grain' | 'periods'>,
  toMs: number,
): number {
  if (grain === null) return addGrains(zone, toMs, -periodsDefault, 'DAY');
  let period = periodAt(zone, grain, toMs - 1);
  for (let count = 1; count < periods; count += 1) period = periodBefore(zone, grain, period);
  return period.startMs;
}

function wholePeriod(
  zone: TimeZone,
  { fromMs, toMs }: { fromMs: number; toMs: number },
  compareTo: CompareTo | null,
): AskedPeriod[] {
  const period = { key: 1, startMs: fromMs, endMs: toMs };
  if (compareTo === null) return [{ period, previous: null }];
  const [startMs, endMs] =
    compareTo === 'PREVIOUS_PERIOD'
      ? [fromMs - (toMs - fromMs), fromMs]
      : [addGrains(zone, fromMs, -1, 'YEAR'), addGrains(zone, toMs, -1, 'YEAR')];
  return [{ period, previous: { key: 0, startMs, endMs } }];
}

function cut(
  zone: TimeZone,
  grain: Grain,
  range: { fromMs: number; toMs: number },
  compareTo: CompareTo | null,
): AskedPeriod[] {
  // Far too many need not be cut to be counted. No period is so much longer than the shortest.
  const atLeast = Math.floor(((range.toMs - range.fromMs) / shortestMs(grain)) * 0.8);
  const periods = atLeast > pointsMax ? [] : periodsOf(zone, grain, range, pointsMax + 1);
  if (atLeast > pointsMax || periods.length > pointsMax) {
    throw new AppError(
      'BAD_USER_INPUT',
      `The range from ${iso(range.fromMs)} to ${iso(range.toMs)} has more than ${pointsMax} periods of one ${grain}.`,
      { fix: 'Ask for a shorter range, or a coarser grain.' },
    );
  }
  return periods.map((period, at) => {
    if (compareTo === null) return { period, previous: null };
    if (compareTo === 'PREVIOUS_YEAR') return { period, previous: periodYearBefore(zone, grain, period) };
    return { period, previous: at > 0 ? (periods[at - 1] as Period) : periodBefore(zone, grain, period) };
  });
}

function tooManyPoints({ limit }: Question, periods: number): AppError {
  return new AppError(
    'BAD_USER_INPUT',
    `${periods} periods of ${(limit ?? 0) + 1} groups are more than ${pointsMax} points.`,
    { fix: 'Ask for a shorter range, a coarser grain, or a smaller limit.' },
  );
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
