import { Prisma } from '#generated/prisma/client.ts';
import type { Tx } from '#store/open-store.ts';
import type { StreamWay } from './stream-ways.ts';

/*
 * Transformations and jobs that run after what they read was written. What a transformation reads is known when it is saved;
 * what a job reads, from what its streams have read for the tables that they feed.
 */

const isOn = (alias: string) => {
  const [active, after, deleted] = ['active', 'run_after_inputs', 'deleted_at'].map((column) =>
    Prisma.raw(`${alias}.${column}`),
  );
  return Prisma.sql`${active} AND ${after} AND ${deleted} IS NULL`;
};

/** The feeds f of a job j that its streams of now keep up. */
const ofStreams = Prisma.sql`f.job_id = j.id AND f.stream IN (
  SELECT concat_ws('.', s->>'namespace', s->>'name') FROM jsonb_array_elements(j.streams) s)`;

/** Those that are on, once for each table that they read, as a WITH expression: kind, id, created_at, seen_at, table_id. */
export const following = Prisma.sql`following AS (
  SELECT 'transformation' AS kind, t.id, t.created_at, coalesce(t.inputs_seen_at, t.created_at) AS seen_at, i.table_id
  FROM transformation t JOIN transformation_input i ON i.transformation_id = t.id WHERE ${isOn('t')}
  UNION
  SELECT 'job', j.id, j.created_at, coalesce(j.inputs_seen_at, j.created_at), i.table_id
  FROM job j JOIN table_feed f ON ${ofStreams} JOIN feed_input i ON i.feed_id = f.id WHERE ${isOn('j')}
)`;

/** Jobs j of which no stream has been written: what they read is known after their first run. */
export const unknownJobs = Prisma.sql`job j
  WHERE ${isOn('j')} AND j.inputs_seen_at IS NULL AND NOT EXISTS (SELECT 1 FROM table_feed f WHERE ${ofStreams})`;

/** Tables of the catalog that a job reads, and that it writes, by their ids. */
export interface JobTables {
  reads: string[];
  writes: string[];
}

/** As of the last runs of its streams. */
export async function tablesOfJob(tx: Pick<Tx, '$queryRaw'>, id: string): Promise<JobTables> {
  const rows = await tx.$queryRaw<{ writes: string; reads: string | null }[]>`
    SELECT f.table_id::text AS writes, i.table_id::text AS reads
    FROM job j JOIN table_feed f ON ${ofStreams} LEFT JOIN feed_input i ON i.feed_id = f.id
    WHERE j.id = ${id}::uuid`;
  return {
    reads: rows.flatMap(({ reads }) => reads ?? []),
    writes: rows.map(({ writes }) => writes),
  };
}

/** As its streams would go now, as far as the catalog has met the tables. */
export async function tablesOfWays(
  tx: Pick<Tx, 'catalogTable'>,
  projectId: string,
  ways: readonly StreamWay[],
): Promise<JobTables> {
  const idsOf = async (tables: Prisma.CatalogTableWhereInput[]) => {
    const rows = await tx.catalogTable.findMany({ where: { projectId, OR: tables }, select: { id: true } });
    return rows.map(({ id }) => id);
  };
  const reads = ways.flatMap(({ reads: { datastore, tables } }) =>
    tables.map(({ database, schema, name }) => ({
      database,
      schema,
      name,
      datastore: { name: datastore, deletedAt: null },
    })),
  );
  const writes = ways.map(({ writes: { datastore, schema, name, ignoresCase } }) => {
    const named = (equals: string) => (ignoresCase ? { equals, mode: 'insensitive' as const } : equals);
    return {
      schema: named(schema),
      name: named(name),
      datastore: { name: datastore, deletedAt: null },
    };
  });
  return { reads: await idsOf(reads), writes: await idsOf(writes) };
}

/**
 * Whether what is written comes back as what is read, by jobs and transformations that run after their inputs: whoever does
 * both and ran after its inputs too would start itself for ever.
 */
export async function isCircle(tx: Pick<Tx, '$queryRaw'>, { reads, writes }: JobTables): Promise<boolean> {
  const [found] = await tx.$queryRaw<{ circle: boolean }[]>`
    WITH RECURSIVE ${following}, up(table_id) AS (
      SELECT unnest(${reads}::uuid[])
      UNION
      SELECT o.table_id FROM up JOIN table_feed f ON f.table_id = up.table_id
      JOIN following o ON o.id = coalesce(f.job_id, f.transformation_id)
    )
    SELECT EXISTS (SELECT 1 FROM up WHERE table_id = ANY(${writes}::uuid[])) AS circle`;
  return found?.circle ?? false;
}
