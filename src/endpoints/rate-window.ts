import type { Working } from '#catalog/meter.ts';
import type { Used } from './rate-state.ts';

/** What processes tell each other of a window. */
export interface Counts {
  requests: number;
  costMs: number;
}

const nothing = (): Counts => ({ requests: 0, costMs: 0 });

/** A call that goes on, or whose statement does. */
interface RunningCall {
  /** What calls like it have cost. */
  expectedMs: number;
  spentMs: number;
  /** It is answered or has failed. */
  over: boolean;
  /** Whether it tells what such calls cost: one that failed before it was run does not. */
  telling: boolean;
  /** Its statements, by until when each is counted. */
  statements: Set<{ countedTo: number }>;
}

/** A call that was let through. */
export interface CountedCall {
  working: Working;
  /** To be called once, when it is answered or has failed; its statements may go on. */
  ended: (isAnswered: boolean) => void;
}

/**
 * What one caller uses of one endpoint. Windows begin at multiples of their length, for all processes alike. The work of a
 * statement is counted while it goes on, in the window in which it is done.
 */
export class RateWindow {
  startAt = 0;
  endAt = 0;
  /** By all processes, when they were last asked. */
  shared = nothing();
  /** By this process since. */
  own = nothing();
  readonly #perMs: number;
  readonly #calls = new Set<RunningCall>();
  readonly #clock: () => number;

  constructor(perMs: number, clock: () => number) {
    this.#perMs = perMs;
    this.#clock = clock;
  }

  /** Counts what was worked until now, in the window that runs now; whether that is a new one. */
  bringUpToDate(): boolean {
    const now = this.#clock();
    const isNew = now >= this.endAt;
    if (isNew) {
      this.startAt = now - (now % this.#perMs);
      this.endAt = this.startAt + this.#perMs;
      this.shared = nothing();
      this.own = nothing();
    }
    for (const call of this.#calls) {
      for (const statement of call.statements) {
        call.spentMs += Math.max(now - statement.countedTo, 0);
        this.own.costMs += Math.max(now - Math.max(statement.countedTo, this.startAt), 0);
        statement.countedTo = Math.max(now, statement.countedTo);
      }
    }
    return isNew;
  }

  get used(): Used {
    let heldMs = 0;
    for (const { over, expectedMs, spentMs } of this.#calls)
      heldMs += over ? 0 : Math.max(expectedMs - spentMs, 0);
    return {
      requests: this.shared.requests + this.own.requests,
      costMs: this.shared.costMs + this.own.costMs,
      heldMs,
    };
  }

  /** Whether nothing of it is of use to anybody. */
  get isOver(): boolean {
    return this.#calls.size === 0 && this.#clock() >= this.endAt;
  }

  /** Others have told of the window that began then, and of what this process had sent. */
  hear(startAt: number, all: Counts, sent: Counts): void {
    if (startAt !== this.startAt) return;
    this.shared = all;
    this.own.requests -= sent.requests;
    this.own.costMs -= sent.costMs;
  }

  /** Counts a call, which is taken to cost so much until it has cost more; `spent` is told what it did. */
  begin(expectedMs: number, spent: (ms: number) => void): CountedCall {
    this.own.requests += 1;
    const call: RunningCall = {
      expectedMs,
      spentMs: 0,
      over: false,
      telling: false,
      statements: new Set(),
    };
    this.#calls.add(call);
    const leave = () => {
      if (!call.over || call.statements.size > 0) return;
      this.#calls.delete(call);
      if (call.telling) spent(call.spentMs);
      call.spentMs = 0;
    };
    return {
      working: () => {
        const statement = { countedTo: this.#clock() };
        call.statements.add(statement);
        call.telling = true;
        // A kept answer is renewed after it was given.
        this.#calls.add(call);
        return () => {
          this.bringUpToDate();
          call.statements.delete(statement);
          leave();
        };
      },
      ended: (isAnswered) => {
        call.over = true;
        call.telling ||= isAnswered;
        leave();
      },
    };
  }
}
