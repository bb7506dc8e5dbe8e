import { jsonOfValue } from '#base/json-value.ts';
import { AppError } from '#base/errors.ts';
import { builder } from './builder.ts';
import { pageCost } from './connection.ts';
import { entityOf, listEntities } from './entity-reads.ts';
import { Event, EventConnection, OrderDirection, Organization, User } from './entity-types.ts';
import { EventFilterRef } from './filter.ts';
import { Freshness } from './freshness.ts';
import { globalId } from './global-id.ts';

const EventOrderField = builder.enumType('EventOrderField', {
  description: 'What events can be sorted by.',
  values: {
    AT: { value: 'at', description: 'When they happened; by key among those of one moment.' },
    KEY: { value: 'key', description: 'Their key.' },
    NAME: { value: 'name', description: 'What was done; by key among equals.' },
  } as const,
});

export const EventOrder = builder.inputType('EventOrder', {
  description: 'How events are sorted.',
  fields: (t) => ({
    field: t.field({ type: EventOrderField, required: true, description: 'By what.' }),
    direction: t.field({ type: OrderDirection, required: true, description: 'Which way.' }),
  }),
});

Event.implement({
  description: 'Something that a user did, as the table mapped to EVENT has it. Needs DATA_READ.',
  interfaces: [builder.nodeInterfaceRef()],
  fields: (t) => ({
    id: t.id({
      description: 'The global id. Opaque; the same for as long as the key is.',
      resolve: (event) => globalId('Event', event.key),
    }),
    key: t.exposeString('key', { description: 'What tells it from all others, as the table has it.' }),
    name: t.string({
      description: "What was done. Where the table does not say, the table's own name.",
      // Rows of events always have one: see entity-rows.
      resolve: ({ name }) => name!,
    }),
    at: t.field({
      type: 'DateTime',
      description: 'When it happened.',
      resolve: ({ at, key }) => {
        if (at) return at;
        throw new AppError(
          'BAD_USER_INPUT',
          `The event ${JSON.stringify(key)} is at a time of no calendar.`,
          {
            fix: 'Correct what the table holds, or leave such events out with a filter on at.',
          },
        );
      },
    }),
    properties: t.field({
      type: 'JSON',
      description:
        'All else that is known of it, by name. Whole numbers beyond 2^53 and decimals are strings, so that they stay exact.',
      resolve: (event) => jsonOfValue(event.properties),
    }),
    freshness: t.expose('freshness', {
      type: Freshness,
      description:
        'When the tables that this was read from were last written: the operational copy, where it is served from one.',
    }),
    user: t.field({
      type: User,
      nullable: true,
      description:
        'Who did it: of an alias, the user that it is. Null when it is unknown, or no column is mapped to their key.',
      resolve: (event, _args, context, info) => entityOf(context, info, 'USER', event.userKey),
    }),
    organization: t.field({
      type: Organization,
      nullable: true,
      description:
        "Where it was done; where no column is mapped to that, the user's. Null when it is unknown.",
      resolve: (event, _args, context, info) =>
        entityOf(context, info, 'ORGANIZATION', event.organizationKey),
    }),
  }),
});

builder.queryField('events', (t) =>
  t.field({
    type: EventConnection,
    description:
      'The events of the project, newest first. Fails with BAD_USER_INPUT until mapEntity has said which table holds them. Needs DATA_READ.',
    args: {
      filter: t.arg({ type: EventFilterRef, description: 'Only events for which this holds. Null for all.' }),
      orderBy: t.arg({ type: EventOrder, description: 'Another order. Null for newest first.' }),
      ...t.arg.connectionArgs(),
    },
    complexity: pageCost,
    resolve: (_root, args, context, info) => listEntities({ context, info, args, kind: 'EVENT' }),
  }),
);
