import { saidConfig } from '#catalog/check-datastore.ts';
import { readSchemas } from '#catalog/schemas.ts';
import { builder } from './builder.ts';
import { connectionOf, pageCost } from './connection.ts';
import { createdOrder } from './created-order.ts';
import { asExpected } from './error-codes.ts';
import { listRows } from './lists.ts';
import { Resource, resourceFields } from './resource.ts';

export const DatastoreEngine = builder.enumType('DatastoreEngine', {
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

export const DatastoreRole = builder.enumType('DatastoreRole', {
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
    ...resourceFields(t, {
      name: 'Its name, unique among the datastores of the project; the first part of fqn.',
      revision: 'Rises by one with every change.',
    }),
    engine: t.expose('engine', { type: DatastoreEngine, description: 'What kind of engine it is.' }),
    role: t.expose('role', { type: DatastoreRole, description: 'What kind of questions it is for.' }),
    isDefault: t.exposeBoolean('isDefault', {
      description: 'Whether it is meant where no datastore is named.',
    }),
    config: t.field({
      type: 'JSON',
      description:
        'How it is reached. Secret fields never come back; providedSecrets names those that are set. Needs CONTROL_READ.',
      select: { config: true },
      resolve: ({ config }) => saidConfig(config),
    }),
    providedSecrets: t.stringList({
      description: 'The secret fields that are set, by their path in config. Needs CONTROL_READ.',
      select: { secrets: true },
      resolve: ({ secrets }) => Object.keys(secrets ?? {}).sort(),
    }),
  }),
});

type SchemaShape = Awaited<ReturnType<typeof readSchemas>>[number];

const DatastoreSchema = builder.objectRef<SchemaShape>('DatastoreSchema').implement({
  description: 'A schema of a datastore. Needs DATA_READ.',
  fields: (t) => ({
    database: t.exposeString('database', { description: 'The database that it lies in.' }),
    schema: t.exposeString('schema', { description: 'Its name.' }),
    tables: t.exposeInt('tables', { description: 'How many tables and views lie in it.' }),
  }),
});

builder.prismaObjectField('Datastore', 'schemas', (t) =>
  t.field({
    type: [DatastoreSchema],
    nullable: true,
    description:
      'Its schemas, read from it right now, empty ones too. Null when that failed; errors says why. Needs DATA_READ.',
    complexity: { field: 50, multiplier: 1 },
    select: { projectId: true, name: true },
    resolve: async (datastore, _args, context) => {
      try {
        return await readSchemas(context.app.catalog, datastore, context.signal);
      } catch (error) {
        throw asExpected(error);
      }
    },
  }),
);

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
