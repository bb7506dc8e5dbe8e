import { keyList, textSql } from '#catalog/compare-sql.ts';
import { entityFilterSql } from '#catalog/filter-sql.ts';
import type { Mappings } from '#catalog/mappings.ts';
import type { RowSource, SourceColumn } from '#catalog/row-source.ts';
import { allOf, joinSql, nameSql, rawSql, sql, type Sql } from '#warehouse/sql.ts';
import type { EntityKey, EntityPage } from './entity-order.ts';
import {
  type EntityList,
  type EntityQuestion,
  type EntityRowsQuestion,
  openEntities,
} from './entity-questions.ts';
import { areEntities, type EntityField, numbered, rowReader } from './entity-rows.ts';

/*
 * What belongs to many parents at once: one statement each, whose text is the same for any number of parents. The first
 * column of an answer is the parent's key; a parent with nothing is not among them. A user's aliases count as that user.
 */

/** The field that names the parent. */
export type ParentField = 'userKey' | 'organizationKey';

export interface RelatedList extends EntityList {
  parent: ParentField;
}

/** Of each parent the rows of the page and one more, as pageQuestion gives them. Only they leave the engine. */
export function pagesQuestion(
  mappings: Mappings,
  list: RelatedList,
  parents: readonly string[],
  page: EntityPage,
  fields: ReadonlySet<EntityField>,
): EntityRowsQuestion {
  const { source, mapping } = openEntities(mappings, list.kind);
  const ordered = list.order.over(source);
  const reader = rowReader(source, mapping, fields, ordered.value);
  const { parent, column, where } = ofParents(source, list, parents, ordered.where(page));
  const { named, names } = numbered([parent, ...reader.columns]);
  const take = page.size + 1;
  const place = nameSql('place');
  // BigQuery's windows take no floats for their parts.
  const each = column.type === 'float' ? parent : column.sql;
  const select = sql`SELECT ${names} FROM (SELECT ${named}, row_number() OVER (PARTITION BY ${each} ORDER BY ${ordered.orderBy(page)}) AS ${place} FROM ${source.from()} WHERE ${where}) AS ${nameSql('ranked')} WHERE ${place} <= ${rawSql(String(take))} ORDER BY ${place}`;
  return { source, sql: select, most: parents.length * take, reader };
}

/** A row for each parent of which an entity of the list stands at the key or beyond it, towards that side. */
export function existRelatedQuestion(
  mappings: Mappings,
  list: RelatedList,
  parents: readonly string[],
  at: EntityKey,
  side: 'before' | 'after',
): EntityQuestion {
  const { source } = openEntities(mappings, list.kind);
  const { parent, where } = ofParents(source, list, parents, list.order.over(source).from(at, side));
  const select = sql`SELECT DISTINCT ${parent} FROM ${source.from()} WHERE ${where}`;
  return { source, sql: select, most: parents.length };
}

/** Of each parent how many there are. */
export function countRelatedQuestion(
  mappings: Mappings,
  list: Omit<RelatedList, 'order'>,
  parents: readonly string[],
): EntityQuestion {
  const { source } = openEntities(mappings, list.kind);
  const { column, where } = ofParents(source, list, parents);
  const select = perParent(source, column, where, [{ made: sql`count(*)`, shown: (count) => count }]);
  return { source, sql: select, most: parents.length };
}

/** Of each user when their first and their last event were. */
export function seenQuestion(mappings: Mappings, users: readonly string[]): EntityQuestion {
  const { source } = openEntities(mappings, 'EVENT');
  const { column, where } = ofParents(source, { kind: 'EVENT', parent: 'userKey' }, users);
  const at = source.column('at');
  const moments = ['min', 'max'].map((name) => ({
    made: sql`${rawSql(name)}(${at.sql})`,
    shown: (moment: Sql) => source.dialect.instant(moment, at.type),
  }));
  const select = perParent(source, column, where, moments);
  return { source, sql: select, most: users.length };
}

/**
 * A row of aggregates for each parent. Grouped by the key as its column has it, which is faster than by its text; the text is
 * made of the groups, since not every engine knows an expression of what it groups by for one.
 */
function perParent(
  source: RowSource,
  column: SourceColumn,
  where: Sql,
  aggregates: readonly { made: Sql; shown: (value: Sql) => Sql }[],
): Sql {
  const made = aggregates.map((aggregate, at) => sql`${aggregate.made} AS ${nameSql(`v${at}`)}`);
  const shown = aggregates.map((aggregate, at) => aggregate.shown(nameSql(`v${at}`)));
  const parent = nameSql('parent');
  const groups = sql`SELECT ${joinSql([sql`${column.sql} AS ${parent}`, ...made])} FROM ${source.from()} WHERE ${where} GROUP BY 1`;
  return sql`SELECT ${joinSql([textSql(source.dialect, { ...column, sql: parent }), ...shown])} FROM (${groups}) AS ${nameSql('groups')}`;
}

/** The parent's key, also as text, and the condition on what belongs to these. */
function ofParents(
  source: RowSource,
  { kind, parent, filter }: Omit<RelatedList, 'order'>,
  parents: readonly string[],
  more: Sql = allOf([]),
): { parent: Sql; column: SourceColumn; where: Sql } {
  const column = source.column(parent);
  const asked = keyList(source.dialect, column, parents);
  return {
    parent: textSql(source.dialect, column),
    column,
    where: allOf([
      sql`${asked.column} IN ${asked.rows}`,
      areEntities(source, kind),
      entityFilterSql(source, filter),
      more,
    ]),
  };
}
