import { AppError } from '#base/errors.ts';
import { nearest } from '#base/nearest.ts';
import type { Series, SeriesPoint, SeriesQuestion } from '#connectors/contract.ts';
import { askMetrics } from './ask-metrics.ts';
import type { MetricDeps } from './deps.ts';
import { questionUnits, tablesOfUnits } from './metric-tables.ts';
import type { MetricPoint, Question } from './question.ts';

/** What is kept of an answer is not what a copy is made of. */
const never = { maxAgeMs: 0, staleMs: 0 };

/**
 * A question as a series that can be read: checked, and asked only when its points are. Fails with BAD_USER_INPUT for what
 * cannot be asked, naming the metrics that exist for one that does not, and for metrics of several datastores.
 */
export async function openSeries(
  deps: MetricDeps,
  { projectId, signal }: { projectId: string; signal: AbortSignal },
  asked: SeriesQuestion,
): Promise<Series> {
  await refuseUnknown(deps, projectId, asked.metrics);
  const question = questionOf(asked);
  const units = await questionUnits(deps, projectId, question);
  const datastores = [...new Set(units.map(({ rows }) => rows.datastore.name))];
  if (datastores.length !== 1) {
    const message = `The metrics ${asked.metrics.join(', ')} are measured in several datastores: ${datastores.join(', ')}.`;
    throw new AppError('BAD_USER_INPUT', message, { fix: 'Make a series of the metrics of each.' });
  }
  const tables = await deps.store.db.catalogTable.findMany({
    where: { projectId, id: { in: tablesOfUnits(units) } },
    select: { database: true, schema: true, name: true },
  });
  return {
    datastore: datastores[0]!,
    tables,
    async points(tag) {
      const [answer] = await askMetrics(deps, { projectId, signal, requestId: tag }, [question], never);
      if (!answer || answer instanceof AppError) throw answer ?? new Error('A question has no answer.');
      return answer.points.map((point) => pointOf(question, point));
    },
  };
}

function questionOf(asked: SeriesQuestion): Question {
  const { metrics, grain, timeZone, by = [], filter = [], from, to, periods, limit } = asked;
  return {
    metrics,
    grain,
    by,
    filter,
    timeZone: timeZone ?? null,
    from: from === undefined ? null : new Date(from),
    to: to === undefined ? null : new Date(to),
    ...(periods !== undefined && { periods }),
    limit: limit ?? null,
    compareTo: null,
  };
}

function pointOf({ by }: Question, { at, dimensions, values }: MetricPoint): SeriesPoint {
  return {
    at,
    dimensions: by.map((path) => dimensions[path] ?? null),
    values: values.map(({ value }) => value),
  };
}

const namesMax = 20;

async function refuseUnknown(deps: MetricDeps, projectId: string, names: readonly string[]): Promise<void> {
  const rows = await deps.store.db.metric.findMany({
    where: { projectId, deletedAt: null },
    select: { name: true },
    orderBy: { name: 'asc' },
  });
  const all = rows.map((row) => row.name);
  const unknown = names.find((name) => !all.includes(name));
  if (unknown === undefined) return;
  const near = nearest(unknown, all);
  const more = all.length > namesMax ? ' and others' : '';
  const has = `The project has: ${all.slice(0, namesMax).join(', ') || 'no metrics'}${more}.`;
  const message = `There is no metric "${unknown}".${near === undefined ? '' : ` Did you mean "${near}"?`} ${has}`;
  throw new AppError('BAD_USER_INPUT', message, { fix: 'Name one of these, or make it with createMetric.' });
}
