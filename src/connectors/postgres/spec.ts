import type { ConfigSchema, Json } from '#connectors/contract.ts';
import type { PostgresServer } from '#warehouse/postgres-connect.ts';

/** The config of `postgresSpec`, defaults filled in. */
export interface PostgresConfig extends PostgresServer {
  schemas?: string[];
}

/** How a server is reached, with what its database and its role are for. */
export function serverProperties(uses: { database: string; username: string }): { [name: string]: Json } {
  return {
    host: {
      type: 'string',
      title: 'Host',
      description: 'Name or address of the server.',
      minLength: 1,
    },
    port: {
      type: 'integer',
      title: 'Port',
      description: 'The port that PostgreSQL listens on.',
      minimum: 1,
      maximum: 65_535,
      default: 5432,
    },
    database: {
      type: 'string',
      title: 'Database',
      description: uses.database,
      minLength: 1,
    },
    username: {
      type: 'string',
      title: 'User name',
      description: uses.username,
      minLength: 1,
    },
    password: {
      type: 'string',
      title: 'Password',
      description: 'The password of that role; left out for a server that asks for none.',
      secret: true,
    },
    ssl: {
      type: 'object',
      title: 'TLS',
      description: 'How the connection is encrypted.',
      additionalProperties: false,
      default: {},
      properties: {
        mode: {
          type: 'string',
          title: 'Mode',
          description:
            'disable: never encrypted. require: always encrypted, the server is not verified. verify-full: encrypted, and the certificate must be valid for the host.',
          enum: ['disable', 'require', 'verify-full'],
          default: 'disable',
        },
        ca: {
          type: 'string',
          title: 'Certificate authority',
          description:
            'PEM of the authority that signed the server certificate, for verify-full. Left out, the well-known authorities count.',
        },
      },
    },
  };
}

/** What a source of type `postgres` is told. */
export const postgresSpec: ConfigSchema = {
  type: 'object',
  required: ['host', 'database', 'username'],
  additionalProperties: false,
  properties: {
    ...serverProperties({
      database: 'The database to read from.',
      username: 'A role that may read the tables. It needs no right to write.',
    }),
    schemas: {
      type: 'array',
      title: 'Schemas',
      description: 'The schemas whose tables and views are offered.',
      items: { type: 'string', minLength: 1 },
      minItems: 1,
      uniqueItems: true,
      default: ['public'],
    },
  },
};
