import { copyFile, link, stat } from 'node:fs/promises';
import { newId } from '#base/id.ts';
import { duckDbType } from '#connectors/column-type.ts';
import {
  ConnectorError,
  type StreamColumn,
  type StreamPlan,
  type StreamSelection,
} from '#connectors/contract.ts';
import type { DuckDbSession } from '#warehouse/duckdb-session.ts';
import { quoteName } from '#warehouse/warehouse.ts';
import type { VersionFile } from './marker.ts';
import type { TableFolder, Version } from './table-folder.ts';
import { allRows, copyTo, isTie, lastVersions, noRows, parquet, readRows, sameKey } from './version-sql.ts';

/** What a new version is made of. */
export interface Building {
  folder: TableFolder;
  /** The folder in the table's folder that becomes the version. */
  into: string;
  session: DuckDbSession;
  compression: string;
  before: Version | null;
  /** The table's columns from now on; staged files have them already. */
  columns: StreamColumn[];
  selection: StreamSelection;
  ties: StreamPlan['ties'];
  /** Staged files by their parts' order. */
  staged: readonly VersionFile[];
  staging: string;
}

/** Puts the files of the next version together, and says how many rows of them the task wrote. */
export async function buildVersion(
  building: Building,
): Promise<{ files: VersionFile[]; rowsWritten: bigint }> {
  const { selection, staged } = building;
  const withRows = { ...building, staged: staged.filter((file) => file.rows > 0) };
  const built =
    selection.writeMode === 'OVERWRITE'
      ? await overwrite(withRows)
      : selection.writeMode === 'APPEND'
        ? await append(withRows)
        : await upsert(withRows);
  const files = built.files.filter((file) => file.rows > 0);
  for (const file of built.files)
    if (file.rows === 0) await building.folder.remove(`${building.into}/${file.name}`);
  if (files.length > 0) return { ...built, files: await compacted(building, files) };
  return { ...built, files: [await write(building, noRows(building.columns))] };
}

type Built = { files: VersionFile[]; rowsWritten: bigint };

async function overwrite(building: Building): Promise<Built> {
  const files = await Promise.all(building.staged.map((file) => keepStaged(building, file)));
  return { files, rowsWritten: rowsOf(files) };
}

async function append(building: Building): Promise<Built> {
  const { ties } = building;
  const before = await keepBefore(building);
  const fresh =
    ties && before.length > 0 ? await withoutTies(building, ties, before) : await overwrite(building);
  return { files: [...before, ...fresh.files], rowsWritten: fresh.rowsWritten };
}

/** Of the staged rows with the cursor's last value those that the table has already are dropped, each as often as it is there. */
async function withoutTies(
  building: Building,
  ties: NonNullable<StreamPlan['ties']>,
  before: VersionFile[],
): Promise<Built> {
  const { columns, session, staged } = building;
  const tie = isTie(ties, columns);
  const kept: VersionFile[] = [];
  const tied: string[] = [];
  for (const file of staged) {
    const path = stagedPath(building, file);
    const [[count] = []] = await session.rows(`SELECT count(*) FROM ${parquet([path])} WHERE ${tie}`);
    if (count === 0n) {
      kept.push(await keepStaged(building, file));
    } else {
      tied.push(path);
      kept.push(await write(building, `${allRows([path], columns)} WHERE NOT (${tie})`));
    }
  }
  if (tied.length > 0) {
    const there = before.map((file) => builtPath(building, file));
    kept.push(
      await write(
        building,
        `${allRows(tied, columns)} WHERE ${tie} EXCEPT ALL ${allRows(there, columns)} WHERE ${tie}`,
      ),
    );
  }
  return { files: kept, rowsWritten: rowsOf(kept) };
}

