import { AppError } from '#base/errors.ts';
import type { PropertyFilter } from '#catalog/filter-sql.ts';
import type { Aggregation, Grain } from '#warehouse/dialect.ts';
import { dialectOf } from '#warehouse/dialects.ts';
import { type Leaf, leavesOf, type MeasureTree, type SimpleLeaf } from './measure-tree.ts';
import type { ParsedQuestion } from './parse-question.ts';
import type { Rows } from './rows.ts';
import type { TimeZone } from './time-zone.ts';
import { cutWindows, type WindowCut, windowRange } from './windows.ts';

/** A half-open range; from null is since ever. */
export interface Range {
  fromMs: number | null;
  toMs: number;
}

/** How rows are told apart by their time. */
export type Cut =
  /** Ranges that do not meet, the earlier first; each with the key of the period that it is. */
  | { type: 'whole'; ranges: readonly (Range & { key: number })[] }
  | { type: 'periods'; zone: TimeZone; grain: Grain; ranges: readonly Range[] }
  | ({ type: 'windows'; zone: TimeZone; toMs: number } & WindowCut);

/** The groups that are kept: the largest by a measure over the range. */
export interface Top {
  leaf: SimpleLeaf;
  limit: number;
  range: Range;
}

/** One statement: measures over the same rows, cut and grouped the same way. */
export interface Unit {
  rows: Rows;
  filter: readonly PropertyFilter[];
  by: readonly string[];
  cut: Cut;
  top: Top | null;
  leaves: Leaf[];
}

const quantiles: readonly Aggregation[] = ['MEDIAN', 'PERCENTILE'];

/** More measures than this are another statement: each may have a condition of its own, which is a bit of a number. */
const measuresMax = 60;

/** Where a value is found: the unit, and which of its measures. */
export interface Read {
  unit: Unit;
  measure: number;
}

export interface QuestionPlan {
  question: ParsedQuestion;
  trees: readonly MeasureTree[];
  reads: ReadonlyMap<Leaf, { current: Read; previous: Read }>;
}

/**
 * Plans questions so that the measures of all of them over the same rows, filter, cut and groups are one unit. A question is
 * planned with `check` given each unit that it needs, with its own measure alone: if that fails, nothing of the question
 * becomes part of a unit.
 */
export class Planner {
  readonly #units = new Map<string, Unit>();

