import { createDestination, deleteDestination, updateDestination } from '#pipelines/destinations.ts';
import { testDestination } from '#pipelines/test-end.ts';
import { builder } from './builder.ts';
import { Connector, connectorOf } from './connector.ts';
import { connectionOf, pageCost } from './connection.ts';
import { viewerOf } from './context.ts';
import { createdOrder } from './created-order.ts';
import { uuidOfInput } from './global-id.ts';
import { listRows, nameHolds } from './lists.ts';
import { Resource } from './resource.ts';
import {
  attempt,
  attemptCheck,
  checkPayload,
  deletedId,
  payloadType,
  savedOrNew,
  writtenThing,
} from './payload.ts';
import { findRow, whichOne } from './rows.ts';

export const Destination = builder.prismaNode('Destination', {
  id: { field: 'id' },
  nullable: true,
  select: { id: true },
  interfaces: [Resource],
  description:
    'A system that data is written to: a destination connector with its config. Needs CONTROL_READ.',
  fields: (t) => ({
    name: t.exposeString('name', { description: 'Its name, unique among the destinations of the project.' }),
    revision: t.exposeInt('revision', {
      description: 'Rises by one with every change; expectedRevision in updates means this.',
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was made.' }),
    updatedAt: t.expose('updatedAt', { type: 'DateTime', description: 'When it was last changed.' }),
    createdBy: t.relation('createdBy', {
      nullable: true,
      description: 'Who made it. Null for an API key, or a member who is gone.',
    }),
    updatedBy: t.relation('updatedBy', {
      nullable: true,
      description: 'Who last changed it. Null for an API key, or a member who is gone.',
    }),
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

const CreateDestinationInput = builder.inputType('CreateDestinationInput', {
  description: 'A new destination.',
  fields: (t) => ({
    name: t.string({
      required: true,
      description: 'Its name, unique among the destinations of the project.',
    }),
    type: t.string({
      required: true,
      description: 'The type of a destination connector, such as "datastore".',
    }),
    version: t.string({ description: 'The version of the connector. Null for the newest.' }),
    config: t.field({
      type: 'JSON',
      required: true,
      description:
        "What is written to, and how, as the connector's spec says. Secret fields are kept sealed.",
    }),
    idempotencyKey: t.string({
      description:
        'Any text of your own: a repeat with the same key and input makes nothing new, and returns what the first made. Null for none.',
    }),
  }),
});

const UpdateDestinationInput = builder.inputType('UpdateDestinationInput', {
  description: 'A secret left out of config keeps its value; null clears it.',
  fields: (t) => ({
    id: t.id({ required: true, description: 'The destination to change.' }),
    name: t.string({ description: 'Its new name. Null or left out, it keeps the old one.' }),
    version: t.string({ description: "The connector's new version. Null or left out, it stays." }),
    config: t.field({
      type: 'JSON',
      description: 'The new config, whole but for secrets. Null or left out, it stays.',
    }),
    expectedRevision: t.int({
      description: 'Changes only this revision, CONFLICT otherwise. Null changes any.',
    }),
  }),
});

const TestDestinationInput = builder.inputType('TestDestinationInput', {
  description: 'type, version and config of something new, or id of something saved.',
  fields: (t) => ({
    id: t.id({
      description: 'A saved destination, tried as it is saved. Null for something new.',
    }),
    type: t.string({ description: 'The type of a destination connector. Null with id.' }),
    version: t.string({
      description: 'The version of the connector. Null for the newest, and with id.',
    }),
    config: t.field({ type: 'JSON', description: 'The config to try. Null with id.' }),
  }),
});

const DeleteDestinationInput = builder.inputType('DeleteDestinationInput', {
  description: 'Which destination to delete.',
  fields: (t) => ({
    id: t.id({ required: true, description: 'The destination. It must not be in use by a job.' }),
  }),
});

const CreateDestinationPayload = payloadType<{ id: string }>(
  'CreateDestinationPayload',
  'What createDestination answers.',
  (t) => ({
    destination: writtenThing(
      t,
      Destination,
      'Destination',
      'The new destination. Null when there are userErrors. Needs CONTROL_READ.',
    ),
  }),
);
const UpdateDestinationPayload = payloadType<{ id: string }>(
  'UpdateDestinationPayload',
  'What updateDestination answers.',
  (t) => ({
    destination: writtenThing(
      t,
      Destination,
      'Destination',
      'The destination as it is now. Null when there are userErrors. Needs CONTROL_READ.',
    ),
  }),
);
const DeleteDestinationPayload = payloadType<{ id: string }>(
  'DeleteDestinationPayload',
  'What deleteDestination answers.',
  (t) => ({
    deletedId: deletedId(t, 'Destination'),
  }),
);
const TestDestinationPayload = checkPayload('TestDestinationPayload', 'What testDestination answers.');

builder.mutationFields((t) => ({
  createDestination: t.field({
    type: CreateDestinationPayload,
    description:
      "Makes a destination. Its config is checked against the connector's spec, not tried: see testDestination. Needs CONTROL_WRITE.",
    args: {
      input: t.arg({ type: CreateDestinationInput, required: true, description: 'The new destination.' }),
    },
    resolve: (_root, { input }, context) =>
      attempt(() =>
        createDestination(context.app.pipelines, viewerOf(context), { ...input, config: input.config }),
      ),
  }),
  updateDestination: t.field({
    type: UpdateDestinationPayload,
    description: 'Changes a destination; running tasks go on with what they began with. Needs CONTROL_WRITE.',
    args: {
      input: t.arg({
        type: UpdateDestinationInput,
        required: true,
        description: 'The destination and its changes.',
      }),
    },
    resolve: (_root, { input }, context) =>
      attempt(async () =>
        updateDestination(context.app.pipelines, viewerOf(context), {
          ...input,
          id: uuidOfInput('Destination', input.id),
          config: input.config ?? undefined,
        }),
      ),
  }),
  deleteDestination: t.field({
    type: DeleteDestinationPayload,
    description:
      'Deletes a destination; IN_USE names the jobs that write to it. Its name may be used again. Needs CONTROL_WRITE.',
    args: {
      input: t.arg({ type: DeleteDestinationInput, required: true, description: 'Which destination.' }),
    },
    resolve: (_root, { input }, context) =>
      attempt(async () =>
        deleteDestination(context.app.pipelines, viewerOf(context), {
          id: uuidOfInput('Destination', input.id),
        }),
      ),
  }),
  testDestination: t.field({
    type: TestDestinationPayload,
    description: 'Tries to reach the system, within 30 s. Saves nothing. Needs CONTROL_WRITE.',
    args: { input: t.arg({ type: TestDestinationInput, required: true, description: 'What to try.' }) },
    resolve: (_root, { input }, context) =>
      attemptCheck(async () =>
        testDestination(context.app.pipelines, viewerOf(context), savedOrNew('Destination', input)),
      ),
  }),
}));
