import { createPublicKey, type KeyObject } from 'node:crypto';
import type { Problem } from '#base/errors.ts';
import { checkNames, notHere, type SetupInput, type SetupScript } from './setup-input.ts';
import { quoteName } from './warehouse.ts';

const nameLengthMax = 255;
const autoSuspendDefault = 60;
const autoSuspendMax = 86_400;
const keyBitsMin = 2048;
/** Roles of Snowflake's own: who has them has far more than this, and PUBLIC is everybody. */
const systemRoles = ['PUBLIC', 'ACCOUNTADMIN', 'SECURITYADMIN', 'USERADMIN', 'SYSADMIN', 'ORGADMIN'];

/** What a Snowflake is set up with when nothing else is said. */
export const snowflakeSetupDefaults = {
  MANAGED: { database: 'SLUICE', warehouse: 'SLUICE_WH', role: 'SLUICE_ROLE', username: 'SLUICE_USER' },
  EXISTING: { username: null },
};

/**
 * The SQL that an administrator of a Snowflake account runs once, so that a datastore can be made: for MANAGED a virtual
 * warehouse, a database, a role and its user with the grants they need; for EXISTING the grants alone. It can be run again. No
 * secret is in it: what has to be filled in keeps it from running. Names stand in quotes, exactly as they are given.
 */
export function snowflakeSetupScript(input: SetupInput): SetupScript {
  const problems = [...checkNames(input, nameLengthMax), ...checkFields(input)];
  if (problems.length > 0) return { problems };
  const parts = [
    input.kind === 'MANAGED' ? makeObjects(input) : [],
    ['USE ROLE SECURITYADMIN;', ...readGrants(input)],
    writeGrants(input),
  ];
  const text = parts.filter((lines) => lines.length > 0).map((lines) => lines.join('\n'));
  return { sql: `${text.join('\n\n')}\n` };
}

function checkFields(input: SetupInput): Problem[] {
  const { kind, role, warehouse, username, publicKey, authentication, autoSuspendSeconds } = input;
  const problems: Problem[] = [];
  if (systemRoles.includes(role.toUpperCase())) {
    const message = `${role} is a role of Snowflake's own: what it is granted, others get as well.`;
    problems.push({ code: 'NOT_ALLOWED', path: ['role'], message, fix: 'Give Sluice a role of its own.' });
  }
  if (warehouse === null) {
    const message = 'Whose compute it uses is not said: a virtual warehouse is needed.';
    problems.push({ code: 'REQUIRED', path: ['warehouse'], message, fix: 'Name one that is there.' });
  }
  if (kind === 'EXISTING') {
    const given = { username, publicKey, autoSuspendSeconds };
    const extra = Object.entries(given).filter(([, value]) => value !== null);
    return [...problems, ...extra.map(([path]) => notHere(path, 'of what exists'))];
  }
  if (publicKey !== null && authentication !== 'KEY_PAIR')
    problems.push(notHere('publicKey', 'without KEY_PAIR'));
  else if (publicKey !== null && bareKey(publicKey) === null) {
    const message = `publicKey is no public RSA key of at least ${keyBitsMin} bits in PEM.`;
    const fix = 'Make it with "openssl rsa -in key.p8 -pubout"; the private key stays with you.';
    problems.push({ code: 'INVALID', path: ['publicKey'], message, fix });
  }
  const seconds = autoSuspendSeconds ?? autoSuspendDefault;
  if (seconds < autoSuspendDefault || seconds > autoSuspendMax) {
    const message = `autoSuspendSeconds is ${seconds}: from ${autoSuspendDefault}, which is billed in any case, to ${autoSuspendMax}.`;
    problems.push({ code: 'INVALID', path: ['autoSuspendSeconds'], message });
  }
  return problems;
}

/** The key as Snowflake takes it: base64 on one line. Null for what is no public RSA key, private keys among them. */
function bareKey(pem: string): string | null {
  if (!/^\s*-----BEGIN (RSA )?PUBLIC KEY-----/.test(pem)) return null;
  try {
    const key: KeyObject = createPublicKey(pem);
    const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
    if (key.asymmetricKeyType !== 'rsa' || bits < keyBitsMin) return null;
    return key.export({ type: 'spki', format: 'der' }).toString('base64');
  } catch {
    return null;
  }
}

