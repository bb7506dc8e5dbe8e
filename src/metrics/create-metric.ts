import { nameTaken, uniquely } from '#accounts/check-name.ts';
import { once } from '#accounts/idempotency.ts';
import type { Viewer } from '#accounts/viewer.ts';
import { InputError } from '#base/errors.ts';
import { newId } from '#base/id.ts';
import type { Tx } from '#store/open-store.ts';
import { checkDefinition } from './check-definition.ts';
import { kindOf, type MetricDefinition, storedDefinition } from './definition.ts';
import type { MetricDeps } from './deps.ts';
import { foundationsOf, type LoadedMetrics, whileMetricsStay } from './load-metrics.ts';
import { checkMetricName, checkWords, titleOf } from './metric-words.ts';

export interface CreateMetricInput {
  name: string;
  /** The name without it. */
  title?: string | null | undefined;
  description?: string | null | undefined;
  definition: MetricDefinition;
  idempotencyKey?: string | null | undefined;
}

/** Defines a metric, which can be asked at once. Fails with every problem of name, words and definition at once. */
export async function createMetric(
  deps: MetricDeps,
  viewer: Viewer,
  input: CreateMetricInput,
): Promise<{ id: string }> {
  const { projectId } = viewer;
  const { definition } = input;
  const { name, problems: ofName } = checkMetricName(input.name);
  const ask = { projectId, operation: 'createMetric', key: input.idempotencyKey, input };
  const insert = async (tx: Tx) => {
    const metric = { id: newId(), name };
    await nameTaken(tx, 'metric', viewer, metric);
    const now = deps.now();
    return tx.metric.create({
      data: {
        ...metric,
        projectId,
        title: titleOf(input.title, name),
        description: input.description ?? null,
        kind: kindOf(definition),
        definition: storedDefinition(definition),
        createdAt: now,
        updatedAt: now,
        createdById: viewer.memberId,
        updatedById: viewer.memberId,
      },
    });
  };
  const counting = (metrics: LoadedMetrics) => foundationsOf(metrics, definition);
  const check = async (metrics: LoadedMetrics) => {
    const problems = [
      ...ofName,
      ...checkWords(input),
      ...(await checkDefinition(deps, projectId, metrics, { name, definition })),
    ];
    return (tx: Tx) =>
      once(tx, ask, () => {
        // A repeat of what could be made once gives that, whatever has become of what it stands on.
        if (problems.length > 0) throw new InputError(problems);
        return insert(tx);
      });
  };
  return uniquely('metric', name, () => whileMetricsStay(deps, projectId, counting, check));
}
