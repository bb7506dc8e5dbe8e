import { createDestination, deleteDestination, updateDestination } from '#pipelines/destinations.ts';
import { testDestination } from '#pipelines/test-end.ts';
import { builder } from './builder.ts';
import { Connector, connectorOf } from './connector.ts';
import { connectionOf, pageCost } from './connection.ts';
import { createdOrder } from './created-order.ts';
import { addEndMutations } from './end-mutations.ts';
import { listRows, nameHolds } from './lists.ts';
import { Resource, resourceFields } from './resource.ts';
import { findRow, whichOne } from './rows.ts';

export const Destination = builder.prismaNode('Destination', {
  id: { field: 'id' },
  nullable: true,
  select: { id: true },
  interfaces: [Resource],
  description:
    'A system that data is written to: a destination connector with its config. Needs CONTROL_READ.',
  fields: (t) => ({
    ...resourceFields(t, { name: 'Its name, unique among the destinations of the project.' }),
    type: t.exposeString('type', { description: 'The type of its connector, such as "datastore".' }),
    version: t.exposeString('version', { description: 'The version of its connector.' }),
    connector: t.field({
      type: Connector,
      description: 'The connector that writes to it.',
      select: { type: true, version: true },
      resolve: ({ type, version }) => connectorOf('DESTINATION', type, version),
    }),
    config: t.expose('config', {
      type: 'JSON',
      description:
        'What is written to, and how, without secret fields: providedSecrets names those that are set.',
    }),
    providedSecrets: t.stringList({
      description:
        'The secret fields that are set, by their path in config, such as "password" or "ssl.key".',
      select: { secrets: true },
      resolve: ({ secrets }) => Object.keys(secrets ?? {}).sort(),
    }),
  }),
});

const DestinationConnection = connectionOf(Destination, 'Destination', 'destinations');
const destinationOrder = createdOrder('destination', 'oldest first');

builder.queryFields((t) => ({
  destinations: t.field({
    type: DestinationConnection,
    description: 'The destinations of the project, oldest first. Needs CONTROL_READ.',
    args: {
      search: t.arg.string({ description: 'Only those whose name holds this, in any case. Null for all.' }),
      ...t.arg.connectionArgs(),
    },
    complexity: pageCost,
    resolve: (_root, args, context, info) =>
      listRows({
        context,
        info,
        args,
        type: 'Destination',
        order: destinationOrder,
        where: { name: nameHolds(args.search) },
      }),
  }),
  destination: t.field({
    type: Destination,
    nullable: true,
    description:
      'One destination, by id or by name; by both it must be the same. Null when the project has none such. Needs CONTROL_READ.',
    args: {
      id: t.arg.id({ description: 'Its id. Null to find it by name.' }),
      name: t.arg.string({ description: 'Its name, exactly. Null to find it by id.' }),
    },
    resolve: (_root, args, context, info) =>
      findRow<typeof Destination.$inferType>(context, info, 'Destination', whichOne('Destination', args)),
  }),
}));

addEndMutations({
  name: 'Destination',
  type: Destination,
  example: 'datastore',
  config: 'What is written to, and how',
  use: 'write to it',
  create: createDestination,
  update: updateDestination,
  delete: deleteDestination,
  test: testDestination,
});
