import { AppError } from '#base/errors.ts';
import { ConnectorError } from '#connectors/contract.ts';
import type { SnowflakeWarehouse } from '#warehouse/snowflake.ts';
import { snowflakeDialect } from '#warehouse/snowflake-dialect.ts';
import { SnowflakeError } from '#warehouse/snowflake-errors.ts';
import { typeName } from '#warehouse/snowflake-values.ts';
import { joinSql, nameSql, rawSql, type Sql, sql, tableSql, toStatement } from '#warehouse/sql.ts';
import type { Statement, TableName } from '#warehouse/warehouse.ts';
import type { CloudLoader, EngineTable, LoadedColumn, NotedTable, Replacement } from './cloud-loader.ts';
import { snowflakeColumnType, snowflakeConvert, snowflakeTravel } from './snowflake-travel.ts';

const statementMs = 3_600_000;
/** Where files lie in the user's own stage: no grant is needed there. */
const stageFolder = 'sluice';
const tidyMs = 30_000;
/** No task lives for so long. */
const staleMs = 7 * 86_400_000;

/** Loads Parquet files into a Snowflake: PUT into the user's stage, COPY INTO a table, then its comment. */
export function snowflakeLoader(warehouse: SnowflakeWarehouse): CloudLoader {
  const { database } = warehouse;
  const run = async (statement: Statement, signal: AbortSignal): Promise<unknown[][]> =>
    (
      await warehouse.run(statement, {
        signal,
        deadlineMs: statementMs,
        rowsMax: 1_000_000,
        bytesMax: Infinity,
      })
    ).rows;
  const ask = (piece: Sql, signal: AbortSignal) => run(toStatement(piece, snowflakeDialect), signal);
  const catalog = (view: string) => sql`${nameSql(database)}.INFORMATION_SCHEMA.${rawSql(view)}`;
  return {
    title: 'Snowflake',
    dialect: snowflakeDialect,
    database,
    // No limit is documented; this is far below what is known to work.
    noteLengthMax: 4_000,
    travel: snowflakeTravel,
    convert: snowflakeConvert,
    comparable: (value, { kind }) => (kind === 'json' || kind === 'list' ? sql`TO_JSON(${value})` : value),
    run,
    async makeSchema(schema, signal) {
      const found = sql`SELECT 1 FROM ${catalog('SCHEMATA')} AS s WHERE s.SCHEMA_NAME = ${schema}`;
      if ((await ask(found, signal)).length > 0) return;
      await ask(sql`CREATE SCHEMA IF NOT EXISTS ${nameSql(database, schema)}`, signal);
    },
    describe: (table, signal) => describe(table, (piece) => ask(piece, signal)),
    async tables(schema, prefix, signal) {
      const piece = sql`SELECT t.TABLE_NAME, t.COMMENT, t.CREATED FROM ${catalog('TABLES')} AS t
        WHERE t.TABLE_SCHEMA = ${schema} AND STARTSWITH(t.TABLE_NAME, ${prefix})`;
      const rows = (await ask(piece, signal)) as [string, string | null, string][];
      return rows.map(([name, note, createdAt]): NotedTable => ({
        name,
        note: note ?? '',
        createdAt: new Date(createdAt),
      }));
    },
    load: (into, columns, file, signal) => load(warehouse, into, columns, file, signal),
    tidy: (signal) => removeStale((piece) => ask(piece, signal)),
    async replace(target, by, signal) {
      await ask(replaceSql(target, by), signal);
    },
    commit: (guard, then, signal) =>
      warehouse.together({ signal, deadlineMs: statementMs }, async (inSession) => {
        await inSession({ sql: 'BEGIN' });
        const [[changed]] = (await inSession(guard)) as [[bigint]];
        if (changed !== 1n) {
          await inSession({ sql: 'ROLLBACK' });
          return false;
        }
        for (const statement of then) await inSession(statement);
        await inSession({ sql: 'COMMIT' });
        return true;
      }),
    explain: missingGrant,
  };
}

async function describe(
  { database, schema, name }: TableName,
  ask: (piece: Sql) => Promise<unknown[][]>,
): Promise<EngineTable | null> {
  const of = (view: string) => sql`${nameSql(database)}.INFORMATION_SCHEMA.${rawSql(view)}`;
  const piece = sql`SELECT t.TABLE_TYPE, t.COMMENT, c.COLUMN_NAME, c.DATA_TYPE, c.NUMERIC_PRECISION, c.NUMERIC_SCALE, c.IS_NULLABLE
    FROM ${of('TABLES')} AS t
    JOIN ${of('COLUMNS')} AS c ON c.TABLE_SCHEMA = t.TABLE_SCHEMA AND c.TABLE_NAME = t.TABLE_NAME
    WHERE t.TABLE_SCHEMA = ${schema} AND t.TABLE_NAME = ${name} ORDER BY c.ORDINAL_POSITION`;
  const rows = (await ask(piece)) as [
    kind: string,
    note: string | null,
    column: string,
    type: string,
    precision: bigint | null,
    scale: bigint | null,
    nullable: string,
  ][];
  const [first] = rows;
  if (!first) return null;
  return {
    kind: first[0].endsWith('VIEW') ? 'VIEW' : 'TABLE',
    note: first[1] ?? '',
    columns: rows.map(([, , column, type, precision, scale, nullable]) => {
      const isNumber = type === 'NUMBER';
      const dataType = isNumber
        ? typeName({ name: column, type: 'fixed', precision: Number(precision), scale: Number(scale) })
        : type === 'TEXT'
          ? 'VARCHAR'
          : type;
      return { name: column, dataType, type: snowflakeColumnType(dataType), nullable: nullable === 'YES' };
    }),
  };
}

