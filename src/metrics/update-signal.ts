import { nameTaken, uniquely } from '#accounts/check-name.ts';
import { checkRevision } from '#accounts/check-revision.ts';
import type { Viewer } from '#accounts/viewer.ts';
import { visible } from '#accounts/visible.ts';
import { InputError } from '#base/errors.ts';
import { nextRun } from '#base/schedule.ts';
import { Prisma, type Signal } from '#generated/prisma/client.ts';
import { checkSignal, lockMetric, type SignalColumns, type SignalFields } from './check-signal.ts';
import type { WrittenSignal } from './create-signal.ts';
import { findSignal } from './find-signal.ts';
import type { SignalDeps } from './signal-deps.ts';
import { sealWebhook } from './signal-webhook.ts';

export interface UpdateSignalInput extends SignalFields {
  id: string;
  expectedRevision?: number | null | undefined;
}

/** What a signal is about: once one of these is another, what was found before says nothing of it. */
const meaning = ['metricId', 'operator', 'threshold', 'measure', 'grain', 'timeZone'] as const;

/**
 * Changes what is named, under the next revision. A signal that means something else now is evaluated at once where workers
 * run. A new webhookUrl has a new secret, told this once, and hears anew that the signal is triggered. Fails with NOT_FOUND,
 * CONFLICT, or every problem at once.
 */
export async function updateSignal(
  deps: SignalDeps,
  viewer: Viewer,
  input: UpdateSignalInput,
): Promise<WrittenSignal> {
  const { db } = deps.store;
  const before = await findSignal(db, viewer, input.id);
  checkRevision(before, input.expectedRevision, 'signal');
  const { columns, problems } = await checkSignal(deps, input);
  const webhook =
    input.webhookUrl == null || problems.length > 0
      ? null
      : sealWebhook(deps.secrets, before, input.webhookUrl);

  const write = () =>
    db.$transaction(async (tx) => {
      if (input.metricId != null) await lockMetric(tx, viewer, input.metricId, problems);
      if (problems.length > 0) throw new InputError(problems);
      if (columns.name !== undefined)
        await nameTaken(tx, 'signal', viewer, { id: before.id, name: columns.name });
      const { count } = await tx.signal.updateMany({
        where: { id: before.id, ...visible(viewer), revision: before.revision },
        data: {
          ...columns,
          ...consequences(before, columns, deps.now()),
          ...(input.webhookUrl !== undefined && {
            webhook: webhook?.stored ?? Prisma.DbNull,
            alarmed: false,
            notifiedAt: null,
          }),
          revision: before.revision + 1,
          updatedAt: deps.now(),
          updatedById: viewer.memberId,
        },
      });
      if (count === 0) checkRevision(await findSignal(tx, viewer, before.id), before.revision, 'signal');
    });
  await uniquely('signal', columns.name, write);
  return { id: before.id, webhookSecret: webhook?.secret ?? null };
}

/** What else becomes of a signal by its changes. */
function consequences(
  before: Signal,
  columns: SignalColumns,
  now: Date,
): Partial<Pick<Signal, 'nextRunAt' | 'evaluatedAt' | 'tablesAt'>> {
  const after = { ...before, ...columns };
  const isRetimed = after.cron !== before.cron || after.timeZone !== before.timeZone;
  return {
    ...(isRetimed && { nextRunAt: nextRun({ ...after, active: true }, now) }),
    ...(meaning.some((each) => after[each] !== before[each]) && { evaluatedAt: null }),
    ...(after.metricId !== before.metricId && { tablesAt: null }),
  };
}
