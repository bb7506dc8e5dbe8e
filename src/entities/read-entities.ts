import { AppError } from '#base/errors.ts';
import { type Asker, askWarehouse, type WarehouseAnswer } from '#catalog/ask.ts';
import { keyList } from '#catalog/compare-sql.ts';
import type { CatalogDeps } from '#catalog/deps.ts';
import { type EntityFilter, entityFilterSql } from '#catalog/filter-sql.ts';
import type { Mapping, Mappings } from '#catalog/mappings.ts';
import { type EntityRowSource, entitySource, mappingOf, type RowSource } from '#catalog/row-source.ts';
import { servedMappings } from '#catalog/served-from.ts';
import type { EntityKind } from '#generated/prisma/enums.ts';
import { dialectOf } from '#warehouse/dialects.ts';
import { allOf, joinSql, rawSql, sql, type Sql } from '#warehouse/sql.ts';
import type { EntityKey, EntityOrder, EntityPage } from './entity-order.ts';
import { areEntities, type EntityField, type EntityRow, rowReader } from './entity-rows.ts';

/** Who reads the entities of a project, and which tables hold them. */
export interface EntityReads {
  deps: CatalogDeps;
  asker: Asker;
  mappings: Mappings;
}

/** Which entities, in which order. */
export interface EntityList {
  kind: EntityKind;
  filter?: EntityFilter | null;
  order: EntityOrder;
}

/** The rows of a page and one more, counted from the asked end, in that direction. One statement. */
export async function readPage(
  reads: EntityReads,
  { kind, filter, order }: EntityList,
  page: EntityPage,
  fields: ReadonlySet<EntityField>,
): Promise<EntityRow[]> {
  const { source, mapping } = openEntities(reads, kind);
  const ordered = order.over(source);
  const reader = rowReader(source, mapping, fields, ordered.value);
  const where = allOf([areEntities(source, kind), entityFilterSql(source, filter), ordered.where(page)]);
  const take = page.size + 1;
  const { rows, freshness } = await ask(
    reads,
    source,
    sql`SELECT ${joinSql(reader.columns)} FROM ${source.from()} WHERE ${where} ORDER BY ${ordered.orderBy(page)} LIMIT ${rawSql(String(take))}`,
    take,
  );
  return rows.map((row) => reader.read(row, freshness));
}

/** Whether an entity of the list stands at the key or beyond it, towards that side. One statement. */
export async function existsFrom(
  reads: EntityReads,
  { kind, filter, order }: EntityList,
  key: EntityKey,
  side: 'before' | 'after',
): Promise<boolean> {
  const { source } = openEntities(reads, kind);
  const where = allOf([
    areEntities(source, kind),
    entityFilterSql(source, filter),
    order.over(source).from(key, side),
  ]);
  const { rows } = await ask(reads, source, sql`SELECT 1 FROM ${source.from()} WHERE ${where} LIMIT 1`, 1);
  return rows.length > 0;
}

/** How many entities the list has. One statement. */
export async function countEntities(
  reads: EntityReads,
  { kind, filter }: Pick<EntityList, 'kind' | 'filter'>,
): Promise<number> {
  const { source } = openEntities(reads, kind);
  const where = allOf([areEntities(source, kind), entityFilterSql(source, filter)]);
  const { rows } = await ask(reads, source, sql`SELECT count(*) FROM ${source.from()} WHERE ${where}`, 1);
  return Number(rows[0]?.[0]);
}

/** The entities of these keys, by their keys. One statement, whose text is the same for any number of keys. */
export async function readByKeys(
  reads: EntityReads,
  kind: EntityKind,
  keys: readonly string[],
  fields: ReadonlySet<EntityField>,
): Promise<Map<string, EntityRow>> {
  const { source, mapping } = openEntities(reads, kind);
  const asked = keyList(source.dialect, source.column('key'), keys);
  const found = await readWhere(reads, source, mapping, fields, sql`${asked.column} IN ${asked.rows}`, null);
  return new Map(found.map((row) => [row.key, row]));
}

/** The entity of a key, of a user also by an alias; null when there is none. One statement. */
export async function readByKey(
  reads: EntityReads,
  kind: EntityKind,
  key: string,
  fields: ReadonlySet<EntityField>,
): Promise<EntityRow | null> {
  const { source, mapping } = openEntities(reads, kind);
  const where = source.hasKey(key);
  const found = await readWhere(reads, source, mapping, fields, where, 1);
  return found[0] ?? null;
}

async function readWhere(
  reads: EntityReads,
  source: EntityRowSource,
  mapping: Mapping,
  fields: ReadonlySet<EntityField>,
  where: Sql,
  limit: number | null,
): Promise<EntityRow[]> {
  const reader = rowReader(source, mapping, fields, rawSql('NULL'));
  const all = allOf([areEntities(source, mapping.kind), where]);
  const limited = limit === null ? rawSql('') : rawSql(` LIMIT ${limit}`);
  const { rows, freshness } = await ask(
    reads,
    source,
    sql`SELECT ${joinSql(reader.columns)} FROM ${source.from()} WHERE ${all}${limited}`,
    limit ?? rowsMax,
  );
  return rows.map((row) => reader.read(row, freshness));
}

/** More rows than this in one answer are refused: pages of pages of pages. */
export const rowsMax = 1_000_000;

/**
 * The entities of a kind as a source of rows: of their operational copy where they have one. Fails with BAD_USER_INPUT that
 * says how to map when they are not mapped.
 */
export function openEntities(
  reads: EntityReads,
  kind: EntityKind,
): { source: EntityRowSource; mapping: Mapping } {
  const mappings = servedMappings(reads.mappings, kind);
  const mapping = mappingOf(mappings, kind);
  return { mapping, source: entitySource(mappings, kind, dialectOf(mapping.table.datastore.engine)) };
}

/** An answer, all of its rows. Fails with QUERY_TOO_COMPLEX when they are more than an answer may hold. */
export async function ask(
  { deps, asker }: EntityReads,
  source: RowSource,
  question: Sql,
  most: number,
): Promise<WarehouseAnswer> {
  const answer = await askWarehouse(deps, asker, {
    datastore: source.datastore,
    sql: question,
    tableIds: source.tableIds(),
    rowsMax: Math.min(most, rowsMax),
  });
  if (!answer.truncated) return answer;
  throw new AppError(
    'QUERY_TOO_COMPLEX',
    'What the warehouse answers for this is more than one answer may hold.',
    {
      fix: 'Ask for smaller pages, or for fewer fields.',
    },
  );
}
