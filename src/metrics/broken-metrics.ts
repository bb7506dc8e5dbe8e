import type { Problem } from '#base/errors.ts';
import { type Break, type Standing, tableWith } from '#catalog/breaks.ts';
import type { Db, Tx } from '#store/open-store.ts';
import { definitionProblems } from './check-definition.ts';
import { attempt } from './check-simple.ts';
import { loadMetrics } from './load-metrics.ts';
import { measureTree } from './measure-tree.ts';
import { type KnownMetric, type KnownMetrics, usedBy } from './read-definitions.ts';
import { type Ground, loadGround } from './rows.ts';

/**
 * Why metrics cannot be asked as they are defined, by their names: what is wrong with their own definitions, or else with
 * what they are made of. Those that can be asked are not in it. The ground holds what all of them name.
 */
export function brokenMetrics(ground: Ground, metrics: KnownMetrics): Map<string, Problem[]> {
  const found = new Map<string, Problem[]>();
  const problemsOf = (metric: KnownMetric): Problem[] => {
    const known = found.get(metric.name);
    if (known) return known;
    // Whoever comes back here is made of itself, and told so by its own definition.
    found.set(metric.name, []);
    const own = definitionProblems(ground, metrics, metric.name, metric.definition);
    const problems = own.length > 0 ? own : ofFoundations(metric);
    found.set(metric.name, problems);
    return problems;
  };
  const ofFoundations = (metric: KnownMetric): Problem[] => {
    for (const name of usedBy(metric.definition)) {
      const [first] = problemsOf(metrics.get(name)!);
      if (!first) continue;
      const message = first.message.startsWith('It is made of ')
        ? first.message
        : `It is made of "${name}", which cannot be asked: ${first.message}`;
      return [{ ...first, path: ['definition'], message }];
    }
    const made = attempt(['definition'], () => measureTree({ ground, metrics, by: [] }, metric.name));
    return 'problem' in made ? [made.problem] : [];
  };
  for (const metric of metrics.values()) problemsOf(metric);
  return new Map([...found].filter(([, problems]) => problems.length > 0));
}

/** The metrics, and the signals that watch them, which can be asked before and not after. At most five statements of the store. */
export async function metricBreaks(
  db: Db | Tx,
  projectId: string,
  before: Standing,
  after: Standing,
): Promise<Break[]> {
  const metrics = await loadMetrics(db, projectId);
  if (metrics.size === 0) return [];
  const definitions = [...metrics.values()].map(({ definition }) => definition);
  const ground = await loadGround({ store: { db } }, projectId, definitions, Promise.resolve(after.mappings));
  const was = brokenMetrics(groundAs(ground, before), metrics);
  const is = brokenMetrics(groundAs(ground, after), metrics);
  const broken = [...metrics.values()]
    .filter(({ name }) => is.has(name) && !was.has(name))
    .map(({ id, name }) => ({ kind: 'METRIC' as const, id, name, reason: is.get(name)![0]!.message }));
  return [...broken, ...(await signalBreaks(db, projectId, broken))];
}

async function signalBreaks(db: Db | Tx, projectId: string, metrics: readonly Break[]): Promise<Break[]> {
  if (metrics.length === 0) return [];
  const signals = await db.signal.findMany({
    where: { projectId, deletedAt: null, metricId: { in: metrics.map(({ id }) => id) } },
    select: { id: true, name: true, metricId: true },
    orderBy: [{ createdAt: 'asc' }, { id: 'asc' }],
  });
  return signals.map(({ id, name, metricId }) => {
    const metric = metrics.find((each) => each.id === metricId)!;
    const reason = `It watches "${metric.name}", which cannot be asked: ${metric.reason}`;
    return { kind: 'SIGNAL', id, name, reason };
  });
}

function groundAs(ground: Ground, { mappings, columns }: Standing): Ground {
  const tables = new Map([...ground.tables].map(([name, table]) => [name, tableWith(table, columns)]));
  return { ...ground, mappings, tables };
}
