import { nameTaken, uniquely } from '#accounts/check-name.ts';
import { once } from '#accounts/idempotency.ts';
import type { Viewer } from '#accounts/viewer.ts';
import { InputError } from '#base/errors.ts';
import { newId } from '#base/id.ts';
import { nextRun, type ScheduleInput } from '#base/schedule.ts';
import type { Grain, SignalMeasure, SignalOperator } from '#generated/prisma/enums.ts';
import { checkSignal, lockMetric } from './check-signal.ts';
import type { SignalDeps } from './signal-deps.ts';
import { sealWebhook } from './signal-webhook.ts';

export interface CreateSignalInput {
  name: string;
  metricId: string;
  operator: SignalOperator;
  threshold: number;
  /** VALUE without it. */
  measure?: SignalMeasure | null | undefined;
  grain: Grain;
  schedule?: ScheduleInput | null | undefined;
  /** 0 without it. */
  cooldownMinutes?: number | null | undefined;
  webhookUrl?: string | null | undefined;
  idempotencyKey?: string | null | undefined;
}

/** A signal that was written, and the secret that its webhooks are signed with from now on: told this once. */
export interface WrittenSignal {
  id: string;
  webhookSecret: string | null;
}

/** Makes a signal, which is evaluated at once where workers run. Fails with every problem of its fields at once. */
export async function createSignal(
  deps: SignalDeps,
  viewer: Viewer,
  input: CreateSignalInput,
): Promise<WrittenSignal> {
  const { db } = deps.store;
  const { columns, problems } = await checkSignal(deps, input);
  const signal = { id: newId(), projectId: viewer.projectId, name: columns.name ?? input.name };
  const webhook =
    input.webhookUrl == null || problems.length > 0
      ? null
      : sealWebhook(deps.secrets, signal, input.webhookUrl);

  const ask = { projectId: viewer.projectId, operation: 'createSignal', key: input.idempotencyKey, input };
  const write = () =>
    db.$transaction(async (tx) => {
      await lockMetric(tx, viewer, input.metricId, problems);
      if (problems.length > 0) throw new InputError(problems);
      return once(tx, ask, async () => {
        await nameTaken(tx, 'signal', viewer, signal);
        const now = deps.now();
        const { operator, threshold, grain, metricId } = input;
        const { cron = null, timeZone = null } = columns;
        return tx.signal.create({
          data: {
            ...columns,
            ...signal,
            operator,
            threshold,
            grain,
            metricId,
            measure: input.measure ?? 'VALUE',
            nextRunAt: nextRun({ active: true, cron, timeZone }, now),
            ...(webhook && { webhook: webhook.stored }),
            createdAt: now,
            updatedAt: now,
            createdById: viewer.memberId,
            updatedById: viewer.memberId,
          },
        });
      });
    });
  const { id, repeated } = await uniquely('signal', signal.name, write);
  return { id, webhookSecret: repeated ? null : (webhook?.secret ?? null) };
}
