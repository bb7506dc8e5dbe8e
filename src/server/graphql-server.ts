import type { GraphQLSchema } from 'graphql';
import type { App } from '#app.ts';

import { createFollow, type Follow } from './follow-events.ts';
import type { Limits } from './limits.ts';
import { createPrepare, type Prepare } from './operations.ts';
import type { SignInGuard } from './sign-in-guard.ts';

/** What both transports share: one schema, one set of bounds, one count of those who follow something. */
export interface GraphqlServer {
  app: App;
  limits: Limits;
  guard: SignInGuard;
  prepare: Prepare;
  follow: Follow;
  /** Aborts when the server begins to stop. */
  stopping: AbortSignal;
  /** Open WebSockets and event streams, of which there are at most `followersMax`. */
  followers: Set<object>;
}

export function createGraphqlServer(
  app: App,
  schema: GraphQLSchema,
  options: { limits: Limits; guard: SignInGuard; stopping: AbortSignal },
): GraphqlServer {
  const { limits, guard, stopping } = options;
  return {
    app,
    limits,
    guard,
    stopping,
    prepare: createPrepare(schema, limits),
    follow: createFollow(app.log, stopping),
    followers: new Set(),
  };
}
