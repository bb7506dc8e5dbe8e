import type { Problem } from '#base/errors.ts';
import { checkNames, notHere, type SetupInput, type SetupScript } from './setup-input.ts';
import { quoteName } from './warehouse.ts';

const nameLengthMax = 63;

/** What a PostgreSQL is set up with when nothing else is said. */
export const postgresSetupDefaults = {
  MANAGED: { role: 'sluice', warehouse: null, username: null },
  EXISTING: { warehouse: null, username: null },
};

/**
 * The SQL that the owner of a PostgreSQL database runs once in it, so that a datastore can be made: for MANAGED the role that
 * signs in and its grants, for EXISTING the grants alone. No secret is in it: the password has to be filled in before it runs.
 */
export function postgresSetupScript(input: SetupInput): SetupScript {
  const problems = [...checkNames(input, nameLengthMax), ...checkFields(input)];
  if (problems.length > 0) return { problems };
  const [role, database] = [quoteName(input.role), quoteName(input.database)];
  const made =
    input.kind === 'MANAGED'
      ? [`CREATE ROLE ${role} LOGIN PASSWORD <the password, in single quotes>;`, '']
      : [];
  const reads = (input.readSchemas ?? ['public']).map(quoteName).flatMap((schema) => [
    `GRANT USAGE ON SCHEMA ${schema} TO ${role};`,
    `GRANT SELECT ON ALL TABLES IN SCHEMA ${schema} TO ${role};`,
    // Of the tables that whoever runs this makes from then on: PostgreSQL keeps it for each maker.
    `ALTER DEFAULT PRIVILEGES IN SCHEMA ${schema} GRANT SELECT ON TABLES TO ${role};`,
  ]);
  // What is looked at with a view of the session's own is every SELECT.
  const lines = [...made, `GRANT CONNECT, TEMPORARY ON DATABASE ${database} TO ${role};`, ...reads];
  return { sql: `${[...lines, ...writeGrants(input)].join('\n')}\n` };
}

function writeGrants({ writes, writeSchemas, database, role }: SetupInput): string[] {
  if (writes.length === 0) return [];
  const isWhole = writeSchemas === null || writes.includes('SYNCS');
  return [
    '',
    // A sync has a schema of its own, beside those that it writes.
    ...(isWhole ? [`GRANT CREATE ON DATABASE ${quoteName(database)} TO ${quoteName(role)};`] : []),
    ...(writeSchemas ?? []).map(
      (schema) => `GRANT USAGE, CREATE ON SCHEMA ${quoteName(schema)} TO ${quoteName(role)};`,
    ),
  ];
}

function checkFields(input: SetupInput): Problem[] {
  const { warehouse, username, publicKey, autoSuspendSeconds, authentication } = input;
  const given = { warehouse, username, publicKey, autoSuspendSeconds };
  const problems = Object.entries(given)
    .filter(([, value]) => value !== null)
    .map(([path]) => notHere(path, 'to PostgreSQL'));
  if (authentication === 'PASSWORD') return problems;
  return [...problems, notHere('authentication', 'to PostgreSQL but PASSWORD')];
}
