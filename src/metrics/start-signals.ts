import { every } from '#base/every.ts';
import { deliverWebhooks } from './deliver-webhooks.ts';
import { runSignals } from './run-signals.ts';
import type { SignalDeps } from './signal-deps.ts';

const everyMs = 1_000;

/** Evaluates signals that are due and sends their webhooks, until disposed. What is under way then is left for later. */
export function startSignals(deps: SignalDeps): AsyncDisposable {
  const stop = new AbortController();
  const loops = [
    every(deps.log, everyMs, 'looking for signals that are due', () => runSignals(deps, stop.signal)),
    every(deps.log, everyMs, 'sending webhooks that are due', () => deliverWebhooks(deps, stop.signal)),
  ];
  return {
    async [Symbol.asyncDispose]() {
      stop.abort();
      await Promise.all(loops.map((loop) => loop[Symbol.asyncDispose]()));
    },
  };
}
