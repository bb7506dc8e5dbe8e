import { columnTypeOf, duckDbType, typeName } from '#connectors/column-type.ts';
import {
  ConnectorError,
  type Json,
  type StreamColumn,
  type StreamPlan,
  type StreamSelection,
  type WrittenTable,
} from '#connectors/contract.ts';
import { columnKey } from '#connectors/evolve-columns.ts';
import { sqlText } from '#connectors/files/text-casts.ts';
import type { DuckDbSession } from '#warehouse/duckdb-session.ts';
import { quoteName } from '#warehouse/warehouse.ts';
import { checkStaging, forgetStaging, type StagingKey, type StagingTable, writeMarker } from './staging.ts';

interface Publish {
  staging: StagingTable;
  target: WrittenTable;
  /** The table's from now on. */
  columns: readonly StreamColumn[];
  /** Of the staging table alone: where it is true, the row of that key goes from the table. Null when none may go. */
  removal: StreamColumn | null;
  selection: StreamSelection;
  ties: StreamPlan['ties'];
  key: StagingKey;
  state: Json | null;
}

/** "raw"."orders" */
export function tableSql({ schema, name }: { schema: string; name: string }): string {
  return `${quoteName(schema)}.${quoteName(name)}`;
}

/** UPSERT needs a key, and every column of it. */
export function refuseKeyless(
  { writeMode, primaryKey, name }: StreamSelection,
  columns: readonly StreamColumn[],
): void {
  if (writeMode !== 'UPSERT') return;
  const known = new Set(columns.map((column) => columnKey(column.name)));
  const missing = primaryKey.filter((column) => !known.has(columnKey(column)));
  if (primaryKey.length > 0 && missing.length === 0) return;
  const said =
    primaryKey.length === 0
      ? 'has no primary key'
      : `has no column "${missing.join('", "')}" of its primary key`;
  throw new ConnectorError('SCHEMA', `"${name}" ${said}, which UPSERT needs.`, {
    fix: 'Choose primaryKey among the selected columns, or another write mode.',
  });
}

/** UPSERT could never find such rows again. */
export function nullKeys({ name, primaryKey }: StreamSelection, rows: bigint): ConnectorError {
  return new ConnectorError(
    'SCHEMA',
    `${rows} rows of "${name}" have NULL in their primary key (${primaryKey.join(', ')}): no row could ever be recognised by it. The table is untouched.`,
    { fix: 'Choose a primaryKey that is never NULL, or another write mode.' },
  );
}

/** Fails with CONFIG when rows are to be taken out of a table by a write mode that knows no keys. */
export function refuseRemovals({ writeMode, name }: StreamSelection, columns: readonly StreamColumn[]): void {
  if (writeMode === 'UPSERT' || !columns.some((column) => column.marksRemoved)) return;
  throw new ConnectorError(
    'CONFIG',
    `${writeMode} cannot take the removed rows of "${name}" out of its table.`,
    {
      fix: 'Use UPSERT, or leave mirrorRemovals out.',
    },
  );
}

/**
 * Puts the staged rows into the table and writes the marker, in one transaction: readers see the table before or after,
 * and nothing between. Returns the rows written. Fails with SCHEMA on NULL in an UPSERT's key, leaving all as it was.
 */
export async function publishStaged(session: DuckDbSession, publish: Publish): Promise<bigint> {
  return session.transaction(async () => {
    await checkStaging(session, publish.staging);
    const rowsWritten = await publishRows(session, publish);
    await writeMarker(session, publish.key, publish.state, rowsWritten);
    return rowsWritten;
  });
}

async function publishRows(session: DuckDbSession, publish: Publish): Promise<bigint> {
  const { staging, selection, target } = publish;
  const exists = await tableExists(session, target);
  if (selection.writeMode === 'UPSERT' && exists) return upsertRows(session, publish);
  const isChanged = selection.writeMode === 'UPSERT' && (await keepLastVersions(session, publish));
  const replaces = selection.writeMode === 'OVERWRITE' || !exists;
  const rows = replaces ? await takePlace(session, publish, isChanged) : await addRows(session, publish);
  await forgetStaging(session, staging, replaces ? 'keep' : 'drop');
  return rows;
}

