import { expect, test } from 'vitest';
import type { CatalogedTable, Mapping, Mappings } from '#catalog/mappings.ts';
import { entityFilterSql, type EntityFilter } from '#catalog/filter-sql.ts';
import { entitySource } from '#catalog/row-source.ts';
import { entityOrder } from '#entities/entity-order.ts';
import type { EntityKind } from '#generated/prisma/enums.ts';
import { duckDbDialect } from '#warehouse/duckdb-dialect.ts';
import { sql, toStatement, type Sql } from '#warehouse/sql.ts';

/* What is asked, and the SQL that answers it: a change of either shows here. */

function table(name: string, columns: Record<string, string>): CatalogedTable {
  const described = Object.entries(columns).map(([column, dataType], index) => ({
    name: column,
    dataType,
    nullable: true,
    ordinal: index + 1,
  }));
  const datastore = { id: 'datastore', name: 'warehouse', engine: 'DUCKDB' } as const;
  return { id: name, database: 'warehouse', schema: 'raw', name, columns: described, datastore };
}

const plain: Omit<Mapping, 'kind' | 'table' | 'columns'> = {
  key: 'id',
  propertiesColumn: null,
  properties: null,
  alias: null,
};
const organizations: Mapping = {
  ...plain,
  kind: 'ORGANIZATION',
  table: table('organizations', { id: 'BIGINT', name: 'VARCHAR', plan: 'VARCHAR' }),
  columns: { name: 'name' },
};
const users: Mapping = {
  ...plain,
  kind: 'USER',
  table: table('users', { id: 'BIGINT', name: 'VARCHAR', org: 'BIGINT', props: 'JSON', made: 'TIMESTAMP' }),
  columns: { name: 'name', createdAt: 'made', organizationKey: 'org' },
  propertiesColumn: 'props',
};
const events: Mapping = {
  ...plain,
  kind: 'EVENT',
  table: table('events', { id: 'UUID', name: 'VARCHAR', at: 'TIMESTAMP WITH TIME ZONE', user_id: 'BIGINT' }),
  columns: { name: 'name', at: 'at', userKey: 'user_id' },
};
const alias = {
  table: table('identities', { alias: 'VARCHAR', user_id: 'BIGINT' }),
  aliasKey: 'alias',
  canonicalKey: 'user_id',
};
const mappings: Mappings = { USER: users, ORGANIZATION: organizations, EVENT: events };
const merged: Mappings = { ...mappings, USER: { ...users, alias } };

function shown(piece: Sql): string {
  const { sql: text, binds = [] } = toStatement(piece, duckDbDialect);
  const values = binds.map((bind) =>
    JSON.stringify(bind, (_key, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value)),
  );
  return [text, ...values].join('\n');
}

function filtered(kind: EntityKind, filter: EntityFilter, of = mappings): string {
  const source = entitySource(of, kind, duckDbDialect);
  const where = entityFilterSql(source, filter);
  return shown(sql`FROM ${source.from()} WHERE ${where}`);
}

test('fields are compared as they are, so that the statistics of their columns are of use', () => {
  expect(
    filtered('EVENT', {
      name: { eq: 'opened', neq: 'closed' },
      at: { gte: new Date('2026-01-01T00:00:00Z'), lt: new Date('2026-02-01T00:00:00Z') },
    }),
  ).toMatchInlineSnapshot(`
    "FROM "warehouse"."raw"."events" AS "r" WHERE ("r"."name" = ? AND (NOT coalesce("r"."name" = ?, FALSE)) AND "r"."at" >= CAST(? AS TIMESTAMPTZ) AND "r"."at" < CAST(? AS TIMESTAMPTZ))
    "opened"
    "closed"
    "2026-01-01T00:00:00.000000Z"
    "2026-02-01T00:00:00.000000Z""
  `);
});

test('properties of JSON are read by their names alone, and filters join', () => {
  expect(
    filtered('USER', {
      or: [{ properties: [{ property: 'a/b~c', gt: 5 }] }, { not: { key: { in: ['1', 'x'] } } }],
    }),
  ).toMatchInlineSnapshot(`
    "FROM "warehouse"."raw"."users" AS "r" WHERE ((((TRY_CAST(json_extract_string("r"."props", ?) AS DOUBLE) > ?)) OR ((NOT coalesce(("r"."id" IN (SELECT unnest(CAST(? AS BIGINT[])) AS item)), FALSE)))))
    "/a~1b~0c"
    5
    ["1n"]"
  `);
});

