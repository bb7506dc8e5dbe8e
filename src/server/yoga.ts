import {
  type ExecutionArgs,
  type ExecutionResult,
  GraphQLError,
  type GraphQLSchema,
  OperationTypeNode,
} from 'graphql';
import { createYoga, isAsyncIterable, type Plugin, type YogaServerInstance } from 'graphql-yoga';
import { AppError } from '#base/errors.ts';
import type { Log } from '#base/log.ts';
import { executeOperation } from '#graphql/leaf-rows.ts';
import type { Follow } from './follow-events.ts';
import type { Limits } from './limits.ts';
import type { OperationContext } from './operation-context.ts';
import { checkCost, createDocuments, operationIn } from './operations.ts';
import { presentError } from './present-error.ts';

export type Yoga = YogaServerInstance<OperationContext, object>;

interface YogaOptions {
  limits: Limits;
  follow: Follow;
  log: Log;
}

/**
 * GraphQL over HTTP and server-sent events, and through `getEnveloped` the same parsing, bounds, execution and
 * subscriptions for WebSockets.
 */
export function createSluiceYoga(schema: GraphQLSchema, options: YogaOptions): Yoga {
  return createYoga<OperationContext>({
    schema,
    graphqlEndpoint: '/graphql',
    plugins: [schemaOfContext, boundedExecution(options), presentedErrors(options.log)],
    // Its own would know neither the id of the request nor its log.
    maskedErrors: false,
    logging: false,
    graphiql: false,
    landingPage: false,
    cors: false,
    multipart: false,
    batching: false,
    // Bodies are bounded, and documents kept, before it sees them.
    maxRequestBodySize: false,
    parserAndValidationCache: false,
  });
}

/** Whoever makes the context knows the schema, whatever the transport. */
const schemaOfContext: Plugin<OperationContext, OperationContext> = {
  onEnveloped({ context, setSchema }) {
    if (context?.schema) setSchema(context.schema);
  },
};

/** In hooks that every transport runs through. A cost that is too high is an answer: thrown, it would close a WebSocket. */
function boundedExecution({ limits, follow }: YogaOptions): Plugin<OperationContext, OperationContext> {
  const documents = createDocuments(limits);
  return {
    onParams({ params: { operationName } }) {
      // The one parameter that yoga takes whatever its type is.
      if (typeof (operationName ?? '') === 'string') return;
      throw new GraphQLError('operationName is not a string.', { extensions: { code: 'BAD_REQUEST' } });
    },
    onParse({ setParseFn }) {
      setParseFn((source) => documents.parse(String(source)));
      return ({ result, context, replaceParseResult }) => {
        if (result === null || result instanceof Error) return;
        try {
          operationIn(result, context.params.operationName);
        } catch (error) {
          replaceParseResult(error);
        }
      };
    },
    onValidate({ params, setResult }) {
      setResult(documents.validate(params.schema, params.documentAST));
    },
    onExecute({ args, setExecuteFn, setResultAndStopExecution }) {
      try {
        checkCost(args, limits.costMax);
        args.contextValue.isQuery =
          operationIn(args.document, args.operationName).operation === OperationTypeNode.QUERY;
        setExecuteFn(args.contextValue.showsMeter ? executeMetered : executeOperation);
      } catch (error) {
        setResultAndStopExecution({ errors: [error as GraphQLError] });
      }
    },
    onSubscribe({ args, setSubscribeFn, setResultAndStopExecution }) {
      const { contextValue } = args;
      try {
        checkCost(args, limits.costMax);
        contextValue.admitFollower();
        setSubscribeFn(() => follow(args, contextValue));
      } catch (error) {
        setResultAndStopExecution({ errors: [error as GraphQLError] });
      }
    },
  };
}

/** Adds to the answer what the operation cost the warehouses. */
async function executeMetered(args: ExecutionArgs): Promise<ExecutionResult> {
  const result = await executeOperation(args);
  const { meter } = args.contextValue as OperationContext;
  const warehouse = { ...meter, milliseconds: Math.round(meter.milliseconds * 10) / 10 };
  return { ...result, extensions: { ...result.extensions, warehouse } };
}

/** The events of a subscription are presented already, once for all who share them. */
function presentedErrors(log: Log): Plugin<OperationContext, OperationContext> {
  return {
    onResultProcess(payload) {
      const { result, serverContext } = payload;
      if (isAsyncIterable(result) || Array.isArray(result) || !result.errors) return;
      const about = { requestId: serverContext.requestId, log };
      payload.setResult({ ...result, errors: result.errors.map((error) => presentOverHttp(error, about)) });
    },
  };
}

/** What a client may see of an error, and the HTTP status that goes with one that is no part of an answer. */
function presentOverHttp(error: GraphQLError, about: { requestId: string; log: Log }): GraphQLError {
  if (error.path) return presentError(error, about);
  const { code, http } = error.extensions ?? {};
  // What yoga throws when it cannot read the request, and JSON.parse for the parameters of a URL.
  if (code === 'BAD_REQUEST' || error.originalError instanceof SyntaxError) {
    const shown = presentError(unreadable(error), about);
    shown.extensions.http = { status: 400, ...http, spec: false };
    return shown;
  }
  const shown = presentError(error, about);
  const status = statuses[String(shown.extensions['code'])];
  // With `spec` it is 200 for those who take application/json, as GraphQL over HTTP asks for.
  shown.extensions.http = status === undefined ? { status: 400, spec: true } : { status };
  return shown;
}

const statuses: Record<string, number> = { INTERNAL: 500, RATE_LIMITED: 503 };

function unreadable(error: GraphQLError): AppError {
  const isOfUrl = error.originalError instanceof SyntaxError;
  const message = isOfUrl ? `A parameter of the URL is not JSON: ${error.message}.` : error.message;
  return new AppError('BAD_USER_INPUT', message, {
    cause: error,
    fix: 'Send one operation: by POST as JSON { "query": "…", "variables": { … } }, a query also by GET.',
  });
}
