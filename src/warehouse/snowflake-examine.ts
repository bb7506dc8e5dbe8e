import { isTooMuch, SnowflakeError } from './snowflake-errors.ts';
import type { Desk } from './snowflake-query.ts';
import { snowflakeDialect } from './snowflake-dialect.ts';
import type { Examination, Lack, TableName } from './warehouse.ts';
import { quoteName } from './warehouse.ts';

/** Of the tables that a role sees, so many are tried: each costs a question to the compiler, and no compute. */
const triedMax = 20;
const namedMax = 5;

/** What Snowflake says alike of what is not there and of what the role has nothing on. */
const unknown = new Set(['002003', '002043']);
const refused = '003001';

interface Names {
  warehouse: string;
  database: string;
  /** Null where the config names none. */
  schema: string | null;
}

/**
 * What keeps the role from reading: the virtual warehouse, the database, the schema, tables, each with the grant that it lacks.
 * Changes nothing of the session; wakes the warehouse, for a list of names. Fails as a statement does.
 */
export async function examine(desk: Desk, names: Names): Promise<Examination> {
  const { rows } = await desk.run({ sql: 'SELECT CURRENT_ROLE()' });
  const role = String(rows[0]?.[0]);
  const [ofWarehouse, ofDatabase] = await Promise.all([
    lackOfWarehouse(desk, role, names.warehouse),
    lackOfDatabase(desk, role, names),
  ]);
  const lacks = [ofWarehouse, ofDatabase].filter((lack) => lack !== null);
  if (lacks.length > 0) return { lacks, note: null };
  return lackOfTables(desk, role, names);
}

async function lackOfWarehouse(desk: Desk, role: string, warehouse: string): Promise<Lack | null> {
  const path = ['warehouse'];
  const quoted = quoteName(warehouse);
  const { rows, columns } = await desk.run({
    sql: `SHOW WAREHOUSES LIKE ${snowflakeDialect.quoteText(warehouse)}`,
  });
  const at = (name: string) => columns.findIndex((column) => column.name === name);
  // The pattern takes _ for any letter, and letters in any case.
  const found = rows.find((row) => row[at('name')] === warehouse);
  if (!found) {
    return {
      path,
      message: `There is no virtual warehouse ${quoted} that the role ${role} may use.`,
      fix: `Check its name, or grant what is missing: ${usageOn(`WAREHOUSE ${quoted}`, role)}`,
    };
  }
  const [state, resumes] = ['state', 'auto_resume'].map((name) => String(found[at(name)]).toUpperCase());
  if (state !== 'SUSPENDED' || resumes !== 'FALSE') return null;
  return {
    path,
    message: `The virtual warehouse ${quoted} is suspended, and does not resume by itself.`,
    fix: `Let it: ALTER WAREHOUSE ${quoted} SET AUTO_RESUME = TRUE;`,
  };
}

async function lackOfDatabase(desk: Desk, role: string, { database, schema }: Names): Promise<Lack | null> {
  const quoted = quoteName(database);
  const pattern = schema === null ? '' : `LIKE ${snowflakeDialect.quoteText(schema)} `;
  try {
    const { rows, columns } = await desk.run({ sql: `SHOW SCHEMAS ${pattern}IN DATABASE ${quoted}` });
    const at = columns.findIndex(({ name }) => name === 'name');
    if (schema === null || rows.some((row) => row[at] === schema)) return null;
    const whole = `${quoted}.${quoteName(schema)}`;
    return {
      path: ['schema'],
      message: `There is no schema ${whole} that the role ${role} may use.`,
      fix: `Check its name, or grant what is missing: ${usageOn(`SCHEMA ${whole}`, role)}`,
    };
  } catch (error) {
    if (!isRefusal(error)) throw error;
    return {
      path: ['database'],
      message: `There is no database ${quoted} that the role ${role} may use.`,
      fix: `Check its name, or grant what is missing: ${usageOn(`DATABASE ${quoted}`, role)}`,
    };
  }
}

