import { AppError } from '#base/errors.ts';
import { nearest } from '#base/nearest.ts';
import type { EntityFilter, PropertyFilter } from '#catalog/filter-sql.ts';
import type { Aggregation, Grain } from '#warehouse/dialect.ts';
import type { CumulativeDefinition } from './definition.ts';
import { type Expression, type Operator, parseExpression } from './expression.ts';
import type { KnownMetrics } from './read-definitions.ts';
import { entityRows, type Ground, type Rows, rowsOf } from './rows.ts';

/** What must hold for a row to count in one measure, beside what the question asks for. */
export type Condition =
  { type: 'properties'; filter: readonly PropertyFilter[] } | { type: 'entity'; filter: EntityFilter };

/** The stretch of time that a CUMULATIVE measures, ending with each period. */
export type Window =
  { type: 'rolling'; count: number; grain: Grain } | { type: 'reset'; grain: Grain } | { type: 'ever' };

/** One aggregate over rows. */
export interface SimpleLeaf {
  type: 'simple';
  rows: Rows;
  aggregation: Aggregation;
  column: string | null;
  percentile: number | null;
  condition: Condition;
  window: Window | null;
}

/** How many users did first, or did first and then second. */
export interface ConversionLeaf {
  type: 'conversion';
  rows: Rows;
  first: EntityFilter;
  second: EntityFilter;
  windowCount: number;
  windowGrain: Grain;
  counts: 'first' | 'both';
}

export type Leaf = SimpleLeaf | ConversionLeaf;

/** How a metric is calculated from what the warehouse measures. */
export type MeasureTree =
  | { type: 'number'; value: number }
  | { type: 'leaf'; leaf: Leaf }
  | { type: 'negate'; of: MeasureTree }
  | { type: 'binary'; operator: Operator; left: MeasureTree; right: MeasureTree };

/** What it stands on; `by` are the dimensions that each measure must allow. */
interface Context {
  ground: Ground;
  metrics: KnownMetrics;
  by: readonly string[];
  /** To be called for each metric that is looked at. */
  onName: () => void;
}

/** A metric may name others so often, through all that it is made of: each that names the next one twice doubles them. */
const namesMax = 1_000;

/**
 * The tree of a metric. Fails with BAD_USER_INPUT for a metric that is not there, one that is made of itself or of too many,
 * rows that are not there any more, and a dimension that a measure does not allow.
 */
export function measureTree(context: Omit<Context, 'onName'>, name: string): MeasureTree {
  let names = 0;
  const onName = () => {
    names += 1;
    if (names <= namesMax) return;
    throw new AppError(
      'BAD_USER_INPUT',
      `The metric "${name}" names others more than ${namesMax} times, through those that it is made of.`,
      { fix: 'Make it of fewer metrics, and name each of them once.' },
    );
  };
  return treeOf({ ...context, onName }, name, null, []);
}

/** The leaves of a tree, from left to right. */
export function leavesOf(tree: MeasureTree): Leaf[] {
  switch (tree.type) {
    case 'number':
      return [];
    case 'leaf':
      return [tree.leaf];
    case 'negate':
      return leavesOf(tree.of);
    case 'binary':
    default:
      return [...leavesOf(tree.left), ...leavesOf(tree.right)];
  }
}

/** A leaf's value for a period without rows. */
export function valueOfNone(leaf: Leaf): number | null {
  if (leaf.type === 'conversion') return 0;
  return ['COUNT', 'COUNT_DISTINCT', 'SUM'].includes(leaf.aggregation) ? 0 : null;
}

/** The window of a CUMULATIVE definition. */
export function windowOf({ windowCount, windowGrain, resetGrain }: CumulativeDefinition): Window {
  if (windowCount != null && windowGrain != null) {
    return { type: 'rolling', count: windowCount, grain: windowGrain };
  }
  return resetGrain == null ? { type: 'ever' } : { type: 'reset', grain: resetGrain };
}

