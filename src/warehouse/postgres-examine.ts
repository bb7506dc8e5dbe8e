import type { RunRead } from './postgres-kind.ts';
import { isShown, ownSchemas } from './postgres-tables.ts';
import { stagingSchema } from './duckdb-tables.ts';
import type { Examination, Lack } from './warehouse.ts';
import { quoteName } from './warehouse.ts';

const namedMax = 5;

interface Schema {
  name: string;
  mayUse: boolean;
  mayCreate: boolean;
  /** Tables and views; of those the ones that the role may not read, and some of their names. */
  tables: number;
  closed: number;
  closedNames: string[];
}

interface Role {
  name: string;
  database: string;
  mayMakeTemporary: boolean;
  mayMakeSchemas: boolean;
  /** Null where the schema of Sluice's own is not there. */
  mayUseOwn: boolean | null;
}

/**
 * What keeps the role from reading: temporary views, the schema of the config, tables, each with the GRANT that it lacks. That it
 * may read some tables and others not, or write nothing, may be meant so and is noted. Changes nothing. Fails as a statement does.
 */
export async function examine(run: RunRead, schema: string | undefined): Promise<Examination> {
  const [role, schemas] = [await roleOf(run), await schemasOf(run)];
  const lacks = [lackOfTemporary(role), lackOfSchema(role, schemas, schema)].filter((lack) => lack !== null);
  const tables = schemas.reduce((sum, each) => sum + each.tables, 0);
  const closed = schemas.reduce((sum, each) => sum + each.closed, 0);
  if (closed > 0 && closed === tables) lacks.push(lackOfTables(role, schemas, tables));
  if (lacks.length > 0) return { lacks, note: null };
  const notes = [
    tables === 0 ? `The database ${quoteName(role.database)} has no tables or views yet.` : null,
    closed > 0
      ? `The role ${quoteName(role.name)} may not SELECT from ${closed} of ${tables} tables and views: ${named(schemas)}; ${grants(role, schemas)}`
      : null,
    noteOfWrites(role, schemas),
  ].filter((note) => note !== null);
  return { lacks: [], note: notes.length === 0 ? null : notes.join(' ') };
}

async function roleOf(run: RunRead): Promise<Role> {
  const { rows } = await run({
    sql: `SELECT current_user::text, current_database()::text, has_database_privilege(current_database(), 'TEMPORARY'),
        has_database_privilege(current_database(), 'CREATE'),
        (SELECT has_schema_privilege(oid, 'USAGE') AND has_schema_privilege(oid, 'CREATE') FROM pg_namespace WHERE nspname = $1)`,
    binds: [stagingSchema],
  });
  const [[name, database, mayMakeTemporary, mayMakeSchemas, mayUseOwn]] = rows as [
    [string, string, boolean, boolean, boolean | null],
  ];
  return { name, database, mayMakeTemporary, mayMakeSchemas, mayUseOwn };
}

async function schemasOf(run: RunRead): Promise<Schema[]> {
  const mayRead = `has_schema_privilege(n.oid, 'USAGE')
    AND (has_table_privilege(c.oid, 'SELECT') OR has_any_column_privilege(c.oid, 'SELECT'))`;
  const { rows } = await run({
    sql: `SELECT n.nspname::text, has_schema_privilege(n.oid, 'USAGE'), has_schema_privilege(n.oid, 'CREATE'),
        count(c.oid), count(c.oid) FILTER (WHERE NOT (${mayRead})),
        (array_agg(c.relname::text ORDER BY c.relname) FILTER (WHERE NOT (${mayRead})))[1:${namedMax}]
      FROM pg_namespace n LEFT JOIN pg_class c ON c.relnamespace = n.oid AND ${isShown}
      WHERE ${ownSchemas} GROUP BY n.oid, n.nspname ORDER BY 1`,
  });
  return (rows as [string, boolean, boolean, bigint, bigint, string[] | null][]).map(
    ([name, mayUse, mayCreate, tables, closed, closedNames]) => ({
      name,
      mayUse,
      mayCreate,
      tables: Number(tables),
      closed: Number(closed),
      closedNames: closedNames ?? [],
    }),
  );
}

function lackOfTemporary({ name, database, mayMakeTemporary }: Role): Lack | null {
  if (mayMakeTemporary) return null;
  const [role, of] = [quoteName(name), quoteName(database)];
  return {
    path: ['username'],
    message: `The role ${role} may make no temporary views in the database ${of}, with which every SELECT is looked at.`,
    fix: `GRANT TEMPORARY ON DATABASE ${of} TO ${role};`,
  };
}

function lackOfSchema({ name }: Role, schemas: readonly Schema[], schema: string | undefined): Lack | null {
  const found = schemas.find((each) => each.name === schema);
  if (!found || found.mayUse) return null;
  const [role, of] = [quoteName(name), quoteName(found.name)];
  return {
    path: ['schema'],
    message: `The role ${role} has no USAGE on the schema ${of}.`,
    fix: `GRANT USAGE ON SCHEMA ${of} TO ${role};`,
  };
}

function lackOfTables(role: Role, schemas: readonly Schema[], tables: number): Lack {
  const message = `The role ${quoteName(role.name)} may SELECT from none of the ${tables} tables and views: ${named(schemas)}.`;
  return { path: ['username'], message, fix: grants(role, schemas) };
}

/** Some of those that may not be read. */
function named(schemas: readonly Schema[]): string {
  const names = schemas.flatMap(({ name, closedNames }) => closedNames.map((table) => `${name}.${table}`));
  const closed = schemas.reduce((sum, each) => sum + each.closed, 0);
  return `${names.slice(0, namedMax).join(', ')}${closed > namedMax ? ', …' : ''}`;
}

function grants({ name }: Role, schemas: readonly Schema[]): string {
  const to = `TO ${quoteName(name)};`;
  return schemas
    .filter(({ closed }) => closed > 0)
    .slice(0, namedMax)
    .flatMap((schema) => [
      ...(schema.mayUse ? [] : [`GRANT USAGE ON SCHEMA ${quoteName(schema.name)} ${to}`]),
      `GRANT SELECT ON ALL TABLES IN SCHEMA ${quoteName(schema.name)} ${to}`,
    ])
    .join(' ');
}

/** What jobs and transformations would meet. */
function noteOfWrites(
  { name, database, mayMakeSchemas, mayUseOwn }: Role,
  schemas: readonly Schema[],
): string | null {
  const mayWrite = mayMakeSchemas || schemas.some(({ mayUse, mayCreate }) => mayUse && mayCreate);
  if (mayWrite && (mayUseOwn ?? mayMakeSchemas)) return null;
  const role = quoteName(name);
  const create = `GRANT CREATE ON DATABASE ${quoteName(database)} TO ${role};`;
  if (!mayWrite) {
    return `The role ${role} may read and not write: jobs and transformations that write there need ${create}`;
  }
  const grant = mayUseOwn === null ? create : `GRANT USAGE, CREATE ON SCHEMA ${stagingSchema} TO ${role};`;
  return `The role ${role} may make no tables in the schema ${stagingSchema}, which jobs need to write there and to compare rows: ${grant}`;
}
