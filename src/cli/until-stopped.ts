import { constants } from 'node:os';
import { onceAPress } from './once-a-press.ts';

const endMsMax = 9_500;

/** The stop of a process that serves. */
export interface Stop {
  /** Resolves at the first SIGTERM or SIGINT. */
  asked: Promise<NodeJS.Signals>;
}

/**
 * Takes SIGTERM and SIGINT from now on: the first asks to end, and the process ends within 10 s whatever hangs; a second
 * one ends it at once.
 */
export function takeSignals(): Stop {
  const asked = Promise.withResolvers<NodeJS.Signals>();
  let isAsked = false;
  const take = onceAPress((signal: NodeJS.Signals) => {
    if (isAsked) process.exit(128 + constants.signals[signal]);
    isAsked = true;
    setTimeout(() => {
      process.stderr.write('sluice: what was running did not end in time and is left where it is.\n');
      process.exit(1);
    }, endMsMax).unref();
    asked.resolve(signal);
  });
  process.on('SIGTERM', take);
  process.on('SIGINT', take);
  return { asked: asked.promise };
}
