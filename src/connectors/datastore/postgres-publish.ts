import type { Json, StreamPlan, StreamSelection, WrittenTable } from '#connectors/contract.ts';
import { columnKey } from '#connectors/evolve-columns.ts';
import { codeOf } from '#warehouse/postgres-errors.ts';
import type { PostgresSession } from '#warehouse/postgres-session.ts';
import { runAlone, swapIn } from '#warehouse/postgres-swap.ts';
import { quoteName } from '#warehouse/warehouse.ts';
import { filledColumns, orderColumn, planShape, replaces, reshapeSql, type Shape } from './postgres-shape.ts';
import {
  forgetStaging,
  holdStaging,
  lockPublish,
  readMarker,
  readParts,
  type StagingPlace,
  writeMarker,
  writingOf,
} from './postgres-staging.ts';
import { nullKeys, tableSql } from './publish.ts';
import type { StagingKey } from './staging.ts';

interface Publish {
  staging: StagingPlace;
  target: WrittenTable;
  shape: Shape;
  selection: StreamSelection;
  ties: StreamPlan['ties'];
  key: StagingKey;
  state: Json | null;
}

/**
 * Puts the staged rows into the table and writes the marker, in one transaction: readers see the table before or after,
 * and nothing between. Returns the rows written, those of an earlier publish of the same task when there was one. Fails with
 * SCHEMA on NULL in an UPSERT's key, leaving all as it was.
 */
export async function publishStaged(session: PostgresSession, publish: Publish): Promise<bigint> {
  const { key, target, staging, state } = publish;
  return session.transaction(async () => {
    await lockPublish(session, key, target);
    const before = await readMarker(session, key);
    if (before?.taskId === key.origin.taskId) return before.rowsWritten;
    await holdStaging(session, staging);
    const rowsWritten = await publishRows(session, publish);
    await writeMarker(session, key, state, rowsWritten);
    return rowsWritten;
  });
}

async function publishRows(session: PostgresSession, publish: Publish): Promise<bigint> {
  const { staging, shape, selection, target } = publish;
  const parts = await readParts(session, staging);
  const staged = parts.reduce((sum, { rows }) => sum + rows, 0n);
  const isUpsert = selection.writeMode === 'UPSERT';
  const rows = isUpsert ? staged - (await keepLastVersions(session, publish)) : staged;
  if (replaces(shape, selection)) {
    if (isUpsert) await settle(session, publish);
    await takePlace(session, publish);
    await forgetStaging(session, staging, 'keep');
    return rows;
  }
  // Somebody may have changed the table since the rows were staged.
  const now = await planShape(session, target, shape.arriving, selection);
  for (const sql of reshapeSql(now, target)) await runAlone(writingOf(session), sql);
  const written = isUpsert ? await mergeRows(session, publish, rows) : await addRows(session, publish);
  await forgetStaging(session, staging, 'drop');
  await session.run(`ANALYZE ${tableSql(target)}`);
  return written;
}

/** The staging table becomes the table: no row is written twice. */
async function takePlace(session: PostgresSession, publish: Publish): Promise<void> {
  const { staging, target } = publish;
  const index = `${staging.name}_key`;
  const isNew = !(await hasKeyIndex(session, publish));
  if (isNew) await makeKeyIndex(session, publish, staging, index);
  await session.run(`ANALYZE ${tableSql(staging)}`);
  await swapIn(writingOf(session), target, staging);
  const [[isFree]] = (await session.rows(
    `SELECT to_regclass(format('%I.%I', $1::text, $2::text)) IS NOT NULL AND to_regclass(format('%I.%I', $1::text, $3::text)) IS NULL`,
    [target.schema, index, keyIndexName(target)],
  )) as [[boolean]];
  if (isFree) {
    const made = tableSql({ schema: target.schema, name: index });
    await session.run(`ALTER INDEX ${made} RENAME TO ${quoteName(keyIndexName(target))}`);
  }
}

const nameBytesMax = 63;

/** Cut as PostgreSQL would: at a whole character. */
function keyIndexName({ name }: WrittenTable): string {
  let stem = name;
  while (Buffer.byteLength(`${stem}_key`) > nameBytesMax) stem = stem.slice(0, -1);
  return `${stem}_key`;
}

/** The key by the table's names for its columns; null when none is known. */
function keyColumns({ selection, shape }: Publish): string[] | null {
  const names = selection.primaryKey.map(
    (key) => shape.columns.find(({ name }) => columnKey(name) === columnKey(key))?.name,
  );
  return names.length === 0 || names.includes(undefined) ? null : (names as string[]);
}

/** Whether the table has an index that begins with its key, or nothing is known of one. */
async function hasKeyIndex(session: PostgresSession, publish: Publish): Promise<boolean> {
  const key = keyColumns(publish);
  if (!key) return true;
  const rows = await session.rows(
    `SELECT FROM pg_index x JOIN pg_class c ON c.oid = x.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = $1 AND c.relname = $2 AND x.indisvalid AND x.indpred IS NULL
       AND (SELECT array_agg(a.attname::text ORDER BY a.attname) FROM unnest(x.indkey::int2[]) WITH ORDINALITY AS k (attnum, place)
         JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum WHERE place <= $4)
         = (SELECT array_agg(name ORDER BY name) FROM unnest($3::text[]) AS name)`,
    [publish.target.schema, publish.target.name, key, key.length],
  );
  return rows.length > 0;
}

