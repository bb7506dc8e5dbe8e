import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { newId } from '#base/id.ts';
import { leftError } from './left-error.ts';
import type { Answer, Bind, Statement } from './warehouse.ts';

/** Where an answer came from: kept, run for it, run for an equal question, or kept too long and being renewed. */
export type CacheStatus = 'HIT' | 'MISS' | 'SHARED' | 'STALE';

/** Everything that makes two questions equal: a datastore belongs to one project, so that no answer crosses to another. */
export interface CacheKey {
  datastoreId: string;
  statement: Statement;
  rowsMax: number | undefined;
  /** What the asker says of how long the answer is kept: those who say otherwise share nothing. */
  keep?: { maxAgeMs: number | null; staleMs: number } | null | undefined;
}

/** How long an answer may be served, and what it is made of. */
export interface CachePolicy {
  /** Ids: the answer is dropped when one of them is written. Without any it is not kept. */
  tags: readonly string[];
  /** Where tables also change without Sluice; null for as long as none of them is written. */
  maxAgeMs: number | null;
  /** How much longer it may be served while one execution renews it. */
  staleMs: number;
}

/** How a question is answered when no answer is kept. Equal questions have policies of one type. */
export interface Execution<Policy extends CachePolicy = CachePolicy> {
  policy(): Promise<Policy>;
  /** Stops when the signal aborts: when all who wait have left. */
  run(signal: AbortSignal): Promise<Answer>;
  /** An execution failed that nobody waits for: one that was to renew an answer. */
  failed(error: unknown): void;
}

export interface CachedAnswer<Policy extends CachePolicy = CachePolicy> {
  /** Shared by all who asked the same: not to be changed. */
  answer: Answer;
  /** As it was when the answer's execution began. */
  policy: Policy;
  status: CacheStatus;
}

interface Entry {
  answer: Answer;
  policy: CachePolicy;
  /** When its execution began. */
  at: number;
}

/** An execution that goes on, and those who wait for it. */
interface Flight {
  entry: Promise<Entry>;
  /** Undefined until they are known: any write may then be one of its tables'. */
  tags: readonly string[] | undefined;
  /** One of its tables was written after it began: it is of use only to those who had asked before. */
  outdated: boolean;
  waiting: number;
  leave: AbortController;
}

interface CacheOptions {
  /** What all answers together may take; 0 keeps none, and equal questions still share an execution. */
  bytesMax: number;
  /** Milliseconds, of any beginning. */
  clock?: () => number;
}

/** One answer may take this share of the whole, so that it does not push out all others. */
const largestShare = 4;

/**
 * The answers of warehouses, kept until a table behind them is written. Equal questions at the same time cost one
 * execution. Failures are not kept. An answer whose execution began before a write is not served to whoever asks after it.
 */
export class ResultCache {
  /** Tells what this one announced from what others did. */
  readonly id = newId();
  readonly #kept: LRUCache<string, Entry> | null;
  readonly #keysOf = new Map<string, Set<string>>();
  readonly #flights = new Map<string, Flight>();
  readonly #clock: () => number;

  constructor({ bytesMax, clock = () => performance.now() }: CacheOptions) {
    this.#clock = clock;
    this.#kept =
      bytesMax === 0
        ? null
        : new LRUCache({
            maxSize: bytesMax,
            maxEntrySize: Math.ceil(bytesMax / largestShare),
            sizeCalculation: sizeOf,
            dispose: (entry, key) => this.#untag(key, entry.policy.tags),
          });
  }

  /** The answer, kept or executed. Fails as the execution does, and with WAREHOUSE_TIMEOUT when the signal aborts. */
  async ask<Policy extends CachePolicy>(
    key: CacheKey,
    execution: Execution<Policy>,
    signal: AbortSignal,
  ): Promise<CachedAnswer<Policy>> {
    const { answer, policy, status } = await this.#ask(key, execution, signal);
    return { answer, policy: policy as Policy, status };
  }