test('what an event belongs to is joined once, and through its user where it says nothing itself', () => {
  expect(
    filtered('EVENT', {
      properties: [
        { property: 'user.theme', eq: 'dark' },
        { property: 'organization.plan', in: ['team', 'free'] },
        { property: 'organization.name', isNull: false },
      ],
    }),
  ).toMatchInlineSnapshot(`
    "FROM "warehouse"."raw"."events" AS "r" LEFT JOIN (SELECT "o"."id" AS "#key", any_value(json_extract_string("o"."props", ?)) AS "theme", any_value("o"."org") AS "organizationKey" FROM "warehouse"."raw"."users" AS "o" GROUP BY 1) AS "user" ON "user"."#key" = "r"."user_id" LEFT JOIN (SELECT "o"."id" AS "#key", any_value("o"."plan") AS "plan", any_value("o"."name") AS "name" FROM "warehouse"."raw"."organizations" AS "o" GROUP BY 1) AS "organization" ON "organization"."#key" = "user"."organizationKey" WHERE (("user"."theme" = ? AND ("organization"."plan" IN (?, ?)) AND "organization"."name" IS NOT NULL))
    "/theme"
    "dark"
    "team"
    "free""
  `);
});

test('an alias of another type counts as its user', () => {
  expect(filtered('EVENT', { userKey: { eq: '42' } }, merged)).toMatchInlineSnapshot(`
    "FROM "warehouse"."raw"."events" AS "r" LEFT JOIN (SELECT "o"."alias" AS "#alias", min("o"."user_id") AS "#canonical" FROM "warehouse"."raw"."identities" AS "o" GROUP BY 1) AS "alias" ON CAST("alias"."#alias" AS VARCHAR) = CAST("r"."user_id" AS VARCHAR) WHERE (coalesce("alias"."#canonical", "r"."user_id") = ?)
    "42n""
  `);
  const source = entitySource(merged, 'USER', duckDbDialect);
  expect(shown(source.hasKey('anon-1'))).toMatchInlineSnapshot(`
    ""r"."id" = coalesce((SELECT min(TRY_CAST("o"."user_id" AS BIGINT)) FROM "warehouse"."raw"."identities" AS "o" WHERE "o"."alias" = ?), NULL)
    "anon-1""
  `);
  expect(source.tableIds()).toEqual(['users', 'identities']);
});

const between = {
  size: 25,
  fromEnd: false,
  after: { key: '01a0b1c2-d3e4-7f50-8a1b-2c3d4e5f6071', value: '2026-01-02T00:00:00.000001Z' },
  before: null,
};

test('a page of events is a range of moments, and a filter on those of the cursor’s own', () => {
  const order = entityOrder('EVENT').over(entitySource(mappings, 'EVENT', duckDbDialect));
  expect(shown(sql`WHERE ${order.where(between)} ORDER BY ${order.orderBy(between)}`)).toMatchInlineSnapshot(`
    "WHERE (((CAST("r"."at" AS TIMESTAMPTZ) <= CAST(? AS TIMESTAMPTZ)) AND (CAST("r"."at" AS TIMESTAMPTZ) < CAST(? AS TIMESTAMPTZ) OR "r"."id" < CAST(? AS UUID)))) ORDER BY CAST("r"."at" AS TIMESTAMPTZ) DESC NULLS LAST, "r"."id" DESC
    "2026-01-02T00:00:00.000001Z"
    "2026-01-02T00:00:00.000001Z"
    "01a0b1c2-d3e4-7f50-8a1b-2c3d4e5f6071""
  `);
});

test('what has no value comes after everything that has one', () => {
  const order = entityOrder('USER', { field: 'createdAt', direction: 'DESC' }).over(
    entitySource(mappings, 'USER', duckDbDialect),
  );
  const after = { ...between, after: { key: '7', value: '2026-01-02T00:00:00.000001Z' } };
  const none = {
    ...between,
    fromEnd: true,
    after: { key: '7', value: null },
    before: { key: '9', value: null },
  };
  expect(shown(sql`WHERE ${order.where(after)} ORDER BY ${order.orderBy(after)}`)).toMatchInlineSnapshot(`
    "WHERE (((CAST("r"."made" AS TIMESTAMP) <= CAST(? AS TIMESTAMP) OR CAST("r"."made" AS TIMESTAMP) IS NULL) AND (CAST("r"."made" AS TIMESTAMP) < CAST(? AS TIMESTAMP) OR "r"."id" < ? OR CAST("r"."made" AS TIMESTAMP) IS NULL))) ORDER BY CAST("r"."made" AS TIMESTAMP) DESC NULLS LAST, "r"."id" DESC
    "2026-01-02T00:00:00.000001"
    "2026-01-02T00:00:00.000001"
    "7n""
  `);
  expect(shown(sql`WHERE ${order.where(none)} ORDER BY ${order.orderBy(none)}`)).toMatchInlineSnapshot(`
    "WHERE ((CAST("r"."made" AS TIMESTAMP) IS NULL AND "r"."id" < ?) AND (CAST("r"."made" AS TIMESTAMP) IS NOT NULL OR "r"."id" > ?)) ORDER BY CAST("r"."made" AS TIMESTAMP) ASC NULLS FIRST, "r"."id" ASC
    "7n"
    "9n""
  `);
});
