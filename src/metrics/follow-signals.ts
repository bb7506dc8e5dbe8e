import { Doorbell } from '#base/doorbell.ts';
import { AppError } from '#base/errors.ts';
import { signalChannel } from './record-evaluation.ts';
import type { SignalDeps } from './signal-deps.ts';

/** A notification may be lost: the table is looked at this often in any case. */
const pollMs = 10_000;
/** Evaluations are seen in the order they were committed in, which is that of their times but for so much. */
const overlapMs = 60_000;

/**
 * Every evaluation from now on of the signal, or of all signals of the project: each once, none lost. Does not end but by the
 * signal to abort. Fails with NOT_FOUND for an unknown, foreign or deleted signal.
 */
export async function* followSignals(
  deps: Pick<SignalDeps, 'store' | 'now'>,
  ask: { projectId: string; signalId: string | null; signal: AbortSignal },
): AsyncGenerator<{ evaluationId: string }, void, void> {
  const { projectId, signalId, signal } = ask;
  const doorbell = new Doorbell(signal);
  // Listening comes before looking, so that no evaluation falls between the two.
  await using _listening = await deps.store.listen(
    signalChannel,
    (payload) => {
      const [, ofSignal, ofProject] = payload.split(' ');
      if (ofProject === projectId && (signalId === null || ofSignal === signalId)) doorbell.ring();
    },
    () => doorbell.ring(),
  );
  if (signalId !== null) await mustExist(deps, projectId, signalId);
  const seen = new Map<string, Date>();
  for (const { id, createdAt } of await evaluationsSince(deps, ask, seen)) seen.set(id, createdAt);
  while (!signal.aborted) {
    await doorbell.wait(pollMs);
    for (const { id, createdAt } of await evaluationsSince(deps, ask, seen)) {
      if (seen.has(id)) continue;
      seen.set(id, createdAt);
      if (signal.aborted) return;
      yield { evaluationId: id };
    }
    forgetOld(seen);
  }
}

async function mustExist(
  deps: Pick<SignalDeps, 'store'>,
  projectId: string,
  signalId: string,
): Promise<void> {
  const where = { id: signalId, projectId, deletedAt: null };
  const found = await deps.store.db.signal.findFirst({ where, select: { id: true } });
  if (!found) throw new AppError('NOT_FOUND', 'There is no such signal.');
}

/** Those of the last that was seen and later, and those shortly before: of the ones that commit at once any may come first. */
function evaluationsSince(
  deps: Pick<SignalDeps, 'store' | 'now'>,
  { projectId, signalId }: { projectId: string; signalId: string | null },
  seen: ReadonlyMap<string, Date>,
): Promise<{ id: string; createdAt: Date }[]> {
  const last = latest(seen) ?? deps.now().getTime();
  return deps.store.db.signalEvaluation.findMany({
    where: {
      projectId,
      ...(signalId !== null && { signalId }),
      createdAt: { gte: new Date(last - overlapMs) },
    },
    select: { id: true, createdAt: true },
    orderBy: [{ createdAt: 'asc' }, { id: 'asc' }],
  });
}

function latest(seen: ReadonlyMap<string, Date>): number | null {
  let last: number | null = null;
  for (const at of seen.values()) last = Math.max(last ?? 0, at.getTime());
  return last;
}

function forgetOld(seen: Map<string, Date>): void {
  const last = latest(seen) ?? 0;
  for (const [id, at] of seen) if (at.getTime() < last - overlapMs) seen.delete(id);
}
