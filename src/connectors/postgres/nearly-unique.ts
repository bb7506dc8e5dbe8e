import type pg from 'pg';
import type { TableRef } from './scan-sql.ts';

/** 9 different values in 10 rows. PostgreSQL says a share of the rows as a number below zero. */
const distinctMin = -0.9;

/**
 * The columns of which PostgreSQL's last ANALYZE found hardly any value twice; none for what was never analysed. Not part
 * of what a relation is described as: an ANALYZE between two attempts must not make their parts differ.
 */
export async function nearlyUniqueColumns(
  client: pg.Client,
  { schema, name }: TableRef,
): Promise<ReadonlySet<string>> {
  const { rows } = await client.query(
    `SELECT attname::text AS name FROM pg_stats WHERE schemaname = $1 AND tablename = $2
     GROUP BY attname HAVING max(n_distinct) <= $3::float4`,
    [schema, name, distinctMin],
  );
  return new Set(rows.map((row: { name: string }) => row.name));
}
