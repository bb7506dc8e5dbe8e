import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type DefinitionNode, Kind, type OperationDefinitionNode, OperationTypeNode, parse } from 'graphql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Viewer } from '#accounts/viewer.ts';
import { openTestGraphql, type TestGraphql, type Variables } from '../support/graphql.ts';
import { fillSampleWarehouse } from '../support/sample-warehouse.ts';

/** In this order: what the first defines, the second uses. */
const pages = ['entities.md'];

interface Block {
  name: string;
  query: string;
  variables: Variables;
}

/** The GraphQL blocks of a page; one of JSON right below is its variables. */
async function blocksOf(page: string): Promise<Block[]> {
  const text = await readFile(join(import.meta.dirname, '..', '..', 'docs', page), 'utf8');
  const blocks = [...text.matchAll(/```graphql\n([\s\S]*?)```(?:\s*```json\n([\s\S]*?)```)?/g)];
  return blocks.flatMap(([, query = '', variables = '{}']) => {
    const [operation] = parse(query).definitions;
    if (!operation || !isAnswered(operation)) return [];
    return [{ name: operation.name?.value ?? query, query, variables: JSON.parse(variables) as Variables }];
  });
}

function isAnswered(definition: DefinitionNode): definition is OperationDefinitionNode {
  return (
    definition.kind === Kind.OPERATION_DEFINITION && definition.operation !== OperationTypeNode.SUBSCRIPTION
  );
}

function problemsIn(answer: unknown): unknown[] {
  if (typeof answer !== 'object' || answer === null) return [];
  return Object.entries(answer).flatMap(([name, value]) =>
    name === 'userErrors' ? (value as unknown[]) : problemsIn(value),
  );
}

let gql: TestGraphql;
let ada: Viewer;

beforeAll(async () => {
  gql = await openTestGraphql();
  ada = await gql.signUp('ada');
  await fillSampleWarehouse(gql, ada);
});
afterAll(() => gql[Symbol.asyncDispose]());

for (const page of pages) {
  const blocks = await blocksOf(page);
  describe(`every query of docs/${page} runs on the sample data, in order`, () => {
    test.each(blocks.map((block) => [block.name, block] as const))(
      '%s',
      async (_name, { query, variables }) => {
        expect(problemsIn(await gql.ask(ada, query, variables))).toEqual([]);
      },
    );
    test('there are some', () => expect(blocks.length).toBeGreaterThan(3));
  });
}