  plan(question: ParsedQuestion, trees: readonly MeasureTree[], check: (unit: Unit) => void): QuestionPlan {
    const top = topOf(question, trees);
    const wanted = trees.flatMap(leavesOf).map((leaf) => ({ leaf, ...unitsFor(question, leaf, top) }));
    for (const { current, previous } of wanted) {
      check(current);
      if (previous !== current) check(previous);
    }
    const reads = new Map(
      wanted.map(({ leaf, current, previous }) => {
        const read = this.#add(current, leaf);
        return [leaf, { current: read, previous: previous === current ? read : this.#add(previous, leaf) }];
      }),
    );
    return { question, trees, reads };
  }

  get units(): Unit[] {
    return [...this.#units.values()];
  }

  #add(wanted: Unit, leaf: Leaf): Read {
    const own = leafKey(leaf);
    for (let nth = 0; ; nth += 1) {
      const key = `${nth} ${unitKey(wanted, leaf)}`;
      const unit = this.#units.get(key) ?? { ...wanted, leaves: [] };
      this.#units.set(key, unit);
      const known = unit.leaves.findIndex((each) => leafKey(each) === own);
      if (known >= 0) return { unit, measure: known };
      if (unit.leaves.length === measuresMax) continue;
      unit.leaves.push(leaf);
      return { unit, measure: unit.leaves.length - 1 };
    }
  }
}

/** Equal for measures that are the same number of the same rows. */
export function leafKey(leaf: Leaf): string {
  if (leaf.type === 'conversion') return JSON.stringify([leaf.counts, ...conversionKey(leaf)]);
  const { aggregation, column, percentile, condition } = leaf;
  return JSON.stringify([aggregation, column, percentile, condition]);
}

/** How the measures of a window are put together from cells; whatever cannot be has its rows kept, alone. */
export function mergeOf({ aggregation }: SimpleLeaf): 'cells' | 'values' {
  return ['COUNT_DISTINCT', 'MEDIAN', 'PERCENTILE'].includes(aggregation) ? 'values' : 'cells';
}

function conversionKey(leaf: Extract<Leaf, { type: 'conversion' }>): unknown[] {
  return [leaf.first, leaf.second, leaf.windowCount, leaf.windowGrain];
}

/** Whether the engine takes the measure in a statement of its own alone. */
function isQuantileAlone({ rows, aggregation }: SimpleLeaf): boolean {
  return quantiles.includes(aggregation) && dialectOf(rows.datastore.engine).quantilesAlone === true;
}

/** Measures whose units have one key are one statement. */
function unitKey({ rows, filter, by, cut, top }: Unit, leaf: Leaf): string {
  const alone =
    leaf.type === 'conversion'
      ? conversionKey(leaf)
      : (cut.type === 'windows' && mergeOf(leaf) === 'values') || isQuantileAlone(leaf)
        ? leafKey(leaf)
        : null;
  const shownCut = cut.type === 'whole' ? cut : { ...cut, zone: cut.zone.name };
  const shownTop = top && [top.leaf.rows.key, leafKey(top.leaf), top.limit, top.range];
  return JSON.stringify([rows.datastore.id, rows.key, filter, by, shownCut, shownTop, alone]);
}

/**
 * The largest groups are those of the first measure of the question's first metric, over the whole range; of a conversion,
 * of the users who did first.
 */
function topOf(question: ParsedQuestion, trees: readonly MeasureTree[]): Top | null {
  const first = trees[0] && leavesOf(trees[0])[0];
  if (question.limit === null || !first) return null;
  const range = { fromMs: question.fromMs, toMs: question.toMs };
  if (first.type === 'simple') return { leaf: { ...first, window: null }, limit: question.limit, range };
  const leaf: SimpleLeaf = {
    type: 'simple',
    rows: first.rows,
    aggregation: 'COUNT_DISTINCT',
    column: 'userKey',
    percentile: null,
    condition: { type: 'entity', filter: first.first },
    window: null,
  };
  return { leaf, limit: question.limit, range };
}

function unitsFor(question: ParsedQuestion, leaf: Leaf, top: Top | null): { current: Unit; previous: Unit } {
  const { filter, by } = question;
  if (top && top.leaf.rows.datastore.id !== leaf.rows.datastore.id) throw otherDatastore(top, leaf);
  const cuts = cutsFor(question, leaf.type === 'simple' ? leaf.window : null);
  const unitOf = (cut: Cut): Unit => ({ rows: leaf.rows, filter, by, cut, top, leaves: [leaf] });
  const current = unitOf(cuts.current);
  return { current, previous: cuts.previous === cuts.current ? current : unitOf(cuts.previous) };
}

function cutsFor(question: ParsedQuestion, window: SimpleLeaf['window']): { current: Cut; previous: Cut } {
  const { grain, zone, periods, toMs } = question;
  if (grain === null) return wholeCuts(question, window);
  const cut: Cut =
    window === null
      ? { type: 'periods', zone, grain, ranges: rangesOf(question) }
      : { type: 'windows', zone, toMs, ...cutWindows(zone, grain, periods, window) };
  return { current: cut, previous: cut };
}

/** What is compared is one statement where no row can be of both. */
function wholeCuts(
  { periods, zone }: ParsedQuestion,
  window: SimpleLeaf['window'],
): { current: Cut; previous: Cut } {
  const [{ period, previous }] = periods as [ParsedQuestion['periods'][number]];
  const ranges = [previous, period].flatMap((each) => {
    if (!each) return [];
    const range = window ? windowRange(zone, each, window) : { fromMs: each.startMs, toMs: each.endMs };
    return [{ key: each.key, ...range }];
  });
  const [one, other] = ranges as [(typeof ranges)[number], (typeof ranges)[number]?];
  if (other && (other.fromMs === null || other.fromMs < one.toMs)) {
    return { previous: { type: 'whole', ranges: [one] }, current: { type: 'whole', ranges: [other] } };
  }
  const cut: Cut = { type: 'whole', ranges };
  return { current: cut, previous: cut };
}

/**
 * The range that is asked for, and before it what is compared with it. A period that is in both is the one that is asked
 * for, so that a point and what it is compared with elsewhere are the same number.
 */
function rangesOf({ periods, fromMs, toMs }: ParsedQuestion): Range[] {
  const asked = { fromMs, toMs };
  const first = periods[0]?.previous;
  const last = periods.at(-1)?.previous;
  if (!first || !last) return [asked];
  const before = { fromMs: first.startMs, toMs: Math.min(last.endMs, periods[0]!.period.startMs) };
  return before.toMs === fromMs ? [{ fromMs: before.fromMs, toMs }] : [before, asked];
}

function otherDatastore(top: Top, leaf: Leaf): AppError {
  return new AppError(
    'BAD_USER_INPUT',
    `The largest groups are found in the datastore "${top.leaf.rows.datastore.name}", and cannot be told in "${leaf.rows.datastore.name}".`,
    { fix: 'Ask for metrics of one datastore, or without a limit.' },
  );
}
