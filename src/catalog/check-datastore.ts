import type { Problem } from '#base/errors.ts';
import { checkConfig } from '#connectors/check-config.ts';
import type { ConfigSchema } from '#connectors/contract.ts';
import type { DatastoreEngine, DatastoreRole } from '#generated/prisma/enums.ts';
import type { Prisma } from '#generated/prisma/client.ts';

const nameLengthMax = 63;
/** DuckDB has a schema or a database of its own by these names, and takes them for those. */
const namesTaken = ['main', 'system', 'temp'];
const secondsMax = 31_536_000;

/** What a client says of an embedded DuckDB. */
const duckDbSpec: ConfigSchema = {
  type: 'object',
  additionalProperties: false,
  properties: {
    cache: {
      type: 'object',
      title: 'Cache',
      description: 'How long answers are kept, where tables change without Sluice.',
      additionalProperties: false,
      properties: {
        maxAgeSeconds: {
          type: 'integer',
          minimum: 1,
          maximum: secondsMax,
          description:
            'An answer older than this is not given. Left out, it is kept until its tables are written.',
        },
        staleSeconds: {
          type: 'integer',
          minimum: 0,
          maximum: secondsMax,
          description: 'For so long an answer that is out of date is still given while it is renewed.',
        },
      },
    },
  },
};

/** What keeps a datastore from being made on that engine: DuckDB alone can be, as a warehouse. */
export function checkEngine(engine: DatastoreEngine, role?: DatastoreRole | null): Problem[] {
  if (engine !== 'DUCKDB') {
    const message = `A datastore on ${engine} cannot be added yet. There is: DUCKDB.`;
    return [{ code: 'UNSUPPORTED', path: ['engine'], message, fix: 'Use the engine DUCKDB.' }];
  }
  if (role == null || role === 'WAREHOUSE') return [];
  const message = `DUCKDB is no ${role} store: it answers few questions over many rows.`;
  return [{ code: 'UNSUPPORTED', path: ['role'], message, fix: 'Use the role WAREHOUSE.' }];
}

/** The name is that of the DuckDB database too, and is written in SQL and in fqns. */
export function checkDatastoreName(name: string): Problem[] {
  const path = ['name'];
  if (!/^[a-z][a-z0-9_]*$/.test(name) || name.length > nameLengthMax) {
    const shown = JSON.stringify(name.slice(0, 100));
    const message = `${shown} cannot be the name of a datastore on DUCKDB: a small letter, then small letters, digits and _, ${nameLengthMax} at most.`;
    return [{ code: 'INVALID', path, message, fix: 'Choose a name such as "lake_2".' }];
  }
  if (!namesTaken.includes(name)) return [];
  return [
    {
      code: 'INVALID',
      path,
      message: `"${name}" means something else to DuckDB.`,
      fix: 'Choose another name.',
    },
  ];
}

/** Everything wrong with a datastore's config, each with its path. */
export function checkDatastoreConfig(config: unknown): Problem[] {
  return checkConfig(duckDbSpec, config);
}

/** Of what is stored, what a client said: the rest is where the process that serves the home finds its file. */
export function saidConfig(stored: Prisma.JsonValue): Prisma.JsonObject {
  const { home: _home, file: _file, ...said } = stored as Prisma.JsonObject;
  return said;
}
