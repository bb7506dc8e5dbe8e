import type { WarehouseAnswer } from '#catalog/ask.ts';
import { AppError } from '#base/errors.ts';
import type { Json } from '#connectors/contract.ts';
import { type Leaf, type MeasureTree, valueOfNone } from './measure-tree.ts';
import { groupsMax, pointsMax } from './parse-question.ts';
import { keyOfNumber } from './periods.ts';
import type { Cut, QuestionPlan, Read, Unit } from './plan.ts';
import type { MetricPoint, MetricValue } from './question.ts';

/** More rows than this, and an answer has more points than may be: those that are asked for and those before. */
export const rowsMax = 2 * pointsMax;

/** The name of the group that holds what a limit left over. */
const other = 'other';

interface Group {
  /** Equal for the same dimensions, whatever statement they come from. */
  key: string;
  dimensions: Record<string, Json>;
  /** From 1; Infinity for the rest, null without a limit. */
  rank: number | null;
}

/** The rows of a unit by group and period. */
export interface UnitRows {
  groups: Group[];
  /** The measures of a group in a period; undefined without rows. */
  find(groupKey: string, periodKey: number): readonly (number | null)[] | undefined;
}

/** Reads the answer of a unit's statement. Fails with BAD_USER_INPUT when it has more rows than an answer may have. */
export function readUnit(unit: Unit, answer: WarehouseAnswer): UnitRows {
  if (answer.truncated) throw tooManyGroups(unit.by);
  const { by, top, cut, leaves } = unit;
  const hasPeriod = cut.type !== 'whole' || cut.ranges.length > 1;
  const rankAt = hasPeriod ? 1 : 0;
  const dimensionsAt = rankAt + (top ? 1 : 0);
  const measuresAt = dimensionsAt + by.length;
  const groups = new Map<string, Group>();
  const cells = new Map<string, Map<number, (number | null)[]>>();
  for (const row of answer.rows) {
    const rank = top ? (row[rankAt] === null ? Infinity : Number(row[rankAt])) : null;
    const values = row
      .slice(dimensionsAt, measuresAt)
      .map((value) => (rank === Infinity ? other : jsonOf(value)));
    const key = JSON.stringify([rank === Infinity, values]);
    if (!groups.has(key)) {
      groups.set(key, {
        key,
        rank,
        dimensions: Object.fromEntries(by.map((path, at) => [path, values[at]!])),
      });
    }
    const period = hasPeriod ? periodKeyOf(cut, row[0]) : onlyKey(cut);
    const ofGroup = cells.get(key) ?? new Map<number, (number | null)[]>();
    cells.set(key, ofGroup);
    ofGroup.set(period, row.slice(measuresAt, measuresAt + leaves.length).map(numberOf));
  }
  return { groups: [...groups.values()], find: (group, period) => cells.get(group)?.get(period) };
}

/**
 * The points of a question: each period with each group that has any row, by period; groups by their rank where there is a
 * limit, the rest last, else by their dimensions. Fails with BAD_USER_INPUT when they are too many.
 */
export function shapePoints(plan: QuestionPlan, rowsOf: (unit: Unit) => UnitRows): MetricPoint[] {
  const { question, trees } = plan;
  const groups = groupsOf(plan, rowsOf);
  if (groups.length > groupsMax + 1 || groups.length * question.periods.length > pointsMax) {
    throw tooManyGroups(question.by);
  }
  const valueAt = (group: Group, tree: MeasureTree, when: 'current' | 'previous', key: number) =>
    evaluate(tree, (leaf) => {
      const read = plan.reads.get(leaf)![when];
      return cellOf(rowsOf(read.unit), read, leaf, group, key);
    });
  return question.periods.flatMap(({ period, previous }) =>
    groups.map((group) => ({
      at: new Date(period.startMs),
      dimensions: group.dimensions,
      values: trees.map((tree) => {
        const value = valueAt(group, tree, 'current', period.key);
        return withChange(value, previous && valueAt(group, tree, 'previous', previous.key));
      }),
    })),
  );
}

