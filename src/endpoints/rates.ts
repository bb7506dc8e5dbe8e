import { LRUCache } from 'lru-cache';
import type { Viewer } from '#accounts/viewer.ts';
import type { Log } from '#base/log.ts';
import type { Working } from '#catalog/meter.ts';
import type { Db, Store } from '#store/open-store.ts';
import { isUsedUp, RateLimited, type RateState, rateStateOf } from './rate-state.ts';
import { type Counts, RateWindow } from './rate-window.ts';
import type { Endpoint } from './served.ts';

/** Who is counted: null and no address where neither is known. */
interface Counted {
  viewer: Viewer | null;
  address: string | null;
}

/** A call that was let through. */
export interface TakenCall {
  /** Undefined where nobody counts the work. */
  working: Working | undefined;
  /** To be called once, when it is answered or has failed; its statements may go on. */
  ended: (isAnswered: boolean) => void;
}

/** Counts of calls and of what they cost, in memory, and told to the other processes once a second. */
export interface Rates extends AsyncDisposable {
  /** Counts a call. Fails with RateLimited beyond a limit. */
  take(endpoint: Endpoint, caller: Counted): TakenCall;
  /** How a caller stands by now; null for an endpoint without limits. */
  stateOf(endpoint: Endpoint, caller: Counted): RateState | null;
  /** Tells the others, and hears from them. Runs by itself. */
  exchange(): Promise<void>;
}

const exchangeMs = 1_000;
/** How often windows that ended long ago are removed, which looks at every row; and how long none lasts. */
const cleanMs = 600_000;
const endedMs = 2 * 86_400_000;
/** So many callers are told apart; beyond it the oldest window is forgotten. */
const windowsMax = 100_000;
/** Where no call of an endpoint has ended yet, so many may begin at once on a whole budget, and more where their timeout allows it. */
const firstCallsMax = 10;
/** The weight of a call in the mean of those before it. */
const newest = 0.1;

const uncounted: TakenCall = { working: undefined, ended: () => undefined };

/**
 * Between two exchanges a process counts its own calls only: several processes together let through at most what comes in
 * that second beyond a limit. A call begins while budget is left, and holds what calls of the endpoint cost on average, or
 * what it has cost so far where that is more: what is used exceeds the budget by no more than what had begun cost beyond that.
 */
export function openRates({ db }: Pick<Store, 'db'>, log: Log, clock: () => number = Date.now): Rates {
  const windows = new Map<string, RateWindow>();
  const costs = openCosts();
  let cleanedAt = 0;
  const windowOf = (key: string, perMs: number): RateWindow => {
    const window = windows.get(key) ?? new RateWindow(perMs, clock);
    if (!window.bringUpToDate()) return window;
    // The newest last.
    windows.delete(key);
    windows.set(key, window);
    if (windows.size > windowsMax) windows.delete(windows.keys().next().value!);
    return window;
  };
  const take: Rates['take'] = (endpoint, caller) => {
    const { rateLimit } = endpoint;
    if (!rateLimit) return uncounted;
    const { costMs, perMs } = rateLimit;
    const window = windowOf(keyOf(endpoint, caller), perMs);
    const { used } = window;
    if (isUsedUp(rateLimit, used)) throw new RateLimited(endpoint, used, window.endAt - clock());
    if (costMs === null) {
      window.own.requests += 1;
      return uncounted;
    }
    return window.begin(costs.expectedMs(endpoint, costMs), (ms) => costs.learn(endpoint, ms));
  };
  const stateOf: Rates['stateOf'] = (endpoint, caller) => {
    const { rateLimit } = endpoint;
    if (!rateLimit) return null;
    const { perMs } = rateLimit;
    const window = windows.get(keyOf(endpoint, caller));
    window?.bringUpToDate();
    return rateStateOf(rateLimit, window?.used ?? { requests: 0, costMs: 0 }, perMs - (clock() % perMs));
  };
  const exchangeOnce = async (): Promise<void> => {
    for (const [key, window] of windows) {
      if (window.isOver) windows.delete(key);
      else window.bringUpToDate();
    }
    if (!(await tellAndHear(db, windows))) return;
    const now = clock();
    if (now - cleanedAt < cleanMs) return;
    cleanedAt = now;
    await db.$executeRaw`DELETE FROM rate_window WHERE start_at < ${new Date(now - endedMs)}`;
  };
  const failed = (error: unknown) => log.warn('Counts of calls were not exchanged.', { error });
  // Two at once would both send what one of them counts.
  const exchange = inTurn(exchangeOnce);
  const timer = setInterval(() => void exchange().catch(failed), exchangeMs);
  timer.unref();
  return {
    take,
    stateOf,
    exchange,
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      await exchange().catch(failed);
    },
  };
}

