import type { Viewer } from '#accounts/viewer.ts';
import { newId } from '#base/id.ts';
import type { Data, TestGraphql, Variables } from './graphql.ts';

/**
 * Organizations, users and events in the warehouse of a viewer's project, mapped: acme (1, plan team) has the users 1 and 2, blue
 * (2, plan free) has 3 and 4. In January 2026, user n did something on the days 1, 1 + n, 1 + 2n, …, up to the 28th: 28, 14,
 * 10 and 7 events, all at noon UTC; on odd days report_opened, on even ones query_run. The amount is the day.
 */
export async function fillShop(gql: TestGraphql, viewer: Viewer): Promise<void> {
  const { warehouse } = await gql.app.catalog.datastores.open(viewer.projectId);
  const statements = [
    'CREATE SCHEMA IF NOT EXISTS raw',
    `CREATE TABLE raw.organizations AS SELECT * FROM (VALUES (1::BIGINT, 'acme', 'team'), (2, 'blue', 'free')) AS t(id, name, plan)`,
    `CREATE TABLE raw.users AS SELECT n::BIGINT AS id, 'user ' || n AS name, 'u' || n || '@example.com' AS email,
       CASE WHEN n < 3 THEN 1 ELSE 2 END::BIGINT AS organization_id, TIMESTAMPTZ '2025-12-01 00:00:00+00' AS created_at FROM range(1, 5) t(n)`,
    `CREATE TABLE raw.events AS SELECT (d * 10 + n)::BIGINT AS id, n::BIGINT AS user_id,
       CASE WHEN d % 2 = 0 THEN 'report_opened' ELSE 'query_run' END AS name, (d + 1)::INTEGER AS amount,
       TIMESTAMPTZ '2026-01-01 12:00:00+00' + to_days(d::INTEGER) AS at
       FROM range(28) a(d), range(1, 5) b(n) WHERE d % n = 0`,
  ];
  for (const sql of statements) await warehouse.run({ sql });
  await gql.ask(viewer, 'mutation { refreshCatalog(input: {}) { tables userErrors { message } } }');
  await mapTo(gql, viewer, 'ORGANIZATION', 'organizations', { name: 'name' });
  await mapTo(gql, viewer, 'USER', 'users', {
    name: 'name',
    email: 'email',
    createdAt: 'created_at',
    organizationKey: 'organization_id',
  });
  await mapTo(gql, viewer, 'EVENT', 'events', { name: 'name', at: 'at', userKey: 'user_id' });
}

async function mapTo(
  gql: TestGraphql,
  { projectId }: Viewer,
  kind: 'USER' | 'ORGANIZATION' | 'EVENT',
  name: string,
  columns: Record<string, string>,
): Promise<void> {
  const { db } = gql.app.store;
  const { id: tableId } = await db.catalogTable.findFirstOrThrow({ where: { projectId, name } });
  const now = new Date();
  await db.entityMapping.create({
    data: { id: newId(), projectId, kind, tableId, key: 'id', columns, createdAt: now, updatedAt: now },
  });
}

/** Runs a mutation with its input; fails when it answers with errors at the top. */
export async function change(
  gql: TestGraphql,
  viewer: Viewer,
  mutation: string,
  input: Variables,
  fields: string,
): Promise<Data> {
  const type = `${mutation[0]?.toUpperCase()}${mutation.slice(1)}Input`;
  const query = `mutation ($input: ${type}!) { ${mutation}(input: $input) { ${fields} userErrors { code path message fix } } }`;
  return (await gql.ask(viewer, query, { input }))[mutation];
}

/** Defines a metric, which must succeed; its id. */
export async function defineMetric(
  gql: TestGraphql,
  viewer: Viewer,
  name: string,
  definition: Variables,
): Promise<string> {
  const made = await change(gql, viewer, 'createMetric', { name, definition }, 'metric { id }');
  if (made.userErrors.length > 0) throw new Error(JSON.stringify(made.userErrors));
  return made.metric.id;
}

/** A SIMPLE definition over the events. */
export function ofEvents(measure: Variables, rest: Variables = {}): Variables {
  return { simple: { entity: 'EVENT', measure, ...rest } };
}