function treeOf(context: Context, name: string, window: Window | null, path: readonly string[]): MeasureTree {
  context.onName();
  if (path.includes(name)) {
    throw new AppError(
      'BAD_USER_INPUT',
      `The metric "${name}" is made of itself: ${[...path.slice(path.indexOf(name)), name].join(' → ')}.`,
      { fix: 'Change one of them.' },
    );
  }
  const metric = context.metrics.get(name);
  if (!metric) throw unknownMetric(name, [...context.metrics.keys()], path.at(-1));
  const { definition } = metric;
  const inner = (of: string, within = window) => treeOf(context, of, within, [...path, name]);
  switch (definition.kind) {
    case 'SIMPLE':
      return simpleTree(context, metric, definition.simple, window);
    case 'CONVERSION':
      return conversionTree(context.ground, definition.conversion);
    case 'RATIO': {
      const { numerator, denominator } = definition.ratio;
      return { type: 'binary', operator: '/', left: inner(numerator), right: inner(denominator) };
    }
    case 'DERIVED':
      return expressionTree(parseExpression(definition.derived.expression), inner);
    case 'CUMULATIVE':
    default:
      return inner(definition.cumulative.metric, windowOf(definition.cumulative));
  }
}

function simpleTree(
  { ground, by }: Context,
  { name }: { name: string },
  simple: Extract<Parameters<typeof rowsOf>[1], object>,
  window: Window | null,
): MeasureTree {
  const refused =
    simple.dimensions == null ? undefined : by.find((path) => !simple.dimensions!.includes(path));
  if (refused !== undefined) throw refusedDimension(name, refused, simple.dimensions!);
  const { aggregation, column, percentile } = simple.measure;
  return {
    type: 'leaf',
    leaf: {
      type: 'simple',
      rows: rowsOf(ground, simple),
      aggregation,
      column: column ?? null,
      percentile: percentile ?? null,
      condition: { type: 'properties', filter: simple.filter ?? [] },
      window,
    },
  };
}

function conversionTree(
  ground: Ground,
  definition: Omit<ConversionLeaf, 'type' | 'rows' | 'counts'>,
): MeasureTree {
  const { first, second, windowCount, windowGrain } = definition;
  const leaf = {
    type: 'conversion',
    rows: entityRows(ground, 'EVENT'),
    first,
    second,
    windowCount,
    windowGrain,
  } as const;
  return {
    type: 'binary',
    operator: '/',
    left: { type: 'leaf', leaf: { ...leaf, counts: 'both' } },
    right: { type: 'leaf', leaf: { ...leaf, counts: 'first' } },
  };
}

function expressionTree(expression: Expression, inner: (name: string) => MeasureTree): MeasureTree {
  switch (expression.type) {
    case 'number':
      return expression;
    case 'name':
      return inner(expression.name);
    case 'negate':
      return { type: 'negate', of: expressionTree(expression.of, inner) };
    case 'binary':
    default: {
      const { operator, left, right } = expression;
      return {
        type: 'binary',
        operator,
        left: expressionTree(left, inner),
        right: expressionTree(right, inner),
      };
    }
  }
}

/** The error for a name that no metric has. */
export function unknownMetric(name: string, names: readonly string[], user?: string): AppError {
  const near = nearest(name, names);
  return new AppError(
    'BAD_USER_INPUT',
    `There is no metric "${name}"${user === undefined ? '' : `, of which "${user}" is made`}.${near ? ` Did you mean "${near}"?` : ''}`,
    { fix: 'List them with the query metrics, or make it with createMetric.' },
  );
}

function refusedDimension(name: string, path: string, allowed: readonly string[]): AppError {
  const near = nearest(path, allowed);
  const has = allowed.length === 0 ? 'It has none.' : `It has: ${allowed.join(', ')}.`;
  return new AppError(
    'BAD_USER_INPUT',
    `"${path}" is no dimension of the metric "${name}".${near ? ` Did you mean "${near}"?` : ''} ${has}`,
    { fix: 'Ask by one of these, or add it to the metric with updateMetric.' },
  );
}