/** Reads by key find their row at once. Where values have no order or are too long for one, there is none. */
async function makeKeyIndex(
  session: PostgresSession,
  publish: Publish,
  table: { schema: string; name: string },
  index: string,
): Promise<void> {
  const isUnique = publish.selection.writeMode === 'UPSERT' && replaces(publish.shape, publish.selection);
  const columns = keyColumns(publish)!.map(quoteName).join(', ');
  await session.run('SAVEPOINT key');
  try {
    await session.run(
      `CREATE ${isUnique ? 'UNIQUE ' : ''}INDEX ${quoteName(index)} ON ${tableSql(table)} (${columns})`,
    );
  } catch (error) {
    if (!/^(42|54|0A)/.test(codeOf(error))) throw error;
    await session.run('ROLLBACK TO SAVEPOINT key');
  }
}

/** A first UPSERT has nothing to take rows from, and the table none of what staging needs. */
async function settle(session: PostgresSession, { staging, shape }: Publish): Promise<void> {
  const drops = [orderColumn];
  if (shape.removed !== null) {
    await session.run(`DELETE FROM ${tableSql(staging)} WHERE ${quoteName(shape.removed)}`);
    drops.push(quoteName(shape.removed));
  }
  const columns = drops.map((name) => `DROP COLUMN ${name}`);
  await session.run(`ALTER TABLE ${tableSql(staging)} ${columns.join(', ')}`);
}

async function mergeRows(session: PostgresSession, publish: Publish, rows: bigint): Promise<bigint> {
  const { staging, target, shape } = publish;
  if (!(await hasKeyIndex(session, publish))) {
    await makeKeyIndex(session, publish, target, `${staging.name}_key`);
  }
  await session.run(`ANALYZE ${tableSql(staging)}`);
  const keys = keyColumns(publish)!;
  const names = filledColumns(shape).map(({ name }) => name);
  const set = names
    .filter((name) => !keys.includes(name))
    .map((name) => `${quoteName(name)} = now.${quoteName(name)}`);
  const removed = shape.removed === null ? null : `now.${quoteName(shape.removed)}`;
  await session.run(
    `MERGE INTO ${tableSql(target)} AS was USING ${tableSql(staging)} AS now
     ON ${keys.map((name) => `was.${quoteName(name)} = now.${quoteName(name)}`).join(' AND ')}
     ${removed === null ? '' : `WHEN MATCHED AND ${removed} THEN DELETE`}
     ${set.length === 0 ? '' : `WHEN MATCHED THEN UPDATE SET ${set.join(', ')}`}
     WHEN NOT MATCHED ${removed === null ? '' : `AND ${removed} IS NOT TRUE`} THEN INSERT (${names.map(quoteName).join(', ')})
       VALUES (${names.map((name) => `now.${quoteName(name)}`).join(', ')})`,
  );
  return rows;
}

/**
 * Of the rows with the last cursor value some may be there already: as many as are there equal in all columns are dropped. Rows are
 * compared as text, since not every type knows equality.
 */
async function addRows(session: PostgresSession, { staging, target, shape, ties }: Publish): Promise<bigint> {
  const filled = filledColumns(shape);
  const names = filled.map(({ name }) => quoteName(name)).join(', ');
  const into = `INSERT INTO ${tableSql(target)} (${names})`;
  const tie = ties && filled.find(({ name }) => columnKey(name) === columnKey(ties.column));
  if (!tie) return session.run(`${into} SELECT ${names} FROM ${tableSql(staging)}`);
  const isTie = `${quoteName(tie.name)} = CAST($1::text AS ${tie.declared})`;
  const whole = `ROW(${names})::text`;
  return session.run(
    `${into} SELECT ${names} FROM ${tableSql(staging)} WHERE (${isTie}) IS NOT TRUE
     UNION ALL SELECT ${names} FROM (
       SELECT *, ${whole} AS _sluice_whole, row_number() OVER (PARTITION BY ${whole}) AS _sluice_nth
       FROM ${tableSql(staging)} WHERE ${isTie}) AS fresh
     LEFT JOIN (
       SELECT ${whole} AS _sluice_whole, count(*) AS _sluice_count FROM ${tableSql(target)} WHERE ${isTie} GROUP BY 1) AS held
       USING (_sluice_whole)
     WHERE _sluice_nth > coalesce(_sluice_count, 0)`,
    [ties.value],
  );
}

/** Leaves one row a key in the staging table: that with the highest cursor, or else the one that came last. Returns how many went. */
async function keepLastVersions(session: PostgresSession, publish: Publish): Promise<bigint> {
  const { staging, selection, shape } = publish;
  const keys = keyColumns(publish)!.map(quoteName);
  const isNull = keys.map((name) => `${name} IS NULL`).join(' OR ');
  const [[nulls]] = (await session.rows(`SELECT count(*) FROM ${tableSql(staging)} WHERE ${isNull}`)) as [
    [bigint],
  ];
  if (nulls > 0n) throw nullKeys(selection, nulls);
  const [[isSpare]] = (await session.rows(
    `SELECT EXISTS (SELECT FROM ${tableSql(staging)} GROUP BY ${keys.join(', ')} HAVING count(*) > 1)`,
  )) as [[boolean]];
  if (!isSpare) return 0n;
  const cursor = shape.columns.find(
    ({ name }) => selection.cursorField !== null && columnKey(name) === columnKey(selection.cursorField),
  );
  const order = [...(cursor ? [`${quoteName(cursor.name)} DESC NULLS LAST`] : []), `${orderColumn} DESC`];
  return session.run(
    `DELETE FROM ${tableSql(staging)} AS spare USING (
       SELECT ctid, row_number() OVER (PARTITION BY ${keys.join(', ')} ORDER BY ${order.join(', ')}) AS version
       FROM ${tableSql(staging)}) AS ranked
     WHERE spare.ctid = ranked.ctid AND ranked.version > 1`,
  );
}
