import type { Grain } from '#warehouse/dialect.ts';
import type { Window } from './measure-tree.ts';
import type { AskedPeriod } from './parse-question.ts';
import { addGrains, addLocal, cutLocal, isShort, type Period, periodAt } from './periods.ts';
import type { TimeZone } from './time-zone.ts';

/** What one period of a CUMULATIVE measures: the cells whose keys are of [from, to). From null is since ever. */
export interface WindowBounds {
  /** The period's. */
  key: number;
  from: number | null;
  to: number;
}

/** The windows of a question's periods, and the grain of the cells that fill each of them exactly. */
export interface WindowCut {
  cellGrain: Grain;
  windows: WindowBounds[];
  /** The first moment that any of them holds; null for since ever. */
  fromMs: number | null;
}

const byLength: readonly Grain[] = ['MINUTE', 'HOUR', 'DAY', 'WEEK', 'MONTH', 'QUARTER', 'YEAR'];

/**
 * A rolling window is the stretch of `count` grains that ends with the period; one with a reset begins where the reset's
 * grain last began before the period's end. A window of days and longer goes by the zone's calendar.
 */
export function cutWindows(
  zone: TimeZone,
  grain: Grain,
  periods: readonly AskedPeriod[],
  window: Window,
): WindowCut {
  const cellGrain = cellGrainOf(grain, window);
  const windows = new Map<number, WindowBounds>();
  for (const { period, previous } of periods) {
    for (const each of [period, previous]) {
      if (each) windows.set(each.key, boundsOf(zone, grain, cellGrain, each, window));
    }
  }
  const all = [...windows.values()].sort((one, other) => one.key - other.key);
  const starts = all.map(({ from }) => from);
  const first = starts.includes(null) ? null : Math.min(...(starts as number[]));
  const fromMs = first === null || isShort(cellGrain) ? first : zone.firstAt(first);
  return { cellGrain, windows: all, fromMs };
}

/** The range of a CUMULATIVE that is asked for as one period. */
export function windowRange(
  zone: TimeZone,
  { startMs, endMs }: Pick<Period, 'startMs' | 'endMs'>,
  window: Window,
): { fromMs: number | null; toMs: number } {
  if (window.type === 'ever') return { fromMs: null, toMs: endMs };
  if (window.type === 'rolling') {
    return { fromMs: addGrains(zone, endMs, -window.count, window.grain), toMs: endMs };
  }
  const last = Math.max(startMs, endMs - 1);
  return { fromMs: periodAt(zone, window.grain, last).startMs, toMs: endMs };
}

/** The coarsest grain that both the periods and the starts of the windows are cut on. Months do not begin with weeks. */
function cellGrainOf(grain: Grain, window: Window): Grain {
  if (window.type === 'ever' || window.grain === grain) return grain;
  const [finer, coarser] = [grain, window.grain].sort(
    (one, other) => byLength.indexOf(one) - byLength.indexOf(other),
  );
  const isMixed = finer === 'WEEK' && coarser !== 'WEEK';
  return isMixed ? 'DAY' : (finer as Grain);
}

function boundsOf(
  zone: TimeZone,
  grain: Grain,
  cellGrain: Grain,
  period: Period,
  window: Window,
): WindowBounds {
  const { key } = period;
  if (isShort(cellGrain)) {
    const to = period.endMs;
    return { key, from: windowRange(zone, period, window).fromMs, to };
  }
  const to = addLocal(key, 1, grain);
  if (window.type === 'ever') return { key, from: null, to };
  if (window.type === 'rolling') return { key, from: addLocal(to, -window.count, window.grain), to };
  return { key, from: cutLocal(to - 1, window.grain), to };
}
