import { inputError } from '#base/errors.ts';
import { refreshCatalog } from '#catalog/refresh.ts';
import { testDatastore } from '#catalog/test-datastore.ts';
import { builder } from './builder.ts';
import { connectionOf, pageCost } from './connection.ts';
import { viewerOf } from './context.ts';
import { createdOrder } from './created-order.ts';
import { uuidOfInput } from './global-id.ts';
import { listRows } from './lists.ts';
import { Resource } from './resource.ts';
import { attempt, attemptCheck, checkPayload, payloadType } from './payload.ts';

const DatastoreEngine = builder.enumType('DatastoreEngine', {
  description: 'What kind of engine a datastore is.',
  values: {
    DUCKDB: { description: 'DuckDB, embedded in Sluice.' },
    SNOWFLAKE: { description: 'Snowflake.' },
    POSTGRES: { description: 'PostgreSQL.' },
    REDSHIFT: { description: 'Amazon Redshift.' },
    BIGQUERY: { description: 'Google BigQuery.' },
    DATABRICKS: { description: 'Databricks SQL.' },
  },
});

const DatastoreRole = builder.enumType('DatastoreRole', {
  description: 'WAREHOUSE answers analytical questions; OPERATIONAL answers many small ones.',
  values: {
    WAREHOUSE: { description: 'Few questions over many rows.' },
    OPERATIONAL: { description: 'Many questions over few rows.' },
  },
});

export const Datastore = builder.prismaNode('Datastore', {
  id: { field: 'id' },
  nullable: true,
  select: { id: true },
  interfaces: [Resource],
  description:
    'An engine that holds tables and answers SQL. Every project begins with one, named "warehouse". Needs DATA_READ.',
  fields: (t) => ({
    name: t.exposeString('name', {
      description: 'Its name, unique among the datastores of the project; the first part of fqn.',
    }),
    revision: t.exposeInt('revision', { description: 'Rises by one with every change.' }),
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
    engine: t.expose('engine', { type: DatastoreEngine, description: 'What kind of engine it is.' }),
    role: t.expose('role', { type: DatastoreRole, description: 'What kind of questions it is for.' }),
    isDefault: t.exposeBoolean('isDefault', {
      description: 'Whether it is meant where no datastore is named.',
    }),
    config: t.expose('config', {
      type: 'JSON',
      description:
        'How it is reached. Secret fields never come back; providedSecrets names those that are set. Needs CONTROL_READ.',
    }),
    providedSecrets: t.stringList({
      description: 'The secret fields that are set, by their path in config. Needs CONTROL_READ.',
      select: { secrets: true },
      resolve: ({ secrets }) => Object.keys(secrets ?? {}).sort(),
    }),
  }),
});

const DatastoreConnection = connectionOf(Datastore, 'Datastore', 'datastores');
const datastoreOrder = createdOrder('datastore', 'oldest first');

builder.queryField('datastores', (t) =>
  t.field({
    type: DatastoreConnection,
    description: 'The datastores of the project, oldest first. Needs CONTROL_READ.',
    args: t.arg.connectionArgs(),
    complexity: pageCost,
    resolve: (_root, args, context, info) =>
      listRows({ context, info, args, type: 'Datastore', order: datastoreOrder }),
  }),
);

const TestDatastoreInput = builder.inputType('TestDatastoreInput', {
  description: 'engine and config of something new, or id of something saved.',
  fields: (t) => ({
    id: t.id({ description: 'A saved datastore. Null for something new.' }),
    engine: t.field({ type: DatastoreEngine, description: 'The engine of something new. Null with id.' }),
    config: t.field({ type: 'JSON', description: 'The config to try. Null with id.' }),
  }),
});

const RefreshCatalogInput = builder.inputType('RefreshCatalogInput', {
  description: 'Which tables to look up anew.',
  fields: (t) => ({ datastoreId: t.id({ description: 'Those of this datastore. Null for those of all.' }) }),
});

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
  testDatastore: t.field({
    type: TestDatastorePayload,
    description: 'Asks a datastore something small, within 30 s. Changes nothing. Needs CONTROL_WRITE.',
    args: { input: t.arg({ type: TestDatastoreInput, required: true, description: 'What to try.' }) },
    resolve: (_root, { input }, context) =>
      attemptCheck(async () =>
        testDatastore(context.app.catalog, viewerOf(context), {
          id: savedId(input.id, input.engine),
          signal: context.signal,
        }),
      ),
  }),
  refreshCatalog: t.field({
    type: RefreshCatalogPayload,
    description:
      'Looks up which tables and columns there are, and forgets those that are gone. Needs CONTROL_WRITE.',
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

function savedId(id: string | null | undefined, engine: string | null | undefined): string {
  if (id != null) return uuidOfInput('Datastore', id);
  if (engine == null) {
    throw inputError(
      'REQUIRED',
      ['id'],
      'Neither id nor engine is given.',
      'Give the id of a saved datastore.',
    );
  }
  throw inputError(
    'UNSUPPORTED',
    ['engine'],
    `A datastore on ${engine} cannot be added yet.`,
    'Give the id of a saved datastore.',
  );
}
