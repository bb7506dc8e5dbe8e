import type { Viewer } from '#accounts/viewer.ts';
import { createDatastore } from '#catalog/create-datastore.ts';
import type { EntityKind } from '#generated/prisma/enums.ts';
import { newId } from '#base/id.ts';
import { globalId } from '#base/global-id.ts';
import type { Data, TestGraphql, Variables } from './graphql.ts';
import type { TestPostgresWarehouse } from './postgres-warehouse.ts';

/** Runs statements on the warehouse of the viewer's project, and lets the catalog find what they made. */
export async function fillWarehouse(gql: TestGraphql, viewer: Viewer, statements: string[]): Promise<void> {
  const { warehouse } = await gql.app.catalog.datastores.open(viewer.projectId);
  for (const sql of statements) await warehouse.run({ sql });
  await gql.ask(viewer, 'mutation { refreshCatalog(input: {}) { tables userErrors { message } } }');
}

/** What mapEntity answers. */
export async function answerOfMapping(gql: TestGraphql, viewer: Viewer, input: Variables): Promise<Data> {
  const query = `mutation ($input: MapEntityInput!) { mapEntity(input: $input) {
    mapping { kind table { fqn } key columns properties propertiesColumn aliasTable { fqn } aliasKey canonicalKey servedFrom { fqn } aliasServedFrom { fqn } }
    userErrors { code message path fix } } }`;
  return (await gql.ask(viewer, query, { input })).mapEntity;
}

/** Maps an entity, which must succeed. */
export async function mapEntity(gql: TestGraphql, viewer: Viewer, input: Variables): Promise<void> {
  const { userErrors } = await answerOfMapping(gql, viewer, input);
  if (userErrors.length > 0) throw new Error(JSON.stringify(userErrors));
}

/**
 * Three organizations, users 1 to 6 of them and one of none, events 1 to 60 one an hour from 2026-01-01, and the aliases
 * anon-1 and anon-2 of user 1: events 41 to 45 are theirs. Mapped, with properties as JSON (users, events) and as columns
 * (organizations).
 */
export async function fillEntities(
  gql: TestGraphql,
  viewer: Viewer,
  postgres?: TestPostgresWarehouse,
): Promise<void> {
  await postgres?.load(postgresRows);
  await fillWarehouse(gql, viewer, postgres ? [] : duckDbRows);
  await mapEntities(gql, viewer);
}

/** The same rows as fillEntities has, in the schema "live" of a PostgreSQL that is the operational store "ops". */
export async function copyEntities(
  gql: TestGraphql,
  viewer: Viewer,
  postgres: TestPostgresWarehouse,
): Promise<void> {
  await postgres.load(postgresRows.map((sql) => sql.replaceAll(/\braw\b/g, 'live')));
  const config = { ...postgres.server };
  await createDatastore(gql.app.catalog, viewer, {
    name: 'ops',
    engine: 'POSTGRES',
    role: 'OPERATIONAL',
    config,
  });
  await fillWarehouse(gql, viewer, []);
}

/** The mappings of these rows, each with what is said besides. */
export async function mapEntities(
  gql: TestGraphql,
  viewer: Viewer,
  more: Partial<Record<EntityKind, Variables>> = {},
): Promise<void> {
  for (const kind of ['ORGANIZATION', 'USER', 'EVENT'] as const) {
    await mapEntity(gql, viewer, { ...entityMappings[kind], ...more[kind] });
  }
}

export const entityMappings: Record<EntityKind, Variables> = {
  ORGANIZATION: {
    kind: 'ORGANIZATION',
    table: 'raw.organizations',
    key: 'slug',
    name: 'name',
    createdAt: 'since',
  },
  USER: {
    kind: 'USER',
    table: 'raw.users',
    key: 'id',
    name: 'name',
    email: 'email',
    createdAt: 'created_on',
    organizationKey: 'org',
    propertiesColumn: 'props',
    aliasTable: 'raw.identities',
    aliasKey: 'alias',
    canonicalKey: 'user_id',
  },
  EVENT: {
    kind: 'EVENT',
    table: 'raw.events',
    key: 'event_id',
    name: 'name',
    at: 'at',
    userKey: 'user_id',
    propertiesColumn: 'payload',
  },
};

/** One organization with one user and one event, whose keys nothing else has, in tables of their own. Returns global ids. */
export async function insertEntities(
  gql: TestGraphql,
  { projectId }: Viewer,
): Promise<{ User: string; Organization: string; Event: string }> {
  const { db } = gql.app.store;
  const { warehouse } = await gql.app.catalog.datastores.open(projectId);
  const { id: datastoreId } = await db.datastore.findFirstOrThrow({ where: { projectId } });
  const keys = { USER: newId(), ORGANIZATION: newId(), EVENT: newId() };
  const at = new Date();
  const names = ['id', 'user_id', 'organization_id', 'name'];
  const row = `'${keys.USER}' AS user_id, '${keys.ORGANIZATION}' AS organization_id, 'a name' AS name`;
  const columns = [
    ...names.map((name, index) => ({ name, dataType: 'VARCHAR', nullable: true, ordinal: index + 1 })),
    { name: 'at', dataType: 'TIMESTAMP WITH TIME ZONE', nullable: true, ordinal: 5 },
  ].map((column) => ({ ...column, description: null }));
  const fields = {
    USER: { name: 'name', organizationKey: 'organization_id' },
    ORGANIZATION: { name: 'name' },
    EVENT: { name: 'name', at: 'at', userKey: 'user_id', organizationKey: 'organization_id' },
  };
  await warehouse.run({ sql: 'CREATE SCHEMA IF NOT EXISTS own' });
  for (const kind of ['USER', 'ORGANIZATION', 'EVENT'] as const) {
    const name = `all_${kind.toLowerCase()}s`;
    await warehouse.run({
      sql: `CREATE TABLE own.${name} AS SELECT '${keys[kind]}' AS id, ${row}, now() AS at`,
    });
    const table = {
      id: newId(),
      projectId,
      datastoreId,
      database: 'warehouse',
      schema: 'own',
      name,
      columns,
    };
    await db.catalogTable.create({
      data: { ...table, kind: 'TABLE', rowCount: 1n, createdAt: at, updatedAt: at },
    });
    const mapping = { id: newId(), projectId, kind, tableId: table.id, key: 'id', columns: fields[kind] };
    await db.entityMapping.create({ data: { ...mapping, createdAt: at, updatedAt: at } });
  }
  return {
    User: globalId('User', keys.USER),
    Organization: globalId('Organization', keys.ORGANIZATION),
    Event: globalId('Event', keys.EVENT),
  };
}

