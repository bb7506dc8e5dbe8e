import type { Viewer } from '#accounts/viewer.ts';
import { AppError } from '#base/errors.ts';
import type { Log } from '#base/log.ts';
import type { Db, Store } from '#store/open-store.ts';
import type { Endpoint } from './served.ts';

/** Who is counted: null and no address where neither is known. */
interface Counted {
  viewer: Viewer | null;
  address: string | null;
}

/** How a caller stands in the running window. */
export interface RateState {
  limit: number;
  remaining: number;
  /** Seconds until the window ends, at least 1. */
  resetSeconds: number;
}

/** A caller has used up the window. */
export class RateLimited extends AppError {
  readonly state: RateState;

  constructor(endpoint: Endpoint, state: RateState) {
    const { requests, perMs } = endpoint.rateLimit!;
    super('RATE_LIMITED', `${endpoint.name} takes ${requests} calls in ${perMs / 1_000} s.`, {
      fix: `Try again in ${state.resetSeconds} s.`,
    });
    this.name = 'RateLimited';
    this.state = state;
  }
}

/** Counts of calls, in memory, and told to the other processes once a second. */
export interface Rates extends AsyncDisposable {
  /** Counts a call. Fails with RateLimited beyond the limit; null for an endpoint that has none. */
  take(endpoint: Endpoint, caller: Counted): RateState | null;
  /** Tells the others, and hears from them. Runs by itself. */
  exchange(): Promise<void>;
}

interface Window {
  startAt: number;
  endAt: number;
  /** By all processes, when it was last asked. */
  shared: number;
  /** By this process since. */
  own: number;
}

const exchangeMs = 1_000;
/** How often windows that ended long ago are removed, which looks at every row; and how long none lasts. */
const cleanMs = 600_000;
const endedMs = 2 * 86_400_000;
/** So many callers are told apart; beyond it the oldest window is forgotten. */
const windowsMax = 100_000;

/**
 * Windows begin at multiples of their length, for all processes alike. Between two exchanges a process counts its own
 * calls only: several processes together let through at most what comes in that second beyond the limit.
 */
export function openRates({ db }: Pick<Store, 'db'>, log: Log, clock: () => number = Date.now): Rates {
  const windows = new Map<string, Window>();
  let cleanedAt = 0;
  const take: Rates['take'] = (endpoint, caller) => {
    const { rateLimit } = endpoint;
    if (!rateLimit) return null;
    const now = clock();
    const startAt = now - (now % rateLimit.perMs);
    const key = keyOf(endpoint, caller);
    let window = windows.get(key);
    if (window?.startAt !== startAt) {
      windows.delete(key);
      window = { startAt, endAt: startAt + rateLimit.perMs, shared: 0, own: 0 };
      windows.set(key, window);
      if (windows.size > windowsMax) windows.delete(windows.keys().next().value!);
    }
    const used = window.shared + window.own;
    const state = {
      limit: rateLimit.requests,
      remaining: Math.max(rateLimit.requests - used - 1, 0),
      resetSeconds: Math.max(Math.ceil((window.endAt - now) / 1_000), 1),
    };
    if (used >= rateLimit.requests) throw new RateLimited(endpoint, state);
    window.own += 1;
    return state;
  };
  const exchangeOnce = async (): Promise<void> => {
    const told = [...windows].filter(([, window]) => window.own > 0);
    const now = clock();
    for (const [key, window] of windows) if (window.endAt <= now && window.own === 0) windows.delete(key);
    if (told.length === 0) return;
    const sent = told.map(([key, window]) => ({ key, start_at: new Date(window.startAt), used: window.own }));
    const rows = await addUp(db, sent);
    const sentOf = new Map(sent.map((each) => [each.key, each]));
    for (const { key, start_at, used } of rows) {
      const window = windows.get(key);
      const was = sentOf.get(key);
      if (!window || !was || window.startAt !== start_at.getTime()) continue;
      window.shared = Number(used);
      window.own -= was.used;
    }
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
    exchange,
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      await exchange().catch(failed);
    },
  };
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

interface Told {
  key: string;
  start_at: Date;
  used: number;
}

/** Adds what was counted here to what others have told, and gives the sums. */
function addUp(db: Db, sent: readonly Told[]): Promise<{ key: string; start_at: Date; used: bigint }[]> {
  return db.$queryRaw<{ key: string; start_at: Date; used: bigint }[]>`
      INSERT INTO rate_window AS known (key, start_at, used)
      SELECT key, start_at, used FROM jsonb_to_recordset(${JSON.stringify(sent)}::jsonb) AS sent (key text, start_at timestamptz, used bigint)
      ORDER BY key
      ON CONFLICT (key) DO UPDATE SET
        used = CASE WHEN excluded.start_at = known.start_at THEN known.used + excluded.used
          WHEN excluded.start_at > known.start_at THEN excluded.used ELSE known.used END,
        start_at = greatest(known.start_at, excluded.start_at)
      RETURNING key, start_at, used`;
}

/** A member who signs in twice is counted once with "member", and twice with "key". */
function keyOf({ id, rateLimit }: Endpoint, { viewer, address }: Counted): string {
  const whose = {
    key: viewer?.apiKeyId ?? viewer?.memberId,
    member: viewer?.memberId ?? viewer?.apiKeyId,
    address,
  }[rateLimit!.by];
  return `${id} ${whose ?? address ?? ''}`;
}
