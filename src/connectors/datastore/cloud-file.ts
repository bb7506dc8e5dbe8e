import { join } from 'node:path';
import { rm } from 'node:fs/promises';
import { messageOf } from '#base/errors.ts';
import { newId } from '#base/id.ts';
import { duckDbType, typeName } from '#connectors/column-type.ts';
import { ColumnMisfit, type OpenPart, type StreamColumn } from '#connectors/contract.ts';
import { columnKey } from '#connectors/evolve-columns.ts';
import { copyTo } from '#connectors/parquet/version-sql.ts';
import type { WorkDuckDb } from '#connectors/work-duckdb.ts';
import type { Sql } from '#warehouse/sql.ts';
import { quoteName } from '#warehouse/warehouse.ts';
import type { CloudLoader, ColumnTravel, LoadedColumn } from './cloud-loader.ts';

/** A column of the target, and what of the file it is made of; null when the file lacks it. */
export interface TargetColumn extends StreamColumn {
  engineType: string;
  from: { name: string; read: (value: Sql) => Sql } | null;
}

/** How a stream's rows are written into files, and what the target makes of those. */
export interface FilePlan {
  /** Of the file, and of the table that holds a part. */
  columns: LoadedColumn[];
  /** DuckDB's SQL of what stands in the file, in its order. */
  values: string[];
  /** Whose values are checked, by the number in the message. */
  checked: StreamColumn[];
  target: TargetColumn[];
  /** Tell the versions of a key apart; null when nobody asks. */
  versions: { order: string; removed: string } | null;
}

/** So begins what DuckDB says of a value that the engine cannot hold: then the number of its column, and the value. */
const misfitMark = 'sluice-misfit ';

/**
 * Plans the file of a stream whose rows have the columns `arriving` and whose table has `columns`. With `versions` it tells
 * the versions of a key apart, and which of them remove it.
 */
export function planFile(
  loader: CloudLoader,
  arriving: readonly StreamColumn[],
  columns: readonly StreamColumn[],
  versions: boolean,
): FilePlan {
  const plan: FilePlan = { columns: [], values: [], checked: [], target: [], versions: null };
  const add = (value: string, { staged }: ColumnTravel): string => {
    const name = `C${plan.values.length}`;
    plan.values.push(`${value} AS ${name}`);
    plan.columns.push({ name, type: staged });
    return name;
  };
  for (const column of columns) {
    const isSame = (each: StreamColumn) => columnKey(each.name) === columnKey(column.name);
    const from = arriving.find((each) => !each.marksRemoved && isSame(each));
    const { type: engineType } = loader.travel(column.type);
    const way = from && travelOf(loader, from, column);
    const name = from && way && add(written(from, way, plan.checked), way.travel);
    plan.target.push({ ...column, engineType, from: name && way ? { name, read: way.travel.read } : null });
  }
  if (!versions) return plan;
  const [order, flag] = [loader.travel({ kind: 'int64' }), loader.travel({ kind: 'boolean' })];
  const removes = arriving.find(({ marksRemoved }) => marksRemoved);
  const isRemoved = removes ? `coalesce(${quoteName(removes.name)}, false)` : 'false';
  plan.versions = {
    order: add(order.write('row_number() OVER ()'), order),
    removed: add(flag.write(isRemoved), flag),
  };
  return plan;
}

/** How the values travel that arrive in one column and end in the other: as what they are, if that ends in the target's type. */
function travelOf(
  loader: CloudLoader,
  from: StreamColumn,
  to: StreamColumn,
): { travel: ColumnTravel; value: string } {
  const own = loader.travel(from.type);
  const given = quoteName(from.name);
  if (typeName(own.kept) === typeName(to.type)) return { travel: own, value: given };
  return { travel: loader.travel(to.type), value: `CAST(${given} AS ${duckDbType(to.type)})` };
}

/** DuckDB's SQL for what stands in the file: an error for what the engine cannot hold. */
function written(from: StreamColumn, way: ReturnType<typeof travelOf>, checked: StreamColumn[]): string {
  const { travel, value } = way;
  if (!travel.fits) return travel.write(value);
  checked.push(from);
  const misfit = `error('${misfitMark}${checked.length - 1} ' || CAST(${value} AS VARCHAR))`;
  return `CASE WHEN ${value} IS NULL OR ${travel.fits(value)} THEN ${travel.write(value)} ELSE ${misfit} END`;
}

/** A part as a Parquet file, until it is disposed of. */
export interface PartFile extends AsyncDisposable {
  path: string;
  rows: bigint;
}

/**
 * Writes a part's rows into a file, on a connection of its own, so that several are written at once; it is whole when the
 * source has said that it gave all. Any failure leaves no file. Fails with ColumnMisfit for what the engine cannot hold.
 */
export async function writeFile(
  { duckDb, folder }: WorkDuckDb,
  plan: FilePlan,
  part: OpenPart,
  signal: AbortSignal,
): Promise<PartFile> {
  const path = join(folder, `${newId()}.parquet`);
  const remove = () => rm(path, { force: true });
  const failed = new AbortController();
  // A source that fails while nothing flows must end the scan that waits for it.
  part.finished.catch((error: unknown) => failed.abort(error));
  const select = `SELECT ${plan.values.length > 0 ? plan.values.join(', ') : '1 AS C0'} FROM (${part.scan})`;
  try {
    await using session = await duckDb.session();
    const stopped = AbortSignal.any([signal, failed.signal]);
    const rows = await session.interruptible(stopped, () => session.run(copyTo(select, path, 'zstd')));
    await part.finished;
    signal.throwIfAborted();
    return { path, rows: BigInt(rows), [Symbol.asyncDispose]: remove };
  } catch (error) {
    await remove();
    signal.throwIfAborted();
    failed.signal.throwIfAborted();
    throw misfitOf(error, plan) ?? error;
  }
}

function misfitOf(error: unknown, plan: FilePlan): ColumnMisfit | undefined {
  const [, number, value] = new RegExp(`${misfitMark}(\\d+) (.*)`, 's').exec(messageOf(error)) ?? [];
  const column = plan.checked[Number(number)];
  return column && new ColumnMisfit(column.name, value!, { cause: error });
}
