import { buildSchema, Kind, parse, print, visit, type FieldNode } from 'graphql';
import { expect, test } from 'vitest';
import { leafDocument, selectedBy } from '#graphql/leaf-document.ts';

const schema = buildSchema(`
  type Query { data: Data!, hello: String }
  type Mutation { data: Data! }
  type Data { users(from: Int): Users! }
  type Users { nodes: [User!]!, edges: [Edge!]!, truncated: Boolean! }
  type Edge { node: User! }
  type User { id: ID!, name: String }
`);
const { User } = schema.getTypeMap();
const columns = ['id', 'name'];
for (const [at, name] of columns.entries()) {
  (User as unknown as { getFields(): Record<string, { resolve: unknown }> }).getFields()[name]!.resolve = (
    row: unknown[],
  ) => row[at];
}

const made = (text: string) => leafDocument(schema, parse(text));

test('lists of rows lose their selection, which is known by their field', () => {
  const document = made(
    'query ($n: Int) { data { few: users(from: $n) { nodes { id as: name id __typename } truncated edges { node { id } } } } }',
  )!;
  expect(print(document).replaceAll(/\s+/g, ' ')).toBe(
    'query ($n: Int) { data { few: users(from: $n) { nodes truncated edges { node { id } } } } }',
  );
  const lists: FieldNode[] = [];
  visit(document, { [Kind.FIELD]: (node) => void (node.name.value === 'nodes' && lists.push(node)) });
  const selected = selectedBy(lists);
  expect(selected.map(({ key, isNullable }) => [key, isNullable])).toEqual([
    ['id', false],
    ['as', true],
    ['__typename', false],
  ]);
  expect(selected.map(({ valueOf }) => valueOf([7, 'ada']))).toEqual(['7', 'ada', 'User']);
  expect(selected[1]!.valueOf([7, null])).toBeNull();
  expect(() => selected[0]!.valueOf([null])).toThrow('Cannot return null for non-nullable field User.id.');
});

test.each([
  'mutation { data { users { nodes { id } } } }',
  'query One { data { users { nodes { id } } } } query Two { data { users { nodes { id } } } }',
  '{ data { users { nodes { id } } } hello }',
  '{ data { users { nodes { ... on User { id } } } } }',
  '{ data { users { nodes { ...F } } } } fragment F on User { id }',
  '{ data { ... { users { nodes { id } } } } }',
  '{ data { users { nodes { id @include(if: true) } } } }',
  '{ data { users { nodes { __proto__: id } } } }',
  '{ data { users { truncated } } }',
  '{ data { __typename } }',
  '{ hello }',
])('%s is executed as it is', (text) => {
  expect(made(text)).toBeNull();
});