/** Whether the table is there, by its name in any case. */
export async function tableExists(
  session: DuckDbSession,
  { database, schema, name }: WrittenTable,
): Promise<boolean> {
  const rows = await session.rows(
    `SELECT 1 FROM duckdb_tables() WHERE database_name = ? AND lower(schema_name) = lower(?) AND lower(table_name) = lower(?)`,
    [database, schema, name],
  );
  return rows.length > 0;
}

/** The staging table becomes the table: no row is written twice. */
async function takePlace(session: DuckDbSession, publish: Publish, isChanged: boolean): Promise<bigint> {
  const { staging, target } = publish;
  const rows = await countRows(session, staging);
  await dropRemoved(session, publish, isChanged);
  await replaceTable(session, staging, target);
  return rows;
}

/**
 * Before the staging table takes the table's place: without the rows that are gone, and the column that says so. DuckDB
 * cannot drop a column of a table whose rows the same transaction has changed: then the rows that stay are written anew.
 */
async function dropRemoved(session: DuckDbSession, publish: Publish, isChanged: boolean): Promise<void> {
  const { staging, removal, columns } = publish;
  if (removal === null) return;
  const mark = quoteName(removal.name);
  const [[gone]] = (await session.rows(`SELECT count(*) FROM ${tableSql(staging)} WHERE ${mark}`)) as [
    [bigint],
  ];
  if (gone === 0n && !isChanged) {
    await session.run(`ALTER TABLE ${tableSql(staging)} DROP COLUMN ${mark}`);
    return;
  }
  const names = columns.map((column) => quoteName(column.name)).join(', ');
  await rewrite(session, staging, `SELECT ${names} FROM ${tableSql(staging)} WHERE ${mark} IS NOT TRUE`);
}

/** The staging table holds what the SELECT gives. */
async function rewrite(session: DuckDbSession, staging: StagingTable, select: string): Promise<void> {
  const last = { schema: staging.schema, name: `${staging.name}_last` };
  await session.run(`CREATE TABLE ${tableSql(last)} AS ${select}`);
  await session.run(`DROP TABLE ${tableSql(staging)}`);
  await session.run(`ALTER TABLE ${tableSql(last)} RENAME TO ${quoteName(staging.name)}`);
}

async function replaceTable(
  session: DuckDbSession,
  staging: StagingTable,
  target: WrittenTable,
): Promise<void> {
  await session.run(`DROP TABLE IF EXISTS ${tableSql(target)}`);
  await session.run(`ALTER TABLE ${tableSql(staging)} RENAME TO ${quoteName(target.name)}`);
}

async function countRows(session: DuckDbSession, table: { schema: string; name: string }): Promise<bigint> {
  const [[rows]] = (await session.rows(`SELECT count(*) FROM ${tableSql(table)}`)) as [[bigint]];
  return rows;
}

async function addRows(session: DuckDbSession, publish: Publish): Promise<bigint> {
  const { target, columns } = publish;
  await reshape(session, publish);
  const names = columns.map((column) => quoteName(column.name)).join(', ');
  return BigInt(await session.run(`INSERT INTO ${tableSql(target)} (${names}) ${newRows(publish, names)}`));
}

/** What deletions keep in memory until the commit grows with them; from here on the rows are written anew instead. */
const deletedRowsMax = 1_000_000n;
/** From this share of the table on, writing it anew is as quick as deleting from it. */
const rewrittenShare = 4n;

/** Few rows replace theirs in the table. Many take the rows they do not replace to themselves, and its place then. */
async function upsertRows(session: DuckDbSession, publish: Publish): Promise<bigint> {
  const { staging, target, columns, selection } = publish;
  await keepLastVersions(session, publish);
  const rows = await countRows(session, staging);
  const same = selection.primaryKey.map((name) => `was.${quoteName(name)} = now.${quoteName(name)}`);
  const held = await countRows(session, target);
  if (rows <= deletedRowsMax && rows * rewrittenShare < held) {
    await session.run(
      `DELETE FROM ${tableSql(target)} AS was USING ${tableSql(staging)} AS now WHERE ${same.join(' AND ')}`,
    );
    await addRows(session, publish);
    await forgetStaging(session, staging, 'drop');
    return rows;
  }
  await reshape(session, publish);
  const names = columns.map((column) => quoteName(column.name)).join(', ');
  await session.run(
    `INSERT INTO ${tableSql(staging)} (${names}) SELECT ${names} FROM ${tableSql(target)} AS was
     WHERE NOT EXISTS (SELECT 1 FROM ${tableSql(staging)} AS now WHERE ${same.join(' AND ')})`,
  );
  await dropRemoved(session, publish, true);
  await replaceTable(session, staging, target);
  await forgetStaging(session, staging, 'keep');
  return rows;
}

