import type { Problem } from '#base/errors.ts';
import { nearest } from '#base/nearest.ts';
import { entityFilterSql } from '#catalog/filter-sql.ts';
import { attempt, checkSimple, invalid, joinProblems } from './check-simple.ts';
import {
  type ConversionDefinition,
  type CumulativeDefinition,
  type KnownDefinition,
  knownDefinition,
  type MetricDefinition,
  type RatioDefinition,
} from './definition.ts';
import type { MetricDeps } from './deps.ts';
import { ExpressionError, namesOf, parseExpression } from './expression.ts';
import { timeOf } from './leaf-sql.ts';
import { shortestMs } from './periods.ts';
import { type KnownMetrics, usedBy } from './read-definitions.ts';
import { entityRows, type Ground, loadGround } from './rows.ts';

const centuryMs = 100 * shortestMs('YEAR');

/**
 * Everything that is wrong with the definition of a metric, new or known, among the metrics of its project: what it names
 * and is not there, a cycle, a division of unlike things, a type that cannot be summed. Nothing when it can be asked.
 */
export async function checkDefinition(
  deps: Pick<MetricDeps, 'store'>,
  projectId: string,
  metrics: KnownMetrics,
  metric: { name: string; definition: MetricDefinition },
): Promise<Problem[]> {
  const known = knownDefinition(metric.definition);
  if (!known) {
    const message =
      'A metric is defined by exactly one of simple, ratio, derived, cumulative and conversion.';
    return [invalid(['definition'], message, 'Give one of them, and leave the others out.')];
  }
  const named = namedIn(known);
  const names = Array.isArray(named) ? named.map(({ name }) => name) : [];
  const ground = await loadGround(deps, projectId, [known, ...measuresOf(metrics, names)]);
  return definitionProblems(ground, metrics, metric.name, known);
}

/** What is wrong with a definition on its ground, which holds what it and all that it is made of name. */
export function definitionProblems(
  ground: Ground,
  metrics: KnownMetrics,
  own: string,
  known: KnownDefinition,
): Problem[] {
  if (known.kind === 'CONVERSION') return checkConversion(ground, known.conversion);
  if (known.kind === 'SIMPLE') return checkSimple(ground, known.simple);
  const problems = checkNames(metrics, own, known);
  if (known.kind === 'CUMULATIVE') problems.push(...checkWindow(known.cumulative));
  if (problems.length > 0) return problems;
  if (known.kind === 'RATIO') return checkRatio(ground, metrics, known.ratio);
  return known.kind === 'CUMULATIVE' ? checkCumulated(metrics, known.cumulative) : [];
}

/** The names that a definition gives, each with its place. */
function namedIn(known: KnownDefinition): { name: string; path: string[] }[] | Problem {
  if (known.kind === 'RATIO') {
    const { numerator, denominator } = known.ratio;
    return [
      { name: numerator, path: ['definition', 'ratio', 'numerator'] },
      { name: denominator, path: ['definition', 'ratio', 'denominator'] },
    ];
  }
  if (known.kind === 'CUMULATIVE') {
    return [{ name: known.cumulative.metric, path: ['definition', 'cumulative', 'metric'] }];
  }
  if (known.kind !== 'DERIVED') return [];
  const path = ['definition', 'derived', 'expression'];
  try {
    const names = namesOf(parseExpression(known.derived.expression));
    if (names.length > 0) return names.map((name) => ({ name, path }));
    return invalid(path, 'The expression names no metric.', 'Name at least one.');
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error;
    return invalid(
      path,
      `${error.message}.`,
      'Names of metrics, numbers, + - * / and parentheses are allowed.',
    );
  }
}

function checkNames(metrics: KnownMetrics, own: string, known: KnownDefinition): Problem[] {
  const named = namedIn(known);
  if (!Array.isArray(named)) return [named];
  return named.flatMap(({ name, path }): Problem[] => {
    const cycle = cycleFrom(metrics, own, name, [own]);
    if (cycle) {
      const message = `"${own}" would be made of itself: ${cycle.join(' → ')}.`;
      return [invalid(path, message, 'Name another metric, or change one of these.')];
    }
    if (metrics.has(name)) return [];
    const near = nearest(name, [...metrics.keys()]);
    const message = `There is no metric "${name}".${near === undefined ? '' : ` Did you mean "${near}"?`}`;
    return [invalid(path, message, 'List them with the query metrics, or make it first.', 'NOT_FOUND')];
  });
}

/** How one comes from a metric back to the one that is defined; null when one does not. */
function cycleFrom(
  metrics: KnownMetrics,
  own: string,
  name: string,
  path: readonly string[],
  seen = new Set<string>(),
): string[] | null {
  if (name === own) return [...path, own];
  const metric = metrics.get(name);
  if (!metric || seen.has(name)) return null;
  seen.add(name);
  for (const used of usedBy(metric.definition)) {
    const cycle = cycleFrom(metrics, own, used, [...path, name], seen);
    if (cycle) return cycle;
  }
  return null;
}

/** The definitions that metrics of these names are made of, themselves among them. */
function measuresOf(
  metrics: KnownMetrics,
  names: readonly string[],
  seen = new Set<string>(),
): KnownDefinition[] {
  return names.flatMap((name) => {
    const metric = metrics.get(name);
    if (!metric || seen.has(name)) return [];
    seen.add(name);
    return [metric.definition, ...measuresOf(metrics, usedBy(metric.definition), seen)];
  });
}

