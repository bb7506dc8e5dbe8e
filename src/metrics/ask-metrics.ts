import { AppError } from '#base/errors.ts';
import { nearest } from '#base/nearest.ts';
import {
  type Asker,
  askWarehouse,
  type CacheStatus,
  oldestFreshness,
  shownSql,
  type WarehouseAnswer,
  type WarehouseQuestion,
} from '#catalog/ask.ts';
import { knownMappings } from '#catalog/mappings.ts';
import type { MetricDeps } from './deps.ts';
import type { UnitSql } from './facts-sql.ts';
import { measureTree, unknownMetric } from './measure-tree.ts';
import { parseQuestion } from './parse-question.ts';
import { Planner, type QuestionPlan, type Unit } from './plan.ts';
import type { MetricAnswer, Question } from './question.ts';
import { type KnownMetrics, readDefinitions } from './read-definitions.ts';
import { type Ground, loadGround } from './rows.ts';
import { readUnit, rowsMax, shapePoints, type UnitRows } from './shape-answer.ts';
import { unitSql } from './unit-sql.ts';

export type { MetricAnswer, Question } from './question.ts';

/** What came of a statement: its rows, or why there are none. */
interface Asked extends UnitSql {
  answer: WarehouseAnswer;
}

type Outcome<T> = { value: T } | { error: AppError };

/**
 * Answers in the order of the questions. What fails one of them is its own AppError and not the others'; what fails
 * unexpectedly fails all. Measures of all questions over the same rows, filter, cut and groups are one statement. `keep` is
 * how old what is kept of an equal statement may be.
 */
export async function askMetrics(
  deps: MetricDeps,
  asker: Asker,
  questions: readonly Question[],
  keep: WarehouseQuestion['keep'] = null,
): Promise<(MetricAnswer | AppError)[]> {
  const names = questions.flatMap((question) => question.metrics);
  const { memory } = deps.catalog;
  const metrics = await readDefinitions(deps, asker.projectId, names, memory.of(asker));
  const definitions = [...metrics.values()].map(({ definition }) => definition);
  const mappings = knownMappings(deps.catalog, asker);
  const ground = await loadGround(deps, asker.projectId, definitions, mappings);
  const planner = new Planner();
  const plans = questions.map((question) =>
    outcomeOf(() => plan(planner, { metrics, ground }, question, deps.now())),
  );
  await suggest(deps, asker.projectId, questions, metrics, plans);
  const asked = new Map<Unit, Outcome<Asked & { rows: UnitRows }>>();
  await Promise.all(
    planner.units.map(async (unit) => asked.set(unit, await askUnit(deps, asker, unit, keep))),
  );
  return plans.map((planned) => {
    if ('error' in planned) return planned.error;
    const answer = answerOf(planned.value, asked);
    return 'error' in answer ? answer.error : answer.value;
  });
}

function plan(
  planner: Planner,
  known: { metrics: KnownMetrics; ground: Ground },
  question: Question,
  now: Date,
): QuestionPlan {
  const parsed = parseQuestion(question, now);
  const trees = parsed.metrics.map((name) => measureTree({ ...known, by: parsed.by }, name));
  return planner.plan(parsed, trees, (unit) => void unitSql(unit));
}

/** A name that no metric has is told with the one that was probably meant, which takes the names of all. */
async function suggest(
  deps: MetricDeps,
  projectId: string,
  questions: readonly Question[],
  metrics: KnownMetrics,
  plans: Outcome<QuestionPlan>[],
): Promise<void> {
  const unknown = questions.map((question) => question.metrics.find((name) => !metrics.has(name)));
  if (unknown.every((name) => name === undefined)) return;
  const rows = await deps.store.db.metric.findMany({
    where: { projectId, deletedAt: null },
    select: { name: true },
  });
  const all = rows.map((row) => row.name);
  for (const [at, name] of unknown.entries()) {
    const isKnownMistake = name !== undefined && nearest(name, all) !== undefined;
    if (isKnownMistake) plans[at] = { error: unknownMetric(name, all) };
  }
}

async function askUnit(
  deps: MetricDeps,
  asker: Asker,
  unit: Unit,
  keep: WarehouseQuestion['keep'],
): Promise<Outcome<Asked & { rows: UnitRows }>> {
  const { sql, tableIds } = unitSql(unit);
  return outcomeOfAsync(async () => {
    const { datastore } = unit.rows;
    const answer = await askWarehouse(deps.catalog, asker, {
      datastore,
      sql,
      tableIds,
      rowsMax,
      operation: 'metrics',
      keep,
    });
    return { sql, tableIds, answer, rows: readUnit(unit, answer) };
  });
}

function answerOf(
  planned: QuestionPlan,
  asked: ReadonlyMap<Unit, Outcome<Asked & { rows: UnitRows }>>,
): Outcome<MetricAnswer> {
  const units = new Set(
    [...planned.reads.values()].flatMap(({ current, previous }) => [previous.unit, current.unit]),
  );
  const outcomes = [...units].map((unit) => asked.get(unit)!);
  const failed = outcomes.find((outcome) => 'error' in outcome);
  if (failed) return failed;
  const done = outcomes.map((outcome) => (outcome as { value: Asked & { rows: UnitRows } }).value);
  const tableIds = [...new Set(done.flatMap((each) => each.tableIds))];
  return outcomeOf(() => ({
    points: shapePoints(planned, (unit) => (asked.get(unit) as { value: { rows: UnitRows } }).value.rows),
    sql: done.map(({ answer }) => shownSql(answer.statement)),
    cache: worstOf(done.map(({ answer }) => answer.cache)),
    freshness: oldestFreshness(done.map(({ answer }) => answer.freshness)),
    tableIds,
  }));
}

const fromBest: readonly CacheStatus[] = ['HIT', 'SHARED', 'STALE', 'MISS'];

function worstOf(all: readonly CacheStatus[]): CacheStatus {
  return all.reduce(
    (worst, each) => (fromBest.indexOf(each) > fromBest.indexOf(worst) ? each : worst),
    'HIT',
  );
}

function outcomeOf<T>(make: () => T): Outcome<T> {
  try {
    return { value: make() };
  } catch (error) {
    if (error instanceof AppError) return { error };
    throw error;
  }
}

async function outcomeOfAsync<T>(make: () => Promise<T>): Promise<Outcome<T>> {
  try {
    return { value: await make() };
  } catch (error) {
    if (error instanceof AppError) return { error };
    throw error;
  }
}
