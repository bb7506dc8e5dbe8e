import { setTimeout as sleep } from 'node:timers/promises';
import { AppError } from '#base/errors.ts';
import { ConnectorError } from '#connectors/contract.ts';
import type { DatabricksWarehouse } from '#warehouse/databricks.ts';
import { databricksDialect } from '#warehouse/databricks-dialect.ts';
import { DatabricksError } from '#warehouse/databricks-errors.ts';
import { withLiterals } from '#warehouse/databricks-literals.ts';
import { joinSql, nameSql, rawSql, type Sql, sql, tableSql, toStatement } from '#warehouse/sql.ts';
import type { Statement, TableName } from '#warehouse/warehouse.ts';
import type { CloudLoader, EngineTable, LoadedColumn, NotedTable, Replacement } from './cloud-loader.ts';
import { withWords } from './cloud-note.ts';
import { databricksColumnType, databricksConvert, databricksTravel } from './databricks-travel.ts';

const statementMs = 3_600_000;
const removeMs = 30_000;
const tidyMs = 30_000;
/** No task lives for so long. */
const staleMs = 7 * 86_400_000;
const folder = 'sluice';
/** Of two that write one table at once Delta lets one through, and has nothing of the other: that one comes again. */
const conflictTries = 8;
const conflictWaitMs = 100;

type Ask = (piece: Sql, signal: AbortSignal) => Promise<unknown[][]>;

/**
 * Loads Parquet files into a Databricks: into a volume by its Files API, and from there by CREATE TABLE AS. Its transactions of
 * two tables are a preview, so that every publish replaces the target: rows and note are one commit of Delta. Fails with CONFIG
 * for a datastore without a volume.
 */
export function databricksLoader(warehouse: DatabricksWarehouse): CloudLoader {
  const { database, volume } = warehouse;
  if (volume === undefined) {
    throw new ConnectorError('CONFIG', 'The datastore has no volume, through which syncs load their files.', {
      path: ['datastore'],
      fix: 'Make a volume in its catalog, grant READ VOLUME and WRITE VOLUME on it, and give it to the datastore as volume.',
    });
  }
  const run = (statement: Statement, signal: AbortSignal) => runAgain(warehouse, statement, signal);
  const ask: Ask = (piece, signal) => run(toStatement(piece, databricksDialect), signal);
  const catalog = (view: string) => sql`${nameSql(database)}.information_schema.${rawSql(view)}`;
  return {
    title: 'Databricks',
    dialect: databricksDialect,
    database,
    // Comments may be longer; this is far below what is known to work.
    noteLengthMax: 4_000,
    travel: databricksTravel,
    convert: databricksConvert,
    // A VARIANT can be compared with nothing.
    comparable: (value, { kind }) => (kind === 'json' ? sql`to_json(${value})` : value),
    run,
    async makeSchema(schema, signal) {
      const found = sql`SELECT 1 FROM ${catalog('schemata')} AS s WHERE s.schema_name = ${schema.toLowerCase()}`;
      if ((await ask(found, signal)).length > 0) return;
      await ask(sql`CREATE SCHEMA IF NOT EXISTS ${nameSql(database, schema)}`, signal);
    },
    describe: (table, signal) => describe(warehouse, table, ask, signal),
    async tables(schema, prefix, signal) {
      const piece = sql`SELECT t.table_name, t.comment, t.created FROM ${catalog('tables')} AS t
        WHERE t.table_schema = ${schema.toLowerCase()} AND startswith(t.table_name, ${prefix})`;
      const rows = (await ask(piece, signal)) as [string, string | null, string][];
      return rows.map(([name, note, createdAt]): NotedTable => ({
        name,
        note: note ?? '',
        createdAt: new Date(createdAt),
      }));
    },
    load: (into, columns, file, signal) =>
      load(warehouse, `${volume}/${folder}`, { into, columns, file }, signal),
    tidy: (signal) => removeStale(warehouse, `${volume}/${folder}`, signal),
    replace: (target, by, signal) => replace(warehouse, target, by, signal),
    explain: missingGrant,
  };
}

async function runAgain(
  warehouse: DatabricksWarehouse,
  statement: Statement,
  signal: AbortSignal,
): Promise<unknown[][]> {
  const options = { signal, deadlineMs: statementMs, rowsMax: 1_000_000, bytesMax: Infinity };
  for (let tries = 1; ; tries += 1) {
    try {
      return (await warehouse.run(statement, options)).rows;
    } catch (error) {
      const isConflict = error instanceof AppError && error.code === 'CONFLICT';
      if (!isConflict || tries === conflictTries) throw error;
      await sleep(conflictWaitMs * tries * (1 + Math.random()), undefined, { signal });
    }
  }
}

/**
 * The columns as the catalog knows them; the note as the table's own log does, in which it came with the rows, with the words
 * that people gave the catalog, which may know others. The catalog is asked first, so that no publish is missed between.
 */
async function describe(
  warehouse: DatabricksWarehouse,
  table: TableName,
  ask: Ask,
  signal: AbortSignal,
): Promise<EngineTable | null> {
  const of = (view: string) => sql`${nameSql(table.database)}.information_schema.${rawSql(view)}`;
  const piece = sql`SELECT t.table_type, coalesce(t.comment, ''), c.column_name, c.full_data_type, c.is_nullable
    FROM ${of('tables')} AS t
    JOIN ${of('columns')} AS c ON c.table_schema = t.table_schema AND c.table_name = t.table_name
    WHERE t.table_schema = ${table.schema.toLowerCase()} AND t.table_name = ${table.name.toLowerCase()}
    ORDER BY c.ordinal_position`;
  const rows = (await ask(piece, signal)) as [string, string, string, string, string][];
  const [first] = rows;
  if (!first) return null;
  const [type, seen] = first;
  const kind = type.endsWith('VIEW') ? 'VIEW' : 'TABLE';
  return {
    kind,
    note: kind === 'VIEW' ? '' : withWords(await noteOf(warehouse, table, signal), seen),
    seen,
    columns: rows.map(([, , name, dataType, nullable]) => ({
      name,
      dataType,
      type: databricksColumnType(dataType),
      nullable: nullable === 'YES',
    })),
  };
}

