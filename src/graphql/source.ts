import type { StreamInfo } from '#connectors/contract.ts';
import { discoverStreams, storedStreams } from '#pipelines/source-streams.ts';
import { createSource, deleteSource, updateSource } from '#pipelines/sources.ts';
import { testSource } from '#pipelines/test-end.ts';
import { builder } from './builder.ts';
import { Connector, connectorOf } from './connector.ts';
import { connectionOf, pageCost } from './connection.ts';
import { viewerOf } from './context.ts';
import { createdOrder } from './created-order.ts';
import { addEndMutations, triedInput } from './end-mutations.ts';
import { listRows, nameHolds } from './lists.ts';
import { Resource, resourceFields } from './resource.ts';
import { attempt, payloadType, savedOrNew } from './payload.ts';
import { findRow, whichOne } from './rows.ts';
import { Stream } from './stream.ts';

export const Source = builder.prismaNode('Source', {
  id: { field: 'id' },
  nullable: true,
  select: { id: true },
  interfaces: [Resource],
  description: 'A system that data is read from: a source connector with its config. Needs CONTROL_READ.',
  fields: (t) => ({
    ...resourceFields(t, { name: 'Its name, unique among the sources of the project.' }),
    type: t.exposeString('type', { description: 'The type of its connector, such as "postgres".' }),
    version: t.exposeString('version', { description: 'The version of its connector.' }),
    connector: t.field({
      type: Connector,
      description: 'The connector that reads from it.',
      select: { type: true, version: true },
      resolve: ({ type, version }) => connectorOf('SOURCE', type, version),
    }),
    config: t.expose('config', {
      type: 'JSON',
      description:
        'How the system is reached, without secret fields: providedSecrets names those that are set.',
    }),
    providedSecrets: t.stringList({
      description:
        'The secret fields that are set, by their path in config, such as "password" or "ssl.key".',
      select: { secrets: true },
      resolve: ({ secrets }) => Object.keys(secrets ?? {}).sort(),
    }),
    streams: t.field({
      type: [Stream],
      description: 'What it offers, as it was last discovered. Empty when it never was: run discoverStreams.',
      select: { streams: true },
      resolve: ({ streams }) => storedStreams(streams),
    }),
  }),
});

const SourceConnection = connectionOf(Source, 'Source', 'sources');
const sourceOrder = createdOrder('source', 'oldest first');

builder.queryFields((t) => ({
  sources: t.field({
    type: SourceConnection,
    description: 'The sources of the project, oldest first. Needs CONTROL_READ.',
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
        type: 'Source',
        order: sourceOrder,
        where: { name: nameHolds(args.search) },
      }),
  }),
  source: t.field({
    type: Source,
    nullable: true,
    description:
      'One source, by id or by name; by both it must be the same. Null when the project has none such. Needs CONTROL_READ.',
    args: {
      id: t.arg.id({ description: 'Its id. Null to find it by name.' }),
      name: t.arg.string({ description: 'Its name, exactly. Null to find it by id.' }),
    },
    resolve: (_root, args, context, info) =>
      findRow<typeof Source.$inferType>(context, info, 'Source', whichOne('Source', args)),
  }),
}));

addEndMutations({
  name: 'Source',
  type: Source,
  example: 'postgres',
  config: 'How the system is reached',
  use: 'read from it',
  create: createSource,
  update: updateSource,
  delete: deleteSource,
  test: testSource,
});

const DiscoverStreamsInput = triedInput(
  'DiscoverStreamsInput',
  'source',
  'A saved source, whose streams are then remembered. Null for something new.',
  'The config to look with. Null with id.',
);

const DiscoverStreamsPayload = payloadType<readonly StreamInfo[]>(
  'DiscoverStreamsPayload',
  'What discoverStreams answers.',
  (t) => ({
    streams: t.field({
      type: [Stream],
      description: 'What the source offers. Empty when it offers nothing, and when there are userErrors.',
      resolve: ({ value }) => [...(value ?? [])],
    }),
  }),
);

builder.mutationField('discoverStreams', (t) =>
  t.field({
    type: DiscoverStreamsPayload,
    description: 'Looks what the system offers, within 30 s. Needs CONTROL_WRITE.',
    args: { input: t.arg({ type: DiscoverStreamsInput, required: true, description: 'Where to look.' }) },
    resolve: (_root, { input }, context) =>
      attempt(async () =>
        discoverStreams(context.app.pipelines, viewerOf(context), savedOrNew('Source', input)),
      ),
  }),
);