  async #ask(key: CacheKey, execution: Execution, signal: AbortSignal): Promise<CachedAnswer> {
    if (signal.aborted) throw leftError(signal.reason);
    const id = textOf(key);
    const kept = this.#kept?.get(id);
    if (kept) {
      const { maxAgeMs, staleMs } = kept.policy;
      const over = maxAgeMs === null ? -1 : this.#clock() - kept.at - maxAgeMs;
      if (over < 0) return { ...kept, status: 'HIT' };
      if (over < staleMs) {
        this.#renew(id, execution);
        return { ...kept, status: 'STALE' };
      }
      this.#kept?.delete(id);
    }
    const joined = this.#flights.get(id);
    const flight = joined ?? this.#begin(id, execution);
    const entry = await this.#wait(id, flight, signal);
    return { ...entry, status: joined ? 'SHARED' : 'MISS' };
  }

  /** Drops exactly the answers that carry one of the tags, now and of the executions that go on. */
  drop(tags: readonly string[]): void {
    for (const tag of tags) {
      for (const id of this.#keysOf.get(tag) ?? []) this.#kept?.delete(id);
    }
    this.#outdate((flight) => flight.tags?.some((tag) => tags.includes(tag)) ?? true);
  }

  /** Drops every answer: writes may have gone unnoticed. */
  clear(): void {
    this.#kept?.clear();
    this.#outdate(() => true);
  }

  #outdate(isMeant: (flight: Flight) => boolean): void {
    for (const [id, flight] of this.#flights) {
      if (!isMeant(flight)) continue;
      flight.outdated = true;
      this.#flights.delete(id);
    }
  }

  #renew(id: string, execution: Execution): void {
    if (this.#flights.has(id)) return;
    const flight = this.#begin(id, execution);
    // It waits for itself: those who come and leave do not stop it.
    flight.waiting += 1;
    flight.entry.catch((error: unknown) => execution.failed(error));
  }

  #begin(id: string, execution: Execution): Flight {
    const leave = new AbortController();
    const flight: Flight = {
      entry: Promise.resolve().then(async () => {
        try {
          const policy = await execution.policy();
          flight.tags = policy.tags;
          const at = this.#clock();
          const entry = { answer: await execution.run(leave.signal), policy, at };
          if (!flight.outdated) this.#keep(id, entry);
          return entry;
        } finally {
          if (this.#flights.get(id) === flight) this.#flights.delete(id);
        }
      }),
      tags: undefined,
      outdated: false,
      waiting: 0,
      leave,
    };
    this.#flights.set(id, flight);
    return flight;
  }

  /** Resolves with the flight, or fails as soon as the signal aborts; the last who leaves stops the flight. */
  #wait(id: string, flight: Flight, signal: AbortSignal): Promise<Entry> {
    flight.waiting += 1;
    return new Promise((resolve, reject) => {
      const leave = () => {
        flight.waiting -= 1;
        reject(leftError(signal.reason));
        if (flight.waiting > 0) return;
        // Whoever asks from now on would be handed its end.
        if (this.#flights.get(id) === flight) this.#flights.delete(id);
        flight.leave.abort(signal.reason);
      };
      signal.addEventListener('abort', leave, { once: true });
      flight.entry.then(resolve, reject).finally(() => signal.removeEventListener('abort', leave));
    });
  }

  #keep(id: string, entry: Entry): void {
    if (entry.policy.tags.length === 0 || this.#kept === null) return;
    this.#kept.set(id, entry);
    if (!this.#kept.has(id)) return;
    for (const tag of entry.policy.tags) {
      const keys = this.#keysOf.get(tag) ?? new Set();
      this.#keysOf.set(tag, keys.add(id));
    }
  }

  #untag(id: string, tags: readonly string[]): void {
    for (const tag of tags) {
      const keys = this.#keysOf.get(tag);
      keys?.delete(id);
      if (keys?.size === 0) this.#keysOf.delete(tag);
    }
  }
}

/** About what an answer takes in memory: its values, and besides them an array a row with an object for each. */
function sizeOf({ answer }: Entry, id: string): number {
  return 1_000 + 2 * id.length + answer.bytes + answer.rows.length * (40 + 24 * answer.columns.length);
}

/** Longer ones are known by their hash: a question may bind thousands of keys. */
const idLengthMax = 1_000;

/** Equal for equal questions, and only for these. */
function textOf({ datastoreId, statement: { sql, binds = [] }, rowsMax, keep }: CacheKey): string {
  const policy = keep ? `${keep.maxAgeMs} ${keep.staleMs}` : '';
  const text = [datastoreId, rowsMax ?? '', policy, sql.length, sql, ...binds.map(bindText)].join('\0');
  return text.length <= idLengthMax ? text : createHash('sha256').update(text).digest('base64');
}

/** Binds of different types are told apart, since the engine tells them apart. */
function bindText(bind: Bind): string {
  if (bind === null) return 'n';
  if (typeof bind === 'string') return JSON.stringify(bind);
  if (typeof bind === 'number') return Object.is(bind, -0) ? 'd-0' : `d${bind}`;
  if (typeof bind === 'bigint') return `i${bind}`;
  if (typeof bind === 'boolean') return `b${bind}`;
  if (bind instanceof Date) return `t${bind.getTime()}`;
  if (bind instanceof Uint8Array) return `x${Buffer.from(bind).toString('hex')}`;
  return `[${bind.map(bindText).join(',')}]`;
}
