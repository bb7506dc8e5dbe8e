import {
  type DocumentNode,
  execute,
  type ExecutionResult,
  getOperationAST,
  getVariableValues,
  type GraphQLSchema,
  Kind,
  type FragmentDefinitionNode,
  type OperationDefinitionNode,
  parse,
  validate,
} from 'graphql';
import { LRUCache } from 'lru-cache';
import { AppError } from '#base/errors.ts';
import type { Context } from '#graphql/context.ts';
import type { Limits } from './limits.ts';
import { checkExtent } from './measure-document.ts';
import { costOf } from './measure-cost.ts';

/** An operation as a client sends it, over any transport. */
export interface OperationRequest {
  query: string;
  operationName?: string | null | undefined;
  variables?: Record<string, unknown> | null | undefined;
}

/** A parsed, valid operation within the bounds, ready to be executed. */
export interface PreparedOperation {
  schema: GraphQLSchema;
  document: DocumentNode;
  operation: OperationDefinitionNode;
  operationName: string | undefined;
  variables: Record<string, unknown>;
}

type Checked =
  { document: DocumentNode; errors: readonly unknown[] } | { document: null; errors: readonly unknown[] };

export type Prepare = (request: OperationRequest) => PreparedOperation | { errors: readonly unknown[] };

/**
 * The one door to the schema for every transport. The answer to a query text (parsed, bounded, validated) is kept by
 * text, so that an operation sent again costs a lookup, over HTTP and WebSocket alike.
 */
export function createPrepare(schema: GraphQLSchema, limits: Limits): Prepare {
  const checked = new LRUCache<string, Checked>({
    max: 1_000,
    // In characters: a parsed document takes some twenty bytes for each.
    maxSize: 2_000_000,
    maxEntrySize: 50_000,
    sizeCalculation: (_value, text) => text.length + 1,
  });

  function check(text: string): Checked {
    const before = checked.get(text);
    if (before) return before;
    const now = checkText(schema, text, limits);
    checked.set(text, now);
    return now;
  }

  return (request) => {
    const { document, errors } = check(request.query);
    if (!document || errors.length > 0) return { errors };
    const operation = getOperationAST(document, request.operationName);
    if (!operation) return { errors: [unclearOperation(document, request.operationName)] };
    return {
      schema,
      document,
      operation,
      operationName: request.operationName ?? undefined,
      variables: request.variables ?? {},
    };
  };
}

function checkText(schema: GraphQLSchema, text: string, limits: Limits): Checked {
  try {
    const document = parseBounded(text, limits.documentTokensMax);
    checkExtent(document, limits);
    return { document, errors: validate(schema, document) };
  } catch (error) {
    return { document: null, errors: [error] };
  }
}

function parseBounded(text: string, maxTokens: number): DocumentNode {
  try {
    return parse(text, { maxTokens });
  } catch (error) {
    if (!(error instanceof Error) || !error.message.includes(`more that ${maxTokens} tokens`)) throw error;
    throw new AppError(
      'QUERY_TOO_COMPLEX',
      `The document has more than ${maxTokens} tokens; ${maxTokens} are allowed.`,
      {
        cause: error,
        fix: 'Send values as variables, and large documents as several requests.',
      },
    );
  }
}

function unclearOperation(document: DocumentNode, name: string | null | undefined): AppError {
  const names = document.definitions
    .filter((definition) => definition.kind === Kind.OPERATION_DEFINITION)
    .map((definition) => definition.name?.value ?? '(without a name)');
  if (names.length === 0) return new AppError('BAD_USER_INPUT', 'The document holds no operation.');
  return new AppError(
    'BAD_USER_INPUT',
    name
      ? `The document has no operation named "${name}". It has: ${names.join(', ')}.`
      : `The document has ${names.length} operations: ${names.join(', ')}.`,
    { fix: 'Send operationName with the name of the one to run.' },
  );
}

/** Fails with QUERY_TOO_COMPLEX when the operation with these variables may give too large an answer. */
export function checkCost(prepared: PreparedOperation, context: Context, costMax: number): void {
  const { schema, operation, document } = prepared;
  const coerced = getVariableValues(schema, operation.variableDefinitions ?? [], prepared.variables, {
    maxErrors: 1,
  });
  // Wrong variables are refused by the execution, which says more about them.
  if (!coerced.coerced) return;
  const fragments: Record<string, FragmentDefinitionNode> = {};
  for (const definition of document.definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments[definition.name.value] = definition;
  }
  const cost = costOf({ schema, operation, fragments, variables: coerced.coerced, context });
  if (cost <= costMax) return;
  throw new AppError('QUERY_TOO_COMPLEX', `The operation may read ${cost} fields; ${costMax} are allowed.`, {
    fix: 'Ask for smaller pages (first, last) in the lists that lie inside of lists, or for fewer fields.',
  });
}

/** Executes a query or mutation whose cost was checked. */
export function executePrepared(
  prepared: PreparedOperation,
  contextValue: Context,
): Promise<ExecutionResult> | ExecutionResult {
  return execute({
    schema: prepared.schema,
    document: prepared.document,
    operationName: prepared.operationName,
    variableValues: prepared.variables,
    contextValue,
  });
}
