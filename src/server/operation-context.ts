import type { Context } from '#graphql/context.ts';

/** The context of resolvers, with what only the server itself looks at. */
export interface OperationContext extends Context {
  /** Aborts `signal`. With an AppError as its reason, that is the last answer of a subscription. */
  leave: AbortController;
  /** Called before a subscription begins. Fails with RATE_LIMITED when too many are open. */
  admitFollower(): void;
}