async function noteOf(
  warehouse: DatabricksWarehouse,
  table: TableName,
  signal: AbortSignal,
): Promise<string> {
  const detail = toStatement(sql`DESCRIBE DETAIL ${tableSql(table)}`, databricksDialect);
  const { columns, rows } = await warehouse.run(detail, { signal, deadlineMs: statementMs });
  const at = columns.findIndex(({ name }) => name === 'description');
  const note = rows[0]?.[at];
  return typeof note === 'string' ? note : '';
}

/** The table and its note are one commit. The file goes whatever happens. */
async function load(
  warehouse: DatabricksWarehouse,
  volume: string,
  {
    into,
    columns,
    file,
  }: { into: TableName; columns: readonly LoadedColumn[]; file: { path: string; note: string } },
  signal: AbortSignal,
): Promise<void> {
  const to = `${volume}/${into.name}.parquet`;
  try {
    await warehouse.upload({ from: file.path, to }, { signal, deadlineMs: statementMs });
    const values = columns.map(
      ({ name, type }) => sql`CAST(${rawSql(name)} AS ${rawSql(type)}) AS ${rawSql(name)}`,
    );
    const piece = sql`CREATE TABLE ${tableSql(into)} COMMENT ${textSql(file.note)}
      AS SELECT ${joinSql(values)} FROM parquet.${nameSql(to)}`;
    await warehouse.run(toStatement(piece, databricksDialect), { signal, deadlineMs: statementMs });
  } finally {
    // Its own time: the file goes also when the task was canceled.
    await warehouse.removeFile(to, { deadlineMs: removeMs }).catch(() => undefined);
  }
}

/** Files of loads whose process died in the middle. What cannot be removed stays: the next task comes for it. */
async function removeStale(warehouse: DatabricksWarehouse, path: string, signal: AbortSignal): Promise<void> {
  const options = { signal, deadlineMs: tidyMs };
  const files = await warehouse.files(path, options).catch(() => []);
  for (const { path: of, modifiedAt } of files) {
    if (modifiedAt.getTime() > Date.now() - staleMs) continue;
    await warehouse.removeFile(of, options).catch(() => undefined);
  }
}

const overtaken = 'sluice: overtaken';

/**
 * One commit: readers have the old table until it ends, and grants and history of the old one stay. Nobody can have come in
 * between: a publish that began before another ended meets it in the log of Delta, as a conflict, and one that begins after it
 * finds another comment in the catalog.
 */
async function replace(
  warehouse: DatabricksWarehouse,
  target: TableName,
  by: Replacement,
  signal: AbortSignal,
): Promise<void> {
  try {
    // Not sent again after a conflict: what it read is old by then.
    const statement = withLiterals(toStatement(replaceSql(target, by), databricksDialect));
    await warehouse.run(statement, { signal, deadlineMs: statementMs });
  } catch (error) {
    const cause = error instanceof AppError ? error.cause : undefined;
    if (!(cause instanceof DatabricksError) || !cause.message.includes(overtaken)) throw error;
    throw new ConnectorError(
      'TRANSIENT',
      `${target.schema}.${target.name} was published to by another task meanwhile.`,
      {
        cause: error,
        fix: 'It is tried again.',
      },
    );
  }
}

function replaceSql(target: TableName, { columns, select, note, before }: Replacement): Sql {
  const values = columns.map(
    ({ name, type }) => sql`CAST(${nameSql(name)} AS ${rawSql(type)}) AS ${nameSql(name)}`,
  );
  const asBefore = before === null ? sql`count(*) = 0` : sql`coalesce(max(t.comment), '') = ${before}`;
  const guard = sql`SELECT CASE WHEN ${asBefore} THEN TRUE ELSE raise_error('${rawSql(overtaken)}') END AS is_as_before
    FROM ${nameSql(target.database)}.information_schema.tables AS t
    WHERE t.table_schema = ${target.schema.toLowerCase()} AND t.table_name = ${target.name.toLowerCase()}`;
  return sql`CREATE OR REPLACE TABLE ${tableSql(target)} COMMENT ${textSql(note)}
    TBLPROPERTIES ('delta.columnMapping.mode' = 'name')
    AS SELECT ${joinSql(values)} FROM (${select}) AS made CROSS JOIN (${guard}) AS guard WHERE guard.is_as_before`;
}

/** A comment takes no bind. */
const textSql = (text: string) => rawSql(databricksDialect.quoteText(text));

function missingGrant(error: unknown): ConnectorError | undefined {
  const cause = error instanceof AppError ? error.cause : undefined;
  if (!(cause instanceof DatabricksError)) return undefined;
  if (cause.condition === 'NOT_FOUND') {
    return new ConnectorError('CONFIG', `The volume of the datastore is not there: ${cause.message}`, {
      cause: error,
      path: ['datastore'],
      fix: 'Check the volume of the datastore.',
    });
  }
  if (cause.sqlState !== '42501') return undefined;
  return new ConnectorError('CONFIG', `The user of the datastore may not write there: ${cause.message}`, {
    cause: error,
    path: ['datastore'],
    fix: 'Grant it USE CATALOG, USE SCHEMA, SELECT, MODIFY and CREATE TABLE on the schema and on "_sluice", CREATE SCHEMA on the catalog unless both are there, and READ VOLUME and WRITE VOLUME on the volume.',
  });
}
