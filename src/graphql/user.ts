import { jsonOfValue } from '#base/json-value.ts';
import type { EntityRow } from '#entities/entity-rows.ts';
import { builder } from './builder.ts';
import { pageCost } from './connection.ts';
import { countOf, entityOf, findEntity, listEntities, listRelated, seenOf } from './entity-reads.ts';
import { EventConnection, OrderDirection, Organization, User, UserConnection } from './entity-types.ts';
import { EventOrder } from './event.ts';
import { EventFilterRef, UserFilterRef } from './filter.ts';
import { Freshness } from './freshness.ts';
import { globalId } from './global-id.ts';

const UserOrderField = builder.enumType('UserOrderField', {
  description: 'What users can be sorted by.',
  values: {
    KEY: { value: 'key', description: 'Their key.' },
    NAME: { value: 'name', description: 'Their name; by key among equals.' },
    EMAIL: { value: 'email', description: 'Their address; by key among equals.' },
    CREATED_AT: { value: 'createdAt', description: 'When they were made; by key among equals.' },
  } as const,
});

export const UserOrder = builder.inputType('UserOrder', {
  description: 'How users are sorted.',
  fields: (t) => ({
    field: t.field({ type: UserOrderField, required: true, description: 'By what.' }),
    direction: t.field({ type: OrderDirection, required: true, description: 'Which way.' }),
  }),
});

const parentOf = (user: EntityRow) => ({ parent: 'userKey' as const, parentKey: user.key });

User.implement({
  description: 'A person who uses a product, as the table mapped to USER has them. Needs DATA_READ.',
  interfaces: [builder.nodeInterfaceRef()],
  fields: (t) => ({
    id: t.id({
      description: 'The global id. Opaque; the same for as long as the key is.',
      resolve: (user) => globalId('User', user.key),
    }),
    key: t.exposeString('key', { description: 'What tells this user from all others, as the table has it.' }),
    name: t.exposeString('name', {
      nullable: true,
      description: 'Their name. Null when the table has none, or no column is mapped to it.',
    }),
    email: t.exposeString('email', {
      nullable: true,
      description: 'Their address. Null when the table has none, or no column is mapped to it.',
    }),
    createdAt: t.expose('createdAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When they were made. Null when the table does not say, or no column is mapped to it.',
    }),
    properties: t.field({
      type: 'JSON',
      description:
        'All else that is known of them, by name. Whole numbers beyond 2^53 and decimals are strings, so that they stay exact.',
      resolve: (user) => jsonOfValue(user.properties),
    }),
    freshness: t.expose('freshness', {
      type: Freshness,
      description:
        'When the tables that this was read from were last written: the operational copy, where it is served from one.',
    }),
  }),
});

builder.objectFields(User, (t) => ({
  organization: t.field({
    type: Organization,
    nullable: true,
    description: 'What they belong to. Null when it is unknown, or no column is mapped to its key.',
    resolve: (user, _args, context, info) => entityOf(context, info, 'ORGANIZATION', user.organizationKey),
  }),
  events: t.field({
    type: EventConnection,
    description: 'What they did, under all their aliases; newest first.',
    args: {
      filter: t.arg({
        type: EventFilterRef,
        description: 'Only events for which this holds. Null for all.',
      }),
      orderBy: t.arg({ type: EventOrder, description: 'Another order. Null for newest first.' }),
      ...t.arg.connectionArgs(),
    },
    complexity: pageCost,
    resolve: (user, args, context, info) =>
      listRelated({ context, info, args, kind: 'EVENT', ...parentOf(user) }),
  }),
  eventCount: t.field({
    type: 'BigInt',
    nullable: true,
    description:
      'How many events they did, under all their aliases. Null when counting failed; errors says why.',
    args: {
      filter: t.arg({
        type: EventFilterRef,
        description: 'Only events for which this holds. Null for all.',
      }),
    },
    resolve: (user, args, context, info) =>
      countOf({ context, info, args, kind: 'EVENT', ...parentOf(user) }),
  }),
  firstSeenAt: t.field({
    type: 'DateTime',
    nullable: true,
    description:
      'When their first event was. Null when they have none, and when looking failed; errors says why.',
    resolve: async (user, _args, context) => (await seenOf(context, user.key))?.firstAt,
  }),
  lastSeenAt: t.field({
    type: 'DateTime',
    nullable: true,
    description:
      'When their last event was. Null when they have none, and when looking failed; errors says why.',
    resolve: async (user, _args, context) => (await seenOf(context, user.key))?.lastAt,
  }),
}));

builder.queryFields((t) => ({
  users: t.field({
    type: UserConnection,
    description:
      'The users of the project, by key. Fails with BAD_USER_INPUT until mapEntity has said which table holds them. Needs DATA_READ.',
    args: {
      filter: t.arg({ type: UserFilterRef, description: 'Only users for whom this holds. Null for all.' }),
      orderBy: t.arg({ type: UserOrder, description: 'Another order. Null for by key.' }),
      ...t.arg.connectionArgs(),
    },
    complexity: pageCost,
    resolve: (_root, args, context, info) => listEntities({ context, info, args, kind: 'USER' }),
  }),
  user: t.field({
    type: User,
    nullable: true,
    description:
      'One user, by id or by key; by both it must be the same. Null when the project has none such. Needs DATA_READ.',
    args: {
      id: t.arg.id({ description: 'Their id. Null to find them by key.' }),
      key: t.arg.string({
        description: 'Their key, or an alias of theirs. Null to find them by id.',
      }),
    },
    resolve: (_root, args, context, info) => findEntity(context, info, 'User', args),
  }),
}));
