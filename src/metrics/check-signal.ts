import { checkName } from '#accounts/check-name.ts';
import type { Viewer } from '#accounts/viewer.ts';
import { visible } from '#accounts/visible.ts';
import type { Problem } from '#base/errors.ts';
import { checkTiming, type ScheduleInput } from '#base/schedule.ts';
import type { Grain, SignalMeasure, SignalOperator } from '#generated/prisma/enums.ts';
import type { Tx } from '#store/open-store.ts';
import type { SignalDeps } from './signal-deps.ts';
import { checkWebhookUrl } from './signal-webhook.ts';

type Maybe<T> = T | null | undefined;

/** What a signal is made of; what is null or left out is not checked, and does not change. */
export interface SignalFields {
  name?: Maybe<string>;
  metricId?: Maybe<string>;
  operator?: Maybe<SignalOperator>;
  threshold?: Maybe<number>;
  measure?: Maybe<SignalMeasure>;
  grain?: Maybe<Grain>;
  cooldownMinutes?: Maybe<number>;
  /** Null takes the schedule away. */
  schedule?: Maybe<ScheduleInput>;
  /** Null takes the webhook away. */
  webhookUrl?: Maybe<string>;
}

/** What is written of a signal, by the names of the store. */
export interface SignalColumns {
  name?: string;
  metricId?: string;
  operator?: SignalOperator;
  threshold?: number;
  measure?: SignalMeasure;
  grain?: Grain;
  cooldownMinutes?: number;
  cron?: string | null;
  timeZone?: string | null;
}

/** A year. */
const cooldownMinutesMax = 525_600;

/** The columns that the fields stand for, and every problem that they have. Looks up the host of webhookUrl. */
export async function checkSignal(
  deps: SignalDeps,
  input: SignalFields,
): Promise<{ columns: SignalColumns; problems: Problem[] }> {
  const problems: Problem[] = [];
  const { metricId, operator, threshold, measure, grain, cooldownMinutes } = input;
  const columns: SignalColumns = {
    ...(metricId != null && { metricId }),
    ...(operator != null && { operator }),
    ...(threshold != null && { threshold }),
    ...(measure != null && { measure }),
    ...(grain != null && { grain }),
    ...(cooldownMinutes != null && { cooldownMinutes }),
  };
  if (input.name != null) {
    const checked = checkName(input.name, 'signal');
    problems.push(...checked.problems);
    columns.name = checked.name;
  }
  if (cooldownMinutes != null && (cooldownMinutes < 0 || cooldownMinutes > cooldownMinutesMax)) {
    problems.push({
      code: 'INVALID',
      path: ['cooldownMinutes'],
      message: `A cooldown of ${cooldownMinutes} minutes is not possible; 0 to ${cooldownMinutesMax} are allowed.`,
    });
  }
  if (input.schedule !== undefined) Object.assign(columns, checkTiming(input.schedule, problems));
  if (input.webhookUrl != null)
    problems.push(...(await checkWebhookUrl(input.webhookUrl, deps.webhookHosts)));
  return { columns, problems };
}

/** Keeps the metric from being deleted until `tx` ends; what is wrong with its id is added to the problems. */
export async function lockMetric(tx: Tx, viewer: Viewer, id: string, problems: Problem[]): Promise<void> {
  await tx.$queryRaw`
    SELECT 1 FROM metric WHERE id = ${id}::uuid AND project_id = ${viewer.projectId}::uuid FOR SHARE`;
  const metric = await tx.metric.findFirst({ where: { id, ...visible(viewer) }, select: { id: true } });
  if (metric) return;
  problems.push({ code: 'NOT_FOUND', path: ['metricId'], message: 'There is no such metric.' });
}
