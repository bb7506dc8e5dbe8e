import { createDatastore } from '#catalog/create-datastore.ts';
import { deleteDatastore } from '#catalog/delete-datastore.ts';
import { refreshCatalog } from '#catalog/refresh.ts';
import { testDatastore } from '#catalog/test-datastore.ts';
import { updateDatastore } from '#catalog/update-datastore.ts';
import { builder } from './builder.ts';
import { viewerOf } from './context.ts';
import { Datastore, DatastoreEngine, DatastoreRole } from './datastore.ts';
import { uuidOfInput } from './global-id.ts';
import {
  attempt,
  attemptCheck,
  checkPayload,
  deletedId,
  payloadType,
  savedOrNew,
  writtenThing,
} from './payload.ts';

const CreateDatastoreInput = builder.inputType('CreateDatastoreInput', {
  description:
    'A new datastore: on DUCKDB a file of its own, embedded in Sluice; on POSTGRES a database elsewhere.',
  fields: (t) => ({
    name: t.string({
      required: true,
      description:
        'Its name, unique among the datastores of the project: a small letter, then small letters, digits and _, 63 at most. It cannot be changed.',
    }),
    engine: t.field({ type: DatastoreEngine, required: true, description: 'What kind of engine it is.' }),
    role: t.field({ type: DatastoreRole, description: 'What it is for. Null for WAREHOUSE.' }),
    config: t.field({
      type: 'JSON',
      required: true,
      description:
        'How it is reached. Of POSTGRES: host, port, database, username, password, ssl.mode, ssl.ca and schema. Of any engine: cache.maxAgeSeconds and cache.staleSeconds, for tables that change without Sluice.',
    }),
    isDefault: t.boolean({
      description: 'Whether it takes the place of the default. Null or left out, it does not.',
    }),
    idempotencyKey: t.string({
      description:
        'Any text of your own: a repeat with the same key and input makes nothing new, and returns what the first made. Null for none.',
    }),
  }),
});

const UpdateDatastoreInput = builder.inputType('UpdateDatastoreInput', {
  description: 'What to change of a datastore. Its name stays.',
  fields: (t) => ({
    id: t.id({ required: true, description: 'The datastore to change.' }),
    isDefault: t.boolean({
      description: 'True makes it the default in place of the other. Null or left out, it stays as it is.',
    }),
    config: t.field({
      type: 'JSON',
      description:
        'The new config, whole but for secrets, which stay when they are left out and go when they are null. Null or left out, it stays.',
    }),
    expectedRevision: t.int({
      description:
        'The revision that this change is based on: CONFLICT when there is a newer one. Null for any.',
    }),
  }),
});

const DeleteDatastoreInput = builder.inputType('DeleteDatastoreInput', {
  description: 'The datastore to delete.',
  fields: (t) => ({ id: t.id({ required: true, description: 'The datastore to delete.' }) }),
});

const TestDatastoreInput = builder.inputType('TestDatastoreInput', {
  description: 'engine and config of something new, or id of something saved.',
  fields: (t) => ({
    id: t.id({ description: 'A saved datastore. Null for something new.' }),
    engine: t.field({ type: DatastoreEngine, description: 'The engine of something new. Null with id.' }),
    config: t.field({ type: 'JSON', description: 'The config to try. Null with id, and for none.' }),
  }),
});

const RefreshCatalogInput = builder.inputType('RefreshCatalogInput', {
  description: 'Which tables to look up anew.',
  fields: (t) => ({ datastoreId: t.id({ description: 'Those of this datastore. Null for those of all.' }) }),
});

const CreateDatastorePayload = payloadType<{ id: string }>(
  'CreateDatastorePayload',
  'What createDatastore answers.',
  (t) => ({
    datastore: writtenThing(
      t,
      Datastore,
      'Datastore',
      'The new datastore. Null when there are userErrors. Needs DATA_READ.',
    ),
  }),
);
const UpdateDatastorePayload = payloadType<{ id: string }>(
  'UpdateDatastorePayload',
  'What updateDatastore answers.',
  (t) => ({
    datastore: writtenThing(
      t,
      Datastore,
      'Datastore',
      'The datastore as it is now. Null when there are userErrors. Needs DATA_READ.',
    ),
  }),
);
const DeleteDatastorePayload = payloadType<{ id: string }>(
  'DeleteDatastorePayload',
  'What deleteDatastore answers.',
  (t) => ({ deletedId: deletedId(t, 'Datastore') }),
);
const TestDatastorePayload = checkPayload('TestDatastorePayload', 'What testDatastore answers.');
const RefreshCatalogPayload = payloadType<number>(
  'RefreshCatalogPayload',
  'What refreshCatalog answers.',
  (t) => ({
    tables: t.int({
      description: 'How many tables and views there are now. 0 when there are userErrors.',
      resolve: ({ value }) => value ?? 0,
    }),
  }),
);

builder.mutationFields((t) => ({
  createDatastore: t.field({
    type: CreateDatastorePayload,
    description:
      'Makes a datastore, empty. An engine that cannot be added yet is UNSUPPORTED. Needs CONTROL_WRITE.',
    args: { input: t.arg({ type: CreateDatastoreInput, required: true, description: 'What to make.' }) },
    resolve: (_root, { input }, context) =>
      attempt(() => createDatastore(context.app.catalog, viewerOf(context), input)),
  }),
  updateDatastore: t.field({
    type: UpdateDatastorePayload,
    description: 'Changes a datastore, or makes it the default. Needs CONTROL_WRITE.',
    args: { input: t.arg({ type: UpdateDatastoreInput, required: true, description: 'What to change.' }) },
    resolve: (_root, { input }, context) =>
      attempt(async () =>
        updateDatastore(context.app.catalog, viewerOf(context), {
          ...input,
          id: uuidOfInput('Datastore', input.id),
        }),
      ),
  }),
  deleteDatastore: t.field({
    type: DeleteDatastorePayload,
    description:
      'Deletes a datastore that nothing uses and that is not the default; its rows stay where they are. IN_USE names what uses it. Needs CONTROL_WRITE.',
    args: { input: t.arg({ type: DeleteDatastoreInput, required: true, description: 'What to delete.' }) },
    resolve: (_root, { input }, context) =>
      attempt(async () =>
        deleteDatastore(context.app.catalog, viewerOf(context), { id: uuidOfInput('Datastore', input.id) }),
      ),
  }),
}));

builder.mutationFields((t) => ({
  testDatastore: t.field({
    type: TestDatastorePayload,
    description: 'Asks a datastore something small, within 30 s. Changes nothing. Needs CONTROL_WRITE.',
    args: { input: t.arg({ type: TestDatastoreInput, required: true, description: 'What to try.' }) },
    resolve: (_root, { input }, context) =>
      attemptCheck(async () =>
        testDatastore(context.app.catalog, viewerOf(context), {
          ...savedOrNew('Datastore', input),
          signal: context.signal,
        }),
      ),
  }),
  refreshCatalog: t.field({
    type: RefreshCatalogPayload,
    description:
      'Looks up which tables and columns there are. Those that are gone are in no list until they come back; what was said of them is kept. Needs CONTROL_WRITE.',
    args: { input: t.arg({ type: RefreshCatalogInput, required: true, description: 'Where to look.' }) },
    resolve: (_root, { input }, context) =>
      attempt(async () =>
        refreshCatalog(context.app.catalog, {
          projectId: viewerOf(context).projectId,
          datastoreId:
            input.datastoreId == null
              ? undefined
              : uuidOfInput('Datastore', input.datastoreId, ['datastoreId']),
          signal: context.signal,
        }),
      ),
  }),
}));
