import { AppError, messageOf } from '#base/errors.ts';
import { globalId } from '#base/global-id.ts';
import { findTarget, OutgoingError, post } from '#base/outgoing.ts';
import type { Prisma } from '#generated/prisma/client.ts';
import type { SignalDeps } from './signal-deps.ts';
import { openWebhook, type Webhook } from './signal-webhook.ts';
import { signatureOf } from './webhook-signature.ts';

/** What is waited after each attempt but the last: two hours in all. */
const pausesMs = [10_000, 30_000, 120_000, 300_000, 900_000, 1_800_000, 3_600_000];
/** Longer than an attempt takes: a process that died with one leaves it to the others after this. */
const claimMs = 60_000;
const atOnceMax = 50;

interface ClaimedDelivery {
  evaluationId: string;
  projectId: string;
  body: string;
  /** This one counts. */
  attempts: number;
}

/** Of an attempt: taken, or why not and whether it is worth trying again. */
type Attempt = { taken: true } | { taken: false; error: string; isFinal: boolean };

/**
 * Sends each webhook that is due, once in one process: what was taken is done, anything else is tried again, eight times in
 * two hours. What is under way when `stopped` aborts is tried again too. A process that dies after it has sent one and before it has written so lets it be sent again. Returns how many
 * were tried.
 */
export async function deliverWebhooks(deps: SignalDeps, stopped: AbortSignal): Promise<number> {
  const claimed = await claimDeliveries(deps);
  await Promise.all(claimed.map((delivery) => deliver(deps, delivery, stopped)));
  return claimed.length;
}

function claimDeliveries(deps: SignalDeps): Promise<ClaimedDelivery[]> {
  const now = deps.now();
  const until = new Date(now.getTime() + claimMs);
  return deps.store.db.$queryRaw<ClaimedDelivery[]>`
    UPDATE webhook_delivery SET attempts = attempts + 1, next_attempt_at = ${until}::timestamptz
    WHERE evaluation_id IN (
      SELECT evaluation_id FROM webhook_delivery WHERE next_attempt_at <= ${now}::timestamptz
      ORDER BY next_attempt_at LIMIT ${atOnceMax} FOR UPDATE SKIP LOCKED
    )
    RETURNING evaluation_id::text AS "evaluationId", project_id::text AS "projectId", body, attempts`;
}

async function deliver(deps: SignalDeps, delivery: ClaimedDelivery, stopped: AbortSignal): Promise<void> {
  const { evaluationId, projectId, attempts } = delivery;
  const attempt = await send(deps, delivery, stopped);
  const about = { evaluationId, projectId, attempts };
  const now = deps.now();
  const pauseMs = pausesMs[attempts - 1];
  let data: Prisma.WebhookDeliveryUpdateManyMutationInput;
  if (attempt.taken) {
    data = { deliveredAt: now, nextAttemptAt: null, lastError: null };
  } else if (attempt.isFinal || pauseMs === undefined) {
    data = { nextAttemptAt: null, lastError: attempt.error };
    deps.log.warn('A webhook was given up.', { ...about, reason: attempt.error });
  } else {
    data = { nextAttemptAt: new Date(now.getTime() + pauseMs), lastError: attempt.error };
    deps.log.info('A webhook was not taken and is tried again.', { ...about, reason: attempt.error });
  }
  // One that lost its claim, having been too slow, leaves the row to whoever has it now.
  await deps.store.db.webhookDelivery.updateMany({ where: { evaluationId, projectId, attempts }, data });
}

async function send(
  deps: SignalDeps,
  { evaluationId, projectId, body }: ClaimedDelivery,
  stopped: AbortSignal,
): Promise<Attempt> {
  try {
    const webhook = await webhookOf(deps, projectId, evaluationId);
    if (!webhook) return { taken: false, error: 'The signal has no webhook any more.', isFinal: true };
    // Anew for each attempt: the name may lead elsewhere by now.
    const target = await findTarget(webhook.url, deps.webhookHosts, stopped);
    const headers = {
      'content-type': 'application/json',
      'user-agent': 'Sluice',
      'sluice-delivery': globalId('SignalEvaluation', evaluationId),
      'sluice-signature': signatureOf(webhook.secret, body, deps.now()),
    };
    return outcomeOf((await post(target, { headers, body }, stopped)).status);
  } catch (error) {
    if (stopped.aborted)
      return { taken: false, error: 'This process ended before there was an answer.', isFinal: false };
    if (!(error instanceof OutgoingError) && !(error instanceof AppError)) {
      // What is unexpected may name the URL, so that of it only the kind is kept.
      deps.log.error('A webhook could not be sent.', { evaluationId, projectId, kind: kindOf(error) });
      return { taken: false, error: 'It could not be sent.', isFinal: false };
    }
    return { taken: false, error: messageOf(error), isFinal: false };
  }
}

async function webhookOf(deps: SignalDeps, projectId: string, evaluationId: string): Promise<Webhook | null> {
  const signal = await deps.store.db.signal.findFirst({
    where: { projectId, deletedAt: null, evaluations: { some: { id: evaluationId } } },
    select: { id: true, projectId: true, webhook: true },
  });
  return signal && openWebhook(deps.secrets, signal);
}

function outcomeOf(status: number): Attempt {
  if (status >= 200 && status < 300) return { taken: true };
  if (status === 410)
    return { taken: false, error: 'It was answered with 410: gone for good.', isFinal: true };
  const isRedirect = status >= 300 && status < 400;
  const error = `It was answered with ${status}${isRedirect ? ', and redirects are not followed' : ''}.`;
  return { taken: false, error, isFinal: false };
}

function kindOf(error: unknown): string {
  return error instanceof Error ? error.name : typeof error;
}
