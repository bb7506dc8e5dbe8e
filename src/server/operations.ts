import {
  type DocumentNode,
  type ExecutionArgs,
  getOperationAST,
  getVariableValues,
  type GraphQLError,
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

/** Documents by their text, so that an operation sent again costs a lookup, over every transport alike. */
export interface Documents {
  /** Fails with a syntax error, or with QUERY_TOO_COMPLEX for a document out of bounds. */
  parse(text: string): DocumentNode;
  /** What speaks against a document that `parse` gave. */
  validate(schema: GraphQLSchema, document: DocumentNode): readonly GraphQLError[];
}

type Parsed = { document: DocumentNode } | { error: unknown };

export function createDocuments(limits: Limits): Documents {
  const parsed = new LRUCache<string, Parsed>({
    max: 1_000,
    // In characters: a parsed document takes some twenty bytes for each.
    maxSize: 2_000_000,
    maxEntrySize: 50_000,
    sizeCalculation: (_value, text) => text.length + 1,
  });
  // By schema, since each project may have one of its own.
  const errors = new WeakMap<DocumentNode, WeakMap<GraphQLSchema, readonly GraphQLError[]>>();

  function parseText(text: string): Parsed {
    let now: Parsed;
    try {
      const document = parseBounded(text, limits.documentTokensMax);
      checkExtent(document, limits);
      now = { document };
    } catch (error) {
      now = { error };
    }
    parsed.set(text, now);
    return now;
  }

  return {
    parse(text) {
      const found = parsed.get(text) ?? parseText(text);
      if ('error' in found) throw found.error;
      return found.document;
    },
    validate(schema, document) {
      const known = errors.get(document) ?? new WeakMap<GraphQLSchema, readonly GraphQLError[]>();
      errors.set(document, known);
      const found = known.get(schema) ?? validate(schema, document);
      known.set(schema, found);
      return found;
    },
  };
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

/** The operation that is asked for. Fails with BAD_USER_INPUT, and the names there are, when that is unclear. */
export function operationIn(
  document: DocumentNode,
  name: string | null | undefined,
): OperationDefinitionNode {
  const operation = getOperationAST(document, name);
  if (operation) return operation;
  const names = document.definitions
    .filter((definition) => definition.kind === Kind.OPERATION_DEFINITION)
    .map((definition) => definition.name?.value ?? '(without a name)');
  if (names.length === 0) throw new AppError('BAD_USER_INPUT', 'The document holds no operation.');
  throw new AppError(
    'BAD_USER_INPUT',
    name
      ? `The document has no operation named "${name}". It has: ${names.join(', ')}.`
      : `The document has ${names.length} operations: ${names.join(', ')}.`,
    { fix: 'Send operationName with the name of the one to run.' },
  );
}

/** Fails with QUERY_TOO_COMPLEX when the operation with these variables may give too large an answer. */
export function checkCost(args: ExecutionArgs, costMax: number): void {
  const { schema, document } = args;
  const context = args.contextValue as Context;
  const operation = operationIn(document, args.operationName);
  const coerced = getVariableValues(schema, operation.variableDefinitions ?? [], args.variableValues ?? {}, {
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
