import { AppError } from '#base/errors.ts';
import type { Delivery } from './delivery.ts';

/** How the events of a source become answers. */
export interface Answering {
  answer(event: unknown): Promise<Delivery>;
  /** The answer that says why there are no more. */
  failed(error: unknown): Delivery;
}

type Step = IteratorResult<Delivery, undefined>;
const done = { done: true, value: undefined } as const;

/**
 * The answers of one subscription. An event is pulled only when its answer is asked for, so that a client that does
 * not read is not served ahead. Ending it does not wait for the source: an async generator in the middle of an await
 * cannot be returned from.
 */
export class EventStream implements AsyncGenerator<Delivery, undefined> {
  private readonly source: AsyncIterator<unknown>;
  private readonly answering: Answering;
  private readonly leave: AbortController;
  private ended = false;
  private last: Delivery | undefined;
  private release: (() => void) | undefined;

  /**
   * `leave` tells the source that nobody listens any more, and ends the stream when somebody else aborts it: after a
   * last answer that says why, when its reason is an AppError.
   */
  constructor(source: AsyncIterator<unknown>, answering: Answering, leave: AbortController) {
    this.source = source;
    this.answering = answering;
    this.leave = leave;
    if (leave.signal.aborted) this.left();
    else leave.signal.addEventListener('abort', () => this.left(), { once: true });
  }

  next(): Promise<Step> {
    if (this.ended) return Promise.resolve(this.ending());
    return new Promise((resolve, reject) => {
      this.release = () => resolve(this.ending());
      this.step().then(resolve, reject);
    });
  }

  return(): Promise<Step> {
    this.end();
    return Promise.resolve(done);
  }

  throw(error: unknown): Promise<Step> {
    this.end();
    return Promise.reject(error);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.end();
    return Promise.resolve();
  }

  private async step(): Promise<Step> {
    try {
      const event = await this.source.next();
      if (this.ended) return this.ending();
      if (!event.done) return { done: false, value: await this.answering.answer(event.value) };
    } catch (error) {
      if (!this.ended) this.last = this.answering.failed(error);
    }
    this.end();
    return this.ending();
  }

  private left(): void {
    const reason: unknown = this.leave.signal.reason;
    if (!this.ended && reason instanceof AppError) this.last = this.answering.failed(reason);
    this.end();
  }

  private end(): void {
    if (this.ended) return;
    this.ended = true;
    this.leave.abort();
    this.source.return?.().catch(() => {
      // It was ended from outside: how it went down no longer matters to anyone.
    });
    this.release?.();
  }

  private ending(): Step {
    if (!this.last) return done;
    const value = this.last;
    this.last = undefined;
    return { done: false, value };
  }
}
