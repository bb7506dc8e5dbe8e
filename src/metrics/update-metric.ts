import { nameTaken, uniquely } from '#accounts/check-name.ts';
import { checkRevision } from '#accounts/check-revision.ts';
import type { Viewer } from '#accounts/viewer.ts';
import { visible } from '#accounts/visible.ts';
import { InputError, type Problem } from '#base/errors.ts';
import type { Metric } from '#generated/prisma/client.ts';
import type { Db, Tx } from '#store/open-store.ts';
import { checkDefinition } from './check-definition.ts';
import { kindOf, knownDefinition, type MetricDefinition, storedDefinition } from './definition.ts';
import { metricNotFound } from './delete-metric.ts';
import type { MetricDeps } from './deps.ts';
import { foundationsOf, type LoadedMetrics, metricOf, usersOf, whileMetricsStay } from './load-metrics.ts';
import { checkMetricName, checkWords, titleOf } from './metric-words.ts';
import type { KnownMetric, KnownMetrics } from './read-definitions.ts';

export interface UpdateMetricInput {
  id: string;
  name?: string | null | undefined;
  /** Null for the name; left out, it stays. */
  title?: string | null | undefined;
  /** Null takes the words away; left out, they stay. */
  description?: string | null | undefined;
  definition?: MetricDefinition | null | undefined;
  expectedRevision?: number | null | undefined;
}

/** A metric that was changed, and the ids of those that are made of it, directly or through others. */
export interface UpdatedMetric {
  id: string;
  usedBy: string[];
}

/**
 * Changes what is named, under the next revision; the next question is answered by it. Fails with NOT_FOUND, CONFLICT, or
 * every problem at once, among them IN_USE with the metrics that use it and would not work any more.
 */
export async function updateMetric(
  deps: MetricDeps,
  viewer: Viewer,
  input: UpdateMetricInput,
): Promise<UpdatedMetric> {
  const counting = (metrics: LoadedMetrics) => {
    const metric = metricOf(metrics, input.id);
    const users = metric ? [metric, ...usersOf(metrics, metric.name)] : [];
    return input.definition == null ? users : [...users, ...foundationsOf(metrics, input.definition)];
  };
  const check = async (metrics: LoadedMetrics) => {
    const before = await findMetric(deps.store.db, viewer, input.id);
    checkRevision(before, input.expectedRevision, 'metric');
    const { name, problems } = input.name == null ? unchanged(before) : checkMetricName(input.name);
    const users = usersOf(metrics, before.name);
    problems.push(...checkWords(input));
    if (name !== before.name) problems.push(...renamed(before.name, users));
    if (input.definition != null) {
      problems.push(...(await redefined(deps, before, input.definition, metrics, users)));
    }
    if (problems.length > 0) throw new InputError(problems);
    return (tx: Tx) => write(deps, viewer, tx, { before, name, input, users });
  };
  return uniquely('metric', input.name, () => whileMetricsStay(deps, viewer.projectId, counting, check));
}

function unchanged({ name }: Metric): { name: string; problems: Problem[] } {
  return { name, problems: [] };
}

/** Signals know their metric by its id, and expressions by its name. */
function renamed(before: string, users: readonly KnownMetric[]): Problem[] {
  if (users.length === 0) return [];
  const names = users.map(({ name }) => `"${name}"`).join(', ');
  const message = `The metric "${before}" cannot be renamed: ${names} ${users.length === 1 ? 'uses' : 'use'} it by its name.`;
  return [{ code: 'IN_USE', path: ['name'], message, fix: 'Change its title, or those metrics first.' }];
}

/** What is wrong with a new definition, and with the metrics that are made of it once it is so. */
async function redefined(
  deps: MetricDeps,
  { id, projectId, name }: Metric,
  definition: MetricDefinition,
  metrics: KnownMetrics,
  users: readonly KnownMetric[],
): Promise<Problem[]> {
  const problems = await checkDefinition(deps, projectId, metrics, { name, definition });
  const known = knownDefinition(definition);
  if (problems.length > 0 || !known) return problems;
  const changed = new Map(metrics).set(name, { id, name, definition: known });
  for (const user of users) {
    const [first] = await checkDefinition(deps, projectId, changed, user);
    if (!first) continue;
    const message = `The metric "${user.name}" uses "${name}" and would not work any more: ${first.message}`;
    problems.push({ code: 'IN_USE', path: ['definition'], message, fix: `Change "${user.name}" first.` });
  }
  return problems;
}

async function write(
  deps: MetricDeps,
  viewer: Viewer,
  tx: Tx,
  change: { before: Metric; name: string; input: UpdateMetricInput; users: readonly KnownMetric[] },
): Promise<UpdatedMetric> {
  const { before, name, users } = change;
  const { title, description, definition } = change.input;
  if (name !== before.name) await nameTaken(tx, 'metric', viewer, { id: before.id, name });
  const { count } = await tx.metric.updateMany({
    where: { id: before.id, ...visible(viewer), revision: before.revision },
    data: {
      name,
      ...(title !== undefined && { title: titleOf(title, name) }),
      ...(description !== undefined && { description }),
      ...(definition != null && { kind: kindOf(definition), definition: storedDefinition(definition) }),
      revision: before.revision + 1,
      updatedAt: deps.now(),
      updatedById: viewer.memberId,
    },
  });
  if (count === 0) checkRevision(await findMetric(tx, viewer, before.id), before.revision, 'metric');
  return { id: before.id, usedBy: users.map(({ id }) => id) };
}

/** The metric. Fails with NOT_FOUND for an unknown, foreign or deleted one. */
async function findMetric(db: Db | Tx, viewer: Viewer, id: string): Promise<Metric> {
  const metric = await db.metric.findFirst({ where: { id, ...visible(viewer) } });
  if (!metric) throw metricNotFound();
  return metric;
}