function makeObjects(input: SetupInput): string[] {
  const { database, authentication, publicKey, autoSuspendSeconds, writeSchemas, writes } = input;
  const [role, warehouse, username] = [input.role, input.warehouse!, input.username!].map(quoteName);
  const suspend = `AUTO_SUSPEND = ${autoSuspendSeconds ?? autoSuspendDefault} AUTO_RESUME = TRUE`;
  const key = publicKey === null ? '<the public key, in single quotes>' : `'${bareKey(publicKey)}'`;
  const enters =
    authentication === 'KEY_PAIR'
      ? `TYPE = SERVICE RSA_PUBLIC_KEY = ${key}`
      : 'TYPE = LEGACY_SERVICE PASSWORD = <the password, in single quotes>';
  const schemas = writes.length === 0 ? [] : (writeSchemas ?? []);
  return [
    'USE ROLE SYSADMIN;',
    `CREATE WAREHOUSE IF NOT EXISTS ${warehouse} WAREHOUSE_SIZE = XSMALL ${suspend} INITIALLY_SUSPENDED = TRUE;`,
    `CREATE DATABASE IF NOT EXISTS ${quoteName(database)};`,
    ...schemas.map((schema) => `CREATE SCHEMA IF NOT EXISTS ${quoteName(database)}.${quoteName(schema)};`),
    '',
    'USE ROLE USERADMIN;',
    `CREATE ROLE IF NOT EXISTS ${role};`,
    `CREATE USER IF NOT EXISTS ${username} DEFAULT_ROLE = ${role} DEFAULT_SECONDARY_ROLES = () DEFAULT_WAREHOUSE = ${warehouse} ${enters};`,
    `GRANT ROLE ${role} TO USER ${username};`,
    `GRANT ROLE ${role} TO ROLE SYSADMIN;`,
  ];
}

/** To read: the compute, the way to the tables, and the tables, those to come included. */
function readGrants(input: SetupInput): string[] {
  const to = `TO ROLE ${quoteName(input.role)};`;
  const database = quoteName(input.database);
  const places = input.readSchemas?.map((schema) => `SCHEMA ${database}.${quoteName(schema)}`);
  const ways = places?.map((place) => `GRANT USAGE ON ${place} ${to}`) ?? [
    `GRANT USAGE ON ALL SCHEMAS IN DATABASE ${database} ${to}`,
    `GRANT USAGE ON FUTURE SCHEMAS IN DATABASE ${database} ${to}`,
  ];
  const tables = (places ?? [`DATABASE ${database}`]).flatMap((place) =>
    ['TABLES', 'VIEWS'].flatMap((what) => [
      `GRANT SELECT ON ALL ${what} IN ${place} ${to}`,
      `GRANT SELECT ON FUTURE ${what} IN ${place} ${to}`,
    ]),
  );
  return [
    `GRANT USAGE ON WAREHOUSE ${quoteName(input.warehouse!)} ${to}`,
    `GRANT USAGE ON DATABASE ${database} ${to}`,
    ...ways,
    ...tables,
  ];
}

/** To write: what the role makes is its own, so that no grant on tables is needed. */
function writeGrants({ writes, writeSchemas, database, role }: SetupInput): string[] {
  if (writes.length === 0) return [];
  const to = `TO ROLE ${quoteName(role)};`;
  const own = quoteName(database);
  // A sync has a schema of its own, beside those that it writes.
  const isWhole = writeSchemas === null || writes.includes('SYNCS');
  const makes = ['CREATE TABLE', ...(writes.includes('TRANSFORMATIONS') ? ['CREATE VIEW'] : [])].join(', ');
  return [
    ...(isWhole ? [`GRANT CREATE SCHEMA ON DATABASE ${own} ${to}`] : []),
    ...(writeSchemas ?? []).map(
      (schema) => `GRANT USAGE, ${makes} ON SCHEMA ${own}.${quoteName(schema)} ${to}`,
    ),
  ];
}
