import { getNamedType, type GraphQLInputType, isInputObjectType, isListType, isNonNullType } from 'graphql';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Viewer } from '#accounts/viewer.ts';
import { openTestGraphql, type TestGraphql } from '../../support/graphql.ts';
import {
  type Arguments,
  leastArguments,
  operationOf,
  rootFields,
  withValue,
} from '../../support/operations.ts';
import { insertProject, type ProjectRows } from '../../support/rows.ts';

let gql: TestGraphql;
let ada: Viewer;
let rows: ProjectRows;

beforeAll(async () => {
  gql = await openTestGraphql();
  ada = await gql.signUp('ada');
  rows = await insertProject(gql.app.store.db, ada);
});
afterAll(() => gql[Symbol.asyncDispose]());

/** Values that the type of an argument allows, and that code and databases are known to stumble over. */
const oddities: Record<string, readonly unknown[]> = {
  String: [
    '',
    ' ',
    '\0',
    '%',
    '_',
    '\\',
    "'",
    '"; DROP TABLE job; --',
    '💥',
    '\ud800',
    '../../etc/passwd',
    'a'.repeat(20_000),
    '__proto__',
  ],
  ID: ['', 'x', '💥', 'a'.repeat(20_000), 'U291cmNlOg', 'U291cmNlOng'],
  Int: [0, -1, 2_147_483_647, -2_147_483_648],
  JSON: [
    null,
    [],
    1,
    'x',
    true,
    { a: { b: [] } },
    { __proto__: 1 },
    { path: '' },
    { path: null },
    { '': '' },
  ],
  DateTime: ['0001-01-01T00:00:00Z', '9999-12-31T23:59:59.999Z', '0000-01-01T00:00:00Z'],
};

/** The places in the arguments that take a value of a type listed above. */
function oddPlaces(
  type: GraphQLInputType,
  path: string,
  outer: readonly string[] = [],
): [path: string, values: readonly unknown[]][] {
  const named = getNamedType(type);
  const values = oddities[named.name];
  if (values) return [[path, isList(type) ? values.map((value) => [value]) : values]];
  // A filter holds filters of its own type: one round of them is enough.
  if (!isInputObjectType(named) || isList(type) || outer.includes(named.name)) return [];
  const inner = [...outer, named.name];
  return Object.values(named.getFields()).flatMap((field) =>
    oddPlaces(field.type, `${path}.${field.name}`, inner),
  );
}

function isList(type: GraphQLInputType): boolean {
  return isListType(isNonNullType(type) ? type.ofType : type);
}

const fields = (['Query', 'Mutation'] as const).flatMap((root) =>
  rootFields(root)
    // Sign-ups and sessions have tests of their own; here they would cost a password's hash for each value.
    .filter(({ name }) => !['signUp', 'logIn', 'logOut'].includes(name))
    .filter(({ args }) => args.length > 0)
    .map((field) => [`${root}.${field.name}`, root, field] as const),
);

test.each(fields)('no value that %s takes makes it fail inside', async (_place, root, field) => {
  const failed: string[] = [];
  const least: Arguments = leastArguments(field, rows.Source);
  for (const [path, values] of field.args.flatMap((arg) => oddPlaces(arg.type, arg.name))) {
    for (const value of values) {
      const { query, variables } = operationOf(root, field, withValue(least, path, value), 1);
      const { errors } = await gql.answer(ada, query, variables);
      const inside = errors.filter((error) => error.extensions.code === 'INTERNAL');
      for (const error of inside)
        failed.push(
          `${path} = ${JSON.stringify(value).slice(0, 60)}: ${String(error.extensions.cause).slice(0, 800)}`,
        );
    }
  }
  expect(failed).toEqual([]);
});
