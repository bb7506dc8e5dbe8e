import type { EntityKey, EntityPage } from './entity-order.ts';
import type { EntityField, EntityRow } from './entity-rows.ts';
import { ask, type EntityReads } from './read-entities.ts';
import {
  countRelatedQuestion,
  existRelatedQuestion,
  pagesQuestion,
  type RelatedList,
  seenQuestion,
} from './related-questions.ts';

/* What belongs to many parents at once, by the parents' keys: one statement each. A parent with nothing is not among them. */

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
  const question = pagesQuestion(reads.mappings, list, parents, page, fields);
  const pages = new Map<string, EntityRow[]>();
  const { rows, freshness } = await ask(reads, question);
  for (const [key, ...values] of rows) {
    const ofParent = pages.get(key as string);
    const row = question.reader.read(values, freshness);
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
  const { rows } = await ask(reads, existRelatedQuestion(reads.mappings, list, parents, at, side));
  return new Map(rows.map(([key]) => [key as string, true]));
}

/** Of each parent how many there are. */
export async function countRelated(
  reads: EntityReads,
  list: Omit<RelatedList, 'order'>,
  parents: readonly string[],
): Promise<Map<string, bigint>> {
  const { rows } = await ask(reads, countRelatedQuestion(reads.mappings, list, parents));
  return new Map(rows.map(([key, count]) => [key as string, count as bigint]));
}

/** Of each user when their first and their last event were. */
export async function readSeen(reads: EntityReads, users: readonly string[]): Promise<Map<string, Seen>> {
  const { rows } = await ask(reads, seenQuestion(reads.mappings, users));
  return new Map(
    rows.map(([key, first, last]) => [
      key as string,
      { firstAt: new Date(first as string), lastAt: new Date(last as string) },
    ]),
  );
}
