import type { Problem } from '#base/errors.ts';
import type { DatastoreEngine, DatastoreRole } from '#generated/prisma/enums.ts';
import type { Prisma } from '#generated/prisma/client.ts';
import { engineInfo, engineNames } from './engines.ts';

const nameLengthMax = 63;
/** DuckDB has a schema or a database of its own by these names, and takes them for those. */
const namesTaken = ['main', 'system', 'temp'];

/** What keeps a datastore from being made on that engine, for that role. */
export function checkEngine(engine: DatastoreEngine, role?: DatastoreRole | null): Problem[] {
  const info = engineInfo(engine);
  if (!info) {
    const names = engineNames.join(', ');
    const message = `A datastore on ${engine} cannot be added yet. There are: ${names}.`;
    return [{ code: 'UNSUPPORTED', path: ['engine'], message, fix: `Use one of: ${names}.` }];
  }
  if (role == null || info.roles.includes(role)) return [];
  const message = `${engine} is no ${role} store: it answers few questions over many rows.`;
  return [{ code: 'UNSUPPORTED', path: ['role'], message, fix: 'Use the role WAREHOUSE.' }];
}

/** The name is written in fqns, and is that of the database too where it is a DuckDB. */
export function checkDatastoreName(engine: DatastoreEngine, name: string): Problem[] {
  const path = ['name'];
  if (!/^[a-z][a-z0-9_]*$/.test(name) || name.length > nameLengthMax) {
    const shown = JSON.stringify(name.slice(0, 100));
    const message = `${shown} cannot be the name of a datastore: a small letter, then small letters, digits and _, ${nameLengthMax} at most.`;
    return [{ code: 'INVALID', path, message, fix: 'Choose a name such as "lake_2".' }];
  }
  if (engine !== 'DUCKDB' || !namesTaken.includes(name)) return [];
  return [
    {
      code: 'INVALID',
      path,
      message: `"${name}" means something else to DuckDB.`,
      fix: 'Choose another name.',
    },
  ];
}

/** The default is meant where no datastore is named: it answers questions over many rows. */
export function checkDefault(role: DatastoreRole, isDefault: boolean): Problem[] {
  if (!isDefault || role === 'WAREHOUSE') return [];
  const message = `An ${role} store cannot be the default: it is always named.`;
  return [{ code: 'NOT_ALLOWED', path: ['isDefault'], message, fix: 'Make a WAREHOUSE the default.' }];
}

/** Of what is stored, what a client said: the rest is where the process that serves the home finds its file. */
export function saidConfig(stored: Prisma.JsonValue): Prisma.JsonObject {
  const { home: _home, file: _file, ...said } = stored as Prisma.JsonObject;
  return said;
}
