import { createServer, type Server, type ServerResponse } from 'node:http';
import type { GraphQLSchema } from 'graphql';
import { useSignInLink } from '#accounts/sign-in-link.ts';
import { viewerOfToken } from '#accounts/viewer-of-token.ts';
import type { App } from '#app.ts';
import { shareNext } from '#base/share-next.ts';
import { answerApi } from './api.ts';
import { sendApiPage } from './api-page.ts';
import { beginExchange, type Exchange, refused, sendError } from './exchange.ts';
import { answerGraphql } from './graphql-http.ts';
import { createGraphqlServer, type GraphqlServer } from './graphql-server.ts';
import { sendGraphiql, wantsGraphiql } from './graphiql.ts';
import { type Limits, limits as defaultLimits } from './limits.ts';
import { listen } from './listen.ts';
import { answerHealth, answerReady } from './readiness.ts';
import { answerSignIn } from './sign-in.ts';
import { type Access, createSignInGuard, type SignInGuard } from './sign-in-guard.ts';
import { watchStalled } from './stalled.ts';
import { openWebSockets } from './websocket.ts';

export interface ServeOptions {
  host: string;
  /** 0 picks a free one. */
  port: number;
  /** Without one Sluice's own, with the endpoints of whoever's project asks. */
  schema?: GraphQLSchema;
  access?: Access;
  limits?: Partial<Limits>;
}

export interface Serving extends AsyncDisposable {
  /** Without a path: `http://127.0.0.1:4000`. */
  url: string;
  guard: SignInGuard;
}

/**
 * Serves /graphql (HTTP, server-sent events, WebSocket, GraphiQL), the data endpoints below /api, /health, /ready and /sign-in. Fails with AppError
 * when it cannot listen. Disposing stops gracefully: nothing new is taken, followers are told to come back, and
 * running requests get `stopMs` to end.
 */
export async function serve(app: App, options: ServeOptions): Promise<Serving> {
  const limits = { ...defaultLimits, ...options.limits };
  const stopping = new AbortController();
  await using opening = new AsyncDisposableStack();
  const access = options.access ?? accessBy(app);
  const guard = opening.use(createSignInGuard(access.viewerOf, app.log, limits.recheckMs));
  const graphql = createGraphqlServer(app, options.schema, {
    limits,
    guard,
    stopping: stopping.signal,
  });
  opening.use(graphql.yoga);
  const running = new Set<ServerResponse>();
  const http = createServer(
    {
      headersTimeout: limits.headersMs,
      requestTimeout: limits.requestMs,
      connectionsCheckingInterval: Math.min(5_000, limits.headersMs),
      keepAliveTimeout: 65_000,
    },
    (request, response) => {
      running.add(response);
      response.once('close', () => running.delete(response));
      const exchange = beginExchange(request, response, app.log);
      if (stopping.signal.aborted) response.setHeader('connection', 'close');
      route(exchange, graphql, access).catch((error: unknown) => sendError(exchange, error));
    },
  );
  opening.use(watchStalled(http, limits.stalledMs));
  const url = await listen(http, options);
  opening.defer(() => stop(http, running, limits.stopMs));
  // Only now, for a port that cannot be had must leave no timer behind that keeps the process alive.
  const sockets = opening.use(openWebSockets(graphql));
  http.on('upgrade', (request, socket, head) => sockets.upgrade(request, socket, head));
  opening.defer(() => stopping.abort());
  const opened = opening.move();
  return { url, guard, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}

/** Requests that come at once with one token look it up together, and none is given what was read before it came. */
function accessBy(app: App): Access {
  return {
    viewerOf: shareNext(
      (token: string) => token,
      (token) => viewerOfToken(app.accounts, token),
    ),
    signIn: async (token) => (await useSignInLink(app.accounts, token)).token,
  };
}

async function route(exchange: Exchange, graphql: GraphqlServer, access: Access): Promise<void> {
  const { app, stopping } = graphql;
  switch (exchange.url.pathname) {
    case '/graphql':
      return wantsGraphiql(exchange) ? await sendGraphiql(exchange) : await answerGraphql(exchange, graphql);
    case '/health':
      return answerHealth(exchange);
    case '/ready':
      return await answerReady(exchange, app, stopping);
    case '/sign-in':
      return await answerSignIn(exchange, access);
    case '/api':
      exchange.response.writeHead(302, { location: '/api/docs' }).end();
      return;
    case '/api/docs':
      return await sendApiPage(exchange);
    case '/':
      exchange.response.writeHead(302, { location: '/graphql' }).end();
      return;
    default:
      if (exchange.url.pathname.startsWith('/api/')) return await answerApi(exchange, graphql);
      throw refused(
        404,
        'NOT_FOUND',
        `Nothing is served at ${exchange.url.pathname.slice(0, 100)}.`,
        'Ask for /graphql, /api, /health, /ready or /sign-in.',
      );
  }
}

/**
 * Takes nothing new, cuts event streams (a client that is told "complete" would not come back), and waits for what
 * else is running.
 */
async function stop(http: Server, running: Set<ServerResponse>, stopMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => http.close(() => resolve()));
  for (const response of running) {
    if (String(response.getHeader('content-type')).startsWith('text/event-stream')) response.destroy();
    else if (!response.headersSent) response.setHeader('connection', 'close');
  }
  const deadline = setTimeout(() => http.closeAllConnections(), stopMs);
  await closed;
  clearTimeout(deadline);
}
