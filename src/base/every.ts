import { setTimeout as delay } from 'node:timers/promises';
import type { Log } from './log.ts';

/** Runs the step over and over, until disposed. A step that fails is logged, and the next one comes. */
export function every(
  log: Log,
  everyMs: number,
  what: string,
  step: () => Promise<unknown>,
): AsyncDisposable {
  const stop = new AbortController();
  const loop = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      try {
        await step();
      } catch (error) {
        log.warn(`A step failed and is tried again: ${what}.`, { error });
      }
      await delay(everyMs, undefined, { signal: stop.signal }).catch(() => {});
    }
  };
  const looping = loop();
  return {
    async [Symbol.asyncDispose]() {
      stop.abort();
      await looping;
    },
  };
}
