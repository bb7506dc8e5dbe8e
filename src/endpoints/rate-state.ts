import { AppError } from '#base/errors.ts';
import type { Endpoint } from './served.ts';

/** What a declaration allows each caller; null where it does not say. */
export interface RateLimit {
  requests: number | null;
  /** Milliseconds of the datastore's work. */
  costMs: number | null;
  perMs: number;
  by: 'key' | 'member' | 'address';
}

/** How a caller stands with one of the two in the running window. */
export interface Quota {
  limit: number;
  remaining: number;
}

/** How a caller stands in the running window; null for what is not limited. */
export interface RateState {
  requests: Quota | null;
  /** In milliseconds. */
  cost: Quota | null;
  windowSeconds: number;
  /** Seconds until the window ends, at least 1. */
  resetSeconds: number;
}

/** What of a window is used up. */
export interface Used {
  requests: number;
  costMs: number;
  /** What the calls that run are taken to cost yet. */
  heldMs: number;
}

/** How a caller stands who has used so much. What is held may still be given back, and is not told. */
export function rateStateOf(limit: RateLimit, used: Omit<Used, 'heldMs'>, endsInMs: number): RateState {
  const quota = (of: number | null, taken: number) =>
    of === null ? null : { limit: of, remaining: Math.max(Math.floor(of - taken), 0) };
  return {
    requests: quota(limit.requests, used.requests),
    cost: quota(limit.costMs, used.costMs),
    windowSeconds: Math.ceil(limit.perMs / 1_000),
    resetSeconds: secondsOf(endsInMs),
  };
}

/** Whether no call may begin. */
export function isUsedUp({ requests, costMs }: RateLimit, used: Used): boolean {
  if (requests !== null && used.requests >= requests) return true;
  return costMs !== null && used.costMs + used.heldMs >= costMs;
}

function secondsOf(ms: number): number {
  return Math.max(Math.ceil(ms / 1_000), 1);
}

/** A caller has used up the window. */
export class RateLimited extends AppError {
  /** Seconds after which a call may be taken. */
  readonly retrySeconds: number;

  constructor({ name, rateLimit }: Pick<Endpoint, 'name' | 'rateLimit'>, used: Used, endsInMs: number) {
    const { requests, costMs, perMs } = rateLimit!;
    const tooMany = requests !== null && used.requests >= requests;
    // What is held is free as soon as a call that runs has cost less than it was taken to.
    const isHeld = !tooMany && used.costMs < costMs!;
    const retrySeconds = isHeld ? 1 : secondsOf(endsInMs);
    const budget = `${name} takes ${timeWords(costMs ?? 0)} of its datastore's time in ${timeWords(perMs)}: `;
    const message = tooMany
      ? `${name} takes ${requests} calls in ${timeWords(perMs)}.`
      : `${budget}${timeWords(used.costMs)} are used${isHeld ? ', and calls that run hold the rest' : ''}.`;
    super('RATE_LIMITED', message, { fix: `Try again in ${retrySeconds} s.` });
    this.name = 'RateLimited';
    this.retrySeconds = retrySeconds;
  }
}

/** "100 calls and 30 s of its datastore's time in 60 s", for those who call. */
export function rateWords({ requests, costMs, perMs, by }: RateLimit): string {
  const allowed = [
    ...(requests === null ? [] : [`${requests} calls`]),
    ...(costMs === null ? [] : [`${timeWords(costMs)} of its datastore's time`]),
  ];
  return `${allowed.join(' and ')} in ${timeWords(perMs)} for each ${by}`;
}

function timeWords(ms: number): string {
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${Number((ms / 1_000).toFixed(1))} s`;
}
