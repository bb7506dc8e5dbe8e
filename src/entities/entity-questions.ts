import { keyList } from '#catalog/compare-sql.ts';
import { type EntityFilter, entityFilterSql } from '#catalog/filter-sql.ts';
import type { Mapping, Mappings } from '#catalog/mappings.ts';
import { type EntityRowSource, entitySource, mappingOf, type RowSource } from '#catalog/row-source.ts';
import { servedMappings } from '#catalog/served-from.ts';
import type { EntityKind } from '#generated/prisma/enums.ts';
import { dialectOf } from '#warehouse/dialects.ts';
import { allOf, joinSql, rawSql, sql, type Sql } from '#warehouse/sql.ts';
import { type EntityKey, type EntityOrder, type EntityPage, noValue } from './entity-order.ts';
import { areEntities, type EntityField, type RowReader, rowReader } from './entity-rows.ts';

/* What is asked of the warehouse about entities, one statement each. Pure: mappings in, SQL out. */

/** Which entities, in which order. */
export interface EntityList {
  kind: EntityKind;
  filter?: EntityFilter | null;
  order: EntityOrder;
}

/** One statement, and the most rows that its answer has; null where only the warehouse knows. */
export interface EntityQuestion {
  source: RowSource;
  sql: Sql;
  most: number | null;
}

/** One whose answer has rows of entities. */
export interface EntityRowsQuestion extends EntityQuestion {
  reader: RowReader;
}

/**
 * The entities of a kind as a source of rows: of their operational copy where they have one. Fails with BAD_USER_INPUT that
 * says how to map when they are not mapped.
 */
export function openEntities(all: Mappings, kind: EntityKind): { source: EntityRowSource; mapping: Mapping } {
  const mappings = servedMappings(all, kind);
  const mapping = mappingOf(mappings, kind);
  return { mapping, source: entitySource(mappings, kind, dialectOf(mapping.table.datastore.engine)) };
}

/** The rows of a page and one more, counted from the asked end, in that direction. */
export function pageQuestion(
  mappings: Mappings,
  { kind, filter, order }: EntityList,
  page: EntityPage,
  fields: ReadonlySet<EntityField>,
): EntityRowsQuestion {
  const { source, mapping } = openEntities(mappings, kind);
  const ordered = order.over(source);
  const reader = rowReader(source, mapping, fields, ordered.value);
  const where = allOf([areEntities(source, kind), entityFilterSql(source, filter), ordered.where(page)]);
  const most = page.size + 1;
  const select = sql`SELECT ${joinSql(reader.columns)} FROM ${source.from()} WHERE ${where} ORDER BY ${ordered.orderBy(page)} LIMIT ${rawSql(String(most))}`;
  return { source, sql: select, most, reader };
}

/** A row where an entity of the list stands at the key or beyond it, towards that side. */
export function existsQuestion(
  mappings: Mappings,
  { kind, filter, order }: EntityList,
  key: EntityKey,
  side: 'before' | 'after',
): EntityQuestion {
  const { source } = openEntities(mappings, kind);
  const beyond = order.over(source).from(key, side);
  const where = allOf([areEntities(source, kind), entityFilterSql(source, filter), beyond]);
  return { source, sql: sql`SELECT 1 FROM ${source.from()} WHERE ${where} LIMIT 1`, most: 1 };
}

/** How many entities the list has. */
export function countQuestion(
  mappings: Mappings,
  { kind, filter }: Pick<EntityList, 'kind' | 'filter'>,
): EntityQuestion {
  const { source } = openEntities(mappings, kind);
  const where = allOf([areEntities(source, kind), entityFilterSql(source, filter)]);
  return { source, sql: sql`SELECT count(*) FROM ${source.from()} WHERE ${where}`, most: 1 };
}

/** The entities of these keys. The text is the same for any number of keys. */
export function keysQuestion(
  mappings: Mappings,
  kind: EntityKind,
  keys: readonly string[],
  fields: ReadonlySet<EntityField>,
): EntityRowsQuestion {
  const { source, mapping } = openEntities(mappings, kind);
  const asked = keyList(source.dialect, source.column('key'), keys);
  return whereQuestion(source, mapping, fields, sql`${asked.column} IN ${asked.rows}`, null);
}

/** The entity of a key, of a user also by an alias. */
export function keyQuestion(
  mappings: Mappings,
  kind: EntityKind,
  key: string,
  fields: ReadonlySet<EntityField>,
): EntityRowsQuestion {
  const { source, mapping } = openEntities(mappings, kind);
  return whereQuestion(source, mapping, fields, source.hasKey(key), 1);
}

function whereQuestion(
  source: EntityRowSource,
  mapping: Mapping,
  fields: ReadonlySet<EntityField>,
  where: Sql,
  most: number | null,
): EntityRowsQuestion {
  const reader = rowReader(source, mapping, fields, noValue(source.dialect));
  const all = allOf([areEntities(source, mapping.kind), where]);
  const limited = most === null ? rawSql('') : rawSql(` LIMIT ${most}`);
  const select = sql`SELECT ${joinSql(reader.columns)} FROM ${source.from()} WHERE ${all}${limited}`;
  return { source, sql: select, most, reader };
}
