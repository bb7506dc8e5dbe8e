import { messageOf } from '#base/errors.ts';
import {
  ConnectorError,
  type CheckResult,
  type ConnectorContext,
  type SourceConnector,
  type StreamInfo,
} from '#connectors/contract.ts';
import { hangUp } from '#warehouse/postgres-connect.ts';
import { connect } from './connect.ts';
import { describeRelations, streamOf } from './describe-tables.ts';
import { planStream } from './plan-stream.ts';
import { readError } from './read-error.ts';
import { postgresSpec, type PostgresConfig } from './spec.ts';

/** Reads tables and views of a PostgreSQL database, 13 or newer. */
export const postgresSource: SourceConnector<PostgresConfig> = {
  type: 'postgres',
  version: '1.0.0',
  title: 'PostgreSQL',
  documentationUrl: 'https://www.postgresql.org/docs/',
  spec: postgresSpec,
  syncModes: ['FULL_REFRESH', 'INCREMENTAL'],
  check,
  discover,
  async open(config, context) {
    return {
      plan: (selection, from) => planStream(config, selection, from, context),
      async [Symbol.asyncDispose]() {},
    };
  },
};

/** The catalog answers in milliseconds; whoever holds locks on it must not hold up the answer. */
const statementTimeout = `SET statement_timeout = '15s'`;

async function check(config: PostgresConfig, context: ConnectorContext): Promise<CheckResult> {
  try {
    const client = await connect(config, context.signal);
    try {
      await client.query(statementTimeout);
      const schemas = config.schemas ?? ['public'];
      const missing = await unusableSchemas(client, schemas);
      if (missing)
        return refused(missing, ['schemas'], 'Name schemas that exist and that the user has USAGE on.');
      const [{ version }] = (await client.query(`SELECT current_setting('server_version') AS version`)).rows;
      const found = await describeRelations(client, schemas, null);
      const streams = `${found.length} ${found.length === 1 ? 'table or view' : 'tables and views'}`;
      return { ok: true, message: `PostgreSQL ${String(version).split(' ')[0]}, ${streams}.`, problems: [] };
    } finally {
      hangUp(client);
    }
  } catch (error) {
    context.signal.throwIfAborted();
    if (error instanceof ConnectorError) return refused(error.message, error.path, error.fix);
    const said = `The server answered the connection, but not a look into its catalog: ${messageOf(error)}.`;
    return refused(said, [], 'Look for a transaction that holds locks on the catalog.');
  }
}

function refused(message: string, path: readonly string[], fix: string | undefined): CheckResult {
  return {
    ok: false,
    message,
    problems: [{ code: 'CONNECTION_FAILED', message, path: ['config', ...path], fix }],
  };
}

async function unusableSchemas(
  client: Awaited<ReturnType<typeof connect>>,
  schemas: readonly string[],
): Promise<string | null> {
  const { rows } = await client.query(
    `SELECT s.name, n.oid IS NOT NULL AS exists FROM unnest($1::text[]) s (name) LEFT JOIN pg_namespace n ON n.nspname = s.name
     WHERE n.oid IS NULL OR NOT has_schema_privilege(n.oid, 'USAGE')`,
    [schemas],
  );
  if (rows.length === 0) return null;
  return rows
    .map((row) =>
      row.exists ? `The user may not use the schema "${row.name}".` : `There is no schema "${row.name}".`,
    )
    .join(' ');
}

async function discover(config: PostgresConfig, context: ConnectorContext): Promise<StreamInfo[]> {
  const client = await connect(config, context.signal);
  const stop = () => hangUp(client);
  context.signal.addEventListener('abort', stop, { once: true });
  try {
    await client.query(statementTimeout);
    const relations = await describeRelations(client, config.schemas ?? ['public'], null);
    return relations.filter((relation) => relation.columns.length > 0).map(streamOf);
  } catch (error) {
    context.signal.throwIfAborted();
    throw readError('the catalog', error);
  } finally {
    context.signal.removeEventListener('abort', stop);
    hangUp(client);
  }
}
