import type { MetricDeps } from './deps.ts';
import { measureTree } from './measure-tree.ts';
import { parseQuestion } from './parse-question.ts';
import { Planner } from './plan.ts';
import { readDefinitions } from './read-definitions.ts';
import { loadGround } from './rows.ts';
import { unitSql } from './unit-sql.ts';

/**
 * The ids of the catalog's tables that a metric reads when it is asked by nothing. Fails with BAD_USER_INPUT when it cannot
 * be asked any more.
 */
export async function metricTables(deps: MetricDeps, projectId: string, name: string): Promise<string[]> {
  const metrics = await readDefinitions(deps, projectId, [name]);
  const definitions = [...metrics.values()].map(({ definition }) => definition);
  const ground = await loadGround(deps, projectId, definitions);
  const nothing = { grain: null, from: null, to: null, compareTo: null, timeZone: null, limit: null };
  const question = parseQuestion({ ...nothing, metrics: [name], by: [], filter: [] }, deps.now());
  const planner = new Planner();
  planner.plan(question, [measureTree({ metrics, ground, by: [] }, name)], () => undefined);
  return [...new Set(planner.units.flatMap((unit) => unitSql(unit).tableIds))];
}
