import { ImplementableInputObjectRef } from '@pothos/core';
import type { DateTimeFilter, EntityFilter, PropertyFilter, StringFilter } from '#catalog/filter-sql.ts';
import { builder } from './builder.ts';

/* What lists and metrics are narrowed by. All that one filter names must hold together. */

/** An input of exactly that shape: builder.inputRef takes JSON's own nulls apart. */
function inputOf<Shape extends object>(name: string) {
  return new ImplementableInputObjectRef<typeof builder.$inferSchemaTypes, Shape>(builder, name);
}

const StringFilterRef = inputOf<StringFilter>('StringFilter');
const DateTimeFilterRef = inputOf<DateTimeFilter>('DateTimeFilter');
export const PropertyFilterRef = inputOf<PropertyFilter>('PropertyFilter');
export const UserFilterRef = inputOf<EntityFilter>('UserFilter');
export const OrganizationFilterRef = inputOf<EntityFilter>('OrganizationFilter');
export const EventFilterRef = inputOf<EntityFilter>('EventFilter');

StringFilterRef.implement({
  description: 'A condition on a text. All that is given must hold.',
  fields: (t) => ({
    eq: t.string({ description: 'It is exactly this. Null or left out, anything will do.' }),
    neq: t.string({
      description: 'It is anything but this; no text at all will do too. Null or left out, anything will do.',
    }),
    in: t.stringList({ description: 'It is one of these. Null or left out, anything will do.' }),
    nin: t.stringList({
      description: 'It is none of these; no text at all will do too. Null or left out, anything will do.',
    }),
    contains: t.string({ description: 'It holds this, in any case. Null or left out, anything will do.' }),
    startsWith: t.string({
      description: 'It begins with this, in this very case. Null or left out, anything will do.',
    }),
    isNull: t.boolean({
      description: 'True: there is no text. False: there is one. Null or left out, both will do.',
    }),
  }),
});

DateTimeFilterRef.implement({
  description: 'A condition on a moment. All that is given must hold.',
  fields: (t) => ({
    gte: t.field({ type: 'DateTime', description: 'At this or later. Null or left out, from ever.' }),
    gt: t.field({ type: 'DateTime', description: 'Later than this. Null or left out, from ever.' }),
    lte: t.field({ type: 'DateTime', description: 'At this or earlier. Null or left out, for ever.' }),
    lt: t.field({ type: 'DateTime', description: 'Earlier than this. Null or left out, for ever.' }),
  }),
});

PropertyFilterRef.implement({
  description:
    'A condition on a property, compared by the type of its column. All that is given must hold, and something must be given.',
  fields: (t) => ({
    property: t.string({
      required: true,
      description:
        'The name of a property, a field or a column; of what something belongs to after a dot, such as "organization.plan".',
    }),
    eq: t.field({
      type: 'JSON',
      description: 'It is exactly this; null: there is no value. Left out, anything will do.',
    }),
    neq: t.field({
      type: 'JSON',
      description:
        'It is anything but this, no value at all included; null: there is a value. Left out, anything will do.',
    }),
    in: t.field({
      type: ['JSON'],
      description: 'It is one of these. Null or left out, anything will do.',
    }),
    gt: t.field({ type: 'JSON', description: 'It is more than this. Null or left out, anything will do.' }),
    gte: t.field({ type: 'JSON', description: 'It is this or more. Null or left out, anything will do.' }),
    lt: t.field({ type: 'JSON', description: 'It is less than this. Null or left out, anything will do.' }),
    lte: t.field({ type: 'JSON', description: 'It is this or less. Null or left out, anything will do.' }),
    contains: t.string({
      description: 'Its text holds this, in any case. Null or left out, anything will do.',
    }),
    isNull: t.boolean({
      description: 'True: there is no value. False: there is one. Null or left out, both will do.',
    }),
  }),
});

UserFilterRef.implement({
  description: 'Which users. All that is given must hold.',
  fields: (t) => ({
    key: t.field({ type: StringFilterRef, description: 'By the key. Null or left out, any.' }),
    name: t.field({ type: StringFilterRef, description: 'By the name. Null or left out, any.' }),
    email: t.field({ type: StringFilterRef, description: 'By the address. Null or left out, any.' }),
    createdAt: t.field({
      type: DateTimeFilterRef,
      description: 'By when they were made. Null or left out, any.',
    }),
    properties: t.field({
      type: [PropertyFilterRef],
      description: 'By properties, which must all hold. Null or left out, any.',
    }),
    and: t.field({ type: [UserFilterRef], description: 'All of these hold. Null or left out, none need.' }),
    or: t.field({
      type: [UserFilterRef],
      description: 'At least one of these holds. Null, empty or left out, none needs to.',
    }),
    not: t.field({ type: UserFilterRef, description: 'This does not hold. Null or left out, it may.' }),
  }),
});

OrganizationFilterRef.implement({
  description: 'Which organizations. All that is given must hold.',
  fields: (t) => ({
    key: t.field({ type: StringFilterRef, description: 'By the key. Null or left out, any.' }),
    name: t.field({ type: StringFilterRef, description: 'By the name. Null or left out, any.' }),
    createdAt: t.field({
      type: DateTimeFilterRef,
      description: 'By when they were made. Null or left out, any.',
    }),
    properties: t.field({
      type: [PropertyFilterRef],
      description: 'By properties, which must all hold. Null or left out, any.',
    }),
    and: t.field({
      type: [OrganizationFilterRef],
      description: 'All of these hold. Null or left out, none need.',
    }),
    or: t.field({
      type: [OrganizationFilterRef],
      description: 'At least one of these holds. Null, empty or left out, none needs to.',
    }),
    not: t.field({
      type: OrganizationFilterRef,
      description: 'This does not hold. Null or left out, it may.',
    }),
  }),
});

EventFilterRef.implement({
  description: 'Which events. All that is given must hold.',
  fields: (t) => ({
    name: t.field({ type: StringFilterRef, description: 'By what was done. Null or left out, any.' }),
    at: t.field({ type: DateTimeFilterRef, description: 'By when. Null or left out, any.' }),
    userKey: t.field({
      type: StringFilterRef,
      description: 'By the key of the user, aliases counted as theirs. Null or left out, any.',
    }),
    organizationKey: t.field({
      type: StringFilterRef,
      description: 'By the key of the organization. Null or left out, any.',
    }),
    properties: t.field({
      type: [PropertyFilterRef],
      description: 'By properties, which must all hold. Null or left out, any.',
    }),
    and: t.field({ type: [EventFilterRef], description: 'All of these hold. Null or left out, none need.' }),
    or: t.field({
      type: [EventFilterRef],
      description: 'At least one of these holds. Null, empty or left out, none needs to.',
    }),
    not: t.field({ type: EventFilterRef, description: 'This does not hold. Null or left out, it may.' }),
  }),
});
