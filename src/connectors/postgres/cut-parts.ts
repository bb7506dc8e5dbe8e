import type pg from 'pg';
import { sqlText } from '#connectors/files/text-casts.ts';
import { quoteName } from '#warehouse/warehouse.ts';
import type { DescribedRelation } from './describe-tables.ts';
import { tableSql } from './scan-sql.ts';

/** A slice of a relation's rows as a condition. */
export interface Slice {
  id: string;
  title: string;
  where: string | null;
}

/** Smaller parts lose less at a crash; below some 100,000 rows opening them begins to cost. */
const rowsPerPart = 250_000n;
const bytesPerPart = 64n * 1024n * 1024n;
const partsMax = 2_000n;
const blockBytes = 8192n;

/** Into how many parts a relation of that size is worth cutting. */
export function partCount({
  estimatedRows,
  bytes,
}: Pick<DescribedRelation, 'estimatedRows' | 'bytes'>): number {
  const byRows = (estimatedRows ?? 0n) / rowsPerPart;
  const byBytes = bytes / bytesPerPart;
  const count = (byRows > byBytes ? byRows : byBytes) + 1n;
  return Number(count > partsMax ? partsMax : count);
}

/** The column whose ranges can cut the relation: its primary key when that is one integer. */
export function rangeKey(relation: DescribedRelation): string | null {
  const [key, ...more] = relation.primaryKey;
  const column = relation.columns.find((each) => each.name === key);
  if (!key || more.length > 0 || !column || !['r', 'p'].includes(relation.kind)) return null;
  return ['int2', 'int4', 'int8'].includes(integerNames[column.sourceType] ?? '') ? key : null;
}

const integerNames: Record<string, string> = { smallint: 'int2', integer: 'int4', bigint: 'int8' };

/** How many blocks a sample reads: 4 for each bound, and enough that few bounds lie well too. */
const blocksPerBound = 4;
const sampledBlocksMin = 256;

/**
 * Bounds that cut the keys into `count` ranges of about as many rows each, whatever gaps the keys have: quantiles of the
 * keys in a sample of blocks.
 */
export async function keyBounds(
  client: pg.Client,
  relation: DescribedRelation,
  key: string,
  count: number,
): Promise<string[]> {
  if (count < 2) return [];
  const blocks = relation.bytes / blockBytes + 1n;
  const percent = Math.min(100, (Math.max(blocksPerBound * count, sampledBlocksMin) * 100) / Number(blocks));
  const shares = Array.from({ length: count - 1 }, (_, at) => (at + 1) / count);
  const { rows } = await client.query(
    `SELECT percentile_disc($1::float8[]) WITHIN GROUP (ORDER BY ${quoteName(key)})::text[] AS bounds
     FROM ${tableSql(relation)} TABLESAMPLE SYSTEM (${percent.toFixed(6)}) REPEATABLE (1)`,
    [shares],
  );
  const bounds: string[] = rows[0]?.bounds ?? [];
  return Array.from(new Set(bounds));
}

/** The ranges between bounds, open at both ends so that no row can lie outside. */
export function keySlices(key: string, bounds: readonly string[], signature: string): Slice[] {
  const name = quoteName(key);
  return [null, ...bounds].map((from, at) => {
    const to = bounds[at] ?? null;
    const conditions = [
      from === null ? [] : `${name} >= ${sqlText(from)}`,
      to === null ? [] : `${name} < ${sqlText(to)}`,
    ];
    return {
      id: `${signature}:${from ?? ''}..${to ?? ''}`,
      title: titleOf(key, from, to),
      where: conditions.flat().join(' AND ') || null,
    };
  });
}

function titleOf(key: string, from: string | null, to: string | null): string {
  const written = (value: string, less: bigint) => (BigInt(value) - less).toLocaleString('en-US');
  if (from === null && to === null) return 'all rows';
  if (from === null) return `${key} up to ${written(to!, 1n)}`;
  return to === null
    ? `${key} from ${written(from, 0n)}`
    : `${key} ${written(from, 0n)} to ${written(to, 1n)}`;
}

/** Ranges of blocks, the last one open so that blocks added meanwhile are in it. */
export function blockSlices(bytes: bigint, count: number, signature: string): Slice[] {
  const blocks = bytes / blockBytes;
  return Array.from({ length: count }, (_, at) => {
    const from = (blocks * BigInt(at)) / BigInt(count);
    const to = at === count - 1 ? null : (blocks * BigInt(at + 1)) / BigInt(count);
    const conditions = [at === 0 ? [] : `ctid >= '(${from},0)'`, to === null ? [] : `ctid < '(${to},0)'`];
    return {
      id: `${signature}:block ${from}`,
      title: to === null ? `blocks from ${from}` : `blocks ${from} to ${to - 1n}`,
      where: conditions.flat().join(' AND ') || null,
    };
  });
}
