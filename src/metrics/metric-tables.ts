import type { MetricDeps } from './deps.ts';
import { measureTree } from './measure-tree.ts';
import { parseQuestion } from './parse-question.ts';
import { Planner, type Unit } from './plan.ts';
import type { Question } from './question.ts';
import { readDefinitions } from './read-definitions.ts';
import { loadGround } from './rows.ts';
import { unitSql } from './unit-sql.ts';

/**
 * The ids of the catalog's tables that a metric reads when it is asked by nothing. Fails with BAD_USER_INPUT when it cannot
 * be asked any more.
 */
export async function metricTables(deps: MetricDeps, projectId: string, name: string): Promise<string[]> {
  const nothing = { grain: null, from: null, to: null, compareTo: null, timeZone: null, limit: null };
  const question = { ...nothing, metrics: [name], by: [], filter: [] };
  return tablesOfUnits(await questionUnits(deps, projectId, question));
}

/** The statements that a question takes, none of them asked. Fails with BAD_USER_INPUT as asking it would. */
export async function questionUnits(
  deps: MetricDeps,
  projectId: string,
  question: Question,
): Promise<Unit[]> {
  const metrics = await readDefinitions(deps, projectId, question.metrics);
  const definitions = [...metrics.values()].map(({ definition }) => definition);
  const ground = await loadGround(deps, projectId, definitions);
  const parsed = parseQuestion(question, deps.now());
  const planner = new Planner();
  const trees = parsed.metrics.map((name) => measureTree({ metrics, ground, by: parsed.by }, name));
  planner.plan(parsed, trees, (unit) => void unitSql(unit));
  return planner.units;
}

/** The ids of the catalog's tables that the statements read. */
export function tablesOfUnits(units: readonly Unit[]): string[] {
  return [...new Set(units.flatMap((unit) => unitSql(unit).tableIds))];
}
