import { AppError } from '#base/errors.ts';
import { lockDefinitions } from '#catalog/breaks.ts';
import type { Db, Tx } from '#store/open-store.ts';
import { knownDefinition, type MetricDefinition, readDefinition } from './definition.ts';
import type { MetricDeps } from './deps.ts';
import { ExpressionError } from './expression.ts';
import { type KnownMetric, usedBy } from './read-definitions.ts';

export interface LoadedMetric extends KnownMetric {
  revision: number;
  /** The names of those that it is made of. */
  uses: readonly string[];
}

export type LoadedMetrics = ReadonlyMap<string, LoadedMetric>;

const triesMax = 10;

/** All metrics of the project by their names, oldest first. One statement. */
export async function loadMetrics(db: Db | Tx, projectId: string): Promise<LoadedMetrics> {
  const rows = await db.metric.findMany({
    where: { projectId, deletedAt: null },
    select: { id: true, name: true, revision: true, definition: true },
    orderBy: [{ createdAt: 'asc' }, { id: 'asc' }],
  });
  const metrics = new Map<string, LoadedMetric>();
  for (const row of rows) {
    const definition = knownDefinition(readDefinition(row.definition));
    if (!definition) throw new Error(`The definition of the metric ${row.id} is of no kind.`);
    metrics.set(row.name, { ...row, definition, uses: usedBy(definition) });
  }
  return metrics;
}

/** The metric of that id. */
export function metricOf(metrics: LoadedMetrics, id: string): LoadedMetric | undefined {
  return [...metrics.values()].find((metric) => metric.id === id);
}

/** The metrics that are made of the one of that name, directly or through others, oldest first. */
export function usersOf(metrics: LoadedMetrics, name: string): LoadedMetric[] {
  const users = new Set<string>();
  const next = [name];
  for (let used = next.pop(); used !== undefined; used = next.pop()) {
    for (const metric of metrics.values()) {
      if (users.has(metric.name) || !metric.uses.includes(used)) continue;
      users.add(metric.name);
      next.push(metric.name);
    }
  }
  return [...metrics.values()].filter((metric) => users.has(metric.name));
}

/** The metrics that one with this definition is made of, directly or through others. */
export function foundationsOf(metrics: LoadedMetrics, definition: MetricDefinition): LoadedMetric[] {
  const found = new Set<LoadedMetric>();
  const next = [...namesIn(definition)];
  for (let name = next.pop(); name !== undefined; name = next.pop()) {
    const metric = metrics.get(name);
    if (!metric || found.has(metric)) continue;
    found.add(metric);
    next.push(...metric.uses);
  }
  return [...found];
}

/** What cannot be read stands on nothing, and is refused by checkDefinition. */
function namesIn(definition: MetricDefinition): string[] {
  const known = knownDefinition(definition);
  try {
    return known ? usedBy(known) : [];
  } catch (error) {
    if (error instanceof ExpressionError) return [];
    throw error;
  }
}

/**
 * Writes what was checked against the project's metrics, while those that count for it and the mappings are the same: `check`
 * is given them all, may take its time, and gives the write; when others have changed one that counts, it is asked again.
 * Fails with CONFLICT when that goes on and on.
 */
export async function whileMetricsStay<T>(
  deps: MetricDeps,
  projectId: string,
  counting: (metrics: LoadedMetrics) => readonly LoadedMetric[],
  check: (metrics: LoadedMetrics) => Promise<(tx: Tx) => Promise<T>>,
): Promise<T> {
  const { db } = deps.store;
  const stateOf = async (tx: Db | Tx, metrics: LoadedMetrics) => {
    const states = counting(metrics).map(({ id, revision }) => `${id}/${revision}`);
    const mappings = await tx.entityMapping.findMany({ where: { projectId }, orderBy: { kind: 'asc' } });
    return JSON.stringify([states.sort(), mappings]);
  };
  for (let tries = 0; tries < triesMax; tries += 1) {
    const metrics = await loadMetrics(db, projectId);
    const state = await stateOf(db, metrics);
    const write = await check(metrics);
    const written = await db.$transaction(async (tx) => {
      await lockDefinitions(tx, projectId);
      if ((await stateOf(tx, await loadMetrics(tx, projectId))) !== state) return null;
      return { value: await write(tx) };
    });
    if (written) return written.value;
  }
  throw new AppError(
    'CONFLICT',
    'The metrics or mappings that this one stands on were changed all the while.',
    {
      fix: 'Try again.',
    },
  );
}
