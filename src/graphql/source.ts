import type { StreamInfo } from '#connectors/contract.ts';
import { discoverStreams, storedStreams } from '#pipelines/source-streams.ts';
import { createSource, deleteSource, updateSource } from '#pipelines/sources.ts';
import { testSource } from '#pipelines/test-end.ts';
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
import { Stream } from './stream.ts';

export const Source = builder.prismaNode('Source', {
  id: { field: 'id' },
  nullable: true,
  select: { id: true },
  interfaces: [Resource],
  description: 'A system that data is read from: a source connector with its config. Needs CONTROL_READ.',
  fields: (t) => ({
    name: t.exposeString('name', { description: 'Its name, unique among the sources of the project.' }),
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

const CreateSourceInput = builder.inputType('CreateSourceInput', {
  description: 'A new source.',
  fields: (t) => ({
    name: t.string({ required: true, description: 'Its name, unique among the sources of the project.' }),
    type: t.string({ required: true, description: 'The type of a source connector, such as "postgres".' }),
    version: t.string({ description: 'The version of the connector. Null for the newest.' }),
    config: t.field({
      type: 'JSON',
      required: true,
      description: "How the system is reached, as the connector's spec says. Secret fields are kept sealed.",
    }),
    idempotencyKey: t.string({
      description:
        'Any text of your own: a repeat with the same key and input makes nothing new, and returns what the first made. Null for none.',
    }),
  }),
});

const UpdateSourceInput = builder.inputType('UpdateSourceInput', {
  description: 'A secret left out of config keeps its value; null clears it.',
  fields: (t) => ({
    id: t.id({ required: true, description: 'The source to change.' }),
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

const TestSourceInput = builder.inputType('TestSourceInput', {
  description: 'type, version and config of something new, or id of something saved.',
  fields: (t) => ({
    id: t.id({
      description: 'A saved source, tried as it is saved. Null for something new.',
    }),
    type: t.string({ description: 'The type of a source connector. Null with id.' }),
    version: t.string({
      description: 'The version of the connector. Null for the newest, and with id.',
    }),
    config: t.field({ type: 'JSON', description: 'The config to try. Null with id.' }),
  }),
});

const DiscoverStreamsInput = builder.inputType('DiscoverStreamsInput', {
  description: 'type, version and config of something new, or id of something saved.',
  fields: (t) => ({
    id: t.id({ description: 'A saved source, whose streams are then remembered. Null for something new.' }),
    type: t.string({ description: 'The type of a source connector. Null with id.' }),
    version: t.string({
      description: 'The version of the connector. Null for the newest, and with id.',
    }),
    config: t.field({ type: 'JSON', description: 'The config to look with. Null with id.' }),
  }),
});

const DeleteSourceInput = builder.inputType('DeleteSourceInput', {
  description: 'Which source to delete.',
  fields: (t) => ({
    id: t.id({ required: true, description: 'The source. It must not be in use by a job.' }),
  }),
});

const CreateSourcePayload = payloadType<{ id: string }>(
  'CreateSourcePayload',
  'What createSource answers.',
  (t) => ({
    source: writtenThing(
      t,
      Source,
      'Source',
      'The new source. Null when there are userErrors. Needs CONTROL_READ.',
    ),
  }),
);
const UpdateSourcePayload = payloadType<{ id: string }>(
  'UpdateSourcePayload',
  'What updateSource answers.',
  (t) => ({
    source: writtenThing(
      t,
      Source,
      'Source',
      'The source as it is now. Null when there are userErrors. Needs CONTROL_READ.',
    ),
  }),
);
const DeleteSourcePayload = payloadType<{ id: string }>(
  'DeleteSourcePayload',
  'What deleteSource answers.',
  (t) => ({
    deletedId: deletedId(t, 'Source'),
  }),
);
const TestSourcePayload = checkPayload('TestSourcePayload', 'What testSource answers.');
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

builder.mutationFields((t) => ({
  createSource: t.field({
    type: CreateSourcePayload,
    description:
      "Makes a source. Its config is checked against the connector's spec, not tried: see testSource. Needs CONTROL_WRITE.",
    args: { input: t.arg({ type: CreateSourceInput, required: true, description: 'The new source.' }) },
    resolve: (_root, { input }, context) =>
      attempt(() =>
        createSource(context.app.pipelines, viewerOf(context), { ...input, config: input.config }),
      ),
  }),
  updateSource: t.field({
    type: UpdateSourcePayload,
    description: 'Changes a source; running tasks go on with what they began with. Needs CONTROL_WRITE.',
    args: {
      input: t.arg({ type: UpdateSourceInput, required: true, description: 'The source and its changes.' }),
    },
    resolve: (_root, { input }, context) =>
      attempt(async () =>
        updateSource(context.app.pipelines, viewerOf(context), {
          ...input,
          id: uuidOfInput('Source', input.id),
          config: input.config ?? undefined,
        }),
      ),
  }),
  deleteSource: t.field({
    type: DeleteSourcePayload,
    description:
      'Deletes a source; IN_USE names the jobs that read from it. Its name may be used again. Needs CONTROL_WRITE.',
    args: { input: t.arg({ type: DeleteSourceInput, required: true, description: 'Which source.' }) },
    resolve: (_root, { input }, context) =>
      attempt(async () =>
        deleteSource(context.app.pipelines, viewerOf(context), { id: uuidOfInput('Source', input.id) }),
      ),
  }),
  testSource: t.field({
    type: TestSourcePayload,
    description: 'Tries to reach the system, within 30 s. Saves nothing. Needs CONTROL_WRITE.',
    args: { input: t.arg({ type: TestSourceInput, required: true, description: 'What to try.' }) },
    resolve: (_root, { input }, context) =>
      attemptCheck(async () =>
        testSource(context.app.pipelines, viewerOf(context), savedOrNew('Source', input)),
      ),
  }),
  discoverStreams: t.field({
    type: DiscoverStreamsPayload,
    description: 'Looks what the system offers, within 30 s. Needs CONTROL_WRITE.',
    args: { input: t.arg({ type: DiscoverStreamsInput, required: true, description: 'Where to look.' }) },
    resolve: (_root, { input }, context) =>
      attempt(async () =>
        discoverStreams(context.app.pipelines, viewerOf(context), savedOrNew('Source', input)),
      ),
  }),
}));
