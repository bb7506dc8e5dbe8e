import type { Log } from '#base/log.ts';
import type { Store } from '#store/open-store.ts';
import type { Endpoint } from './served.ts';

/** What a call was. */
interface Call {
  /** Null for one that was refused before it was run. */
  durationMs: number | null;
  failed?: boolean;
  /** Answered with what was kept. */
  cached?: boolean;
}

interface Counts {
  projectId: string;
  hour: number;
  endpointId: string;
  calls: number;
  errors: number;
  cached: number;
  durations: number[];
}

/** Counts of calls by endpoint and hour, in memory, and written once in some seconds. */
export interface Usage extends AsyncDisposable {
  count(endpoint: Pick<Endpoint, 'id' | 'projectId'>, call: Call): void;
  /** Writes what was counted, and once an hour removes what is older than 35 days. Runs by itself. */
  write(): Promise<void>;
}

const writeMs = 5_000;
const hourMs = 3_600_000;
/** Hours that are older are of no use to usageOf, and go. */
const keptMs = 35 * 24 * hourMs;
/** Durations of 0 to 2^20 ms, two steps for each doubling: a percentile is right within 41 %. */
export const durationSteps = 41;

/** The step of a duration: the nth holds those up to 2^(n/2) ms. */
export function durationStep(durationMs: number): number {
  const step = Math.ceil(2 * Math.log2(Math.max(durationMs, 1)));
  return Math.min(Math.max(step, 0), durationSteps - 1);
}

/** Writes what is left when it is disposed of. */
export function openUsage({ db }: Pick<Store, 'db'>, log: Log, clock: () => number = Date.now): Usage {
  let counted = new Map<string, Counts>();
  let cleanedAt = 0;
  const clean = async (): Promise<void> => {
    const now = clock();
    // It looks at every row, and there is something to find once an hour.
    if (now - cleanedAt < hourMs) return;
    cleanedAt = now;
    await db.endpointUsage.deleteMany({ where: { hour: { lt: new Date(now - keptMs) } } });
  };
  const write = async (): Promise<void> => {
    await clean();
    if (counted.size === 0) return;
    const writing = counted;
    counted = new Map();
    const rows = [...writing.values()].map(({ hour, ...row }) => ({ ...row, hour: new Date(hour) }));
    await db.$executeRaw`
      INSERT INTO endpoint_usage AS known (endpoint_id, project_id, hour, calls, errors, cached, durations)
      SELECT "endpointId", "projectId", hour, calls, errors, cached, durations
      FROM jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) AS counted
        ("endpointId" uuid, "projectId" uuid, hour timestamptz, calls bigint, errors bigint, cached bigint, durations bigint[])
      WHERE EXISTS (SELECT 1 FROM endpoint WHERE endpoint.id = "endpointId")
      ORDER BY "endpointId"
      ON CONFLICT (endpoint_id, hour) DO UPDATE SET
        calls = known.calls + excluded.calls, errors = known.errors + excluded.errors, cached = known.cached + excluded.cached,
        durations = (SELECT array_agg(coalesce(one, 0) + coalesce(other, 0) ORDER BY place)
          FROM unnest(known.durations, excluded.durations) WITH ORDINALITY AS both_of (one, other, place))`;
  };
  let running = Promise.resolve();
  const failed = (error: unknown) => log.warn('Counts of calls were not written.', { error });
  const timer = setInterval(() => {
    running = running.then(write).catch(failed);
  }, writeMs);
  timer.unref();
  return {
    count({ id, projectId }, { durationMs, failed: isError = false, cached = false }) {
      const hour = clock() - (clock() % hourMs);
      const key = `${id} ${hour}`;
      const counts = counted.get(key) ?? {
        endpointId: id,
        projectId,
        hour,
        calls: 0,
        errors: 0,
        cached: 0,
        durations: Array.from({ length: durationSteps }, () => 0),
      };
      counted.set(key, counts);
      counts.calls += 1;
      counts.errors += isError ? 1 : 0;
      counts.cached += cached ? 1 : 0;
      if (durationMs !== null) counts.durations[durationStep(durationMs)]! += 1;
    },
    write,
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      await running;
      await write().catch(failed);
    },
  };
}

/** What was counted of an endpoint over the last 30 days. */
export interface UsageOf {
  calls: bigint;
  /** Those that were refused, before or as they were run, among them. */
  errors: bigint;
  /** The share of calls that were answered with what was kept; null without calls. */
  cacheShare: number | null;
  /** Milliseconds, of the calls that were run; null without any. */
  p50Ms: number | null;
  p99Ms: number | null;
}

/** Of each endpoint by its id, one statement for all. */
export async function usageOf(
  { db }: Pick<Store, 'db'>,
  projectId: string,
  endpointIds: readonly string[],
  now: Date,
): Promise<Map<string, UsageOf>> {
  const since = new Date(now.getTime() - 30 * 24 * hourMs);
  const rows = await db.endpointUsage.findMany({
    where: { projectId, endpointId: { in: [...endpointIds] }, hour: { gte: since } },
  });
  const byEndpoint = Map.groupBy(rows, ({ endpointId }) => endpointId);
  return new Map(
    endpointIds.map((id) => {
      const hours = byEndpoint.get(id) ?? [];
      const sum = (of: (hour: (typeof rows)[number]) => bigint) =>
        hours.reduce((total, hour) => total + of(hour), 0n);
      const calls = sum((hour) => hour.calls);
      const steps = Array.from({ length: durationSteps }, (_, step) =>
        Number(sum((hour) => hour.durations[step] ?? 0n)),
      );
      return [
        id,
        {
          calls,
          errors: sum((hour) => hour.errors),
          cacheShare: calls === 0n ? null : Number(sum((hour) => hour.cached)) / Number(calls),
          p50Ms: percentile(steps, 0.5),
          p99Ms: percentile(steps, 0.99),
        },
      ];
    }),
  );
}

/** The end of the step in which that share of all lies. */
function percentile(steps: readonly number[], share: number): number | null {
  const all = steps.reduce((sum, count) => sum + count, 0);
  if (all === 0) return null;
  let seen = 0;
  for (const [step, count] of steps.entries()) {
    seen += count;
    if (seen >= share * all) return 2 ** (step / 2);
  }
  return null;
}
