import { GraphQLInt, GraphQLObjectType, GraphQLSchema, isObjectType } from 'graphql';
import { expect, test } from 'vitest';
import { enforcePermissions, needsOf } from '#graphql/enforce.ts';
import { schema } from '#graphql/schema.ts';

function needs(place: string): string[] {
  const [typeName, fieldName] = place.split('.') as [string, string];
  const type = schema.getType(typeName);
  const field = isObjectType(type) ? type.getFields()[fieldName] : undefined;
  if (!isObjectType(type) || !field) throw new Error(`There is no ${place}.`);
  return needsOf(schema, type, field);
}

test('a field needs what the table says of it, and what the table says of the type it returns', () => {
  expect(needs('Query.sources')).toEqual(['CONTROL_READ']);
  expect(needs('Mutation.createSource')).toEqual(['CONTROL_WRITE']);
  expect(needs('CreateSourcePayload.source')).toEqual(['CONTROL_READ']);
  expect(needs('Freshness.task')).toEqual(['CONTROL_READ']);
  expect(needs('Table.datastore')).toEqual([]);
  expect(needs('Table.upstream')).toEqual([]);
  expect(needs('Datastore.config')).toEqual(['CONTROL_READ']);
  expect(needs('Account.members')).toEqual(['CONTROL_READ']);
});

test('what was asked for to reach an object is not asked for again at its own fields', () => {
  expect(needs('Job.name')).toEqual([]);
  expect(needs('Job.lastTask')).toEqual([]);
  expect(needs('Task.streams')).toEqual([]);
});

test('a field that accounts/permissions.ts does not name fails the building of the schema', () => {
  const query = new GraphQLObjectType({ name: 'Query', fields: { secretDoor: { type: GraphQLInt } } });
  expect(() => enforcePermissions(new GraphQLSchema({ query }))).toThrow(
    'Query.secretDoor has no entry in accounts/permissions.ts',
  );
});

test('a type that accounts/permissions.ts does not name fails the building of the schema', () => {
  const type = new GraphQLObjectType({ name: 'Novelty', fields: { n: { type: GraphQLInt } } });
  const query = new GraphQLObjectType({ name: 'Query', fields: { source: { type } } });
  expect(() => enforcePermissions(new GraphQLSchema({ query }))).toThrow('The type Novelty has no entry');
});

test('a field that returns an interface which nobody accounts for fails the building of the schema', () => {
  const node = schema.getType('Node');
  const query = new GraphQLObjectType({
    name: 'Query',
    fields: { source: { type: node as GraphQLObjectType } },
  });
  expect(() => enforcePermissions(new GraphQLSchema({ query }))).toThrow(
    'Query.source returns the interface Node',
  );
});
