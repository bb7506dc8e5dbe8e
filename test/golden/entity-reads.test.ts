import { describe, expect, test } from 'vitest';
import { shownSql } from '#catalog/ask.ts';
import type { EntityFilter } from '#catalog/filter-sql.ts';
import type { Mapping, Mappings } from '#catalog/mappings.ts';
import { type AskedOrder, entityOrder, type EntityPage } from '#entities/entity-order.ts';
import {
  countQuestion,
  type EntityQuestion,
  existsQuestion,
  keyQuestion,
  keysQuestion,
  pageQuestion,
} from '#entities/entity-questions.ts';
import type { EntityField } from '#entities/entity-rows.ts';
import { namesQuestion } from '#entities/property-names.ts';
import {
  countRelatedQuestion,
  existRelatedQuestion,
  pagesQuestion,
  seenQuestion,
} from '#entities/related-questions.ts';
import type { EntityKind } from '#generated/prisma/enums.ts';
import { dialectOf } from '#warehouse/dialects.ts';
import { toStatement } from '#warehouse/sql.ts';
import type { Warehouse } from '#warehouse/warehouse.ts';
import { goldenEngines } from './dialects.ts';
import { block, broken, expectGolden } from './golden-file.ts';
import { goldenTable } from './metric-questions.ts';

/* The SQL of every read of users, organizations and events on every engine. */

/** Users with JSON and aliases, organizations with plain columns, events with keys that are UUIDs. */
function mappingsOn(engine: Warehouse['engine']): Required<Mappings> {
  const plain = { key: 'id', propertiesColumn: null, properties: null, alias: null };
  const table = (...of: [string, Parameters<typeof goldenTable>[2]]) => goldenTable(engine, ...of);
  const users = {
    id: 'integer',
    name: 'text',
    email: 'text',
    org: 'text',
    props: 'json',
    made: 'timestamp',
  } as const;
  const organizations = {
    id: 'text',
    name: 'text',
    plan: 'text',
    seats: 'integer',
    price: 'decimal',
    since: 'date',
  } as const;
  const events = { id: 'uuid', name: 'text', at: 'timestamptz', user_id: 'text', payload: 'json' } as const;
  const alias = {
    table: table('identities', { alias: 'text', user_id: 'integer' }),
    aliasKey: 'alias',
    canonicalKey: 'user_id',
  };
  return {
    USER: {
      ...plain,
      kind: 'USER',
      table: table('users', users),
      columns: { name: 'name', email: 'email', createdAt: 'made', organizationKey: 'org' },
      propertiesColumn: 'props',
      alias,
    },
    ORGANIZATION: {
      ...plain,
      kind: 'ORGANIZATION',
      table: table('organizations', organizations),
      columns: { name: 'name', createdAt: 'since' },
    },
    EVENT: {
      ...plain,
      kind: 'EVENT',
      table: table('events', events),
      columns: { name: 'name', at: 'at', userKey: 'user_id' },
      propertiesColumn: 'payload',
    },
  };
}

const first: EntityPage = { size: 25, fromEnd: false, after: null, before: null };
const afterOf = (key: string, value: string | null): EntityPage => ({ ...first, after: { key, value } });
const beforeOf = (key: string, value: string | null): EntityPage => ({
  ...first,
  fromEnd: true,
  before: { key, value },
});
const fieldsOf = (...fields: EntityField[]): ReadonlySet<EntityField> => new Set(fields);
const list = (kind: EntityKind, order?: AskedOrder, filter?: EntityFilter) => ({
  kind,
  order: entityOrder(kind, order),
  filter: filter ?? null,
});
const byCreation: AskedOrder = { field: 'createdAt', direction: 'DESC' };
const moment = '2026-01-02T03:04:05.000006Z';
const uuids = ['01a0b1c2-d3e4-7f50-8a1b-2c3d4e5f6071', '01a0b1c2-d3e4-7f50-8a1b-2c3d4e5f6072'];
const january = { gte: new Date('2026-01-01T00:00:00Z'), lt: new Date('2026-02-01T00:00:00Z') };

type Questions = Record<string, EntityQuestion>;

