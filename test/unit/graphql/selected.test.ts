import {
  type FragmentDefinitionNode,
  type GraphQLResolveInfo,
  Kind,
  type OperationDefinitionNode,
  parse,
} from 'graphql';
import { expect, test } from 'vitest';
import { selectedFields } from '#graphql/selected.ts';

function infoOf(text: string): GraphQLResolveInfo {
  const { definitions } = parse(text);
  const operation = definitions.find(
    (each): each is OperationDefinitionNode => each.kind === Kind.OPERATION_DEFINITION,
  );
  const fragments = definitions.filter(
    (each): each is FragmentDefinitionNode => each.kind === Kind.FRAGMENT_DEFINITION,
  );
  return {
    fieldNodes: operation?.selectionSet.selections ?? [],
    fragments: Object.fromEntries(fragments.map((each) => [each.name.value, each])),
  } as unknown as GraphQLResolveInfo;
}

const paths = [['nodes'], ['edges', 'node']];

test('fields are found on every path, through fragments and under aliases', () => {
  const info = infoOf(`
    query { users { nodes { key alias: name ...More } ...Page totalCount } }
    fragment More on User { email ... on User { properties } }
    fragment Page on UserConnection { edges { cursor node { createdAt } } }`);
  expect([...selectedFields(info, paths)].toSorted()).toEqual([
    'createdAt',
    'email',
    'key',
    'name',
    'properties',
  ]);
});

test('a field that is spelled in several places selects what all of them select', () => {
  const info = infoOf('{ users { nodes { key } } users { nodes { name } } }');
  expect([...selectedFields(info, paths)]).toEqual(['key', 'name']);
});

test('without a path the fields are those of the thing itself, and a leaf has none', () => {
  expect([...selectedFields(infoOf('{ user { key organization { name } } }'))]).toEqual([
    'key',
    'organization',
  ]);
  expect([...selectedFields(infoOf('{ count }'))]).toEqual([]);
});
