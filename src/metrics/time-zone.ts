import { AppError } from '#base/errors.ts';

/** From this moment on, until the next span begins, the zone's clock is so far ahead of UTC. */
export interface Span {
  fromMs: number;
  offsetMs: number;
}

const dayMs = 86_400_000;

/** Beyond these years the rules of the nearest one are taken. */
const yearFirst = 1800;
const yearLast = 2400;

/** A time zone of the IANA database: what its clocks show, and when they change. */
export class TimeZone {
  readonly name: string;
  readonly #format: Intl.DateTimeFormat;
  readonly #spansOfYear = new Map<number, readonly Span[]>();

  /** Fails with BAD_USER_INPUT for a name that is none. */
  constructor(name: string) {
    this.name = name;
    try {
      this.#format = new Intl.DateTimeFormat('en-US', {
        timeZone: name,
        hourCycle: 'h23',
        era: 'short',
        year: 'numeric',
        month: 'numeric',
        day: 'numeric',
        hour: 'numeric',
        minute: 'numeric',
        second: 'numeric',
      });
    } catch (error) {
      throw new AppError('BAD_USER_INPUT', `"${name}" is no time zone.`, {
        fix: 'Give a name of the IANA database, such as UTC, Europe/Berlin or America/New_York.',
        cause: error,
      });
    }
  }

  /** The spans that hold moments of [fromMs, toMs), in order; the first begins at or before fromMs. */
  spans(fromMs: number, toMs: number): Span[] {
    const all: Span[] = [];
    const last = yearOf(Math.max(fromMs, toMs - 1));
    for (let year = yearOf(fromMs); year <= last; year += 1) {
      for (const span of this.#ofYear(year)) {
        if (all.at(-1)?.offsetMs !== span.offsetMs) all.push(span);
      }
    }
    const first = all.findLastIndex((span) => span.fromMs <= fromMs);
    return all.slice(Math.max(0, first)).filter((span, at) => at === 0 || span.fromMs < toMs);
  }

  /** How far the clock is ahead of UTC at that moment. */
  offsetAt(ms: number): number {
    return this.#spanAt(ms).offsetMs;
  }

  /** What the clock shows at that moment, as if it were UTC. */
  localAt(ms: number): number {
    return ms + this.offsetAt(ms);
  }

  /** The first moment at which the clock shows that time or a later one: where it is skipped, the moment of the change. */
  firstAt(localMs: number): number {
    for (const { fromMs, untilMs, offsetMs } of this.#around(localMs)) {
      const moment = Math.max(fromMs, localMs - offsetMs);
      if (moment < untilMs) return moment;
    }
    return localMs - this.offsetAt(localMs);
  }

  /** The span that holds the moment, and where it ends as far as the same year and the next tell. */
  spanAround(ms: number): { fromMs: number; untilMs: number } {
    const spans = this.#around(ms);
    return spans.find((span) => span.fromMs <= ms && ms < span.untilMs) ?? { fromMs: ms, untilMs: Infinity };
  }

  #around(ms: number): { fromMs: number; untilMs: number; offsetMs: number }[] {
    const spans = this.spans(ms - 2 * dayMs, ms + 2 * dayMs);
    return spans.map((span, at) => ({ ...span, untilMs: spans[at + 1]?.fromMs ?? Infinity }));
  }

  #spanAt(ms: number): Span {
    const spans = this.#ofYear(yearOf(ms));
    return spans.findLast((span) => span.fromMs <= ms) ?? (spans[0] as Span);
  }

  #ofYear(year: number): readonly Span[] {
    const known = this.#spansOfYear.get(year);
    if (known) return known;
    const spans = this.#findSpans(year);
    this.#spansOfYear.set(year, spans);
    return spans;
  }

  /** No zone has ever changed its clock twice in one day. */
  #findSpans(year: number): Span[] {
    const end = startOfYear(year + 1);
    const spans = [{ fromMs: startOfYear(year), offsetMs: this.#measure(startOfYear(year)) }];
    for (let day = startOfYear(year); day < end; day += dayMs) {
      const before = spans.at(-1)!.offsetMs;
      const next = Math.min(day + dayMs, end);
      if (this.#measure(next - 1) !== before) spans.push(this.#change(day, next - 1, before));
    }
    return spans;
  }

  /** Changes happen at whole seconds. */
  #change(fromMs: number, untilMs: number, before: number): Span {
    let low = Math.floor(fromMs / 1000);
    let high = Math.floor(untilMs / 1000);
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if (this.#measure(middle * 1000) === before) low = middle + 1;
      else high = middle;
    }
    return { fromMs: low * 1000, offsetMs: this.#measure(low * 1000) };
  }

  #measure(ms: number): number {
    const second = Math.floor(ms / 1000) * 1000;
    const parts: Record<string, string> = {};
    for (const { type, value } of this.#format.formatToParts(second)) parts[type] = value;
    const year = parts.era === 'BC' ? 1 - Number(parts.year) : Number(parts.year);
    const local = new Date(0);
    local.setUTCFullYear(year, Number(parts.month) - 1, Number(parts.day));
    local.setUTCHours(Number(parts.hour), Number(parts.minute), Number(parts.second), 0);
    return local.getTime() - second;
  }
}

const zones = new Map<string, TimeZone>();

/** The zone of that name, made once a process. Fails with BAD_USER_INPUT for a name that is none. */
export function timeZone(name: string): TimeZone {
  const known = zones.get(name);
  if (known) return known;
  const zone = new TimeZone(name);
  // There are some 600 names; spelled in every case there would be no end of them.
  if (zones.size < 1_000) zones.set(name, zone);
  return zone;
}

function yearOf(ms: number): number {
  return Math.min(yearLast, Math.max(yearFirst, new Date(ms).getUTCFullYear()));
}

function startOfYear(year: number): number {
  return Date.UTC(year, 0, 1);
}
