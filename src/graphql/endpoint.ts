import { stringify } from 'yaml';
import type { Json } from '#connectors/contract.ts';
import type { Difference } from '#endpoints/differences.ts';
import { fieldName } from '#endpoints/names.ts';
import { revisionsOf, type ToldRevision } from '#endpoints/revisions.ts';
import type { ServedRecord } from '#endpoints/served.ts';
import { usageOf, type UsageOf } from '#endpoints/usage.ts';
import { Member } from './account.ts';
import { batched } from './batch.ts';
import { builder } from './builder.ts';
import { connectionOf, pageCost } from './connection.ts';
import { viewerOf } from './context.ts';
import { createdOrder } from './created-order.ts';
import { Datastore } from './datastore.ts';
import { listRows, nameHolds } from './lists.ts';
import { Resource, resourceFields } from './resource.ts';
import { RowSetColumn } from './row-set.ts';
import { findRow, readRow } from './rows.ts';
import { uuidOf } from './global-id.ts';
import { Table } from './table.ts';

const EndpointState = builder.enumType('EndpointState', {
  description: 'Whether an endpoint is served.',
  values: {
    DRAFT: { description: 'Saved, and not served.' },
    PUBLISHED: { description: 'Served.' },
    DEPRECATED: { description: 'Served, with a warning to those who call it.' },
  },
});

const EndpointOrigin = builder.enumType('EndpointOrigin', {
  description: 'Where an endpoint is declared.',
  values: {
    FILE: { description: 'In a file of the endpoints folder; it is changed there alone.' },
    API: { description: 'By mutation.' },
  },
});

const EndpointChange = builder.enumType('EndpointChange', {
  description: 'What a change of an endpoint was.',
  values: {
    SAVED: { description: 'Its declaration was saved.' },
    PUBLISHED: { description: 'What was saved is served.' },
    DEPRECATED: { description: 'It was deprecated, or that was taken back.' },
    RESTORED: { description: 'A declaration of before was brought back.' },
    DELETED: { description: 'It is served no longer.' },
  },
});

const EndpointDifference = builder.objectRef<Difference>('EndpointDifference').implement({
  description: 'Something that a revision changed. Needs CONTROL_READ.',
  fields: (t) => ({
    path: t.stringList({
      description: 'Where in the declaration, such as ["limits", "rows"]; parts of params by their names.',
      resolve: ({ path }) => path,
    }),
    before: t.field({
      type: 'JSON',
      nullable: true,
      description: 'What stood there. Null for nothing.',
      resolve: ({ before }) => before,
    }),
    after: t.field({
      type: 'JSON',
      nullable: true,
      description: 'What stands there. Null for nothing.',
      resolve: ({ after }) => after,
    }),
  }),
});

const EndpointRevision = builder.objectRef<ToldRevision>('EndpointRevision').implement({
  description: 'An endpoint as it was from one change to the next. Needs CONTROL_READ.',
  fields: (t) => ({
    revision: t.exposeInt('revision', { description: 'Its number, which restoreEndpoint takes.' }),
    change: t.expose('change', { type: EndpointChange, description: 'What made it.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When.' }),
    createdBy: t.field({
      type: Member,
      nullable: true,
      description: 'Who. Null for an API key, a file, or a member who is gone.',
      resolve: ({ createdById }, _args, context, info) =>
        readRow<typeof Member.$inferType>(context, info, 'Member', createdById),
    }),
    declaration: t.field({
      type: 'JSON',
      description: 'The declaration that was saved by then.',
      resolve: ({ declaration }) => declaration as Json,
    }),
    differences: t.field({
      type: [EndpointDifference],
      description: 'What it has otherwise than the revision before it.',
      complexity: { field: 1, multiplier: 10 },
      resolve: ({ differences }) => differences,
    }),
  }),
});