/** All groups that any statement of the question found; one without dimensions when there is nothing to group by. */
function groupsOf({ question, reads }: QuestionPlan, rowsOf: (unit: Unit) => UnitRows): Group[] {
  if (question.by.length === 0) return [{ key: '[false,[]]', dimensions: {}, rank: null }];
  const units = new Set(
    [...reads.values()].flatMap(({ current, previous }) => [current.unit, previous.unit]),
  );
  const groups = new Map<string, Group>();
  for (const unit of units) {
    for (const group of rowsOf(unit).groups) if (!groups.has(group.key)) groups.set(group.key, group);
  }
  return [...groups.values()].sort(
    question.limit === null ? byDimensions : (one, two) => one.rank! - two.rank!,
  );
}

function byDimensions(one: Group, two: Group): number {
  const others = Object.values(two.dimensions);
  for (const [at, value] of Object.values(one.dimensions).entries()) {
    const order = compareJson(value, others[at] as Json);
    if (order !== 0) return order;
  }
  return 0;
}

/** Numbers by size, everything else as text, what is missing last. */
function compareJson(one: Json, two: Json): number {
  if (one === two) return 0;
  if (one === null || two === null) return one === null ? 1 : -1;
  if (typeof one === 'number' && typeof two === 'number') return one - two;
  const [left, right] = [one, two].map((value) =>
    typeof value === 'string' ? value : JSON.stringify(value),
  ) as [string, string];
  return left < right ? -1 : left > right ? 1 : 0;
}

function cellOf(rows: UnitRows, read: Read, leaf: Leaf, group: Group, key: number): number | null {
  const cell = rows.find(group.key, key)?.[read.measure] ?? null;
  if (cell === null) return valueOfNone(leaf);
  // A sum over NaN or infinity is no sum of nothing.
  return Number.isFinite(cell) ? cell : null;
}

/** What has no value, or would be divided by zero, makes the whole null. */
function evaluate(tree: MeasureTree, valueOf: (leaf: Leaf) => number | null): number | null {
  switch (tree.type) {
    case 'number':
      return tree.value;
    case 'leaf':
      return valueOf(tree.leaf);
    case 'negate': {
      const value = evaluate(tree.of, valueOf);
      return value === null ? null : -value;
    }
    case 'binary':
    default: {
      const left = evaluate(tree.left, valueOf);
      const right = evaluate(tree.right, valueOf);
      return left === null || right === null ? null : calculate(tree.operator, left, right);
    }
  }
}

function calculate(operator: '+' | '-' | '*' | '/', left: number, right: number): number | null {
  const value = { '+': left + right, '-': left - right, '*': left * right, '/': left / right }[operator];
  return Number.isFinite(value) ? value : null;
}

function withChange(value: number | null, previousValue: number | null): MetricValue {
  const share = value === null || previousValue === null ? null : calculate('/', value, previousValue);
  return { value, previousValue, change: share === null ? null : share - 1 };
}

/** The key of the period that a row is of. */
function periodKeyOf(cut: Cut, value: unknown): number {
  return cut.type === 'periods' ? keyOfNumber(cut.grain, Number(value)) : Number(value);
}

function onlyKey(cut: Cut): number {
  if (cut.type !== 'whole') throw new Error('Rows of many periods come with their keys.');
  return cut.ranges[0]!.key;
}

function numberOf(value: unknown): number | null {
  return value === null ? null : Number(value);
}

/** Whole numbers as numbers as long as they are exact. */
function jsonOf(value: unknown): Json {
  if (typeof value !== 'bigint') return value as Json;
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value.toString();
}

function tooManyGroups(by: readonly string[]): AppError {
  return new AppError(
    'BAD_USER_INPUT',
    `By ${by.join(', ')} the answer has more than ${groupsMax} groups, or more than ${pointsMax} points.`,
    { fix: 'Give a limit, to keep the largest groups and take the rest as one.' },
  );
}
