import {
  type FragmentDefinitionNode,
  GraphQLInt,
  GraphQLList,
  GraphQLObjectType,
  GraphQLSchema,
  GraphQLString,
  Kind,
  type OperationDefinitionNode,
  parse,
} from 'graphql';
import { expect, test } from 'vitest';
import type { Context } from '#graphql/context.ts';
import { costOf } from '#server/measure-cost.ts';

const page = ({ first }: { first?: number }) => ({ field: 1, multiplier: first ?? 25 });
const thing: GraphQLObjectType = new GraphQLObjectType({
  name: 'Thing',
  fields: () => ({
    name: { type: GraphQLString },
    dear: { type: GraphQLString, extensions: { complexity: 10 } },
    free: { type: thing, extensions: { complexity: 0 } },
    things: {
      type: new GraphQLList(thing),
      args: { first: { type: GraphQLInt } },
      extensions: { complexity: page },
    },
    undeclared: { type: new GraphQLList(thing), args: { last: { type: GraphQLInt } } },
  }),
});
const schema = new GraphQLSchema({
  query: new GraphQLObjectType({ name: 'Query', fields: { thing: { type: thing } } }),
});

function cost(query: string, variables: Record<string, unknown> = {}): number {
  const { definitions } = parse(query);
  const operation = definitions.find(({ kind }) => kind === Kind.OPERATION_DEFINITION);
  const fragments: Record<string, FragmentDefinitionNode> = {};
  for (const each of definitions)
    if (each.kind === Kind.FRAGMENT_DEFINITION) fragments[each.name.value] = each;
  return costOf({
    schema,
    operation: operation as OperationDefinitionNode,
    fragments,
    variables,
    context: {} as Context,
  });
}

test('a field costs one, or what it declares', () => {
  expect(cost('{ thing { name } }')).toBe(2);
  expect(cost('{ thing { name dear free { name } } }')).toBe(1 + 1 + 10 + 0 + 1);
});

test('what lies in a list counts by its page size: as given, by variable, or by default', () => {
  expect(cost('{ thing { things(first: 3) { name dear } } }')).toBe(1 + 1 + 3 * 11);
  expect(cost('query ($n: Int) { thing { things(first: $n) { name } } }', { n: 7 })).toBe(1 + 1 + 7);
  expect(cost('{ thing { things { name } } }')).toBe(1 + 1 + 25);
  expect(cost('{ thing { things(first: 10) { things(first: 10) { name } } } }')).toBe(1 + 1 + 10 * (1 + 10));
});

test('a list that declares nothing counts by first or last', () => {
  expect(cost('{ thing { undeclared(last: 4) { name } } }')).toBe(1 + 1 + 4);
});

test('a page of negative size makes nothing cheaper', () => {
  expect(cost('{ thing { things(first: -100) { name } dear } }')).toBe(1 + 1 + 0 + 10);
});

test('a fragment costs what it holds, wherever it is spread', () => {
  expect(cost('{ thing { ...F free { ...F } } } fragment F on Thing { name dear }')).toBe(1 + 11 + 11);
  expect(cost('{ thing { ... on Thing { name } ... { dear } } }')).toBe(1 + 1 + 10);
});

test('introspection costs nothing', () => {
  expect(cost('{ __schema { types { name } } thing { __typename } }')).toBe(1);
});

test('fragments nested 60 deep, each spread twice, are measured at once', () => {
  const fragments = Array.from(
    { length: 60 },
    (_, at) => `fragment F${at} on Thing { ...F${at + 1} ...F${at + 1} }`,
  );
  const startedAt = performance.now();
  expect(cost(`{ thing { ...F0 } } ${fragments.join(' ')} fragment F60 on Thing { name }`)).toBe(1 + 2 ** 60);
  expect(performance.now() - startedAt).toBeLessThan(100);
});
