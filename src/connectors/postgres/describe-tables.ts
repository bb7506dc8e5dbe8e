import type pg from 'pg';
import type { StreamColumn, StreamInfo } from '#connectors/contract.ts';
import { valueType, type PostgresType } from './value-types.ts';

/** A table or view as the catalog of one moment describes it. */
export interface DescribedRelation {
  schema: string;
  name: string;
  oid: number;
  /** pg_class.relkind: r table, p partitioned, v view, m materialized view, f foreign table. */
  kind: string;
  /** Rows lie in 8 kB blocks that a ctid names, and the server finds a range of them without reading the others (14). */
  isHeap: boolean;
  /** Other tables inherit from it, and a SELECT reads them too. */
  hasHeirs: boolean;
  estimatedRows: bigint | null;
  bytes: bigint;
  /** Values too long for a block were moved out of the table. */
  hasLongValues: boolean;
  primaryKey: string[];
  columns: DescribedColumn[];
}

export interface DescribedColumn extends StreamColumn {
  /** Any column whose type is stored in a varying length: its values may be long. */
  isLong: boolean;
}

/**
 * Every relation of these schemas that the user may read, or the one that is named, whether the user may read it or not.
 * Partitions are left to the tables they belong to. One row of JSON a relation.
 */
const relationsSql = `
  WITH RECURSIVE relation AS (
    SELECT c.oid, n.nspname, c.relname, c.relkind, c.relhassubclass, c.relam, c.reltoastrelid, c.reltuples
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname = ANY ($1)
      AND (CASE WHEN $2::text IS NULL THEN NOT c.relispartition
             AND (has_table_privilege(c.oid, 'SELECT') OR has_any_column_privilege(c.oid, 'SELECT'))
           ELSE c.relname = $2 END)
  ), attribute AS (
    SELECT a.attrelid, a.attnum, a.attname, a.attnotnull, a.attlen, a.atttypid AS type, a.atttypmod AS modifier,
           format_type(a.atttypid, a.atttypmod) AS written
    FROM pg_attribute a JOIN relation r ON r.oid = a.attrelid
    WHERE a.attnum > 0 AND NOT a.attisdropped
  ), base AS (
    SELECT a.attrelid, a.attnum, a.type, a.modifier FROM attribute a
    UNION ALL
    SELECT b.attrelid, b.attnum, t.typbasetype, CASE WHEN b.modifier < 0 THEN t.typtypmod ELSE b.modifier END
    FROM base b JOIN pg_type t ON t.oid = b.type WHERE t.typtype = 'd'
  )
  SELECT r.oid::int8::text AS oid, r.nspname AS schema, r.relname AS name, r.relkind AS kind,
    r.relhassubclass AND r.relkind = 'r' AS "hasHeirs",
    r.relkind IN ('r', 'm') AND current_setting('server_version_num')::int4 >= 140000
      AND coalesce((SELECT amname = 'heap' FROM pg_am WHERE oid = r.relam), false) AS "isHeap",
    CASE WHEN r.relkind = 'p' THEN (
        SELECT sum(greatest(part.reltuples, 0)) FROM pg_partition_tree(r.oid) tree JOIN pg_class part ON part.oid = tree.relid
        WHERE tree.isleaf)
      WHEN r.relkind IN ('r', 'm', 'f') AND r.reltuples >= 0 THEN r.reltuples END::int8::text AS rows,
    CASE WHEN r.relkind = 'p' THEN (
        SELECT sum(pg_relation_size(tree.relid)) FROM pg_partition_tree(r.oid) tree WHERE tree.isleaf)
      WHEN r.relkind IN ('r', 'm') THEN pg_relation_size(r.oid) ELSE 0 END::text AS bytes,
    CASE WHEN r.relkind = 'p' THEN EXISTS (
        SELECT FROM pg_partition_tree(r.oid) tree JOIN pg_class part ON part.oid = tree.relid
        WHERE part.reltoastrelid <> 0 AND pg_relation_size(part.reltoastrelid) > 0)
      WHEN r.relhassubclass THEN true WHEN r.reltoastrelid = 0 THEN r.relkind NOT IN ('r', 'm')
      ELSE pg_relation_size(r.reltoastrelid) > 0 END AS "hasLongValues",
    coalesce((
      SELECT json_agg(a.attname ORDER BY place) FROM pg_index i, unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, place)
        JOIN attribute a ON a.attnum = k.attnum WHERE i.indrelid = r.oid AND a.attrelid = r.oid AND i.indisprimary
    ), '[]') AS "primaryKey",
    coalesce((
      SELECT json_agg(json_build_object(
          'name', a.attname, 'nullable', NOT a.attnotnull, 'written', a.written, 'isLong', a.attlen < 0,
          'type', t.typname, 'builtin', t.typnamespace = 'pg_catalog'::regnamespace, 'kind', t.typtype, 'modifier', b.modifier,
          'element', CASE WHEN e.oid IS NOT NULL THEN json_build_object('name', e.typname,
            'builtin', e.typnamespace = 'pg_catalog'::regnamespace, 'kind', e.typtype, 'modifier', b.modifier, 'element', NULL) END
        ) ORDER BY a.attnum)
      FROM attribute a JOIN base b ON b.attrelid = a.attrelid AND b.attnum = a.attnum
        JOIN pg_type t ON t.oid = b.type AND t.typtype <> 'd'
        LEFT JOIN pg_type e ON e.oid = t.typelem AND e.typarray = t.oid
      WHERE a.attrelid = r.oid
    ), '[]') AS columns
  FROM relation r ORDER BY r.nspname, r.relname`;

interface ColumnRow {
  name: string;
  nullable: boolean;
  written: string;
  isLong: boolean;
  type: string;
  builtin: boolean;
  kind: string;
  modifier: number;
  element: PostgresType | null;
}

/** Describes every relation of `schemas` that may be read or, with `name`, that one alone. */
export async function describeRelations(
  client: pg.Client,
  schemas: readonly string[],
  name: string | null,
): Promise<DescribedRelation[]> {
  const { rows } = await client.query(relationsSql, [schemas, name]);
  return rows.map((row) => ({
    ...row,
    oid: Number(row.oid),
    estimatedRows: row.rows === null ? null : BigInt(row.rows),
    bytes: BigInt(row.bytes ?? 0),
    columns: (row.columns as ColumnRow[]).map(columnOf),
  }));
}

function columnOf(row: ColumnRow): DescribedColumn {
  const { type, builtin, kind, modifier, element } = row;
  const { name, nullable, written, isLong } = row;
  return {
    name,
    nullable,
    sourceType: written,
    isLong,
    ...valueType({ name: type, builtin, kind, modifier, element }),
  };
}

const cursorKinds = new Set([
  'int16',
  'int32',
  'int64',
  'float32',
  'float64',
  'decimal',
  'text',
  'uuid',
  'date',
  'timestamp',
  'timestamptz',
]);

/** The stream that a relation offers. */
export function streamOf(relation: DescribedRelation): StreamInfo {
  return {
    namespace: relation.schema,
    name: relation.name,
    columns: relation.columns.map(({ isLong: _, ...column }) => column),
    syncModes: ['FULL_REFRESH', 'INCREMENTAL'],
    primaryKey: relation.primaryKey,
    cursorFields: relation.columns.filter(mayBeCursor).map((column) => column.name),
    estimatedRows: relation.estimatedRows,
  };
}

/** Whether equal values have one text, and the order of values is the order of their column in PostgreSQL. */
export function mayBeCursor(column: StreamColumn): boolean {
  return cursorKinds.has(column.type.kind) && column.asTextBecause === undefined;
}
