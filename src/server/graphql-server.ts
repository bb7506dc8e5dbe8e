import type { GraphQLSchema } from 'graphql';
import type { App } from '#app.ts';
import { createFollow } from './follow-events.ts';
import type { Limits } from './limits.ts';
import type { SignInGuard } from './sign-in-guard.ts';
import { createSluiceYoga, type Yoga } from './yoga.ts';

/** What both transports share: one schema, one set of bounds, one count of those who follow something. */
export interface GraphqlServer {
  app: App;
  limits: Limits;
  guard: SignInGuard;
  yoga: Yoga;
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
  const { limits, stopping } = options;
  const follow = createFollow(app.log, stopping);
  return {
    app,
    ...options,
    yoga: createSluiceYoga(schema, { limits, follow, log: app.log }),
    followers: new Set(),
  };
}
