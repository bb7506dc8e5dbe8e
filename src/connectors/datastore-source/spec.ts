import type { ConfigSchema, SeriesQuestion } from '#connectors/contract.ts';
import { grains } from '#warehouse/dialect.ts';

/** A SELECT that is offered as a stream. */
export interface DeclaredStream {
  name: string;
  sql: string;
  primaryKey?: string[];
}

/** The values of metrics by period and group, offered as a stream. */
export interface DeclaredSeries extends SeriesQuestion {
  name: string;
  /** What stands for a dimension that has no value. */
  nullAs?: string;
}

/** The config of `spec`. */
export interface DatastoreSourceConfig {
  datastore?: string;
  schemas?: string[];
  streams?: DeclaredStream[];
  series?: DeclaredSeries[];
}

/** A list of names, each once. */
const names = { type: 'array', items: { type: 'string', minLength: 1 }, uniqueItems: true } as const;
const moment = { type: 'string', format: 'date-time' } as const;
const streamName = {
  type: 'string',
  title: 'Name',
  description: "The stream's name.",
  minLength: 1,
  maxLength: 63,
} as const;

const series: ConfigSchema = {
  type: 'object',
  required: ['name', 'metrics', 'grain'],
  additionalProperties: false,
  properties: {
    name: streamName,
    metrics: { ...names, title: 'Metrics', description: 'Their names; each is a column.', minItems: 1 },
    grain: { enum: [...grains], title: 'Grain', description: 'How long a period is.' },
    timeZone: {
      type: 'string',
      title: 'Time zone',
      description: 'The IANA time zone whose calendar cuts the periods. Left out, UTC.',
      minLength: 1,
    },
    by: { ...names, title: 'By', description: 'The dimensions to group by; each is a column.' },
    filter: {
      type: 'array',
      title: 'Filter',
      description: 'What rows must have to count, as in the filter of series.',
      items: {
        type: 'object',
        required: ['property'],
        additionalProperties: false,
        properties: {
          property: { type: 'string', minLength: 1 },
          eq: {},
          neq: {},
          in: { type: 'array' },
          gt: {},
          gte: {},
          lt: {},
          lte: {},
          contains: { type: 'string' },
          isNull: { type: 'boolean' },
        },
      },
    },
    from: {
      ...moment,
      title: 'From',
      description: 'The first moment that counts. Left out, as many periods back as "periods" says.',
    },
    to: { ...moment, title: 'To', description: 'The first moment that counts no more. Left out, now.' },
    periods: {
      type: 'integer',
      title: 'Periods',
      description: 'How many periods up to "to", where "from" is left out. Left out, 30.',
      minimum: 1,
      maximum: 10_000,
    },
    limit: {
      type: 'integer',
      title: 'Limit',
      description: 'Keeps so many groups, the largest, and makes one of the rest. Left out, all.',
      minimum: 1,
      maximum: 1_000,
    },
    nullAs: {
      type: 'string',
      title: 'Text for no value',
      description: 'What stands in the column of a dimension where there is no value.',
      minLength: 1,
    },
  },
};

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
          name: streamName,
          sql: {
            type: 'string',
            title: 'SELECT',
            description: "One SELECT over the datastore's tables and views, in its own SQL.",
            minLength: 1,
          },
          primaryKey: {
            ...names,
            title: 'Primary key',
            description: 'The columns that tell its rows apart.',
          },
        },
      },
    },
    series: {
      type: 'array',
      title: 'Series',
      description: 'Values of metrics by period and group, offered as streams beside the tables and views.',
      items: series,
    },
  },
};
