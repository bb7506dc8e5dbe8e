import type { ExecutionResult, FormattedExecutionResult } from 'graphql';
import type { Log } from '#base/log.ts';
import { presentError } from './present-error.ts';

/** The answer to an operation, or to one event of a subscription, as everyone who shares it gets it. */
export interface Delivery {
  result: FormattedExecutionResult;
  /** The result as JSON, written once however many it goes to. */
  text(): string;
}

/** What graphql-js gave, or errors of any kind in place of it, as a client may see it. */
export function delivery(
  raw: ExecutionResult | { errors: readonly unknown[] },
  about: { requestId: string; log: Log },
): Delivery {
  const { errors, ...rest } = raw;
  const result: FormattedExecutionResult = {
    ...(errors && { errors: errors.map((error) => presentError(error, about).toJSON()) }),
    ...rest,
  };
  let text: string | undefined;
  return { result, text: () => (text ??= JSON.stringify(result)) };
}
