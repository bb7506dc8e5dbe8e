import { GraphQLError } from 'graphql';
import type { Log } from '#base/log.ts';
import { isExpected, toGraphQLError } from '#graphql/error-codes.ts';

/**
 * What a client may see of anything thrown. What nobody foresaw is masked, and logged whole under the request's id,
 * so that who reads the log finds what the client saw.
 */
export function presentError(error: unknown, about: { requestId: string; log: Log }): GraphQLError {
  if (!isExpected(error)) {
    const located = error instanceof GraphQLError ? error : undefined;
    about.log.error('An operation failed unexpectedly', {
      requestId: about.requestId,
      path: located?.path?.join('.'),
      // A GraphQLError prints itself as a client sees it: without its stack and cause.
      error: located?.originalError ?? located?.message ?? error,
    });
  }
  return toGraphQLError(error, about.requestId);
}
