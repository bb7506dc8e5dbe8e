import { expect, test } from 'vitest';
import type { ParamDeclaration } from '#endpoints/declaration.ts';
import { endpointOf } from '#endpoints/served.ts';
import { openApiOf } from '#rest/openapi.ts';

function schemaOf(param: Omit<ParamDeclaration, 'name' | 'type'>): unknown {
  const declaration = {
    metadata: { name: 'one', version: 1 },
    route: '/one',
    query: 'SELECT :p AS p',
    params: [{ name: 'p', type: 'string' as const, ...param }],
  };
  const endpoint = endpointOf({
    id: '',
    projectId: '',
    name: 'one',
    version: 1,
    state: 'PUBLISHED',
    deprecatedAt: null,
    sunsetAt: null,
    replacement: null,
    updatedAt: new Date(0),
    served: {
      declaration,
      columns: [],
      tableIds: [],
      datastore: { id: '', name: 'warehouse', engine: 'DUCKDB' },
    },
  });
  const { paths } = openApiOf([endpoint]) as {
    paths: Record<string, { get: { parameters: { schema: unknown }[] } }>;
  };
  return paths['/v1/one']!.get.parameters[0]!.schema;
}

test('a pattern that JavaScript cannot read is left out, and any other is of the whole value', () => {
  expect(schemaOf({ pattern: 'a|b' })).toEqual({ type: 'string', maxLength: 1_000, pattern: '^(?:a|b)$' });
  expect(schemaOf({ pattern: '(?P<letter>a)\\z' })).toEqual({ type: 'string', maxLength: 1_000 });
});
