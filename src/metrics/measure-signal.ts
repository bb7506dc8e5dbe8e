import { AppError } from '#base/errors.ts';
import type { Asker } from '#catalog/ask.ts';
import type { Grain } from '#generated/prisma/enums.ts';
import { askMetrics, type MetricAnswer, type Question } from './ask-metrics.ts';
import { type Measured, periodWords } from './judge-signal.ts';
import { periodAt, periodBefore } from './periods.ts';
import type { SignalDeps } from './signal-deps.ts';
import { TimeZone } from './time-zone.ts';

/**
 * The value of the metric in the last whole period before `at`, by the clocks of the time zone, and in the one before. What
 * keeps the metric from being answered is an AppError.
 */
export async function measureSignal(
  deps: SignalDeps,
  asker: Asker,
  signal: { metric: string; grain: Grain; timeZone: string | null },
  at: Date,
): Promise<Measured | AppError> {
  const { metric, grain } = signal;
  const timeZone = signal.timeZone ?? 'UTC';
  const zone = new TimeZone(timeZone);
  const { startMs, endMs } = periodBefore(zone, grain, periodAt(zone, grain, at.getTime()));
  const from = new Date(startMs);
  const period = periodWords(grain, from, timeZone);
  const outcome = await askOne(deps, asker, {
    metrics: [metric],
    grain,
    from,
    to: new Date(endMs),
    by: [],
    filter: [],
    compareTo: 'PREVIOUS_PERIOD',
    timeZone,
    limit: null,
  });
  if (outcome instanceof AppError) return outcome;
  const found = outcome.points[0]?.values[0];
  return { metric, period, value: found?.value ?? null, previousValue: found?.previousValue ?? null };
}

async function askOne(deps: SignalDeps, asker: Asker, question: Question): Promise<MetricAnswer | AppError> {
  try {
    const [outcome] = await askMetrics(deps, asker, [question]);
    return outcome as MetricAnswer | AppError;
  } catch (error) {
    // What all questions fail for, such as a datastore that does not answer.
    if (error instanceof AppError) return error;
    throw error;
  }
}