const EndpointUsage = builder.objectRef<UsageOf>('EndpointUsage').implement({
  description: 'The calls of an endpoint over the last 30 days, counted by the hour. Needs CONTROL_READ.',
  fields: (t) => ({
    calls: t.expose('calls', { type: 'BigInt', description: 'How many there were.' }),
    errors: t.expose('errors', {
      type: 'BigInt',
      description:
        'How many of them failed, whoever was to blame: with wrong parameters, without the scopes, beyond the rate limit, or in the datastore. Calls of nobody who is known, and documents that do not fit the schema, reach no endpoint and count nowhere.',
    }),
    cacheShare: t.exposeFloat('cacheShare', {
      nullable: true,
      description: '0 to 1: the share that was answered with what was kept. Null without calls.',
    }),
    p50Ms: t.exposeFloat('p50Ms', {
      nullable: true,
      description:
        'Half of those that were run took so many milliseconds at most, as far as counts in steps of 41 % tell. Null when none was.',
    }),
    p99Ms: t.exposeFloat('p99Ms', {
      nullable: true,
      description: '99 of 100 took so many milliseconds at most, likewise. Null when none was run.',
    }),
  }),
});

export const readBytesSays =
  "The bytes that a call reads by the datastore's own estimate, with the parameters of the first example or their defaults. Null where an engine does not tell (BigQuery does), and where a parameter that must be given has no example.";

export function bigIntOf(text: string | null | undefined): bigint | null {
  return text == null ? null : BigInt(text);
}

/** What is served, as publishEndpoint wrote it. */
function servedOf(served: unknown): ServedRecord | null {
  return served as ServedRecord | null;
}

export const Endpoint = builder.prismaNode('Endpoint', {
  id: { field: 'id' },
  nullable: true,
  select: { id: true },
  interfaces: [Resource],
  description:
    'A self-service data API in one version: SQL with typed parameters, served as the field of that name of Query.data and over REST. Needs CONTROL_READ.',
  fields: (t) => ({
    ...resourceFields(t, {
      name: 'Its name; with its version unique among the endpoints of the project.',
      by: 'Null for an API key, a file, or a member who is gone.',
    }),
    version: t.exposeInt('version', { description: 'Versions are served side by side.' }),
    state: t.expose('state', { type: EndpointState, description: 'Whether it is served.' }),
    origin: t.expose('origin', { type: EndpointOrigin, description: 'Where it is declared.' }),
    file: t.exposeString('file', {
      nullable: true,
      description: 'The file that declares it, within the endpoints folder. Null for one of a mutation.',
    }),
    url: t.string({
      description: 'Where it is called, below the address of the gateway: "/api/v1/users/active".',
      select: { route: true, version: true },
      resolve: ({ route, version }) => `/api/v${version}${route}`,
    }),
    field: t.string({
      description: 'The field of Query.data that it is: "activeUsers".',
      select: { name: true, version: true },
      resolve: (row) => fieldName(row),
    }),
    isPublic: t.exposeBoolean('isPublic', {
      description: 'Whether anybody may call what is served, without signing in.',
    }),
  }),
});

builder.prismaObjectFields('Endpoint', (t) => ({
  declaration: t.field({
    type: 'JSON',
    description: 'The declaration as it was last saved.',
    select: { declaration: true },
    resolve: ({ declaration }) => declaration as Json,
  }),
  yaml: t.string({
    description: 'The same as YAML.',
    select: { declaration: true },
    resolve: ({ declaration }) => stringify(declaration, { lineWidth: 120 }),
  }),
  served: t.field({
    type: 'JSON',
    nullable: true,
    description: 'The declaration that is served. Null while none is.',
    select: { served: true },
    resolve: ({ served }) => (servedOf(served)?.declaration ?? null) as Json,
  }),
  columns: t.field({
    type: [RowSetColumn],
    nullable: true,
    description: 'The columns of what is served. Null while nothing is. Needs DATA_READ.',
    select: { served: true },
    resolve: ({ served }) => servedOf(served)?.columns ?? null,
  }),
  readBytes: t.field({
    type: 'BigInt',
    nullable: true,
    description: `${readBytesSays} As of when it was published. Null also while nothing is served.`,
    select: { served: true },
    resolve: ({ served }) => bigIntOf(servedOf(served)?.readBytes),
  }),
  publishedAt: t.expose('publishedAt', {
    type: 'DateTime',
    nullable: true,
    description: 'When it was last published. Null when never.',
  }),
  deprecatedAt: t.expose('deprecatedAt', {
    type: 'DateTime',
    nullable: true,
    description: 'Since when it is deprecated. Null when it is not.',
  }),
  sunsetAt: t.expose('sunsetAt', {
    type: 'DateTime',
    nullable: true,
    description: 'When it is to be served no longer, as deprecateEndpoint said. Null when nobody has.',
  }),
  replacement: t.exposeString('replacement', {
    nullable: true,
    description: 'What to use in its place, in words. Null when nobody said.',
  }),
}));

