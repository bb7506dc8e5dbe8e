import type { Viewer } from '#accounts/viewer.ts';
import { visible } from '#accounts/visible.ts';
import { inputError } from '#base/errors.ts';
import type { MetricDeps } from './deps.ts';
import { type LoadedMetrics, metricOf, usersOf, whileMetricsStay } from './load-metrics.ts';

/** Deletes a metric softly. Fails with NOT_FOUND, or IN_USE naming the metrics and signals that use it. */
export async function deleteMetric(
  deps: MetricDeps,
  viewer: Viewer,
  input: { id: string },
): Promise<{ id: string }> {
  const users = (metrics: LoadedMetrics) => {
    const metric = metricOf(metrics, input.id);
    return metric ? usersOf(metrics, metric.name) : [];
  };
  return whileMetricsStay(deps, viewer.projectId, users, async (metrics) => async (tx) => {
    const now = deps.now();
    // Before its signals are looked for: whoever is making one now holds the row, and is waited for.
    const { count } = await tx.metric.updateMany({
      where: { id: input.id, ...visible(viewer) },
      data: { deletedAt: now, updatedAt: now, updatedById: viewer.memberId },
    });
    if (count === 0) throw metricNotFound();
    const signals = await tx.signal.findMany({
      where: { metricId: input.id, ...visible(viewer) },
      select: { name: true },
      orderBy: [{ createdAt: 'asc' }, { id: 'asc' }],
    });
    const names = [
      ...users(metrics).map(({ name }) => `the metric "${name}"`),
      ...signals.map(({ name }) => `the signal "${name}"`),
    ];
    if (names.length === 0) return { id: input.id };
    throw inputError(
      'IN_USE',
      ['id'],
      `The metric is used by ${names.join(', ')}.`,
      'Delete these first, or have them use another metric.',
    );
  });
}

export function metricNotFound() {
  return inputError('NOT_FOUND', ['id'], 'There is no such metric.');
}
