import { AppError, type Problem } from '#base/errors.ts';
import { oldestWrites } from '#catalog/behind.ts';
import type { FreshnessOf } from '#catalog/ask.ts';
import { brokenMetrics } from './broken-metrics.ts';
import { conditionSql, measuredSql, timeOf } from './leaf-sql.ts';
import { type Leaf, leavesOf, measureTree } from './measure-tree.ts';
import type { MetricDeps } from './deps.ts';
import { dimensionsOf } from './dimensions.ts';
import { loadMetrics, usersOf } from './load-metrics.ts';
import type { KnownMetrics } from './read-definitions.ts';
import { type Ground, loadGround } from './rows.ts';

/** What follows from the definition of a metric, and from those of others. */
export interface MetricFacts {
  /** What it may be asked by. Empty when what it measures is not there any more. */
  dimensions: string[];
  /** Ids of the tables that it reads when it is asked by nothing. Empty as dimensions are. */
  tableIds: string[];
  /** When the oldest write of one of these was. */
  freshness: FreshnessOf;
  /** Ids of the metrics that are made of it, directly or through others. */
  usedBy: string[];
  /** Why it cannot be asked as it is defined. Empty when it can. */
  problems: Problem[];
}

/** The facts of all metrics of the project, by their ids. As many statements whatever their number. */
export async function describeMetrics(
  deps: MetricDeps,
  projectId: string,
): Promise<Map<string, MetricFacts>> {
  const { db } = deps.store;
  const metrics = await loadMetrics(db, projectId);
  const definitions = [...metrics.values()].map(({ definition }) => definition);
  const ground = await loadGround(deps, projectId, definitions);
  const broken = brokenMetrics(ground, metrics);
  const described = [...metrics.values()].map(({ id, name }) => ({
    id,
    dimensions: dimensionsOf(ground, metrics, name),
    tableIds: tablesOf(ground, metrics, name),
    usedBy: usersOf(metrics, name).map((user) => user.id),
    problems: broken.get(name) ?? [],
  }));
  const allTables = [...new Set(described.flatMap(({ tableIds }) => tableIds))];
  const writes = await oldestWrites(db, projectId, allTables);
  return new Map(
    described.map(({ id, ...facts }) => [id, { ...facts, freshness: oldest(facts.tableIds, writes) }]),
  );
}

function oldest(tableIds: readonly string[], writes: ReadonlyMap<string, FreshnessOf>): FreshnessOf {
  let found: FreshnessOf | undefined;
  for (const id of tableIds) {
    const written = writes.get(id);
    if (!written?.syncedAt) return never;
    if (!found?.syncedAt || written.syncedAt < found.syncedAt) found = written;
  }
  return found ?? never;
}

const never: FreshnessOf = { syncedAt: null, taskId: null };

function tablesOf(ground: Ground, metrics: KnownMetrics, name: string): string[] {
  try {
    const leaves = leavesOf(measureTree({ ground, metrics, by: [] }, name));
    return [...new Set(leaves.flatMap(leafTables))];
  } catch (error) {
    // What it measures is gone: whoever asks for its values is told so.
    if (error instanceof AppError) return [];
    throw error;
  }
}

function leafTables(leaf: Leaf): string[] {
  const source = leaf.rows.open();
  timeOf(source, leaf.rows);
  if (leaf.type === 'simple') {
    measuredSql(source, leaf);
    conditionSql(source, leaf.condition);
  } else {
    source.column('userKey');
    conditionSql(source, { type: 'entity', filter: leaf.first });
    conditionSql(source, { type: 'entity', filter: leaf.second });
  }
  return source.tableIds();
}
