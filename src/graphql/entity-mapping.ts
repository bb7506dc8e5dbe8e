import { type Mapped, mapEntity, type Unmapped, unmapEntity } from '#catalog/map-entity.ts';
import type { TableReference } from '#catalog/find-table.ts';
import type { Mapping } from '#catalog/mappings.ts';
import { readPropertyNames } from '#entities/property-names.ts';
import { attemptBreaking, Break, type Changed } from './break.ts';
import { builder } from './builder.ts';
import { viewerOf } from './context.ts';
import { freshReadsOf } from './entity-reads.ts';
import { readGlobalId } from './global-id.ts';
import { payloadType } from './payload.ts';
import { readRow } from './rows.ts';
import { EntityKind, Table } from './table.ts';

const EntityMapping = builder.objectRef<Mapping>('EntityMapping').implement({
  description: 'Which table holds the entities of a kind, and which columns are what. Needs CONTROL_READ.',
  fields: (t) => ({
    kind: t.expose('kind', { type: EntityKind, description: 'What the rows stand for.' }),
    table: t.field({
      type: Table,
      description: 'The table that holds them. Needs DATA_READ.',
      resolve: async (mapping, _args, context, info) =>
        (await readRow<typeof Table.$inferType>(context, info, 'Table', mapping.table.id))!,
    }),
    key: t.exposeString('key', { description: 'The column that tells one from all others.' }),
    columns: t.field({
      type: 'JSON',
      description: 'The column of each field that is mapped, by the name of the field.',
      resolve: ({ columns }) => columns,
    }),
    propertiesColumn: t.exposeString('propertiesColumn', {
      nullable: true,
      description: 'The column of JSON that holds the properties. Null where plain columns do.',
    }),
    properties: t.stringList({
      description:
        'The properties by name. Where all of a JSON column are meant, those of the first 10,000 rows of the table.',
      resolve: async ({ kind }, _args, context) => readPropertyNames(await freshReadsOf(context), kind),
    }),
    aliasTable: t.field({
      type: Table,
      nullable: true,
      description: 'The table that says which user an alias is. Null without aliases. Needs DATA_READ.',
      resolve: ({ alias }, _args, context, info) =>
        readRow<typeof Table.$inferType>(context, info, 'Table', alias?.table.id),
    }),
    aliasKey: t.string({
      nullable: true,
      description: 'The column of that table which holds the alias. Null without aliases.',
      resolve: ({ alias }) => alias?.aliasKey,
    }),
    canonicalKey: t.string({
      nullable: true,
      description: 'The column of that table which holds the key of the user. Null without aliases.',
      resolve: ({ alias }) => alias?.canonicalKey,
    }),
    servedFrom: t.field({
      type: Table,
      nullable: true,
      description:
        'The operational copy that users, organizations and events are read from; its freshness is that of what they show. Metrics are measured on table. Null where all is read from table. Needs DATA_READ.',
      resolve: ({ servedFrom }, _args, context, info) =>
        readRow<typeof Table.$inferType>(context, info, 'Table', servedFrom?.id),
    }),
    aliasServedFrom: t.field({
      type: Table,
      nullable: true,
      description:
        'The copy of aliasTable, read where that lies in another datastore. Null without one. Needs DATA_READ.',
      resolve: ({ alias }, _args, context, info) =>
        readRow<typeof Table.$inferType>(context, info, 'Table', alias?.servedFrom?.id),
    }),
  }),
});

builder.queryField('entityMapping', (t) =>
  t.field({
    type: EntityMapping,
    nullable: true,
    description:
      'Which table holds the entities of a kind. Null while none is mapped to it. Needs CONTROL_READ.',
    args: { kind: t.arg({ type: EntityKind, required: true, description: 'The kind.' }) },
    resolve: async (_root, { kind }, context) => (await freshReadsOf(context)).mappings[kind],
  }),
);

const allowBreaking =
  'Whether to go on though metrics, signals or transformations would not work any more. Null or false refuses that.';
const breaks =
  'The metrics, signals and transformations that worked before and do not work with it; with userErrors, those for which it was refused. Needs CONTROL_READ.';

