import type { Signal } from '#generated/prisma/client.ts';
import { globalId } from '#base/global-id.ts';
import { newId } from '#base/id.ts';
import { nextRun } from '#base/schedule.ts';
import type { Tx } from '#store/open-store.ts';
import type { Judgement } from './judge-signal.ts';
import type { SignalDeps } from './signal-deps.ts';
import { noticeOf, type SignalEvent } from './signal-notice.ts';
import { keepSeen, type SeenWrite } from './signal-tables.ts';

/** The channel that says that a signal was evaluated; the payload is "evaluation signal project". */
export const signalChannel = 'sluice_signal';

/** A signal as it was when it was asked for its metric. */
export interface SeenSignal {
  signal: Signal & { metric: { name: string } };
  /** When it was asked, and of what it was made. */
  askedAt: Date;
  writes: readonly SeenWrite[];
  /** The claim of a process that evaluates it by itself; null when somebody asked for it. */
  claim: Date | null;
}

/**
 * Writes what was found of a signal: the evaluation, the signal's state, and the webhook that is to be sent, together. Null
 * when the signal was changed, deleted or claimed by another since: then nothing is written.
 */
export function recordEvaluation(
  deps: SignalDeps,
  seen: SeenSignal,
  found: Judgement,
): Promise<string | null> {
  return deps.store.db.$transaction(async (tx) => {
    const signal = await lockSeen(tx, seen);
    if (!signal) return null;
    const at = deps.now();
    const evaluation = {
      id: newId(),
      projectId: signal.projectId,
      signalId: signal.id,
      createdAt: at,
      ...found,
    };
    // Without a webhook nobody is told anything.
    const { event, told } =
      signal.webhook === null ? { event: null, told: {} } : noticeOf(found.state, at, signal);
    await tx.signalEvaluation.create({ data: evaluation });
    if (event !== null) {
      const body = JSON.stringify(bodyOf(seen.signal, { ...evaluation, event }));
      await tx.webhookDelivery.create({
        data: { evaluationId: evaluation.id, projectId: signal.projectId, body, nextAttemptAt: at },
      });
    }
    await keepSeen(tx, signal.id, seen.writes);
    await tx.signal.update({
      where: { id: signal.id },
      data: { state: found.state, ...told, ...timesAfter(signal, seen, at) },
    });
    await tx.$queryRaw`
      SELECT pg_notify(${signalChannel}, ${`${evaluation.id} ${signal.id} ${signal.projectId}`})::text`;
    return evaluation.id;
  });
}

async function lockSeen(tx: Tx, { signal, claim }: SeenSignal): Promise<Signal | null> {
  await tx.$queryRaw`SELECT 1 FROM signal WHERE id = ${signal.id}::uuid FOR NO KEY UPDATE`;
  const now = await tx.signal.findFirst({
    where: { id: signal.id, projectId: signal.projectId, revision: signal.revision, deletedAt: null },
  });
  if (claim !== null && now?.claimedUntil?.getTime() !== claim.getTime()) return null;
  return now;
}

function timesAfter(
  signal: Signal,
  { askedAt, claim }: SeenSignal,
  at: Date,
): Partial<Pick<Signal, 'evaluatedAt' | 'nextRunAt' | 'claimedUntil'>> {
  // Somebody who asks a minute before the schedule does not take its time away.
  const isScheduled = signal.nextRunAt !== null && signal.nextRunAt <= askedAt;
  return {
    evaluatedAt: signal.evaluatedAt !== null && signal.evaluatedAt > askedAt ? signal.evaluatedAt : askedAt,
    ...(isScheduled && { nextRunAt: nextRun({ ...signal, active: true }, at) }),
    ...(claim !== null && { claimedUntil: null }),
  };
}

interface Told extends Judgement {
  id: string;
  createdAt: Date;
  event: SignalEvent;
}

function bodyOf(signal: SeenSignal['signal'], evaluation: Told): object {
  const { event, state, value, previousValue, message, createdAt } = evaluation;
  return {
    event,
    signal: { id: globalId('Signal', signal.id), name: signal.name },
    metric: signal.metric.name,
    state,
    value,
    previousValue,
    measure: signal.measure,
    operator: signal.operator,
    threshold: signal.threshold,
    grain: signal.grain,
    at: createdAt.toISOString(),
    message,
    evaluationId: globalId('SignalEvaluation', evaluation.id),
  };
}
