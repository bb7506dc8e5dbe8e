import { ConnectorError, type ConnectorContext, type DestinationSession } from '#connectors/contract.ts';
import { makeFifos } from '#connectors/fifo.ts';
import { openWorkDuckDb } from '#connectors/work-duckdb.ts';
import { stagingSchema } from '#warehouse/duckdb-tables.ts';
import type { PostgresWarehouse } from '#warehouse/postgres.ts';
import { quoteName } from '#warehouse/warehouse.ts';
import type { EngineTables, Place } from './engine-tables.ts';
import { writeError } from './postgres-error.ts';
import { prepareStaging } from './postgres-staging.ts';
import { openPostgresWriter } from './postgres-writer.ts';

/** Tables of a PostgreSQL database: rows come as COPY, and are there with their markers or not at all. */
export function postgresTables(warehouse: PostgresWarehouse): EngineTables {
  return {
    title: 'PostgreSQL',
    check: (place, signal) => checkRights(warehouse, place, signal),
    open: (place, context) => openTables(warehouse, place, context),
  };
}

async function openTables(
  warehouse: PostgresWarehouse,
  { datastore, schema }: Place,
  context: ConnectorContext,
): Promise<DestinationSession> {
  const { signal, pipesDir } = context;
  await using opening = new AsyncDisposableStack();
  const { duckDb } = opening.use(await openWorkDuckDb(pipesDir, context));
  const fifos = opening.use(makeFifos(pipesDir));
  await prepare(warehouse, schema, signal);
  const open = opening.move();
  return {
    stream: (origin, selection) =>
      openPostgresWriter({ warehouse, duckDb, fifos, signal, datastore, schema, origin, selection }),
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  };
}

async function prepare(warehouse: PostgresWarehouse, schema: string, signal: AbortSignal): Promise<void> {
  await using session = await warehouse.session(signal);
  try {
    await prepareStaging(session);
  } catch (error) {
    signal.throwIfAborted();
    const [[database, username]] = (await session.rows('SELECT current_database(), current_user')) as [
      [string, string],
    ];
    throw writeError({ what: `schema ${stagingSchema}`, schema, database, username }, error);
  }
}

/** Fails with CONFIG naming the GRANT that is missing, changing nothing. */
async function checkRights(
  warehouse: PostgresWarehouse,
  { schema }: Place,
  signal: AbortSignal,
): Promise<void> {
  const { rows } = await warehouse.run(
    {
      sql: `SELECT current_database(), current_user, pg_is_in_recovery(), has_database_privilege(current_database(), 'CREATE'),
          ARRAY(SELECT wanted FROM unnest($1::text[]) AS wanted WHERE to_regnamespace(quote_ident(wanted)) IS NULL),
          ARRAY(SELECT nspname::text FROM pg_namespace WHERE nspname = ANY ($1)
            AND NOT (has_schema_privilege(oid, 'USAGE') AND has_schema_privilege(oid, 'CREATE')))`,
      binds: [[schema, stagingSchema]],
    },
    { signal },
  );
  const [[database, username, isStandby, mayCreate, missing, closed]] = rows as [
    [string, string, boolean, boolean, string[], string[]],
  ];
  const refuse = (message: string, fix: string, path: string) => {
    throw new ConnectorError('CONFIG', message, { fix, path: [path] });
  };
  if (isStandby) {
    refuse(
      'The server is a standby, which takes no writes.',
      'Point the datastore at the primary.',
      'datastore',
    );
  }
  const to = `TO ${quoteName(username)}`;
  if (missing.length > 0 && !mayCreate) {
    const all = missing.map((name) => `"${name}"`).join(' and ');
    refuse(
      `"${username}" may not make the schema ${all} in the database "${database}".`,
      `GRANT CREATE ON DATABASE ${quoteName(database)} ${to}, or CREATE SCHEMA … AUTHORIZATION ${quoteName(username)} for each.`,
      'schema',
    );
  }
  for (const name of closed) {
    refuse(
      `"${username}" may not make tables in the schema "${name}".`,
      `GRANT USAGE, CREATE ON SCHEMA ${quoteName(name)} ${to}.`,
      'schema',
    );
  }
}
