import { demand } from '#accounts/permissions.ts';
import type { Viewer } from '#accounts/viewer.ts';
import type { App } from '#app.ts';
import type { Asker } from '#catalog/ask.ts';
import type { Meter } from '#catalog/meter.ts';

/** What every resolver is given. One object an operation: loaders are kept per context. */
export interface Context {
  app: App;
  /** Null when nobody is signed in. logIn and signUp put the new viewer here, so that their own answer is read as theirs. */
  viewer: Viewer | null;
  requestId: string;
  /** Aborts when whoever asked is gone: the end of the request, the completion of a subscription. */
  signal: AbortSignal;
  /** It is a query: what was known of the project when it began holds to its end. Neither a mutation nor a subscription is. */
  isQuery?: boolean;
  /** When the operation came in, as performance.now() says it. */
  startedAt: number;
  /** Counts what the operation costs the warehouses. */
  meter: Meter;
  /** Sets the session cookie of the answer, or clears it with null. Does nothing where there are no cookies (WebSocket). */
  setSessionCookie(token: string | null): void;
}

/** The viewer of a field that only viewers reach. Fails with UNAUTHENTICATED where the permissions let anybody in. */
export function viewerOf(context: Context): Viewer {
  const { viewer } = context;
  demand(viewer, 'SIGNED_IN');
  // demand has thrown for null.
  return viewer as Viewer;
}

/** The viewer as whoever asks a warehouse, for as long as the operation goes on. Fails as viewerOf does. */
export function askerOf(context: Context): Asker {
  const { requestId, signal, meter, isQuery } = context;
  const { projectId, revision } = viewerOf(context);
  return { projectId, revision: isQuery ? revision : undefined, requestId, signal, meter };
}
