import type { EntityRow } from '#entities/entity-rows.ts';
import { builder } from './builder.ts';
import { connectionOf } from './connection.ts';

/* The types that name each other, before any of them says what its fields are. */

export const User = builder.objectRef<EntityRow>('User');
export const Organization = builder.objectRef<EntityRow>('Organization');
export const Event = builder.objectRef<EntityRow>('Event');

export const UserConnection = connectionOf(User, 'User', 'users');
export const OrganizationConnection = connectionOf(Organization, 'Organization', 'organizations');
export const EventConnection = connectionOf(Event, 'Event', 'events');

export const OrderDirection = builder.enumType('OrderDirection', {
  description: 'Which way a list is sorted. What has no value comes last in both.',
  values: {
    ASC: { value: 'ASC', description: 'The least, the earliest or the first of the alphabet first.' },
    DESC: { value: 'DESC', description: 'The greatest, the latest or the last of the alphabet first.' },
  } as const,
});