/** What calls of each endpoint cost on average, the newest the most, as far as this process has seen. */
function openCosts() {
  const means = new LRUCache<string, number>({ max: 10_000 });
  return {
    expectedMs({ id, timeoutMs }: Endpoint, costMs: number): number {
      return means.get(id) ?? Math.min(costMs / firstCallsMax, timeoutMs);
    },
    learn({ id }: Endpoint, spentMs: number): void {
      const before = means.get(id) ?? spentMs;
      means.set(id, before + (spentMs - before) * newest);
    },
  };
}

/** Whether there was anything to tell. */
async function tellAndHear(db: Db, windows: ReadonlyMap<string, RateWindow>): Promise<boolean> {
  const told = [...windows].flatMap(([key, { startAt, own }]) =>
    own.requests > 0 || own.costMs > 0 ? [{ key, startAt, ...own }] : [],
  );
  if (told.length === 0) return false;
  const toldOf = new Map(told.map((each) => [each.key, each]));
  for (const { key, start_at, used, cost_ms } of await addUp(db, told)) {
    const all = { requests: Number(used), costMs: cost_ms };
    windows.get(key)?.hear(start_at.getTime(), all, toldOf.get(key)!);
  }
  return true;
}

/** The same, where one begins when the one before it has ended, however it did. */
function inTurn(work: () => Promise<void>): () => Promise<void> {
  let last = Promise.resolve();
  return () => {
    const running = last.then(work);
    last = running.catch(() => undefined);
    return running;
  };
}

interface Told extends Counts {
  key: string;
  startAt: number;
}

/** What all processes have told of a window. */
interface ToldByAll {
  key: string;
  start_at: Date;
  used: bigint;
  cost_ms: number;
}

/** Adds what was counted here to what others have told, and gives the sums. */
function addUp(db: Db, told: readonly Told[]): Promise<ToldByAll[]> {
  const rows = told.map(({ key, startAt, requests, costMs }) => ({
    key,
    start_at: new Date(startAt),
    used: requests,
    cost_ms: costMs,
  }));
  return db.$queryRaw<ToldByAll[]>`
      INSERT INTO rate_window AS known (key, start_at, used, cost_ms)
      SELECT key, start_at, used, cost_ms FROM jsonb_to_recordset(${JSON.stringify(rows)}::jsonb)
        AS sent (key text, start_at timestamptz, used bigint, cost_ms double precision)
      ORDER BY key
      ON CONFLICT (key) DO UPDATE SET
        used = CASE WHEN excluded.start_at = known.start_at THEN known.used + excluded.used
          WHEN excluded.start_at > known.start_at THEN excluded.used ELSE known.used END,
        cost_ms = CASE WHEN excluded.start_at = known.start_at THEN known.cost_ms + excluded.cost_ms
          WHEN excluded.start_at > known.start_at THEN excluded.cost_ms ELSE known.cost_ms END,
        start_at = greatest(known.start_at, excluded.start_at)
      RETURNING key, start_at, used, cost_ms`;
}

/**
 * A member who signs in twice is counted once with "member", and twice with "key"; who has no address, as in GraphQL, by key.
 * Windows of another length are others: they begin at other times.
 */
function keyOf({ id, rateLimit }: Endpoint, { viewer, address }: Counted): string {
  const { by, perMs } = rateLimit!;
  const key = viewer?.apiKeyId ?? viewer?.memberId ?? address;
  const whose = { key, member: viewer?.memberId ?? key, address: address ?? key }[by];
  return `${id} ${perMs} ${whose ?? ''}`;
}
