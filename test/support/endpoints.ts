import type { Viewer } from '#accounts/viewer.ts';
import type { Declaration } from '#endpoints/declaration.ts';
import { saveEndpoint } from '#endpoints/save.ts';
import type { TestGraphql } from './graphql.ts';

/** A viewer whose warehouse has users of three plans. */
export async function signUpWithUsers(gql: TestGraphql, name: string): Promise<Viewer> {
  const viewer = await gql.signUp(name);
  const { warehouse } = await gql.app.catalog.datastores.open(viewer.projectId);
  const statements = [
    'CREATE SCHEMA raw',
    `CREATE TABLE raw.users AS SELECT n AS id, 'user ' || n AS name, ['free', 'team', 'enterprise'][n % 3 + 1] AS plan,
       n % 2 = 0 AS active, TIMESTAMPTZ '2026-01-01 00:00:00Z' + to_hours(CAST(n AS INTEGER)) AS created_at,
       (n * 1.25)::DECIMAL(12,2) AS spent, DATE '2026-01-01' + CAST(n % 300 AS INTEGER) AS birthday
     FROM range(1::BIGINT, 1001::BIGINT) t(n)`,
  ];
  for (const sql of statements) await warehouse.run({ sql });
  await gql.ask(viewer, 'mutation { refreshCatalog(input: {}) { tables } }');
  return viewer;
}

/** The declaration of docs/data-api.md, with what a test changes of it. */
export function declared(changes: Partial<Declaration> = {}): Declaration {
  return {
    metadata: { name: 'active_users', description: 'Active users of a plan.', version: 1, owner: 'growth' },
    route: '/users/active',
    query: 'SELECT id, name, plan FROM raw.users WHERE active = :active AND plan = :plan',
    params: [
      { name: 'active', type: 'boolean', default: true },
      { name: 'plan', type: 'string', enum: ['free', 'team', 'enterprise'], required: true },
    ],
    pagination: { key: ['id'] },
    ...changes,
  };
}

/** Saves and publishes. */
export async function publish(
  gql: TestGraphql,
  viewer: Viewer,
  declaration: Declaration,
): Promise<{ id: string }> {
  const author = { projectId: viewer.projectId, memberId: viewer.memberId, file: null };
  return saveEndpoint(gql.app.endpoints, author, { declaration, publish: true });
}
