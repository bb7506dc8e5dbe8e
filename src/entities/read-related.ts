import { keyList, textSql } from '#catalog/compare-sql.ts';
import { entityFilterSql } from '#catalog/filter-sql.ts';
import type { RowSource } from '#catalog/row-source.ts';
import { allOf, joinSql, nameSql, rawSql, sql, type Sql } from '#warehouse/sql.ts';
import type { EntityKey, EntityPage } from './entity-order.ts';
import { areEntities, type EntityField, type EntityRow, numbered, rowReader } from './entity-rows.ts';
import { ask, type EntityList, type EntityReads, openEntities } from './read-entities.ts';

/*
 * What belongs to many parents at once: one statement each, whose text is the same for any number of parents. Answers are
 * by the parents' keys; a parent with nothing is not among them. A user's aliases count as that user.
 */

/** The field that names the parent. */
export type ParentField = 'userKey' | 'organizationKey';

export interface RelatedList extends EntityList {
  parent: ParentField;
}

/** When a user was first and last seen. */
export interface Seen {
  firstAt: Date;
  lastAt: Date;
}

/** Of each parent the rows of the page and one more, as readPage gives them. */
export async function readPages(
  reads: EntityReads,
  list: RelatedList,
  parents: readonly string[],
  page: EntityPage,
  fields: ReadonlySet<EntityField>,
): Promise<Map<string, EntityRow[]>> {
  const { source, mapping } = openEntities(reads, list.kind);
  const ordered = list.order.over(source);
  const reader = rowReader(source, mapping, fields, ordered.value);
  const { parent, column, where } = ofParents(source, list, parents, ordered.where(page));
  const { named, names } = numbered([parent, ...reader.columns]);
  const take = page.size + 1;
  const place = nameSql('place');
  // Only the first of each parent leave the engine.
  const { rows, freshness } = await ask(
    reads,
    source,
    sql`SELECT ${names} FROM (SELECT ${named}, row_number() OVER (PARTITION BY ${column} ORDER BY ${ordered.orderBy(page)}) AS ${place} FROM ${source.from()} WHERE ${where}) AS ${nameSql('ranked')} WHERE ${place} <= ${rawSql(String(take))} ORDER BY ${place}`,
    parents.length * take,
  );
  const pages = new Map<string, EntityRow[]>();
  for (const [key, ...values] of rows) {
    const ofParent = pages.get(key as string);
    const row = reader.read(values, freshness);
    if (ofParent) ofParent.push(row);
    else pages.set(key as string, [row]);
  }
  return pages;
}

/** Of each parent whether an entity of the list stands at the key or beyond it, towards that side. */
export async function existRelatedFrom(
  reads: EntityReads,
  list: RelatedList,
  parents: readonly string[],
  at: EntityKey,
  side: 'before' | 'after',
): Promise<Map<string, boolean>> {
  const { source } = openEntities(reads, list.kind);
  const { parent, where } = ofParents(source, list, parents, list.order.over(source).from(at, side));
  const { rows } = await ask(
    reads,
    source,
    sql`SELECT DISTINCT ${parent} FROM ${source.from()} WHERE ${where}`,
    parents.length,
  );
  return new Map(rows.map(([key]) => [key as string, true]));
}

/** Of each parent how many there are. */
export async function countRelated(
  reads: EntityReads,
  list: Omit<RelatedList, 'order'>,
  parents: readonly string[],
): Promise<Map<string, bigint>> {
  const { source } = openEntities(reads, list.kind);
  const { parent, column, where } = ofParents(source, list, parents);
  const { rows } = await ask(
    reads,
    source,
    sql`SELECT ${parent}, count(*) FROM ${source.from()} WHERE ${where} GROUP BY ${column}`,
    parents.length,
  );
  return new Map(rows.map(([key, count]) => [key as string, count as bigint]));
}

/** Of each user when their first and their last event were. */
export async function readSeen(reads: EntityReads, users: readonly string[]): Promise<Map<string, Seen>> {
  const { source } = openEntities(reads, 'EVENT');
  const { parent, column, where } = ofParents(source, { kind: 'EVENT', parent: 'userKey' }, users);
  const at = source.column('at');
  const moments = ['min', 'max'].map((name) =>
    source.dialect.instant(sql`${rawSql(name)}(${at.sql})`, at.type),
  );
  const { rows } = await ask(
    reads,
    source,
    sql`SELECT ${parent}, ${joinSql(moments)} FROM ${source.from()} WHERE ${where} GROUP BY ${column}`,
    users.length,
  );
  return new Map(
    rows.map(([key, first, last]) => [
      key as string,
      { firstAt: new Date(first as string), lastAt: new Date(last as string) },
    ]),
  );
}

/** The parent's key as text and as the column has it, which is faster to group by; and the condition on what belongs to these. */
function ofParents(
  source: RowSource,
  { kind, parent, filter }: Omit<RelatedList, 'order'>,
  parents: readonly string[],
  more: Sql = allOf([]),
): { parent: Sql; column: Sql; where: Sql } {
  const column = source.column(parent);
  const asked = keyList(source.dialect, column, parents);
  return {
    parent: textSql(source.dialect, column),
    column: column.sql,
    where: allOf([
      sql`${asked.column} IN ${asked.rows}`,
      areEntities(source, kind),
      entityFilterSql(source, filter),
      more,
    ]),
  };
}
