import type { Viewer } from '#accounts/viewer.ts';
import { createDatastore } from '#catalog/create-datastore.ts';
import type { EntityKind } from '#generated/prisma/enums.ts';
import { newId } from '#base/id.ts';
import { globalId } from '#base/global-id.ts';
import type { Data, TestGraphql, Variables } from './graphql.ts';
import { type LabTable, makeTables } from './lab-tables.ts';
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
 * anon-1 and anon-2 of user 1: events 41 to 45 are theirs. Mapped, with properties as JSON (users), as text that holds JSON
 * (events) and as columns (organizations).
 */
export async function fillEntities(gql: TestGraphql, viewer: Viewer, database = 'warehouse'): Promise<void> {
  await makeTables(gql, viewer, { database, schema: 'raw' }, entityTables());
  await mapEntities(gql, viewer);
}

/** The same rows as fillEntities has, in the schema "live" of a PostgreSQL that is the operational store "ops". */
export async function copyEntities(
  gql: TestGraphql,
  viewer: Viewer,
  postgres: TestPostgresWarehouse,
): Promise<void> {
  const config = { ...postgres.server };
  await createDatastore(gql.app.catalog, viewer, {
    name: 'ops',
    engine: 'POSTGRES',
    role: 'OPERATIONAL',
    config,
  });
  const place = { datastore: 'ops', database: postgres.server.database, schema: 'live' };
  await makeTables(gql, viewer, place, entityTables());
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

function entityTables(): LabTable[] {
  const hourMs = 3_600_000;
  const numbers = (count: number) => Array.from({ length: count }, (_, at) => at + 1);
  return [
    {
      name: 'organizations',
      columns: {
        slug: 'text',
        name: 'text',
        plan: 'text',
        seats: 'integer',
        big: 'integer',
        price: 'money',
        since: 'timestamp',
      },
      rows: [
        ['acme', 'Acme', 'team', 10, 9_007_199_254_740_993n, '12.50', '2025-01-01 10:00:00.123456'],
        ['blue', 'Blue', 'free', null, 2, '0.10', null],
        ['core', null, 'team', 3, 3, null, '2025-03-01 00:00:00'],
      ],
    },
    {
      name: 'users',
      columns: { id: 'integer', name: 'text', email: 'text', org: 'text', created_on: 'date', props: 'json' },
      rows: [
        ...numbers(7).map((n) => [
          n,
          `User ${n}`,
          `u${n}@example.com`,
          n === 7 ? null : ['acme', 'blue', 'core'][(n - 1) % 3]!,
          `2025-06-0${n + 1}`,
          `{"theme":"${n % 2 === 0 ? 'dark' : 'light'}","logins":${n * 10},"big":9007199254740993,"a.b":true,"nested":{"n":1}}`,
        ]),
        [null, 'nobody', null, null, null, null],
      ],
    },
    {
      name: 'events',
      columns: { event_id: 'text', user_id: 'text', name: 'text', at: 'timestamptz', payload: 'text' },
      rows: numbers(60).map((n) => [
        `e${String(n).padStart(3, '0')}`,
        n >= 41 && n <= 45 ? `anon-${1 + (n % 2)}` : String(1 + (n % 6)),
        ['page_viewed', 'query_run', 'signed_up'][n % 3]!,
        `${new Date(Date.UTC(2026, 0, 1) + n * hourMs).toISOString().slice(0, -1)}${String(n).padStart(3, '0')}Z`,
        `{"path":"/p${n % 4}"}`,
      ]),
    },
    {
      name: 'identities',
      columns: { alias: 'text', user_id: 'integer' },
      rows: [
        ['anon-1', 1],
        ['anon-2', 1],
      ],
    },
  ];
}