/** The table gets its comment last: without it nobody takes it for a part. */
async function load(
  warehouse: SnowflakeWarehouse,
  into: TableName,
  columns: readonly LoadedColumn[],
  file: { path: string; note: string },
  signal: AbortSignal,
): Promise<void> {
  const options = { signal, deadlineMs: statementMs };
  const ask = (piece: Sql) => warehouse.run(toStatement(piece, snowflakeDialect), options);
  const folder = `${stageFolder}/${into.name}`;
  const files = rawSql(snowflakeDialect.quoteText(`@~/${folder}/`));
  const table = tableSql(into);
  const tidied: Sql[] = [sql`REMOVE ${files}`];
  try {
    await warehouse.upload(file.path, folder, options);
    const defined = columns.map(({ name, type }) => sql`${nameSql(name)} ${rawSql(type)}`);
    // Without fail-safe: nobody would want it back.
    await ask(sql`CREATE TRANSIENT TABLE ${table} (${joinSql(defined)})`);
    const values = columns.map(({ name, type }) => sql`CAST($1:${rawSql(name)} AS ${rawSql(type)})`);
    const names = joinSql(columns.map(({ name }) => nameSql(name)));
    await ask(sql`COPY INTO ${table} (${names}) FROM (SELECT ${joinSql(values)} FROM ${files})
      FILE_FORMAT = (TYPE = PARQUET USE_LOGICAL_TYPE = TRUE) ON_ERROR = ABORT_STATEMENT`);
    await ask(sql`COMMENT ON TABLE ${table} IS ${textSql(file.note)}`);
  } catch (error) {
    tidied.push(sql`DROP TABLE IF EXISTS ${table}`);
    throw error;
  } finally {
    // Its own time: what is left goes also when the task was canceled, which is not held up by it.
    const tidying = tidied.map((piece) =>
      warehouse.run(toStatement(piece, snowflakeDialect), { deadlineMs: tidyMs }).catch(() => undefined),
    );
    if (!signal.aborted) await Promise.all(tidying);
  }
}

/** Files of a load that was killed before it could remove them: each lies in a folder of its table's name. */
async function removeStale(ask: (piece: Sql) => Promise<unknown[][]>): Promise<void> {
  const folderSql = (folder: string) => rawSql(snowflakeDialect.quoteText(`@~/${folder}/`));
  const stale = new Set<string>();
  for (const [name, , , modifiedAt] of (await ask(sql`LIST ${folderSql(stageFolder)}`)) as string[][]) {
    const [folder] = new RegExp(`${stageFolder}/[^/]+`).exec(name ?? '') ?? [];
    const isOld = Date.parse(modifiedAt ?? '') < Date.now() - staleMs;
    if (folder !== undefined && isOld) stale.add(folder);
  }
  for (const folder of stale) await ask(sql`REMOVE ${folderSql(folder)}`);
}

/** One statement: readers have the old table until it ends, and the grants of the old one stay. */
function replaceSql(target: TableName, { columns, select, note }: Replacement): Sql {
  const defined = columns.map(({ name, type }) => sql`${nameSql(name)} ${rawSql(type)}`);
  return sql`CREATE OR REPLACE TABLE ${tableSql(target)} (${joinSql(defined)}) COPY GRANTS COMMENT = ${textSql(note)} AS ${select}`;
}

/** A comment takes no bind. */
const textSql = (text: string) => rawSql(snowflakeDialect.quoteText(text));

const lacking = new Set(['003001', '003011', '003540']);

function missingGrant(error: unknown): ConnectorError | undefined {
  const cause = error instanceof AppError ? error.cause : undefined;
  if (!(cause instanceof SnowflakeError)) return undefined;
  if (!lacking.has(cause.code) && cause.sqlState !== '42501') return undefined;
  const said = cause.message.replace(/^SQL access control error:\s*/, '').trim();
  return new ConnectorError('CONFIG', `The role of the datastore may not write there: ${said}`, {
    cause: error,
    path: ['datastore'],
    fix: 'Grant it USAGE on the database and the schema, CREATE TABLE on the schema, CREATE SCHEMA on the database unless "raw" and "_sluice" are there, and OWNERSHIP of the tables that it replaces.',
  });
}