function ofUsers(all: Mappings): Questions {
  const fields = fieldsOf('name', 'email', 'createdAt', 'organizationKey', 'properties');
  const none = fieldsOf();
  const filter: EntityFilter = {
    name: { contains: '100%' },
    email: { startsWith: 'u_', isNull: false },
    createdAt: january,
    organizationKey: { nin: ['acme', 'blue'] },
    properties: [
      { property: 'theme', in: ['dark', 'light'] },
      { property: 'logins', gte: 5 },
      { property: 'a.b/c', neq: true },
      { property: 'organization.plan', eq: 'team' },
    ],
  };
  const joined: EntityFilter = {
    or: [{ key: { in: ['1', '2'] } }, { and: [{ name: { eq: 'x' } }, { email: { isNull: true } }] }],
    not: { key: { neq: '3' } },
  };
  const related = { ...list('USER'), parent: 'organizationKey' as const };
  const parents = ['acme', 'blue'];
  const unmerged = { ...all, USER: { ...(all.USER as Mapping), alias: null } };
  return {
    'users(first: 25), all fields': pageQuestion(all, list('USER'), first, fields),
    'users(filter), of every field': pageQuestion(all, list('USER', undefined, filter), first, none),
    'users(filter), joined': pageQuestion(all, list('USER', undefined, joined), first, none),
    'users(orderBy: name, after)': pageQuestion(
      all,
      list('USER', { field: 'name', direction: 'ASC' }),
      afterOf('7', 'Ann'),
      none,
    ),
    'users(orderBy: createdAt DESC, after)': pageQuestion(
      all,
      list('USER', byCreation),
      afterOf('7', moment),
      none,
    ),
    'users(orderBy: createdAt DESC, after), where the last had none': pageQuestion(
      all,
      list('USER', byCreation),
      afterOf('7', null),
      none,
    ),
    'users(orderBy: createdAt DESC, last: 25, before)': pageQuestion(
      all,
      list('USER', byCreation),
      beforeOf('7', moment),
      none,
    ),
    'users { pageInfo { hasPreviousPage } }': existsQuestion(
      all,
      list('USER', byCreation),
      { key: '7', value: moment },
      'before',
    ),
    'users(filter) { totalCount }': countQuestion(all, list('USER', undefined, filter)),
    'user(key)': keyQuestion(unmerged, 'USER', '1', fields),
    'user(key), which may be an alias': keyQuestion(all, 'USER', 'anon-1', fields),
    'nodes(ids), Event.user': keysQuestion(all, 'USER', ['1', '2'], fields),
    'Organization.users(first: 25)': pagesQuestion(all, related, parents, first, fieldsOf('name')),
    'Organization.users(after)': pagesQuestion(all, related, parents, afterOf('7', null), none),
    'Organization.users { pageInfo { hasNextPage } }': existRelatedQuestion(
      all,
      related,
      parents,
      { key: '7', value: null },
      'after',
    ),
    'Organization.userCount': countRelatedQuestion(all, related, parents),
    'User.firstSeenAt, lastSeenAt': seenQuestion(all, ['1', '2']),
    'EntityMapping.propertyNames': namesQuestion(all, 'USER', 'props'),
  };
}

function ofOrganizations(all: Mappings): Questions {
  const fields = fieldsOf('name', 'createdAt', 'properties');
  const filter: EntityFilter = {
    key: { startsWith: 'a' },
    createdAt: january,
    properties: [
      { property: 'plan', neq: 'free', contains: 'ea' },
      { property: 'seats', in: [1, 2.5], isNull: false },
      { property: 'price', lte: 12.5 },
    ],
  };
  return {
    'organizations(first: 25), all fields': pageQuestion(all, list('ORGANIZATION'), first, fields),
    'organizations(filter), of every field': pageQuestion(
      all,
      list('ORGANIZATION', undefined, filter),
      first,
      fieldsOf(),
    ),
    'organizations(orderBy: createdAt DESC, after)': pageQuestion(
      all,
      list('ORGANIZATION', byCreation),
      afterOf('acme', '2026-01-02'),
      fieldsOf(),
    ),
    'organizations(last: 25, before)': pageQuestion(
      all,
      list('ORGANIZATION'),
      beforeOf('acme', null),
      fieldsOf(),
    ),
    'organizations(filter) { totalCount }': countQuestion(all, list('ORGANIZATION', undefined, filter)),
    'organization(key)': keyQuestion(all, 'ORGANIZATION', 'acme', fields),
    'nodes(ids), User.organization': keysQuestion(all, 'ORGANIZATION', ['acme', 'blue'], fields),
  };
}

