import {
  buildSchema,
  execute,
  GraphQLError,
  GraphQLInt,
  GraphQLObjectType,
  GraphQLScalarType,
  GraphQLSchema,
  parse,
  validate,
} from 'graphql';
import { expect, test } from 'vitest';
import { AppError, inputError } from '#base/errors.ts';
import { NotHere } from '#catalog/datastores.ts';
import { ConnectorError } from '#connectors/contract.ts';
import { parseDateTime } from '#graphql/scalars.ts';
import { isExpected, problemsOf, toGraphQLError } from '#graphql/error-codes.ts';

const schema = buildSchema('type Query { thing(n: Int!): Int! }');

async function errorOf(query: string, thing: () => unknown, variables = {}): Promise<GraphQLError> {
  const { errors } = await execute({
    schema,
    document: parse(query),
    rootValue: { thing },
    variableValues: variables,
  });
  return errors?.[0] as GraphQLError;
}

const throwing = (error: unknown) => () => {
  throw error;
};

test('an expected failure is shown with its code, its fix, its place and the request id', async () => {
  const error = await errorOf(
    '{ thing(n: 1) }',
    throwing(new AppError('CONFLICT', 'It has changed.', { fix: 'Read it again.' })),
  );
  const shown = toGraphQLError(error, 'r1').toJSON();
  expect(shown).toEqual({
    message: 'It has changed.',
    locations: [{ line: 1, column: 3 }],
    path: ['thing'],
    extensions: { code: 'CONFLICT', requestId: 'r1', fix: 'Read it again.' },
  });
});

test('what nobody foresaw is masked as INTERNAL', async () => {
  const error = await errorOf('{ thing(n: 1) }', throwing(new Error('password=hunter2')));
  const shown = toGraphQLError(error, 'r1');
  expect(isExpected(error)).toBe(false);
  expect(shown.extensions.code).toBe('INTERNAL');
  expect(JSON.stringify(shown)).not.toContain('hunter2');
  expect(shown.originalError).toBeUndefined();
});

test('an answer that does not fit its type is our fault, not the asker’s', async () => {
  const tooLarge = await errorOf('{ thing(n: 1) }', () => 2 ** 40);
  const missing = await errorOf('{ thing(n: 1) }', () => null);
  expect([
    toGraphQLError(tooLarge, 'r').extensions.code,
    toGraphQLError(missing, 'r').extensions.code,
  ]).toEqual(['INTERNAL', 'INTERNAL']);
});

test('syntax, validation, variables and arguments are BAD_USER_INPUT', async () => {
  const codes = [
    syntaxError(),
    validate(schema, parse('{ nothing }'))[0],
    await errorOf('query ($n: Int!) { thing(n: $n) }', () => 1, { n: 'x' }),
    await errorOf('query ($n: Int) { thing(n: $n) }', () => 1, { n: null }),
  ].map((error) => toGraphQLError(error, 'r').extensions.code);
  expect(codes).toEqual(['BAD_USER_INPUT', 'BAD_USER_INPUT', 'BAD_USER_INPUT', 'BAD_USER_INPUT']);
});

test('a value that a scalar refuses is shown with the variable it came in', async () => {
  const at = new GraphQLScalarType({ name: 'At', parseValue: parseDateTime });
  const query = new GraphQLObjectType({
    name: 'Query',
    fields: { thing: { type: GraphQLInt, args: { at: { type: at } } } },
  });
  const { errors } = await execute({
    schema: new GraphQLSchema({ query }),
    document: parse('query ($at: At) { thing(at: $at) }'),
    variableValues: { at: 'today' },
  });
  const shown = toGraphQLError(errors?.[0], 'r');
  expect(shown.extensions.code).toBe('BAD_USER_INPUT');
  expect(shown.message).toMatch(/Variable "\$at" .* "today" is not a DateTime/);
});

test('what lower floors foresaw keeps its words', () => {
  expect(
    toGraphQLError(new ConnectorError('CONFIG', 'No such datastore.', { fix: 'Name one.' }), 'r'),
  ).toMatchObject({
    message: 'No such datastore.',
    extensions: { code: 'BAD_USER_INPUT', fix: 'Name one.' },
  });
  expect(toGraphQLError(new NotHere('warehouse', 'h'), 'r').extensions.code).toBe('WAREHOUSE_UNAVAILABLE');
});

test('a mutation reports what is wrong with its input as userErrors, and nothing else', () => {
  expect(problemsOf(inputError('IN_USE', ['id'], 'In use.'))).toMatchObject([
    { code: 'IN_USE', path: ['id'] },
  ]);
  expect(problemsOf(new AppError('NOT_FOUND', 'Gone.', { fix: 'Look.' }))).toEqual([
    { code: 'NOT_FOUND', message: 'Gone.', path: [], fix: 'Look.' },
  ]);
  expect(problemsOf(new AppError('FORBIDDEN', 'No.'))).toBeNull();
  expect(problemsOf(new AppError('RATE_LIMITED', 'Wait.'))).toBeNull();
  expect(problemsOf(new Error('bug'))).toBeNull();
});

function syntaxError(): unknown {
  try {
    return parse('{');
  } catch (error) {
    return error;
  }
}