builder.prismaObjectFields('Endpoint', (t) => ({
  datastore: t.field({
    type: Datastore,
    nullable: true,
    description:
      'Where what is served reads. Null while nothing is, and when the datastore is gone. Needs DATA_READ.',
    select: { served: true },
    resolve: ({ served }, _args, context, info) =>
      readRow<typeof Datastore.$inferType>(context, info, 'Datastore', servedOf(served)?.datastore.id),
  }),
  tables: t.field({
    type: [Table],
    description: 'The tables that what is served reads. Empty while nothing is. Needs DATA_READ.',
    select: { served: true },
    resolve: async ({ served }, _args, context, info) => {
      const ids = servedOf(served)?.tableIds ?? [];
      const tables = ids.map((id) => readRow<typeof Table.$inferType>(context, info, 'Table', id));
      return (await Promise.all(tables)).filter((table) => table !== null);
    },
  }),
  revisions: t.field({
    type: [EndpointRevision],
    description: 'Its last ten revisions, newest first.',
    complexity: { field: 10, multiplier: 10 },
    select: { id: true },
    resolve: ({ id }, _args, context) => revisionsOf(context.app.store, viewerOf(context).projectId, id),
  }),
  usage: t.field({
    type: EndpointUsage,
    description: 'Its calls over the last 30 days, those of the last seconds left out.',
    select: { id: true },
    resolve: ({ id }, _args, context, info) =>
      batched(context, info, 'EndpointUsage', id, async (ids) => {
        const { store, endpoints } = context.app;
        const found = await usageOf(store, viewerOf(context).projectId, ids, endpoints.now());
        return ids.map((each) => found.get(each)!);
      }),
  }),
}));

const EndpointConnection = connectionOf(Endpoint, 'Endpoint', 'endpoints');
const endpointOrder = createdOrder('endpoint', 'oldest first');

builder.queryFields((t) => ({
  endpoints: t.field({
    type: EndpointConnection,
    description: 'The data endpoints of the project, oldest first. Needs CONTROL_READ.',
    args: {
      search: t.arg.string({ description: 'Only those whose name holds this, in any case. Null for all.' }),
      state: t.arg({
        type: [EndpointState],
        description: 'Only those that stand so. Null for all, empty for none.',
      }),
      ...t.arg.connectionArgs(),
    },
    complexity: pageCost,
    resolve: (_root, args, context, info) =>
      listRows({
        context,
        info,
        args,
        type: 'Endpoint',
        order: endpointOrder,
        where: { name: nameHolds(args.search), ...(args.state != null && { state: { in: args.state } }) },
      }),
  }),
  endpoint: t.field({
    type: Endpoint,
    nullable: true,
    description: 'One endpoint. Null when the project has none such. Needs CONTROL_READ.',
    args: { id: t.arg.id({ required: true, description: 'Its id.' }) },
    resolve: (_root, { id }, context, info) =>
      findRow<typeof Endpoint.$inferType>(context, info, 'Endpoint', { id: uuidOf('Endpoint', id) }),
  }),
}));
