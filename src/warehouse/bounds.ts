import type { Interruption } from './interruption.ts';
import type { RunOptions } from './warehouse.ts';

/** When a statement is to stop, and why it was stopped. To be disposed of when it has ended. */
export interface Bounds extends Disposable {
  signal: AbortSignal;
  deadlineMs: number;
  tag: string | undefined;
  stoppedBy: () => Interruption | null;
  /** Why what failed with this error has failed: a closed warehouse says why it is closed. */
  causeOf: (error: unknown) => unknown;
}

/** A timer of a longer time would go off at once. */
export const timerMsMax = 2 ** 31 - 1;

/** The bounds of the statements that run in one warehouse. Signals composed for each of them cost 10 µs a statement. */
export class Running {
  readonly #closing = new AbortController();
  readonly #stops = new Set<() => void>();

  /** Aborts when the warehouse is closed. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  bounds({ signal: given, deadlineMs = 30_000, tag }: RunOptions): Bounds {
    const stop = new AbortController();
    let stoppedBy: Interruption | null = null;
    const stopFor = (why: Interruption, reason: unknown) => {
      stoppedBy ??= why;
      stop.abort(reason);
    };
    const leave = () => stopFor('signal', given?.reason);
    const close = () => stopFor('closed', this.closing.reason);
    const timer = setTimeout(() => stopFor('deadline', timedOut()), Math.min(deadlineMs, timerMsMax)).unref();
    if (this.closing.aborted) close();
    else this.#stops.add(close);
    if (given?.aborted) leave();
    else given?.addEventListener('abort', leave, { once: true });
    return {
      signal: stop.signal,
      deadlineMs,
      tag,
      stoppedBy: () => stoppedBy,
      causeOf: (error) => (stoppedBy === 'closed' ? this.closing.reason : error),
      [Symbol.dispose]: () => {
        clearTimeout(timer);
        this.#stops.delete(close);
        given?.removeEventListener('abort', leave);
      },
    };
  }

  /** Stops what runs, and what comes from now on, with that reason. */
  close(reason: unknown): void {
    this.#closing.abort(reason);
    for (const stop of this.#stops) stop();
  }
}

function timedOut(): DOMException {
  return new DOMException('The statement ran out of time.', 'TimeoutError');
}
