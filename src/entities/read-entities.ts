import { AppError } from '#base/errors.ts';
import { type Asker, askWarehouse, type WarehouseAnswer } from '#catalog/ask.ts';
import type { CatalogDeps } from '#catalog/deps.ts';
import type { Mappings } from '#catalog/mappings.ts';
import type { EntityKind } from '#generated/prisma/enums.ts';
import type { EntityKey, EntityPage } from './entity-order.ts';
import {
  countQuestion,
  type EntityList,
  type EntityQuestion,
  existsQuestion,
  keyQuestion,
  keysQuestion,
  pageQuestion,
} from './entity-questions.ts';
import type { EntityField, EntityRow } from './entity-rows.ts';

/** Who reads the entities of a project, and which tables hold them. */
export interface EntityReads {
  deps: CatalogDeps;
  asker: Asker;
  mappings: Mappings;
}

/** The rows of a page and one more, counted from the asked end, in that direction. One statement. */
export async function readPage(
  reads: EntityReads,
  list: EntityList,
  page: EntityPage,
  fields: ReadonlySet<EntityField>,
): Promise<EntityRow[]> {
  const question = pageQuestion(reads.mappings, list, page, fields);
  const { rows, freshness } = await ask(reads, question);
  return rows.map((row) => question.reader.read(row, freshness));
}

/** Whether an entity of the list stands at the key or beyond it, towards that side. One statement. */
export async function existsFrom(
  reads: EntityReads,
  list: EntityList,
  key: EntityKey,
  side: 'before' | 'after',
): Promise<boolean> {
  const { rows } = await ask(reads, existsQuestion(reads.mappings, list, key, side));
  return rows.length > 0;
}

/** How many entities the list has. One statement. */
export async function countEntities(
  reads: EntityReads,
  list: Pick<EntityList, 'kind' | 'filter'>,
): Promise<number> {
  const { rows } = await ask(reads, countQuestion(reads.mappings, list));
  return Number(rows[0]?.[0]);
}

/** The entities of these keys, by their keys. One statement, whose text is the same for any number of keys. */
export async function readByKeys(
  reads: EntityReads,
  kind: EntityKind,
  keys: readonly string[],
  fields: ReadonlySet<EntityField>,
): Promise<Map<string, EntityRow>> {
  const question = keysQuestion(reads.mappings, kind, keys, fields);
  const { rows, freshness } = await ask(reads, question);
  const found = rows.map((row) => question.reader.read(row, freshness));
  return new Map(found.map((row) => [row.key, row]));
}

/** The entity of a key, of a user also by an alias; null when there is none. One statement. */
export async function readByKey(
  reads: EntityReads,
  kind: EntityKind,
  key: string,
  fields: ReadonlySet<EntityField>,
): Promise<EntityRow | null> {
  const question = keyQuestion(reads.mappings, kind, key, fields);
  const { rows, freshness } = await ask(reads, question);
  return rows[0] ? question.reader.read(rows[0], freshness) : null;
}

/** More rows than this in one answer are refused: pages of pages of pages. */
export const rowsMax = 1_000_000;

/** An answer, all of its rows. Fails with QUERY_TOO_COMPLEX when they are more than an answer may hold. */
export async function ask(
  { deps, asker }: EntityReads,
  { source, sql, most }: EntityQuestion,
): Promise<WarehouseAnswer> {
  const answer = await askWarehouse(deps, asker, {
    datastore: source.datastore,
    sql,
    tableIds: source.tableIds(),
    rowsMax: Math.min(most ?? rowsMax, rowsMax),
    operation: 'entities',
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
