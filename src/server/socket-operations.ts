import type { ExecutionArgs, ExecutionResult, GraphQLError } from 'graphql';
import type { ServerOptions, SubscribePayload } from 'graphql-ws';
import type { WebSocket } from 'ws';
import type { Viewer } from '#accounts/viewer.ts';
import { AppError } from '#base/errors.ts';
import { newId } from '#base/id.ts';
import { createMeter } from '#catalog/meter.ts';
import { type Credentials, credentialsOfParams } from './credentials.ts';
import { presentResult } from './delivery.ts';
import { EventStream } from './event-stream.ts';
import type { GraphqlServer } from './graphql-server.ts';
import type { Limits } from './limits.ts';
import { meterName, type OperationContext } from './operation-context.ts';
import { presentError } from './present-error.ts';
import type { Sender } from './send-bounded.ts';

/** What is kept of one open WebSocket. */
export interface Extra {
  socket: WebSocket;
  sender: Sender;
  /** The session's cookie of the upgrade request. */
  cookie(): Credentials | null;
  credentials: Credentials | null;
  /** Its client wants to be told what each operation cost the warehouses. */
  showsMeter: boolean;
  /** Aborted when the client is gone: one for each operation that runs. */
  running: Set<AbortController>;
  unwatch: (() => void) | undefined;
}

type Params = Record<string, unknown>;

interface Running extends ExecutionArgs {
  contextValue: OperationContext;
  enveloped: ReturnType<GraphqlServer['yoga']['getEnveloped']>;
}

/** Codes of graphql-transport-ws after which clients do not come back by themselves, and one after which they do. */
const unauthorized = 4401;
const tooManyRequests = 4429;
const serviceRestart = 1012;

/** How graphql-ws admits, prepares, runs and answers the operations of a socket. */
export function socketOperations(server: GraphqlServer): ServerOptions<Params, Extra> {
  const present = (result: ExecutionResult, { contextValue: { requestId } }: Running) =>
    presentResult(result, { requestId, log: server.app.log }) as ExecutionResult;

  return {
    connectionInitWaitTimeout: server.limits.initMs,
    onConnect: ({ connectionParams, extra }) => admit(server, extra, connectionParams),
    onSubscribe: ({ extra, subscriptions }, _id, payload) =>
      begin(server, extra, payload, Object.keys(subscriptions).length),

    async execute(args) {
      const running = args as Running;
      return present(await running.enveloped.execute(args), running);
    },

    async subscribe(args) {
      const running = args as Running;
      const events = await running.enveloped.subscribe(args);
      // graphql-ws only hands it on to onOperation, which knows what it is.
      return events instanceof EventStream ? (events as AsyncGenerator<never>) : present(events, running);
    },

    onOperation({ extra }, id, _payload, args, result) {
      const { leave } = (args as Running).contextValue;
      if (result instanceof EventStream)
        return writeEach(result, id, extra, () => extra.running.delete(leave));
      extra.running.delete(leave);
      return undefined;
    },

    // Errors are presented already: graphql-ws would call toJSON on each.
    onNext: (_connection, _id, _payload, _args, result) => result,
  };
}

async function admit(server: GraphqlServer, extra: Extra, params: Params | undefined): Promise<void> {
  try {
    extra.showsMeter = params?.[meterName] === '1';
    extra.credentials = credentialsOfParams(params) ?? extra.cookie();
    const viewer = await server.guard.admit(extra.credentials);
    if (viewer && extra.credentials) extra.unwatch = watch(server, extra, extra.credentials.token, viewer);
    // It may have gone meanwhile.
    if (extra.socket.readyState !== extra.socket.OPEN) extra.unwatch?.();
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    extra.socket.close(unauthorized, error.code);
  }
}

/** An operation ready to run; or the errors why it cannot, which leave the socket and its other operations alone. */
async function begin(
  server: GraphqlServer,
  extra: Extra,
  payload: SubscribePayload,
  open: number,
): Promise<Running | GraphQLError[]> {
  const { limits, app } = server;
  const requestId = newId();
  const present = (error: unknown) => presentError(error, { requestId, log: app.log });
  if (open > 2 * limits.operationsPerSocketMax) {
    extra.socket.close(tooManyRequests, `More than ${limits.operationsPerSocketMax} operations at once`);
  }
  if (open > limits.operationsPerSocketMax) return [present(tooManyOperations(limits))];
  try {
    // Looked up for every operation, as over HTTP: a revoked key starts nothing more.
    const viewer = await server.guard.admit(extra.credentials);
    const leave = new AbortController();
    const context: OperationContext = {
      app,
      viewer,
      schema: await server.schemaOf(viewer),
      requestId,
      signal: leave.signal,
      startedAt: performance.now(),
      meter: createMeter(),
      showsMeter: extra.showsMeter,
      setSessionCookie: () => {
        // An open socket has no answer that could carry a cookie.
      },
      leave,
      admitFollower: () => {
        // The socket was counted when it was opened.
      },
    };
    const enveloped = server.yoga.getEnveloped({ ...context, params: payload });
    const { schema } = enveloped;
    const document = enveloped.parse(payload.query);
    const errors = enveloped.validate(schema, document);
    if (errors.length > 0) return errors.map(present);
    extra.running.add(leave);
    return {
      schema,
      document,
      operationName: payload.operationName,
      variableValues: payload.variables,
      contextValue: await enveloped.contextFactory(),
      enveloped,
    };
  } catch (error) {
    if (error instanceof AppError && error.code === 'UNAUTHENTICATED')
      extra.socket.close(unauthorized, error.code);
    return [present(error)];
  }
}

function watch(server: GraphqlServer, { socket }: Extra, token: string, viewer: Viewer): () => void {
  return server.guard.watch({
    token,
    viewer,
    end: (reason) => {
      if (reason === 'signed-out')
        socket.close(unauthorized, 'The session ended, or the API key was revoked');
      else socket.close(serviceRestart, 'The rights changed: connect again');
    },
  });
}

function tooManyOperations({ operationsPerSocketMax }: Limits): AppError {
  return new AppError(
    'RATE_LIMITED',
    `More than ${operationsPerSocketMax} operations run on this WebSocket at once.`,
    {
      fix: 'Complete some of them first, or open another WebSocket.',
    },
  );
}

/**
 * Hands graphql-ws a stream without results that writes them to the socket itself: the JSON of an answer is then made
 * once for all who share it. The next answer is pulled when the one before has left this process.
 */
function writeEach(
  events: EventStream,
  id: string,
  { sender }: Extra,
  over: () => void,
): AsyncGenerator<never> {
  const head = Buffer.from(`{"id":${JSON.stringify(id)},"type":"next","payload":`);
  const tail = Buffer.from('}');
  const done = { done: true, value: undefined } as const;
  return {
    async next() {
      try {
        for await (const event of events) {
          if (!(await sender.sendPieces([head, event.bytes(), tail]))) break;
        }
        return done;
      } finally {
        over();
      }
    },
    async return() {
      await events.return();
      return done;
    },
    async throw(error) {
      await events.return();
      throw error;
    },
    [Symbol.asyncIterator]() {
      return this;
    },
    async [Symbol.asyncDispose]() {
      await events.return();
    },
  };
}