const duckDbRows = [
  'CREATE SCHEMA IF NOT EXISTS raw',
  `CREATE TABLE raw.organizations AS SELECT * FROM (VALUES
       ('acme', 'Acme', 'team', 10, 9007199254740993, 12.50::DECIMAL(10,2), TIMESTAMP '2025-01-01 10:00:00.123456'),
       ('blue', 'Blue', 'free', NULL, 2, 0.10, NULL),
       ('core', NULL, 'team', 3, 3, NULL, TIMESTAMP '2025-03-01 00:00:00')) AS t(slug, name, plan, seats, big, price, since)`,
  `CREATE TABLE raw.users AS SELECT n::BIGINT AS id, 'User ' || n AS name, 'u' || n || '@example.com' AS email,
       CASE WHEN n = 7 THEN NULL ELSE ['acme', 'blue', 'core'][1 + (n - 1) % 3] END AS org, DATE '2025-06-01' + n::INT AS created_on,
       ('{"theme":"' || ['dark', 'light'][1 + n % 2] || '","logins":' || (n * 10) || ',"big":9007199254740993,"a.b":true,"nested":{"n":1}}')::JSON AS props
       FROM range(1, 8) t(n)`,
  "INSERT INTO raw.users (id, name) VALUES (NULL, 'nobody')",
  `CREATE TABLE raw.events AS SELECT 'e' || lpad(n::VARCHAR, 3, '0') AS event_id,
       CASE WHEN n BETWEEN 41 AND 45 THEN 'anon-' || (1 + n % 2) ELSE (1 + n % 6)::VARCHAR END AS user_id,
       ['page_viewed', 'query_run', 'signed_up'][1 + n % 3] AS name,
       TIMESTAMPTZ '2026-01-01 00:00:00+00' + to_hours(n::INT) + to_microseconds(n) AS at, '{"path":"/p' || (n % 4) || '"}' AS payload
       FROM range(1, 61) t(n)`,
  `CREATE TABLE raw.identities AS SELECT * FROM (VALUES ('anon-1', 1), ('anon-2', 1)) AS t(alias, user_id)`,
];

const postgresRows = [
  'CREATE SCHEMA IF NOT EXISTS raw',
  `CREATE TABLE raw.organizations AS SELECT * FROM (VALUES
       ('acme', 'Acme', 'team', 10, 9007199254740993, 12.50::DECIMAL(10,2), TIMESTAMP '2025-01-01 10:00:00.123456'),
       ('blue', 'Blue', 'free', NULL, 2, 0.10, NULL),
       ('core', NULL, 'team', 3, 3, NULL, TIMESTAMP '2025-03-01 00:00:00')) AS t(slug, name, plan, seats, big, price, since)`,
  `CREATE TABLE raw.users AS SELECT n::BIGINT AS id, 'User ' || n AS name, 'u' || n || '@example.com' AS email,
       CASE WHEN n = 7 THEN NULL ELSE (ARRAY['acme', 'blue', 'core'])[1 + (n - 1) % 3] END AS org, DATE '2025-06-01' + n::INT AS created_on,
       ('{"theme":"' || (ARRAY['dark', 'light'])[1 + n % 2] || '","logins":' || (n * 10) || ',"big":9007199254740993,"a.b":true,"nested":{"n":1}}')::jsonb AS props
       FROM generate_series(1, 7) AS t(n)`,
  "INSERT INTO raw.users (id, name) VALUES (NULL, 'nobody')",
  `CREATE TABLE raw.events AS SELECT 'e' || lpad(n::VARCHAR, 3, '0') AS event_id,
       CASE WHEN n BETWEEN 41 AND 45 THEN 'anon-' || (1 + n % 2) ELSE (1 + n % 6)::VARCHAR END AS user_id,
       (ARRAY['page_viewed', 'query_run', 'signed_up'])[1 + n % 3] AS name,
       TIMESTAMPTZ '2026-01-01 00:00:00+00' + n * interval '1 hour' + n * interval '1 microsecond' AS at, '{"path":"/p' || (n % 4) || '"}' AS payload
       FROM generate_series(1, 60) AS t(n)`,
  `CREATE TABLE raw.identities AS SELECT * FROM (VALUES ('anon-1', 1), ('anon-2', 1)) AS t(alias, user_id)`,
];