function ofEvents(all: Mappings): Questions {
  const fields = fieldsOf('name', 'at', 'userKey', 'organizationKey', 'properties');
  const filter: EntityFilter = {
    name: { in: ['opened', 'closed'] },
    at: january,
    userKey: { eq: '42' },
    organizationKey: { eq: 'acme' },
    properties: [
      { property: 'path', eq: '/' },
      { property: 'user.theme', isNull: false },
      { property: 'organization.seats', gt: 5 },
    ],
  };
  const related = { ...list('EVENT'), parent: 'userKey' as const };
  const ofOrganization = { ...related, parent: 'organizationKey' as const };
  const parents = ['1', '2'];
  return {
    'events(first: 25), all fields': pageQuestion(all, list('EVENT'), first, fields),
    'events(filter), of every field': pageQuestion(all, list('EVENT', undefined, filter), first, fieldsOf()),
    'events(after)': pageQuestion(all, list('EVENT'), afterOf(uuids[0]!, moment), fieldsOf()),
    'events(last: 25, before)': pageQuestion(all, list('EVENT'), beforeOf(uuids[0]!, moment), fieldsOf()),
    'events { pageInfo { hasPreviousPage } }': existsQuestion(
      all,
      list('EVENT'),
      { key: uuids[0]!, value: moment },
      'before',
    ),
    'events(filter) { totalCount }': countQuestion(all, list('EVENT', undefined, filter)),
    'event(key)': keyQuestion(all, 'EVENT', uuids[0]!, fields),
    'nodes(ids)': keysQuestion(all, 'EVENT', uuids, fields),
    'User.events(first: 25, filter)': pagesQuestion(
      all,
      { ...related, filter: { name: { eq: 'opened' } } },
      parents,
      first,
      fieldsOf('name', 'at'),
    ),
    'User.events(last: 25, before)': pagesQuestion(
      all,
      related,
      parents,
      beforeOf(uuids[0]!, moment),
      fieldsOf(),
    ),
    'User.eventCount': countRelatedQuestion(all, related, parents),
    'Organization.events(first: 25)': pagesQuestion(
      all,
      ofOrganization,
      ['acme', 'blue'],
      first,
      fieldsOf('name'),
    ),
    'Organization.eventCount': countRelatedQuestion(all, ofOrganization, ['acme', 'blue']),
  };
}

const kinds = { users: ofUsers, organizations: ofOrganizations, events: ofEvents };

describe.each(goldenEngines)('on %s', (engine) => {
  test.each(Object.entries(kinds))('%s are read as their golden file says', async (kind, questionsOf) => {
    const parts = Object.entries(questionsOf(mappingsOn(engine))).map(([title, { sql }]) => {
      const statement = toStatement(sql, dialectOf(engine));
      return `## ${title}\n\n${block('sql', broken(shownSql(statement)))}`;
    });
    await expectGolden(
      `# ${kind}\n\n${parts.join('\n\n')}\n`,
      'entities',
      engine.toLowerCase(),
      `${kind}.md`,
    );
  });

  test('a read of many keys or parents has one text, however many they are', () => {
    const all = mappingsOn(engine);
    const text = ({ sql }: EntityQuestion) => toStatement(sql, dialectOf(engine)).sql;
    const related = { ...list('EVENT'), parent: 'userKey' as const };
    const keys = Array.from({ length: 100 }, (_, at) => String(at));
    expect(text(keysQuestion(all, 'USER', keys, fieldsOf()))).toBe(
      text(keysQuestion(all, 'USER', ['1'], fieldsOf())),
    );
    expect(text(pagesQuestion(all, related, keys, first, fieldsOf()))).toBe(
      text(pagesQuestion(all, related, ['1'], first, fieldsOf())),
    );
    expect(text(countRelatedQuestion(all, related, keys))).toBe(
      text(countRelatedQuestion(all, related, ['1'])),
    );
    expect(text(seenQuestion(all, keys))).toBe(text(seenQuestion(all, ['1'])));
  });
});

test('pages of parents whose keys are floats go by the text of these, since a window of BigQuery takes no floats', () => {
  const all = mappingsOn('BIGQUERY');
  const columns = all.USER.table.columns.map((column) =>
    column.name === 'org' ? { ...column, dataType: 'FLOAT64' } : column,
  );
  const users = { ...all, USER: { ...all.USER, table: { ...all.USER.table, columns } } };
  const related = { ...list('USER'), parent: 'organizationKey' as const };
  const { sql } = toStatement(
    pagesQuestion(users, related, ['1'], first, fieldsOf()).sql,
    dialectOf('BIGQUERY'),
  );
  expect(sql).toContain('PARTITION BY CAST(`r`.`org` AS STRING) ORDER BY');
});