function checkWindow({ windowCount, windowGrain, resetGrain }: CumulativeDefinition): Problem[] {
  const at = (field: string) => ['definition', 'cumulative', field];
  if (windowCount == null && windowGrain == null) return [];
  if (windowCount == null || windowGrain == null) {
    const missing = windowCount == null ? 'windowCount' : 'windowGrain';
    return [
      invalid(
        at(missing),
        `A window is a count and a grain; ${missing} is missing.`,
        'Give both, or none.',
        'REQUIRED',
      ),
    ];
  }
  if (resetGrain != null) {
    const message = 'A window and resetGrain are both given; a metric is cumulated over one of them.';
    return [invalid(at('resetGrain'), message, 'Leave one out.')];
  }
  return checkLength(at('windowCount'), windowCount, windowGrain);
}

function checkLength(path: string[], count: number, grain: ConversionDefinition['windowGrain']): Problem[] {
  if (count >= 1 && count * shortestMs(grain) <= centuryMs) return [];
  const message = `A window of ${count} ${grain} is not possible: 1 ${grain} to 100 years are.`;
  return [invalid(path, message, 'Give a window within these bounds.')];
}

/** Only what is measured over rows can be measured over more of them. */
function checkCumulated(metrics: KnownMetrics, { metric }: CumulativeDefinition): Problem[] {
  const wrong = measuresOf(metrics, [metric]).find(
    ({ kind }) => kind === 'CUMULATIVE' || kind === 'CONVERSION',
  );
  if (!wrong) return [];
  const message = `"${metric}" is, or is made of, a ${wrong.kind} metric, which cannot be cumulated.`;
  return [
    invalid(
      ['definition', 'cumulative', 'metric'],
      message,
      'Name a metric that is made of SIMPLE ones alone.',
    ),
  ];
}

/**
 * Unlike are a number of a whole window and one of a single period, a share of users and any other number, and numbers that
 * have no dimension in common though both say which they have. Whoever means it can write it as DERIVED.
 */
function checkRatio(ground: Ground, metrics: KnownMetrics, ratio: RatioDefinition): Problem[] {
  const { numerator, denominator } = ratio;
  const above = measuresOf(metrics, [numerator]);
  const below = measuresOf(metrics, [denominator]);
  const unlike = (why: string): Problem[] => [
    invalid(
      ['definition', 'ratio', 'denominator'],
      `"${numerator}" and "${denominator}" are unlike things: ${why}.`,
      'Divide things of a kind, or write it as DERIVED if it is meant.',
    ),
  ];
  const has = (definitions: readonly KnownDefinition[], kind: KnownDefinition['kind']) =>
    definitions.some((each) => each.kind === kind);
  if (has(above, 'CUMULATIVE') !== has(below, 'CUMULATIVE')) {
    return unlike('one is cumulated over many periods, the other is of one');
  }
  const share = [numerator, denominator].find((name) => metrics.get(name)?.definition.kind === 'CONVERSION');
  if (share !== undefined) return unlike(`"${share}" is a share of users already`);
  const [one, other] = [datastoresOf(ground, above), datastoresOf(ground, below)];
  if (one.length > 0 && other.length > 0 && !one.some((name) => other.includes(name))) {
    return unlike(`one is measured in the datastore "${one[0]}", the other in "${other[0]}"`);
  }
  const [ours, theirs] = [dimensionsOf(above), dimensionsOf(below)];
  const haveNoneInCommon = ours?.length && theirs?.length && !ours.some((path) => theirs.includes(path));
  return haveNoneInCommon ? unlike('they have no dimension in common') : [];
}

function datastoresOf({ mappings, tables }: Ground, definitions: readonly KnownDefinition[]): string[] {
  return definitions.flatMap((each) => {
    if (each.kind === 'CONVERSION') return mappings.EVENT?.table.datastore.name ?? [];
    if (each.kind !== 'SIMPLE') return [];
    const { entity, table } = each.simple;
    const found = entity == null ? tables.get(table ?? '') : mappings[entity]?.table;
    return found?.datastore.name ?? [];
  });
}

/** The dimensions that all of them name; null when none says which it has. */
function dimensionsOf(definitions: readonly KnownDefinition[]): string[] | null {
  const said = definitions.flatMap((each) =>
    each.kind === 'SIMPLE' && each.simple.dimensions != null ? [each.simple.dimensions] : [],
  );
  const [first, ...others] = said;
  return first ? first.filter((path) => others.every((paths) => paths.includes(path))) : null;
}

function checkConversion(ground: Ground, conversion: ConversionDefinition): Problem[] {
  const at = (...path: string[]) => ['definition', 'conversion', ...path];
  const problems = checkLength(at('windowCount'), conversion.windowCount, conversion.windowGrain);
  const placed = attempt(at(), () => {
    const rows = entityRows(ground, 'EVENT');
    const source = rows.open();
    timeOf(source, rows);
    source.column('userKey');
    return source;
  });
  if ('problem' in placed) return [...problems, placed.problem];
  for (const step of ['first', 'second'] as const) {
    const made = attempt(at(step), () => entityFilterSql(placed.value, conversion[step]));
    if ('problem' in made) problems.push(made.problem);
  }
  return [...problems, ...joinProblems(at(), placed.value)];
}