/** Files without a row that arrives anew stay as they are; the others are written again without those rows. */
async function upsert(building: Building): Promise<Built> {
  const { session, columns, selection, staged } = building;
  if (staged.length === 0) return { files: await keepBefore(building), rowsWritten: 0n };
  const key = selection.primaryKey;
  const paths = staged.map((file) => stagedPath(building, file));
  await session.run(
    `CREATE OR REPLACE TEMP TABLE arrived AS SELECT DISTINCT ${key.map(quoteName).join(', ')} FROM ${parquet(paths)}`,
  );
  const isNull = key.map((column) => `${quoteName(column)} IS NULL`).join(' OR ');
  const [[keys, nulls] = []] = await session.rows(
    `SELECT count(*), count(*) FILTER (WHERE ${isNull}) FROM arrived`,
  );
  if (nulls !== 0n) throw nullKey(selection);
  const isOnce = keys === rowsOf(staged);
  const fresh = isOnce
    ? await Promise.all(staged.map((file) => keepStaged(building, file)))
    : [await write(building, lastVersions(paths, columns, key, selection.cursorField))];
  const files: VersionFile[] = [];
  for (const file of await keepBefore(building)) {
    const path = builtPath(building, file);
    const match = `SELECT 1 FROM arrived WHERE ${sameKey(key, 'arrived', 'held')}`;
    const [[hits] = []] = await session.rows(
      `SELECT count(*) FROM ${parquet([path])} AS held WHERE EXISTS (${match})`,
    );
    if (hits === 0n) {
      files.push(file);
    } else {
      files.push(await write(building, `${allRows([path], columns)} AS held WHERE NOT EXISTS (${match})`));
      await building.folder.remove(`${building.into}/${file.name}`);
    }
  }
  await session.run('DROP TABLE arrived');
  return { files: [...files, ...fresh], rowsWritten: keys as bigint };
}

function nullKey({ name, primaryKey }: StreamSelection): ConnectorError {
  return new ConnectorError(
    'SCHEMA',
    `"${name}" has rows with NULL in their primary key (${primaryKey.join(', ')}): no row could ever be recognised by it. The table is untouched.`,
    { fix: 'Choose a primaryKey that is never NULL, or another write mode.' },
  );
}

/** The files of the version before: linked while their columns are still the table's, else written again. */
async function keepBefore(building: Building): Promise<VersionFile[]> {
  const { before, folder, columns, into } = building;
  if (!before) return [];
  const isSame = shapeOf(before.marker.columns) === shapeOf(columns);
  const kept: VersionFile[] = [];
  for (const file of before.marker.files.filter((each) => each.rows > 0)) {
    const path = folder.at(before.name, file.name);
    if (isSame) {
      await linkOrCopy(path, folder.at(into, file.name));
      kept.push(file);
    } else {
      kept.push(await write(building, readRows({ path, columns: before.marker.columns }, columns)));
    }
  }
  return kept;
}

function shapeOf(columns: readonly StreamColumn[]): string {
  return JSON.stringify(columns.map((column) => [column.name, duckDbType(column.type)]));
}

const smallBytesMax = 4 * 1024 * 1024;
const smallFilesMax = 32;

/** A table that is written to every few minutes does not end as ten thousand files: many small ones become one. */
async function compacted(building: Building, files: VersionFile[]): Promise<VersionFile[]> {
  const small = files.filter((file) => file.bytes < smallBytesMax);
  if (small.length <= smallFilesMax) return files;
  const paths = small.map((file) => builtPath(building, file));
  const merged = await write(building, allRows(paths, building.columns));
  for (const file of small) await building.folder.remove(`${building.into}/${file.name}`);
  return [...files.filter((file) => !small.includes(file)), merged];
}

async function write(building: Building, select: string): Promise<VersionFile> {
  const file = `${newId()}.parquet`;
  const path = building.folder.at(building.into, file);
  const rows = await building.session.run(copyTo(select, path, building.compression));
  return { name: file, rows, bytes: (await stat(path)).size };
}

async function keepStaged(building: Building, file: VersionFile): Promise<VersionFile> {
  const kept = { ...file, name: `${newId()}.parquet` };
  await linkOrCopy(stagedPath(building, file), builtPath(building, kept));
  return kept;
}

function stagedPath({ folder, staging }: Building, file: VersionFile): string {
  return folder.at(staging, file.name);
}

function builtPath({ folder, into }: Building, file: VersionFile): string {
  return folder.at(into, file.name);
}

/** Not every file system has hard links. */
async function linkOrCopy(from: string, to: string): Promise<void> {
  await link(from, to).catch((error: NodeJS.ErrnoException) => {
    if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'].includes(error.code ?? '')) throw error;
    return copyFile(from, to);
  });
}

function rowsOf(files: readonly VersionFile[]): bigint {
  return files.reduce((sum, file) => sum + BigInt(file.rows), 0n);
}
