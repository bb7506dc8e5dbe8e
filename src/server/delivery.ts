import type { ExecutionResult, FormattedExecutionResult } from 'graphql';
import type { Log } from '#base/log.ts';
import { presentError } from './present-error.ts';

/** The answer to one event of a subscription, as everyone who shares it gets it. */
export interface Delivery extends FormattedExecutionResult {
  /** The answer as JSON, written once however many it goes to. */
  stringify(): string;
  /** The same in UTF-8, of which nobody gets a copy of their own. */
  bytes(): Buffer;
}

type Raw = ExecutionResult | { errors: readonly unknown[] };

interface About {
  requestId: string;
  log: Log;
}

/** What graphql-js gave, or errors of any kind in place of it, as a client may see it. */
export function presentResult({ errors, ...rest }: Raw, about: About): FormattedExecutionResult {
  return { ...(errors && { errors: errors.map((error) => presentError(error, about).toJSON()) }), ...rest };
}

/** Fails at once when the answer cannot be written as JSON: who sends it could only break off. */
export function delivery(raw: Raw, about: About): Delivery {
  const result = presentResult(raw, about);
  const text = JSON.stringify(result);
  let bytes: Buffer | undefined;
  return { ...result, stringify: () => text, bytes: () => (bytes ??= Buffer.from(text)) };
}
