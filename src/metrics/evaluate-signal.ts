import type { Viewer } from '#accounts/viewer.ts';
import { AppError } from '#base/errors.ts';
import type { Asker } from '#catalog/ask.ts';
import { NotHere } from '#catalog/datastores.ts';
import { signalNotFound } from './find-signal.ts';
import { judge, type Judgement } from './judge-signal.ts';
import { measureSignal } from './measure-signal.ts';
import { recordEvaluation } from './record-evaluation.ts';
import type { SignalDeps } from './signal-deps.ts';
import { findTables, seenWrites } from './signal-tables.ts';

/** A signal that is changed again and again while its metric is asked is let be after so many. */
const attemptsMax = 5;

/**
 * Evaluates a signal now, tells what follows, and gives the id of the evaluation. A metric that cannot be answered is an
 * evaluation of state NO_DATA that says why. Fails with NOT_FOUND, and with WAREHOUSE_UNAVAILABLE where this process may not
 * open the datastore.
 */
export async function evaluateSignal(
  deps: SignalDeps,
  viewer: Viewer,
  input: { id: string },
  request: Omit<Asker, 'projectId'>,
): Promise<{ id: string }> {
  const asker = { ...request, projectId: viewer.projectId };
  for (let attempt = 1; attempt <= attemptsMax; attempt += 1) {
    const id = await evaluateOnce(deps, asker, { id: input.id, claim: null });
    if (id !== null) return { id };
  }
  throw new AppError('CONFLICT', 'The signal was changed again and again while it was evaluated.', {
    fix: 'Try again.',
  });
}

/**
 * Evaluates a signal as it is now. Null when it was changed or deleted meanwhile, or claimed by another process: then
 * nothing is written. Fails with NOT_FOUND for an unknown, foreign or deleted one, and with NotHere.
 */
export async function evaluateOnce(
  deps: SignalDeps,
  asker: Asker,
  { id, claim }: { id: string; claim: Date | null },
): Promise<string | null> {
  const signal = await deps.store.db.signal.findFirst({
    where: { id, projectId: asker.projectId, deletedAt: null },
    include: { metric: { select: { name: true } } },
  });
  if (!signal) throw signalNotFound();
  if (signal.tablesAt === null) await findTables(deps, { ...signal, metric: signal.metric.name });
  const writes = await seenWrites(deps.store.db, id);
  const askedAt = deps.now();
  const measured = await measureSignal(deps, asker, { ...signal, metric: signal.metric.name }, askedAt);
  // Whoever asked has left, or another process has to be asked: neither says anything of the metric.
  if (measured instanceof AppError && (measured instanceof NotHere || asker.signal.aborted)) throw measured;
  const found =
    measured instanceof AppError ? unanswered(signal.metric.name, measured) : judge(measured, signal);
  return recordEvaluation(deps, { signal, askedAt, writes, claim }, found);
}

function unanswered(metric: string, reason: AppError): Judgement {
  const message = `${metric} could not be answered: ${reason.message}`;
  return { state: 'NO_DATA', value: null, previousValue: null, message };
}