const MapEntityInput = builder.inputType('MapEntityInput', {
  description:
    'Which table holds users, organizations or events, and which columns are what. What is left out is not mapped; nothing is guessed.',
  fields: (t) => ({
    kind: t.field({ type: EntityKind, required: true, description: 'What the rows stand for.' }),
    table: t.string({
      required: true,
      description:
        'The table: datastore.database.schema.table, or the end of that such as "raw.users" where one table alone ends so, or its id.',
    }),
    key: t.string({ required: true, description: 'The column that tells one row from all others.' }),
    name: t.string({ description: 'The column of the name; of an event, of what was done. Null for none.' }),
    email: t.string({ description: 'The column of the address; of USER alone. Null for none.' }),
    at: t.string({
      description: 'The date or timestamp of an event; of EVENT alone, which needs it. Null for none.',
    }),
    createdAt: t.string({
      description: 'The date or timestamp of when it was made; not of EVENT. Null for none.',
    }),
    userKey: t.string({ description: "The column of the user's key; of EVENT alone. Null for none." }),
    organizationKey: t.string({
      description: "The column of the organization's key; of USER and EVENT. Null for none.",
    }),
    propertiesColumn: t.string({
      description: 'A column of JSON objects that holds the properties. Null where plain columns do.',
    }),
    properties: t.stringList({
      description: 'The properties by name. Null for all other columns, or all names of propertiesColumn.',
    }),
    aliasTable: t.string({
      description:
        'A table that says which user an alias is, named as table is; of USER alone. Null for no aliases.',
    }),
    aliasKey: t.string({ description: 'The column of aliasTable which holds the alias. Null without one.' }),
    canonicalKey: t.string({
      description: 'The column of aliasTable which holds the key of the user. Null without one.',
    }),
    servedFrom: t.string({
      description:
        'A copy of the table, such as a job made in an operational store, named as table is, with every column that is mapped: users, organizations and events are read from it, metrics are measured on the table. Null to read all from the table.',
    }),
    aliasServedFrom: t.string({
      description:
        'A copy of aliasTable with aliasKey and canonicalKey, needed in each datastore where users or events are read and aliasTable does not lie. Null without one.',
    }),
    allowBreaking: t.boolean({ description: allowBreaking }),
  }),
});

const MapEntityPayload = payloadType<Changed<Mapped>>('MapEntityPayload', 'What mapEntity answers.', (t) => ({
  mapping: t.field({
    type: EntityMapping,
    nullable: true,
    description: 'The mapping as it is now. Null when there are userErrors. Needs CONTROL_READ.',
    resolve: ({ value }) => value?.value?.mapping,
  }),
  breaks: t.field({ type: [Break], description: breaks, resolve: ({ value }) => [...value!.breaks] }),
}));

const UnmapEntityInput = builder.inputType('UnmapEntityInput', {
  description: 'Which kind is to be mapped to no table.',
  fields: (t) => ({
    kind: t.field({ type: EntityKind, required: true, description: 'The kind.' }),
    allowBreaking: t.boolean({ description: allowBreaking }),
  }),
});

const UnmapEntityPayload = payloadType<Changed<Unmapped>>(
  'UnmapEntityPayload',
  'What unmapEntity answers.',
  (t) => ({
    kind: t.field({
      type: EntityKind,
      nullable: true,
      description: 'The kind that is mapped no more. Null when there are userErrors.',
      resolve: ({ value }) => value?.value?.kind,
    }),
    breaks: t.field({ type: [Break], description: breaks, resolve: ({ value }) => [...value!.breaks] }),
  }),
);

builder.mutationFields((t) => ({
  mapEntity: t.field({
    type: MapEntityPayload,
    description:
      'Says which table holds users, organizations or events, in place of what was said before. Refused when metrics, signals or transformations would not work any more, unless allowBreaking. Touches no table. Needs CONTROL_WRITE.',
    args: {
      input: t.arg({ type: MapEntityInput, required: true, description: 'The table and its columns.' }),
    },
    resolve: (_root, { input }, context) =>
      attemptBreaking(() =>
        mapEntity(context.app.catalog, viewerOf(context), {
          ...input,
          table: referenceOf(input.table),
          aliasTable: referenceTo(input.aliasTable),
          servedFrom: referenceTo(input.servedFrom),
          aliasServedFrom: referenceTo(input.aliasServedFrom),
        }),
      ),
  }),
  unmapEntity: t.field({
    type: UnmapEntityPayload,
    description:
      'Forgets which table holds the entities of a kind. Refused when metrics, signals or transformations would not work any more, unless allowBreaking. Touches no table. Needs CONTROL_WRITE.',
    args: { input: t.arg({ type: UnmapEntityInput, required: true, description: 'The kind.' }) },
    resolve: (_root, { input }, context) =>
      attemptBreaking(() => unmapEntity(context.app.catalog, viewerOf(context), input)),
  }),
}));

function referenceTo(text: string | null | undefined): TableReference | null {
  return text == null ? null : referenceOf(text);
}

/** A table's id is taken as one; anything else is a name. */
function referenceOf(text: string): TableReference {
  const id = readGlobalId(text);
  return id?.typename === 'Table' ? { id: id.uuid } : { name: text };
}