/** Of the rows with the last cursor value some may be there already: as many as are there equal in all columns are dropped. */
function newRows({ staging, target, selection, ties, columns, removal }: Publish, names: string): string {
  const all = `SELECT ${names} FROM ${tableSql(staging)}`;
  if (removal !== null) return `${all} WHERE ${quoteName(removal.name)} IS NOT TRUE`;
  const column = ties && columns.find((each) => columnKey(each.name) === columnKey(ties.column));
  if (selection.writeMode !== 'APPEND' || !ties || !column) return all;
  const isTie = `${quoteName(column.name)} = CAST(${sqlText(ties.value)} AS ${duckDbType(column.type)})`;
  return (
    `${all} WHERE (${isTie}) IS NOT TRUE UNION ALL ` +
    `(${all} WHERE ${isTie} EXCEPT ALL SELECT ${names} FROM ${tableSql(target)} WHERE ${isTie})`
  );
}

/** Brings the table to its new columns: new ones, wider types. */
async function reshape(session: DuckDbSession, { target, columns }: Publish): Promise<void> {
  const rows = (await session.rows(
    `SELECT column_name, data_type FROM duckdb_columns()
     WHERE database_name = ? AND lower(schema_name) = lower(?) AND lower(table_name) = lower(?)`,
    [target.database, target.schema, target.name],
  )) as [string, string][];
  const existing = new Map(rows.map(([name, type]) => [columnKey(name), typeName(columnTypeOf(type))]));
  for (const { name, type } of columns) {
    const held = existing.get(columnKey(name));
    const to = duckDbType(type);
    if (held === undefined)
      await session.run(`ALTER TABLE ${tableSql(target)} ADD COLUMN ${quoteName(name)} ${to}`);
    else if (held !== typeName(type)) {
      await session.run(
        `ALTER TABLE ${tableSql(target)} ALTER COLUMN ${quoteName(name)} SET DATA TYPE ${to}`,
      );
    }
  }
}

/**
 * Leaves one row a key in the staging table: that with the highest cursor, or else one of those that came last. Returns
 * whether there were others.
 */
async function keepLastVersions(session: DuckDbSession, { staging, selection }: Publish): Promise<boolean> {
  const keys = selection.primaryKey.map(quoteName);
  const empty = keys.map((name) => `${name} IS NULL`).join(' OR ');
  const [[nulls]] = (await session.rows(`SELECT count(*) FROM ${tableSql(staging)} WHERE ${empty}`)) as [
    [bigint],
  ];
  if (nulls > 0n) throw nullKeys(selection, nulls);
  const [[spare]] = (await session.rows(
    `SELECT coalesce(sum(versions - 1), 0)::BIGINT
     FROM (SELECT count(*) AS versions FROM ${tableSql(staging)} GROUP BY ${keys.join(', ')})`,
  )) as [[bigint]];
  if (spare === 0n) return false;
  const order = selection.cursorField === null ? [] : [`${quoteName(selection.cursorField)} DESC NULLS LAST`];
  const version = `row_number() OVER (PARTITION BY ${keys.join(', ')} ORDER BY ${[...order, 'rowid DESC'].join(', ')})`;
  if (spare <= deletedRowsMax) {
    await session.run(
      `DELETE FROM ${tableSql(staging)}
       WHERE rowid IN (SELECT rowid FROM ${tableSql(staging)} QUALIFY ${version} > 1)`,
    );
    return true;
  }
  await rewrite(session, staging, `SELECT * FROM ${tableSql(staging)} QUALIFY ${version} = 1`);
  return true;
}
