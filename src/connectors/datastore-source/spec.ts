import type { ConfigSchema } from '#connectors/contract.ts';

/** A SELECT that is offered as a stream. */
export interface DeclaredStream {
  name: string;
  sql: string;
  primaryKey?: string[];
}

/** The config of `spec`. */
export interface DatastoreSourceConfig {
  datastore?: string;
  schemas?: string[];
  streams?: DeclaredStream[];
}

export const spec: ConfigSchema = {
  type: 'object',
  additionalProperties: false,
  properties: {
    datastore: {
      type: 'string',
      title: 'Datastore',
      description: "The name of one of the project's datastores. Left out, the default warehouse.",
      minLength: 1,
    },
    schemas: {
      type: 'array',
      title: 'Schemas',
      description: 'The schemas whose tables and views are offered. Left out, all of the catalog.',
      items: { type: 'string', minLength: 1 },
      uniqueItems: true,
    },
    streams: {
      type: 'array',
      title: 'SELECTs',
      description: 'SELECTs that are offered as streams beside the tables and views.',
      items: {
        type: 'object',
        required: ['name', 'sql'],
        additionalProperties: false,
        properties: {
          name: {
            type: 'string',
            title: 'Name',
            description: "The stream's name.",
            minLength: 1,
            maxLength: 63,
          },
          sql: {
            type: 'string',
            title: 'SELECT',
            description: "One SELECT over the datastore's tables and views, in its own SQL.",
            minLength: 1,
          },
          primaryKey: {
            type: 'array',
            title: 'Primary key',
            description: 'The columns that tell its rows apart.',
            items: { type: 'string', minLength: 1 },
            uniqueItems: true,
          },
        },
      },
    },
  },
};
