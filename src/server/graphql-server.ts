import type { GraphQLSchema } from 'graphql';
import type { Viewer } from '#accounts/viewer.ts';
import type { App } from '#app.ts';
import { withEndpoints } from '#graphql/endpoint-schema.ts';
import { schema as sluiceSchema } from '#graphql/schema.ts';
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
  /** The schema as whoever asks sees it; nobody's is that of all projects. */
  schemaOf(viewer: Viewer | null): Promise<GraphQLSchema>;
  /** Aborts when the server begins to stop. */
  stopping: AbortSignal;
  /** Open WebSockets and event streams, of which there are at most `followersMax`. */
  followers: Set<object>;
}

export function createGraphqlServer(
  app: App,
  schema: GraphQLSchema | undefined,
  options: { limits: Limits; guard: SignInGuard; stopping: AbortSignal },
): GraphqlServer {
  const { limits, stopping } = options;
  const follow = createFollow(app.log, stopping);
  return {
    app,
    ...options,
    yoga: createSluiceYoga(schema ?? sluiceSchema, { limits, follow, log: app.log }),
    followers: new Set(),
    schemaOf: (viewer) => schemaOf(app, viewer, schema),
  };
}

async function schemaOf(
  app: App,
  viewer: Viewer | null,
  own: GraphQLSchema | undefined,
): Promise<GraphQLSchema> {
  if (own) return own;
  return viewer
    ? withEndpoints(sluiceSchema, await app.endpoints.registry.of(viewer.projectId))
    : sluiceSchema;
}
