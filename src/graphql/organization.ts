import { jsonOfValue } from '#base/json-value.ts';
import type { EntityRow } from '#entities/entity-rows.ts';
import { builder } from './builder.ts';
import { pageCost } from './connection.ts';
import { countOf, findEntity, listEntities, listRelated } from './entity-reads.ts';
import {
  EventConnection,
  OrderDirection,
  Organization,
  OrganizationConnection,
  UserConnection,
} from './entity-types.ts';
import { EventOrder } from './event.ts';
import { EventFilterRef, OrganizationFilterRef, UserFilterRef } from './filter.ts';
import { Freshness } from './freshness.ts';
import { globalId } from './global-id.ts';
import { UserOrder } from './user.ts';

const OrganizationOrderField = builder.enumType('OrganizationOrderField', {
  description: 'What organizations can be sorted by.',
  values: {
    KEY: { value: 'key', description: 'Their key.' },
    NAME: { value: 'name', description: 'Their name; by key among equals.' },
    CREATED_AT: { value: 'createdAt', description: 'When they were made; by key among equals.' },
  } as const,
});

const OrganizationOrder = builder.inputType('OrganizationOrder', {
  description: 'How organizations are sorted.',
  fields: (t) => ({
    field: t.field({ type: OrganizationOrderField, required: true, description: 'By what.' }),
    direction: t.field({ type: OrderDirection, required: true, description: 'Which way.' }),
  }),
});

const parentOf = (organization: EntityRow) => ({
  parent: 'organizationKey' as const,
  parentKey: organization.key,
});

Organization.implement({
  description:
    'A group of users, such as a company, as the table mapped to ORGANIZATION has them. Needs DATA_READ.',
  interfaces: [builder.nodeInterfaceRef()],
  fields: (t) => ({
    id: t.id({
      description: 'The global id. Opaque; the same for as long as the key is.',
      resolve: (organization) => globalId('Organization', organization.key),
    }),
    key: t.exposeString('key', { description: 'What tells it from all others, as the table has it.' }),
    name: t.exposeString('name', {
      nullable: true,
      description: 'Its name. Null when the table has none, or no column is mapped to it.',
    }),
    createdAt: t.expose('createdAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it was made. Null when the table does not say, or no column is mapped to it.',
    }),
    properties: t.field({
      type: 'JSON',
      description:
        'All else that is known of it, by name. Whole numbers beyond 2^53 and decimals are strings, so that they stay exact.',
      resolve: (organization) => jsonOfValue(organization.properties),
    }),
    freshness: t.expose('freshness', {
      type: Freshness,
      description:
        'When the tables that this was read from were last written: the operational copy, where it is served from one.',
    }),
  }),
});

builder.objectFields(Organization, (t) => ({
  users: t.field({
    type: UserConnection,
    description: 'The users that belong to it, by key.',
    args: {
      filter: t.arg({ type: UserFilterRef, description: 'Only users for whom this holds. Null for all.' }),
      orderBy: t.arg({ type: UserOrder, description: 'Another order. Null for by key.' }),
      ...t.arg.connectionArgs(),
    },
    complexity: pageCost,
    resolve: (organization, args, context, info) =>
      listRelated({ context, info, args, kind: 'USER', ...parentOf(organization) }),
  }),
  userCount: t.field({
    type: 'BigInt',
    nullable: true,
    description: 'How many users belong to it. Null when counting failed; errors says why.',
    args: {
      filter: t.arg({ type: UserFilterRef, description: 'Only users for whom this holds. Null for all.' }),
    },
    resolve: (organization, args, context, info) =>
      countOf({ context, info, args, kind: 'USER', ...parentOf(organization) }),
  }),
  events: t.field({
    type: EventConnection,
    description:
      "What was done in it, newest first. Where no column of events is mapped to the organization's key, what its users did.",
    args: {
      filter: t.arg({
        type: EventFilterRef,
        description: 'Only events for which this holds. Null for all.',
      }),
      orderBy: t.arg({ type: EventOrder, description: 'Another order. Null for newest first.' }),
      ...t.arg.connectionArgs(),
    },
    complexity: pageCost,
    resolve: (organization, args, context, info) =>
      listRelated({ context, info, args, kind: 'EVENT', ...parentOf(organization) }),
  }),
  eventCount: t.field({
    type: 'BigInt',
    nullable: true,
    description: 'How many events were done in it. Null when counting failed; errors says why.',
    args: {
      filter: t.arg({
        type: EventFilterRef,
        description: 'Only events for which this holds. Null for all.',
      }),
    },
    resolve: (organization, args, context, info) =>
      countOf({ context, info, args, kind: 'EVENT', ...parentOf(organization) }),
  }),
}));

builder.queryFields((t) => ({
  organizations: t.field({
    type: OrganizationConnection,
    description:
      'The organizations of the project, by key. Fails with BAD_USER_INPUT until mapEntity has said which table holds them. Needs DATA_READ.',
    args: {
      filter: t.arg({
        type: OrganizationFilterRef,
        description: 'Only organizations for which this holds. Null for all.',
      }),
      orderBy: t.arg({ type: OrganizationOrder, description: 'Another order. Null for by key.' }),
      ...t.arg.connectionArgs(),
    },
    complexity: pageCost,
    resolve: (_root, args, context, info) => listEntities({ context, info, args, kind: 'ORGANIZATION' }),
  }),
  organization: t.field({
    type: Organization,
    nullable: true,
    description:
      'One organization, by id or by key; by both it must be the same. Null when the project has none such. Needs DATA_READ.',
    args: {
      id: t.arg.id({ description: 'Its id. Null to find it by key.' }),
      key: t.arg.string({ description: 'Its key. Null to find it by id.' }),
    },
    resolve: (_root, args, context, info) => findEntity(context, info, 'Organization', args),
  }),
}));