async function lackOfTables(desk: Desk, role: string, { warehouse, database }: Names): Promise<Examination> {
  const quoted = quoteName(database);
  const seen = await seenTables(desk, database).catch((error: unknown) => error);
  if (isTooMuch(seen))
    return { lacks: [], note: `No table of ${quoted} was tried: they are too many to list.` };
  if (!Array.isArray(seen)) return { lacks: [lackOfUse(seen, role, { warehouse, database })], note: null };
  if (seen.length === 0) {
    const note = `The role ${role} sees no table or view in ${quoted}: it needs USAGE on their schemas and SELECT on them.`;
    return { lacks: [], note };
  }
  const tried = spread(seen as TableName[]).slice(0, triedMax);
  const closed = (await Promise.all(tried.map((table) => isClosed(desk, table)))).flatMap((is, at) =>
    is ? [tried[at]!] : [],
  );
  if (closed.length === 0) return { lacks: [], note: null };
  const shown = closed.slice(0, namedMax).map(nameOf);
  const more = closed.length > namedMax ? ', …' : '';
  const schemas = [...new Set(closed.map(({ schema }) => `${quoted}.${quoteName(schema)}`))].slice(
    0,
    namedMax,
  );
  const grants = schemas.map((schema) => `GRANT SELECT ON ALL TABLES IN SCHEMA ${schema} ${toRole(role)}`);
  const message = `The role ${role} may not SELECT from ${closed.length} of ${tried.length} tables that were tried: ${shown.join(', ')}${more}.`;
  return {
    lacks: [{ path: ['role'], message, fix: `For views VIEWS in place of TABLES: ${grants.join(' ')}` }],
    note: null,
  };
}

/** One who sees the names and may not compute, or sees the database and may not use it. */
function lackOfUse(error: unknown, role: string, { warehouse, database }: Omit<Names, 'schema'>): Lack {
  const code = error instanceof SnowflakeError ? error.code : '';
  const of = { warehouse: quoteName(warehouse), database: quoteName(database) };
  if (code === '000606') {
    const message = `The role ${role} has no USAGE on the virtual warehouse ${of.warehouse}.`;
    return { path: ['warehouse'], message, fix: usageOn(`WAREHOUSE ${of.warehouse}`, role) };
  }
  if (!isRefusal(error)) throw error;
  const message = `The role ${role} has no USAGE on the database ${of.database}.`;
  return { path: ['database'], message, fix: usageOn(`DATABASE ${of.database}`, role) };
}

async function seenTables(desk: Desk, database: string): Promise<TableName[]> {
  const { rows } = await desk.run({
    sql: `SELECT TABLE_SCHEMA, TABLE_NAME FROM ${quoteName(database)}.INFORMATION_SCHEMA.TABLES
      WHERE TABLE_SCHEMA <> 'INFORMATION_SCHEMA' ORDER BY 1, 2 LIMIT 1000`,
  });
  return (rows as [string, string][]).map(([schema, name]) => ({ database, schema, name }));
}

/** The first of each schema, then the second of each, and so on. */
function spread(tables: readonly TableName[]): TableName[] {
  const places = new Map<string, number>();
  return tables
    .map((table) => {
      const place = places.get(table.schema) ?? 0;
      places.set(table.schema, place + 1);
      return { table, place };
    })
    .toSorted((one, other) => one.place - other.place)
    .map(({ table }) => table);
}

async function isClosed(desk: Desk, table: TableName): Promise<boolean> {
  try {
    await desk.describe({ sql: `SELECT * FROM ${nameOf(table)}` });
    return false;
  } catch (error) {
    // What else is wrong with a view shows when it is read.
    if (error instanceof SnowflakeError) return isRefusal(error);
    throw error;
  }
}

function isRefusal(error: unknown): boolean {
  return error instanceof SnowflakeError && (unknown.has(error.code) || error.code === refused);
}

const nameOf = ({ database, schema, name }: TableName) => [database, schema, name].map(quoteName).join('.');
const toRole = (role: string) => `TO ROLE ${quoteName(role)};`;
const usageOn = (what: string, role: string) => `GRANT USAGE ON ${what} ${toRole(role)}`;
